"""What can go wrong, as types; a message says what was wrong, the value, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SHOWN = 60  # letters of a value that a message repeats
_LONGEST_VALUE = 300
_WHOLE = 120  # letters of a name that is offered to be copied
_ROOM = 240  # letters of all names that are offered at once
_LONGEST_MESSAGE = 2_000
_KEPT = 240  # letters of a long message that stay at its end, where it says what to do
# Patterns as texts, compiled when they are first used: most commands end without an error.
_OPENING = r"""(?<!\w)['"]"""
_CARET = r"\n +\^\s*\Z"  # under a place in a formula
_LONG_WORD = rf"\S{{{_LONGEST_VALUE + 1},}}"
# what a terminal would obey, and halves of characters, which no encoding can write
_UNPRINTABLE = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"


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
        message = re.sub(_LONG_WORD, lambda found: f"{found[0][:_SHOWN]}…", message)
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[: _LONGEST_MESSAGE - _KEPT]} … {message[-_KEPT:]}"
    return re.sub(_UNPRINTABLE, lambda found: f"\\x{ord(found[0]):02x}", message)


def brief_of(message: str, words: Sequence[str]) -> str:
    """The message on one line, with no word of a command line, nor what stands behind its ``=``, where that is long.

    What repeats many short words, such as a list of arguments that a command does not take, is left out in the midst.
    """
    if "\n" in message and re.search(_CARET, message) is None:  # a header may hold lines
        message = " ".join(message.split("\n"))
    pieces = {piece for word in words for piece in (word, word.partition("=")[2]) if len(piece) > _LONGEST_VALUE}
    for piece in sorted(pieces, key=len, reverse=True):
        for text in (piece, repr(piece)[1:-1], " ".join(piece.split())):
            message = _cut_runs(message, text)
    listed = " ".join(words)
    if len(message) > 2 * _LONGEST_VALUE and len(listed) > _LONGEST_VALUE and _repeats(message, listed):
        message = f"{message[:_LONGEST_VALUE]} … {message[-_KEPT:]}"
    return message


def _cut_runs(message: str, text: str) -> str:
    """The message with what it repeats of a text from its beginning cut, whether it repeats all of it or a part."""
    at = message.find(text[: 2 * _SHOWN])
    while at >= 0:
        pairs = zip(message[at:], text, strict=False)
        run = next((n for n, (one, other) in enumerate(pairs) if one != other), min(len(message) - at, len(text)))
        if run > _LONGEST_VALUE:
            message = f"{message[: at + _SHOWN]}…{message[at + run :]}"
        at = message.find(text[: 2 * _SHOWN], at + _SHOWN)
    return message


def _repeats(message: str, listed: str) -> bool:
    """Whether the message holds more than 300 characters of the words one after the other."""
    step = _LONGEST_VALUE // 2
    return any(listed[place : place + step] in message for place in range(0, max(1, len(listed) - step), step))


def _cut_quotes(message: str) -> str:
    """The message with what stands in quotes cut where it is long, in one pass: a quote without its end stays one."""
    parts, copied, at, unclosed = [], 0, 0, set[str]()
    openings, closing = re.compile(_OPENING), {quote: re.compile(rf"{quote}(?!\w)") for quote in "'\""}
    while len(unclosed) < len(closing) and (opening := openings.search(message, at)):
        quote, start = opening[0], opening.end()
        end = None if quote in unclosed else closing[quote].search(message, start)
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


def choices(names: Iterable[object], most: int = 12, *, bare: bool = False) -> str:
    """Names of which a user takes one, each whole, so that it can be copied: those that fit, and how many are left.

    A name of more than 120 letters is cut all the same; :func:`pasted` then names no value. bare: without quotes, where
    no name has a space or a comma.
    """
    every = list(names)
    whole = [excerpt(name, _WHOLE) for name in every[:most]]
    if bare and not any(set(" ,;'") & set(name[1:-1]) for name in whole):
        whole = [name[1:-1] for name in whole]
    room, fitting = _ROOM, 0
    for name in whole:
        room -= len(name) + 2
        if fitting and room < 0:
            break
        fitting += 1
    left = len(every) - fitting
    return ", ".join(whole[:fitting]) + (f" and {left} more" if left else "")


def pasted(name: str, *, otherwise: str = "HEADER") -> str:
    """A name as it is pasted behind an option; ``otherwise`` for one that is too long to be shown whole."""
    return repr(name) if len(name) <= _WHOLE and name.isprintable() else otherwise
