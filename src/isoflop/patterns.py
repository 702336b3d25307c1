"""Regular expressions that are compiled when they are first used: most commands need few of those that they load."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from re import compile as pattern
else:

    class pattern:
        """``pattern(text, flags)`` is ``re.compile(text, flags)``, compiled when one of its methods is asked for."""

        def __init__(self, text: str | bytes, flags: int = 0) -> None:
            self._made = text, flags

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a method of the compiled expression, kept
            found = getattr(re.compile(*self._made), name)
            setattr(self, name, found)
            return found


__all__ = ["pattern"]
