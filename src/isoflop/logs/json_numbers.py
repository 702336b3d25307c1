"""The numbers in a JSON value, under names joined by dots."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

_DEEPEST: Final = 20
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
