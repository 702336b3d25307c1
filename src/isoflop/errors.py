"""What can go wrong, as types; a message says what was wrong, the value, and what to do."""

from __future__ import annotations

import re

_SHOWN = 60  # letters of a value that a message repeats
_LONGEST_VALUE = 300
_LONGEST_MESSAGE = 2_000
_KEPT = 240  # letters of a long message that stay at its end, where it says what to do
_OPENING = re.compile(r"""(?<!\w)['"]""")
_CLOSING = {quote: re.compile(rf"{quote}(?!\w)") for quote in "'\""}
_LONG_WORD = re.compile(rf"\S{{{_LONGEST_VALUE + 1},}}")
# what a terminal would obey, and halves of characters, which no encoding can write
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def shown(value: object) -> str:
    """A value as a message repeats it, cut where it is long."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**_SHOWN:
        # Python refuses to write the longest out
        return f"a whole number of {int(value.bit_length() * 0.30103) + 1:,} digits"
    text = value if isinstance(value, str) else _repr(value)
    cut = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return repr(cut.encode("utf-8", "replace").decode()) if isinstance(value, str) else cut


def _repr(value: object) -> str:
    try:
        return repr(value)
    except (ValueError, RecursionError):  # a number of too many digits inside, or brackets without end
        return f"{type(value).__name__} …"


def brief(message: str) -> str:
    """The message with no value of more than 300 characters, and without characters that a terminal would obey."""
    if len(message) > _LONGEST_VALUE:
        message = _cut_quotes(message)
        message = _LONG_WORD.sub(lambda found: f"{found[0][:_SHOWN]}…", message)
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[: _LONGEST_MESSAGE - _KEPT]} … {message[-_KEPT:]}"
    return _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", message)


def _cut_quotes(message: str) -> str:
    """The message with what stands in quotes cut where it is long, in one pass: a quote without its end stays one."""
    parts, copied, at, unclosed = [], 0, 0, set[str]()
    while len(unclosed) < len(_CLOSING) and (opening := _OPENING.search(message, at)):
        quote, start = opening[0], opening.end()
        end = None if quote in unclosed else _CLOSING[quote].search(message, start)
        at = start if end is None else end.end()
        if end is None:
            unclosed.add(quote)
        elif end.start() - start >= _LONGEST_VALUE:
            parts += [message[copied : start + _SHOWN], f"…{quote}"]
            copied = at
    return "".join([*parts, message[copied:]])


class IsoflopError(Exception):
    """Bad input or an answer that cannot be given. The command line prints it as one sentence and exits with 2."""

    def __init__(self, says: str = "") -> None:
        super().__init__(brief(says))


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
