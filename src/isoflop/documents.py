"""Documents of a known size: bytes of a plain file, and the plain values of JSON and TOML, each within bounds.

Nothing is read that is no plain file (a device or a pipe has no end), nothing that is longer than a document of its
kind can be, and nothing that nests deeper or holds longer numbers than anything that isoflop writes.
"""

from __future__ import annotations

import json
import math
import stat
import tomllib
from pathlib import Path
from typing import Any

from isoflop.errors import IsoflopError
from isoflop.patterns import pattern

MOST_DEPTH = 40  # a report's answer nests about ten levels
MOST_DIGITS = 40  # of a whole number; a seed has ten
MOST_VALUES = 6_000_000  # of one text of JSON, which Python holds in some 100 bytes each
_LONG_NUMBER = pattern(r"[0-9][0-9_]{400,}")


class DocumentError(IsoflopError):
    """A file is absent, no plain file, too long, or no JSON or TOML within bounds; ``says`` why, without its name."""


def read_bounded(path: str | Path, *, most: int) -> bytes:
    """The bytes of a plain file of at most ``most`` bytes.

    Raises DocumentError, whose message goes on from the file's name: ``cannot be read (…)``, ``has 3,000,000 bytes …``.
    """
    path = Path(path)
    try:
        about = path.stat()
        if stat.S_ISDIR(about.st_mode):
            raise DocumentError("is a folder, and a file is needed")
        if not stat.S_ISREG(about.st_mode):
            raise DocumentError("is no plain file but a device, a pipe or a socket; copy what it holds to a file")
        if about.st_size > most:
            raise DocumentError(f"has {about.st_size:,} bytes, and at most {most:,} are read")
        with path.open("rb") as file:
            data = file.read(most + 1)  # what grows while it is read, or has no length, ends here too
    except OSError as error:
        raise DocumentError(f"cannot be read ({error.strerror})") from None
    except ValueError:  # a NUL within the path
        raise DocumentError("cannot be read (its path holds a NUL)") from None
    if len(data) > most:
        raise DocumentError(f"has more than the {most:,} bytes that are read")
    return data


def refuse_many_values(data: bytes | str) -> None:
    """Refuse JSON that may hold more than :data:`MOST_VALUES` values, before they are made: 60 MB of ``[],`` take 2 GB.

    Raises DocumentError. Brackets and commas are counted, those within texts too.
    """
    if len(data) <= MOST_VALUES:
        return
    text = data if isinstance(data, bytes) else data.encode("utf-8", "replace")
    if text.count(b"[") + text.count(b"{") + text.count(b",") > MOST_VALUES:
        raise DocumentError(f"holds more than the {MOST_VALUES:,} values that are read")


def parse_json(data: bytes | str, *, words: bool = False) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The plain values of JSON in UTF-8; words: whether NaN and Infinity, which Python writes, are numbers too.

    Raises DocumentError: not JSON, deeper than 40 levels, a number that no float holds, half a character.
    """
    try:
        refuse_many_values(data)
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        value = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=float if words else _constant)
    except DocumentError:
        raise
    except RecursionError:
        raise DocumentError(f"nests deeper than {MOST_DEPTH} levels") from None
    except ValueError:  # what is no UTF-8 is one too
        raise DocumentError("is not JSON or is cut short") from None
    _within(value)
    return value


def parse_toml(data: bytes | str) -> dict[str, Any]:
    """The plain values of TOML in UTF-8; whole numbers within 64 bits, as TOML promises.

    Raises DocumentError: not TOML, deeper than 40 levels, a number that is too long, half a character.
    """
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
        if _LONG_NUMBER.search(text):
            raise DocumentError("is not TOML: a number in it has more than 400 digits")
        value = tomllib.loads(text.replace("\r\n", "\n"))
    except DocumentError:
        raise
    except UnicodeDecodeError:
        raise DocumentError("is not UTF-8 text") from None
    except RecursionError:
        raise DocumentError(f"nests deeper than {MOST_DEPTH} levels") from None
    except ValueError as error:
        raise DocumentError(f"is not TOML: {str(error)[:200]}") from None
    _within(value)
    return value


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise DocumentError(f"holds a whole number of {len(digits):,} digits; at most {MOST_DIGITS} are read")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise DocumentError(f"holds the number {digits[:20]}, which is beyond every float")
    return value


def _constant(word: str) -> float:
    raise DocumentError(f"holds {word}, which JSON does not have")


def _within(value: object, depth: int = 1) -> None:
    """Refuse depth, and texts that no file can hold."""
    if depth > MOST_DEPTH and isinstance(value, dict | list):
        raise DocumentError(f"nests deeper than {MOST_DEPTH} levels")
    if isinstance(value, str):
        _whole_characters(value)
    elif isinstance(value, dict):
        for key, each in value.items():
            _whole_characters(key)
            _within(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            if type(each) is not float:  # of which a fit has thousands
                _within(each, depth + 1)
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**MOST_DIGITS:
        raise DocumentError(f"holds a whole number of more than {MOST_DIGITS} digits")


def _whole_characters(text: str) -> None:
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise DocumentError("holds half a character (a lone surrogate)")
