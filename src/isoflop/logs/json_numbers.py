"""JSON as logs hold it: objects, and the numbers in them under names joined by dots."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from isoflop.documents import DocumentError, refuse_many_values
from isoflop.logs.logged import LogError

_DEEPEST: Final = 20
_LARGEST: Final = 256 * 2**20
_WORDS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def numbers_in(name: str, value: object, depth: int = 0) -> dict[str, float]:
    """{"train": {"loss": 3}} → {"train.loss": 3.0}; pictures, tables (``_type``), lists and texts are no numbers.

    NaN and infinities are numbers in the spellings of JSON writers.
    """
    if isinstance(value, bool | int | float):
        return {name: as_float(value)}
    if isinstance(value, str) and value in _WORDS:
        return {name: _WORDS[value]}
    if isinstance(value, Mapping) and "_type" not in value and depth < _DEEPEST:
        flat: dict[str, float] = {}
        for key, below in value.items():
            flat.update(numbers_in(f"{name}.{key}" if name else str(key), below, depth + 1))
        return flat
    return {}


def as_float(value: float) -> float:
    """The number as a double; integers too large for one are infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def number_or_none(value: object) -> float | None:
    """The value if it is a number (or NaN or an infinity as JSON writers spell them), else None."""
    if isinstance(value, bool | int | float):
        return as_float(value)
    return _WORDS.get(value) if isinstance(value, str) else None


def read_object(data: bytes, source: str) -> dict[str, Any]:
    """The JSON object in the bytes; raises LogError where they are no JSON, no object, or more than any log."""
    if len(data) > _LARGEST:
        raise LogError(f"{source} has {len(data):,} bytes of JSON, more than a run's summary has; is it another file?")
    try:
        refuse_many_values(data)
        value = json.loads(data)
    except DocumentError as error:
        raise LogError(f"{source} {error}; is it another program's file?") from None
    except RecursionError:
        raise LogError(f"{source} is nested too deeply to be a log; copy it again") from None
    except ValueError as error:
        raise LogError(f"{source} is no whole JSON file ({error}); copy it again") from None
    if not isinstance(value, dict):
        raise LogError(f"{source} holds no JSON object; is it another program's file?")
    return value
