"""Settings that a log keeps as text, as what they are."""

from __future__ import annotations

import re
from typing import Any, Final

from isoflop.logs.logged import Setting

_WHOLE: Final = re.compile(r"[+-]?\d{1,18}")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def typed(text: str) -> Setting:
    """``3e-4`` as a number, ``True`` as a truth value, all else as it stands."""
    text = text.strip()
    if _WHOLE.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    return {"true": True, "false": False}.get(text.lower(), text)


_LINE: Final = re.compile(r"(?P<indent> {0,64})(?P<key>[^\s:#'\"{\[][^:]{0,100}):(?: +(?P<value>.{0,1000}))?")


def settings_of_yaml(data: bytes) -> dict[str, Any]:
    """Keys and values of a plain YAML file, nested by indentation: what loggers write of a configuration.

    Lists, anchors, tags and texts of several lines are passed over.
    """
    root: dict[str, Any] = {}
    open_: list[tuple[int, dict[str, Any]]] = [(-1, root)]
    for line in data.decode("utf-8", errors="replace").splitlines():
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            continue
        indent, value = len(match["indent"]), (match["value"] or "").strip()
        while open_[-1][0] >= indent:
            open_.pop()
        key = match["key"].strip()
        if not value:
            below: dict[str, Any] = {}
            open_[-1][1][key] = below
            open_.append((indent, below))
        elif value[0] not in "!&*|>[{" and value not in ("null", "~"):
            open_[-1][1][key] = typed(value.strip("'\""))
    return root
