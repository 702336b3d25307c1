"""What may be trained and what each costs: a table, or all combinations of a grid."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError
from isoflop.planning.points import values_of
from isoflop.runs import Runs, read_runs
from isoflop.runs.derive import named_columns, symbol_of, with_derived
from isoflop.values import Value

Floats = NDArray[np.float64]

MOST = 2_000  # candidates of one design: their covariance is a square matrix
_COST = "cost"
_LARGEST = 1e100


@dataclass(frozen=True)
class Candidates(Value):
    """Runs that may be trained: frame has a row each; cost: of each, (rows,), in the unit of the budget.

    priced: how the cost came about, in words.
    """

    frame: pl.DataFrame = field(repr=False)
    cost: Floats = field(repr=False)
    priced: str
    source: str

    def __len__(self) -> int:
        return len(self.cost)

    def inputs(self, names: Collection[str]) -> dict[str, Floats]:
        """The named columns as numbers, (rows,) each. Raises DataError for one that is not there."""
        lacking = [name for name in names if name not in self.frame.columns]
        if lacking:
            raise DataError(
                f"the candidates of {self.source} have no column {lacking[0]}, an input of the law; they have "
                f"{', '.join(self.frame.columns)}"
            )
        return {name: self.frame[name].to_numpy().astype(np.float64) for name in names}


def candidate_grid(
    words: Sequence[str], names: Collection[str], *, cost: str | None = None, option: str = "--candidates"
) -> Candidates:
    """All combinations of ``NAME=VALUES`` words: ``N=1M,3M,10M``; ``N=1M:1B:7`` is seven sizes evenly in log N.

    cost: a formula of the columns; 6*N*D by default. option: where the words were given, for messages.
    Raises IsoflopError for words that name no values, and for too many combinations.
    """
    values = values_of([_spelled(word) for word in words], names, option=option)
    count = math.prod(len(each) for each in values.values())
    if count > MOST:
        raise IsoflopError(f"the grid has {count:,} candidates, and at most {MOST:,} are compared; give fewer values")
    rows = list(itertools.product(*values.values()))
    frame = pl.DataFrame({name: [row[place] for row in rows] for place, name in enumerate(values)})
    return candidates_of(Runs.from_columns(dict(frame.to_dict(as_series=False)), source="the grid"), cost=cost)


def read_candidates(
    path: str | Path, *, cost: str | None = None, derive: Mapping[str, str] | None = None
) -> Candidates:
    """The rows of a table, whose headers map as those of runs do, with derived columns; see :func:`candidates_of`."""
    runs = read_runs(path)
    return candidates_of(with_derived(runs, derivable(derive or {}, runs)), cost=cost)


def derivable(derive: Mapping[str, str], runs: Runs) -> dict[str, str]:
    """Those of the formulas that candidates have the columns for, and whose own column they lack."""
    names = named_columns(derive, runs.frame.schema)
    wanted = {symbol_of(name): (name, text) for name, text in derive.items() if symbol_of(name) not in runs.frame}
    found: dict[str, str] = {}
    while True:
        there = {*runs.frame.columns, *map(symbol_of, found)}
        more = {symbol: each for symbol, each in wanted.items() if symbol not in there and names[symbol] <= there}
        if not more:
            return found
        found |= dict(more.values())


def candidates_of(runs: Runs, *, cost: str | None = None) -> Candidates:
    """Rows of a table that may be trained. cost: a formula; else a column ``cost``, else C, else 6·N·D.

    Raises IsoflopError for no rows, too many, and a cost that is absent, or no positive finite number.
    """
    if not len(runs):
        raise IsoflopError(
            "there are no candidates; give a table with a row each, or a grid such as N=1M:1B:7 D=20M:20B:7"
        )
    if len(runs) > MOST:
        raise IsoflopError(
            f"{runs.source} has {len(runs):,} candidates, and at most {MOST:,} are compared; thin it out"
        )
    if cost is not None:
        runs, priced = with_derived(runs, {_COST: cost}), cost
        column = _COST
    elif _COST in runs:
        column, priced = _COST, "the column cost"
    elif "C" in runs:
        column, priced = "C", "the column C"
    elif "N" in runs and "D" in runs:
        runs, priced = with_derived(runs, {_COST: "6*N*D"}), "6*N*D"
        column = _COST
    else:
        raise IsoflopError(
            f"what a candidate costs is not told: {runs.source} has no column cost, no C, and not both N and D; give "
            '--cost, a formula of its columns such as "6*N*D"'
        )
    values = runs[column].astype(np.float64)
    bad = np.flatnonzero(~(np.isfinite(values) & (values > 0) & (values < _LARGEST)))
    if len(bad):
        raise IsoflopError(
            f"the cost of candidate {int(bad[0]) + 1} of {runs.source} is {values[bad[0]]:g}, and must be a positive "
            "number; change --cost, or leave the row out"
        )
    kept = [
        name
        for name, kind in runs.frame.schema.items()
        if name not in ("row", _COST) and (kind.is_numeric() or kind == pl.String)
    ]
    return Candidates(runs.frame.select(kept), values, priced, runs.source)


def check_inputs(candidates: Candidates, domains: Mapping[str, str]) -> None:
    """Refuse candidates whose inputs lie outside their domains; domains: input → positive, nonnegative or real."""
    for name, values in candidates.inputs(domains).items():
        bad = ~np.isfinite(values) | (np.abs(values) >= _LARGEST)
        if domains[name] == "positive":
            bad |= values <= 0
        elif domains[name] == "nonnegative":
            bad |= values < 0
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            wanted = "a positive number" if domains[name] == "positive" else "a finite number"
            raise IsoflopError(f"{name} of candidate {row + 1} is {values[row]:g}, and must be {wanted}; leave it out")


def _spelled(word: str) -> str:
    """``N=1M:1B:7`` as seven values evenly in the logarithm; other words as they are."""
    from isoflop.units import parse_quantity

    name, equals, text = word.partition("=")
    parts = text.split(":")
    if not equals or len(parts) != 3:
        return word
    try:
        low, high, count = parse_quantity(parts[0]), parse_quantity(parts[1]), int(parts[2])
    except ValueError:
        low, high, count = 0.0, 0.0, 0
    if not (0 < low < high < _LARGEST and 2 <= count <= MOST):
        raise IsoflopError(
            f"a range of candidates is LOW:HIGH:COUNT with 0 < LOW < HIGH, as N=1M:1B:7, not {word[:60]!r}"
        )
    return f"{name}=" + ",".join(f"{each:.6g}" for each in np.geomspace(low, high, count))
