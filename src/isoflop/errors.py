"""What can go wrong, as types; a message says what was wrong, the value, and what to do."""

from __future__ import annotations


class IsoflopError(Exception):
    """Bad input or an answer that cannot be given. The command line prints it as one sentence and exits with 2."""


class DataError(IsoflopError):
    """A table of runs cannot be used as asked: a missing column, text among numbers, losses at or below zero."""


class FormulaError(IsoflopError):
    """A formula or a selection is not in the small language that isoflop reads.

    at: the place in the text, counted in letters from 0, where there is one; a page puts its mark there.
    """

    def __init__(self, says: str, *, at: int | None = None) -> None:
        super().__init__(says)
        self.at = at


class FitError(IsoflopError):
    """No usable fit exists: fewer runs than parameters, or no start with a finite objective."""


class SavedError(IsoflopError):
    """A saved file is damaged, foreign, or from a release that this one cannot read."""


class SpecError(IsoflopError):
    """A sweep or study description has an unknown key or an impossible value."""


class MissingExtraError(IsoflopError):
    """A command needs an optional package that is not installed."""


def excerpt(value: object, most: int = 60) -> str:
    """A value as a message repeats it: in quotes, on one line, cut where it is long, without what cannot be printed."""
    text = str(value)
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return repr(cut.encode("utf-8", "replace").decode())
