"""Settings that a log keeps as text, as what they are."""

from __future__ import annotations

import re
from typing import Final

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
