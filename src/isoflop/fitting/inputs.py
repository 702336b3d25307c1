"""A law's inputs from what a user has at hand: runs, a mapping under symbols or words, or a data frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import FitError
from isoflop.fitting.table import law_inputs
from isoflop.laws import Law
from isoflop.laws.lists import Lists
from isoflop.runs import Runs, read_runs
from isoflop.symbols import WORDS

Floats = NDArray[np.float64]
V = TypeVar("V")

# Runs, a mapping of inputs, or a pandas, Polars or Arrow frame, which narwhals knows
Given = Runs | Mapping[str, ArrayLike | Lists] | Any


def by_symbol(law: Law, given: Mapping[str, V]) -> dict[str, V]:
    """The mapping with the law's symbols for words: ``params`` is N, ``tokens`` is D, ``flops`` or ``compute`` is C.

    Raises FitError where a word and its symbol are both given.
    """
    found: dict[str, V] = {}
    for name, value in given.items():
        symbol = name if name in law.input_names else WORDS.get(name, name)
        if symbol in found:
            both = [each for each in given if each == symbol or WORDS.get(each) == symbol]
            raise FitError(f"{' and '.join(both)} are both {symbol}; give one of them")
        found[symbol] = value
    return found


def inputs_of(law: Law, given: Given) -> Mapping[str, Floats | Lists]:
    """The law's inputs as arrays that broadcast against each other.

    Of runs and frames they are columns, whose headers map as those of a file do; columns that the law prepares are
    computed, and so they are of a mapping that has what they are computed from.
    Raises DataError for a missing column, FitError for an input that a mapping lacks or gives twice.
    """
    if isinstance(given, Runs):
        return law_inputs(law, given)
    if not isinstance(given, Mapping):
        return law_inputs(law, read_runs(given))
    named = by_symbol(law, given)
    missing = [name for name in law.input_names if name not in named]
    if not missing:
        return {name: _array(named[name], name) for name in law.input_names}
    if all(name in law.prepared for name in missing):
        return law_inputs(law, Runs.from_columns(named))
    raise FitError(
        f"{law.name} needs {', '.join(map(_spoken, law.input_names))}; {', '.join(missing)} is missing"
        + (f" (given: {', '.join(map(str, given))})" if given else "")
    )


def _spoken(symbol: str) -> str:
    word = next((word for word, letter in WORDS.items() if letter == symbol), None)
    return symbol if word is None else f"{symbol} ({word})"


def _array(values: ArrayLike | Lists, name: str) -> Floats | Lists:
    if isinstance(values, Lists):
        return values
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise FitError(f"{name} must be a number or an array of numbers, not {values!r}") from None
