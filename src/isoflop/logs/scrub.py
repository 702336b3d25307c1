"""What must not leave a log: host names, people's names, absolute paths and addresses."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from isoflop.findings import Finding
from isoflop.logs.logged import Setting
from isoflop.values import FrozenMapping

_LONGEST: Final = 500  # characters of a text setting; longer ones are prompts or tables, not settings
_DEEPEST: Final = 20
# A key of one of these names tells who or where, whatever its value looks like.
_WHO: Final = re.compile(
    r"(^|[._/-])(host(name)?|user(name)?|e?mail|author|owner|entity|cwd|home|nodename|node_?name|node_?list|machine"
    r"|computer_?name|master_addr|addr(ess)?|ip|ip_addr(ess)?|api_?key|token|password|secret|wandb_token)$",
    re.IGNORECASE,
)
# An absolute path (also in the midst of a command), a drive, a home folder, an address, a mail address.
_WHERE: Final = re.compile(
    r"(?:^|[\s=:,;'\"(\[{|])(?:/(?=[\w.~-]+)|~[\w.-]*/|~$|[A-Za-z]:[\\/]|\\\\\w|\$\{?HOME|%USERPROFILE%)"
    r"|\w://|[\w.+-]+@[\w-]+(?:\.[\w-]|:)"
)
_EVENT_FILE: Final = re.compile(r"events\.out\.tfevents\.\d+\.(?P<rest>.+)")
_EVENT_TAIL: Final = re.compile(r"(\.\d+){1,2}(\.v2|\.profile-empty)?$|\.v2$")


def tells_where(text: str) -> bool:
    """Whether a text holds an absolute path, a home folder, an address or a mail address."""
    return _WHERE.search(text) is not None


def plain_text(text: str) -> str:
    """The text with every half of a pair of surrogates replaced, which no file in UTF-8 can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", errors="replace").decode()
    return text


def settings_of(config: Mapping[str, Any]) -> tuple[Mapping[str, Setting], tuple[Finding, ...]]:
    """A nested configuration as flat settings, and a note that names the keys that were left out.

    {"optimizer": {"lr": 3e-4}} → {"optimizer.lr": 3e-4}; lists are numbered from 0; null is left out.
    """
    kept: dict[str, Setting] = {}
    hidden: list[str] = []
    for key, value in _flat(config, "", 0):
        key, value = plain_text(key), plain_text(value) if isinstance(value, str) else value
        if _WHO.search(key) or tells_where(key):
            hidden.append(key if not tells_where(key) else "a key that is a path")
        elif isinstance(value, str):
            if tells_where(value):
                hidden.append(key)
            elif len(value) <= _LONGEST:
                kept[key] = value
        else:
            kept[key] = value
    if not hidden:
        return FrozenMapping(kept), ()
    shown = ", ".join(hidden[:4]) + (f" and {len(hidden) - 4} more" if len(hidden) > 4 else "")
    note = Finding(
        "left-out",
        "note",
        f"settings that hold paths, addresses or names of people or machines were not taken: {shown}.",
        "Nothing to do; a setting that matters can be logged under a name of its own.",
    )
    return FrozenMapping(kept), (note,)


def _flat(value: object, name: str, depth: int) -> Iterator[tuple[str, Setting]]:
    match value:
        case Mapping() if depth < _DEEPEST:
            for key, below in value.items():
                yield from _flat(below, f"{name}.{key}" if name else str(key), depth + 1)
        case list() | tuple() if depth < _DEEPEST:
            if all(isinstance(entry, bool | int | float | str) for entry in value):
                yield name, " ".join(str(entry) for entry in value)
            else:
                for number, below in enumerate(value):
                    yield from _flat(below, f"{name}.{number}" if name else str(number), depth + 1)
        case bool() | str():
            yield name, value
        case int():
            yield name, value if abs(value) < 2**63 else float(value) if abs(value) < 10**300 else math.inf
        case float():
            yield name, value


def hosts_in(files: Iterable[Path]) -> frozenset[str]:
    """The host names that names of event files hold: ``events.out.tfevents.1700000000.HOST.4711.0``."""
    hosts = set()
    for path in files:
        match = _EVENT_FILE.fullmatch(path.name)
        if match is not None:
            host = _EVENT_TAIL.sub("", match["rest"])
            if host and not host.isdigit():
                hosts.add(host)
    return frozenset(hosts)


def without_hosts(source: str, hosts: Iterable[str]) -> str:
    """A relative path without host names: ``runs/Nov22_06-24-17_box`` → ``runs/Nov22_06-24-17``."""
    for host in sorted(hosts, key=len, reverse=True):
        source = re.sub(rf"[_.-]?{re.escape(host)}", "", source)
    return source
