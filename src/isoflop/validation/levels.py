"""``Levels``: the mean response at each value of x, by group, and what is known of its scatter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.runs import Runs
from isoflop.runs.columns import is_score
from isoflop.runs.table import rows_phrase
from isoflop.values import Value

Floats = NDArray[np.float64]

ALL = "all runs"  # the one group of a table that is not divided
_OTHERS = ("N", "D", "C", "U")  # inputs that must not vary among the repeats of one x
_APART = 1.05  # factor between values of such an input that is more than rounding


@dataclass(frozen=True)
class Levels(Value):
    """The means of one response at each value of x, of one group.

    x: distinct, ascending, (sizes,). mean, count: of the runs there, (sizes,). squares: Σ (y − ȳ)² over all runs about
    the mean of their x; df: its degrees of freedom, runs − sizes. sampling: variance of each mean from the standard
    errors that were given, (sizes,), else None. values: of the runs at each x, (sizes,) of (runs,).
    """

    group: str
    response: str
    x: Floats
    mean: Floats
    count: Floats
    squares: float
    df: int
    sampling: Floats | None = None
    values: tuple[Floats, ...] = ()

    @property
    def repeats(self) -> int:
        """The most runs at one x."""
        return int(self.count.max())


def read_levels(
    runs: Runs,
    responses: Sequence[str],
    *,
    x: str,
    by: Sequence[str] = (),
    error: str | None = None,
    items: int | None = None,
) -> tuple[tuple[Levels, ...], tuple[Finding, ...]]:
    """The levels of every response and group, in the order of the table, and what was left out.

    A run counts once at each x: its checkpoints there are averaged. error: column of standard errors. items: test items
    of which the response is the share that was right; its standard error is that of a share,
    √(p(1 − p)/items) with p = (right + 1)/(items + 2).

    Raises DataError for a missing column, shares outside [0, 1] with ``items``, and where nothing is left.
    """
    names = group_names(runs, by)
    place = runs[x]
    codes = runs.run_codes()
    found: list[Levels] = []
    findings: list[Finding] = []
    for response in responses:
        value = runs[response]
        if items is not None:
            _check_shares(runs, response, value)
        known = np.isfinite(value) & np.isfinite(place)
        spread = None if error is None else runs[error]
        if spread is not None:
            _check_errors(runs, str(error), spread[known])
            known &= np.isfinite(spread)
        if not known.any():
            raise DataError(f"no row of {runs.source} has both {x} and {response}; name another column")
        if not known.all():
            findings.append(_missing(runs, response, x, known))
        for name in dict.fromkeys(names):
            mine = known & np.array([each == name for each in names])
            if mine.any():
                sampling = None if spread is None else spread[mine] ** 2
                found.append(_levels(name, response, place[mine], value[mine], codes[mine], sampling, items))
    return tuple(found), (*findings, *varying_inputs(runs, x, names, "Runs of one group"))


def group_names(runs: Runs, by: Sequence[str]) -> list[str]:
    """The group of each row: the values of the columns ``by``, with commas between them.

    Raises DataError for a column that is not there.
    """
    if not by:
        return [ALL] * len(runs)
    columns = [[_plain(each) for each in runs.text(name)] for name in by]
    return [", ".join(parts) for parts in zip(*columns, strict=True)]


def lower_is_better(response: str) -> bool:
    """Whether less of a response is better: of a loss or an error, and not of a score."""
    return not is_score(response)


def _plain(text: str) -> str:
    return text.strip() or "(none)"


def _levels(
    group: str,
    response: str,
    place: Floats,
    value: Floats,
    codes: NDArray[np.int64],
    sampling: Floats | None,
    items: int | None,
) -> Levels:
    x, cell = np.unique(place, return_inverse=True)
    pair, at = np.unique(np.stack([cell, codes]), axis=1, return_inverse=True)
    at = at.ravel()  # NumPy 2.0 gives it an axis more
    rows = np.bincount(at)
    runs = np.bincount(at, weights=value) / rows  # one value a run and x
    count = np.bincount(pair[0]).astype(np.float64)
    mean = np.bincount(pair[0], weights=runs) / count
    squares = float(((runs - mean[pair[0]]) ** 2).sum())
    rounding = 1e-12 * max(1e-300, float(np.abs(value).max())) * math.sqrt(len(runs))  # not squared: it may be 1e300
    squares = 0.0 if math.sqrt(squares) < rounding else squares
    given = None
    if sampling is not None:
        # checkpoints of a run share their test items: their errors are averaged, not divided
        given = np.bincount(pair[0], weights=np.bincount(at, weights=sampling) / rows) / count**2
    elif items is not None:
        share = (mean * items + 1) / (items + 2)
        given = share * (1 - share) / items
    values = tuple(runs[pair[0] == k] for k in range(len(x)))
    return Levels(group, response, x, mean, count, squares, len(runs) - len(x), given, values)


def _check_shares(runs: Runs, response: str, value: Floats) -> None:
    wrong = (value < 0) | (value > 1)
    if wrong.any():
        rows = rows_phrase(runs.rows[wrong].tolist())
        percent = np.nanmax(value) <= 100 and np.nanmin(value) >= 0
        raise DataError(
            f"--items needs {response} as a share from 0 to 1, and it is {value[wrong][0]:g} ({rows}); "
            + (
                f'derive it, as --derive "share=({response})/100" with --response share'
                if percent
                else "leave --items out"
            )
        )


def _check_errors(runs: Runs, error: str, spread: Floats) -> None:
    if (spread < 0).any() or not (spread > 0).any():
        raise DataError(
            f"column {error!r} of {runs.source} holds {'negative' if (spread < 0).any() else 'no positive'} standard "
            "errors; name another column, or leave --error out"
        )


def _missing(runs: Runs, response: str, x: str, known: NDArray[np.bool_]) -> Finding:
    rows = runs.rows[~known].tolist()
    return Finding(
        "missing-values",
        "note",
        f"{len(rows)} of {len(runs)} rows lack {x} or {response} and are left out ({rows_phrase(rows)}).",
        "Complete the rows, or select those that are to count (--where).",
        tuple(rows),
    )


def varying_inputs(
    runs: Runs, x: str, names: Sequence[str], which: str, *, besides: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """A finding where runs of one group and x differ in another input, so that they differ by more than their seeds.

    which: what is compared at one x, as ``Runs of one group``. besides: inputs that may vary.
    """
    frame = pl.DataFrame({"group": list(names), "x": runs[x]})
    there = [name for name in _OTHERS if name in runs.columns and name not in (x, *besides)]
    worst: Mapping[str, int] = {
        name: frame.with_columns(v=pl.Series(runs[name]))
        .filter(pl.col("v").is_finite() & (pl.col("v") > 0))
        .group_by("group", "x")
        .agg(apart=pl.col("v").max() / pl.col("v").min())
        .filter(pl.col("apart") > _APART)
        .height
        for name in there
    }
    mixed = [name for name, count in worst.items() if count]
    if "C" in mixed and len(mixed) > 1:
        mixed.remove("C")  # follows from the others
    if not mixed:
        return ()
    name = mixed[0]
    return (
        Finding(
            "other-input-varies",
            "warning",
            f"{which} at one {x} differ in {name} (at {worst[name]} {'place' if worst[name] == 1 else 'places'}): "
            f"their differences mix with those of {name}.",
            f"Compare at equal {name} (--where), or make it a group (--by).",
        ),
    )
