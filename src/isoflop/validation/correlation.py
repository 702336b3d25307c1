"""What goes with a response: rank correlations of measures with it, their intervals, and whether one is stronger."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import DataError, choices
from isoflop.findings import Finding
from isoflop.runs import Runs
from isoflop.shown import Shown
from isoflop.special import special
from isoflop.uncertainty.ensemble import Interval
from isoflop.uncertainty.ranks import Ranks
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Strength = Literal["strong", "moderate", "weak", "cannot be told"]

FEWEST: Final = 5  # groups, below which a jackknife has no variance to speak of
STRONG: Final = 0.5
_NAMES: Final = ("run", "checkpoint", "seed")  # numbers that name, and measure nothing
_BLOCKS, _LARGE, _FEW_BLOCKS = (
    200,
    20_000,
    40,
)  # left out at most, of more groups several at once; of so many rows fewer


@dataclass(frozen=True)
class Correlation(Value):
    """One measure against the response.

    rho: Spearman's, partial where columns are given. rows, groups: on which it rests. p: of no association, two-sided;
    adjusted: Holm's, over all measures. behind: how much larger the strongest measure's |ρ| is on the rows that both
    have, None for the strongest.
    """

    measure: str
    rho: Interval
    rows: int
    groups: int
    p: float
    adjusted: float
    behind: Interval | None

    @property
    def strength(self) -> Strength:
        """Strong where the whole interval is beyond ±0.5, weak where ρ is within; none where p is not small enough."""
        nearest = min(abs(self.rho.low), abs(self.rho.high))
        if self.adjusted > 1 - self.rho.level or not self.rho.low * self.rho.high > 0:
            return "cannot be told"
        return "strong" if nearest >= STRONG else "weak" if abs(self.rho.value) < STRONG else "moderate"


@dataclass(frozen=True)
class Correlations(Shown):
    """Measures by descending |ρ|; those left out, with the reason."""

    response: str
    given: tuple[str, ...]
    measures: tuple[Correlation, ...]
    passed: Mapping[str, str]
    level: float
    source: str
    findings: tuple[Finding, ...] = ()


def correlate(
    runs: Runs,
    response: str,
    measures: Sequence[str] = (),
    *,
    given: Sequence[str] = (),
    by: Sequence[str] = (),
    level: float = 0.9,
) -> Correlations:
    """ρ = corr(rank x, rank y), with tanh(artanh ρ ± t·s), s from leaving out one group at a time.

    With ``given`` the ranks are those that a linear function of the given columns' ranks leaves over. s is at least
    √((1 + ρ²/2)/(rows − 3)) (Bonett and Wright 2000), t Student's with groups − 1 degrees of freedom.

    Parameters
    ----------
    runs :
        A row a measurement.
    response :
        Column that measures are to go with, as a generalization gap or a score.
    measures :
        Columns of numbers; every one that varies where empty.
    given :
        Columns that are held fixed, as N.
    by :
        Columns whose values are the groups that are left out; the runs where empty, so that checkpoints move together.
    level :
        Of the intervals.

    Returns
    -------
    Correlations
        By descending |ρ|.

    Raises
    ------
    DataError
        A missing column, one that holds words or does not vary, fewer than five groups.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.validation.correlation import correlate
    >>> runs = isoflop.Runs.from_columns(
    ...     {"gap": [1.0, 2, 3, 4, 5, 6], "norm": [1.0, 2, 4, 3, 5, 6], "N": [1e6, 5e5, 2e6, 1e6, 3e6, 1e6]}
    ... )
    >>> first = correlate(runs, "gap", ["norm", "N"]).measures[0]
    >>> first.measure, round(first.rho.value, 3), first.strength
    ('norm', 0.943, 'moderate')
    """
    y = runs[response]
    held = [runs[name] for name in given]
    codes = _codes(runs, by)
    _check_response(runs, response, (*measures, *given), given, codes, by)
    named = list(dict.fromkeys(measures)) or _numbers(runs, (response, *given, *by, *_NAMES))
    found: dict[str, _Ranked] = {}
    passed: dict[str, str] = {}
    for name in named:
        try:
            found[name] = _ranked(runs[name], y, held, codes, name, response, level)
        except DataError as error:
            if name in measures:
                raise
            passed[name] = str(error)
    if not found:
        why = f": {next(iter(passed.values()))}" if len(passed) == 1 else ""
        there = f" among {choices(list(passed), bare=True)}" if len(passed) > 1 else why
        raise DataError(f"{runs.source} has no measure to set beside {response}{there or '; add a table of measures'}")
    order = sorted(found, key=lambda name: -abs(found[name].rho.value))
    adjusted = _holm([found[name].p for name in order])
    best = order[0]
    return Correlations(
        response,
        tuple(given),
        tuple(
            Correlation(
                name,
                found[name].rho,
                found[name].rows,
                found[name].groups,
                found[name].p,
                p,
                None if name == best else _behind(runs[best], runs[name], y, held, codes, level),
            )
            for name, p in zip(order, adjusted, strict=True)
        ),
        passed,
        level,
        runs.source,
    )


@dataclass(frozen=True)
class _Ranked:
    rho: Interval
    p: float
    rows: int
    groups: int


def _check_response(
    runs: Runs, response: str, others: Sequence[str], given: Sequence[str], codes: Ints, by: Sequence[str]
) -> None:
    """Refuse what no measure could go with."""
    y = runs[response]
    same = next((name for name in others if runs[name] is y), None)
    if same is not None:
        raise DataError(f"{same} is the response {response} itself; name another column")
    keep = np.isfinite(y)
    if not keep.any() or np.ptp(y[keep]) == 0:
        told = f"{y[keep][0]:g} in every row" if keep.any() else "without a number"
        raise DataError(f"{response} is {told}; what does not vary goes with nothing")
    still = next((name for name in given if np.ptp(runs[name][np.isfinite(runs[name])], axis=None) == 0), None)
    if still is not None:
        raise DataError(f"{still} does not vary, so nothing is to be held fixed; leave it out")
    groups = len(np.unique(codes[keep]))
    if groups < FEWEST:
        what = f"groups of {', '.join(by)}" if by else "runs"
        raise DataError(f"{response} has values in {groups} {what}; an interval needs {FEWEST}")


def _codes(runs: Runs, by: Sequence[str]) -> Ints:
    if not by:
        return runs.run_codes()
    names = ["\x1f".join(each) for each in zip(*(runs.text(name) for name in by), strict=True)]
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64).reshape(-1)


def _numbers(runs: Runs, besides: Sequence[str]) -> list[str]:
    """Columns of numbers, without those named, under their own header or their symbol."""
    aliases = {name: column.header for name, column in runs.columns.items()}
    return [
        name
        for name in runs.headers
        if _counts(runs.frame[name]) and name not in besides and aliases.get(name) not in besides
    ]


def _counts(column: pl.Series) -> bool:
    """Whether a column holds numbers, or mostly: a single word in it is then told with its row."""
    if column.dtype != pl.String:
        return column.dtype.is_numeric()
    known = column.drop_nulls()
    return len(known) > 0 and known.cast(pl.Float64, strict=False).null_count() < len(known) / 2


def _ranked(
    x: Floats, y: Floats, held: Sequence[Floats], codes: Ints, name: str, response: str, level: float
) -> _Ranked:
    keep = _finite(x, y, *held)
    groups = len(np.unique(codes[keep]))
    if groups < FEWEST:
        raise DataError(
            f"{name} and {response} stand side by side in {groups} groups of rows, too few for an interval; "
            f"{FEWEST} are needed"
        )
    columns = [each[keep] for each in (x, y, *held)]
    for title, column in zip((name, response), columns, strict=False):
        if np.ptp(column) == 0:
            raise DataError(f"{title} is {column[0]:g} in every row; what does not vary goes with nothing")
    ranked = [Ranks(each) for each in columns]
    value, scores = _jackknife(lambda rows: (_rho(ranked, rows),), codes[keep])
    if not math.isfinite(value[0]):
        raise DataError(f"nothing of {name} or {response} is left beside the columns that are held fixed")
    z = math.atanh(_within(value[0], groups))
    left = np.array([math.atanh(_within(each, groups)) for each in scores[:, 0]])
    least = math.sqrt((1 + value[0] ** 2 / 2) / max(int(keep.sum()) - 3 - len(held), 1))
    error = max(_spread(left), least)
    freedom = len(scores) - 1
    reach = float(special.stdtrit(freedom, (1 + level) / 2)) * error
    ends = math.tanh(z - reach), math.tanh(z + reach)
    p = 2 * float(special.stdtr(freedom, -abs(z) / error))
    interval = Interval(value[0], min(ends[0], value[0]), max(ends[1], value[0]), level)  # of ±1 the end is ±1
    return _Ranked(interval, p, int(keep.sum()), groups)


def _behind(best: Floats, x: Floats, y: Floats, held: Sequence[Floats], codes: Ints, level: float) -> Interval:
    """|ρ| of the strongest measure less that of this one, on the rows that have both; NaN ends with too few groups."""
    keep = _finite(best, x, y, *held)
    columns = [Ranks(each[keep]) for each in (y, *held)]
    pair = [Ranks(each[keep]) for each in (best, x)]

    def sizes(rows: NDArray[np.bool_]) -> tuple[float, ...]:
        return tuple(abs(_rho([each, *columns], rows)) for each in pair)

    if len(np.unique(codes[keep])) < FEWEST:
        return Interval(math.nan, math.nan, math.nan, level)
    value, scores = _jackknife(sizes, codes[keep])
    gap = value[0] - value[1]
    reach = float(special.stdtrit(len(scores) - 1, (1 + level) / 2)) * _spread(scores[:, 0] - scores[:, 1])
    return Interval(gap, max(gap - reach, -1.0), min(gap + reach, 1.0), level)


def _finite(*columns: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(np.stack(columns)).all(axis=0))


def _rho(columns: Sequence[Ranks], rows: NDArray[np.bool_]) -> float:
    """Correlation of the first two columns' ranks, less what the others' ranks explain; NaN where nothing is left."""
    table = np.stack([each.among(rows) for each in columns], axis=1)
    table -= table.mean(axis=0)
    first, others = table[:, :2], table[:, 2:]
    whole = np.sqrt((first**2).sum(axis=0))
    if others.size:
        first = first - others @ np.linalg.lstsq(others, first, rcond=None)[0]
    norms = np.sqrt((first**2).sum(axis=0))
    if (norms <= 1e-9 * np.maximum(whole, 1e-300)).any():
        return math.nan
    return float(np.clip(first[:, 0] @ first[:, 1] / norms.prod(), -1, 1))


def _jackknife(of: Callable[[NDArray[np.bool_]], tuple[float, ...]], codes: Ints) -> tuple[tuple[float, ...], Floats]:
    """A statistic of all rows, and of the rows without each group (or block of groups), (blocks, numbers)."""
    numbers = np.unique(codes, return_inverse=True)[1].reshape(-1)
    blocks = numbers % min(int(numbers.max()) + 1, _BLOCKS if len(codes) <= _LARGE else _FEW_BLOCKS)
    whole = np.ones(len(codes), dtype=bool)
    return of(whole), np.array([of(blocks != block) for block in range(int(blocks.max()) + 1)])


def _spread(scores: Floats) -> float:
    """Standard error from values without one block each."""
    told = scores[np.isfinite(scores)]
    return math.sqrt((len(told) - 1) / max(len(told), 1) * float(((told - told.mean()) ** 2).sum()))


def _within(rho: float, count: int) -> float:
    """ρ no nearer to ±1 than half a swap of neighboring ranks, so that its artanh is finite."""
    most = 1 - 3 / (count * (count**2 - 1))
    return rho if math.isnan(rho) else min(max(rho, -most), most)


def _holm(ps: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given."""
    order = np.argsort(ps)
    told, most = [0.0] * len(ps), 0.0
    for place, at in enumerate(order):
        most = max(most, min(1.0, (len(ps) - place) * ps[at]))
        told[at] = most
    return told
