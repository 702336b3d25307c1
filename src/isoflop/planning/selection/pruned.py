"""Pruning: which examples to keep, and how many, at a size of the data set, from runs on pruned sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError, excerpt
from isoflop.findings import Finding
from isoflop.laws import Law
from isoflop.planning.comparison import Group, compare_groups
from isoflop.planning.selection.ranges import check_range
from isoflop.runs import Runs
from isoflop.uncertainty.ensemble import Interval, check_level, interval_of
from isoflop.units import format_quantity
from isoflop.values import Value

Floats = NDArray[np.float64]

ALL = "all"
TOTAL = "total"
_FITTED = 4  # totals from which the law of each choice is fitted
_SAME = 1e-6


@dataclass(frozen=True)
class Kept(Value):
    """One way to prune: a rule and the share of examples kept. exponent: of its error in the size, by the law's fit."""

    name: str
    rule: str
    share: float
    exponent: Interval


@dataclass(frozen=True)
class AtSize(Value):
    """All ways at one size of the data before pruning.

    total: examples before pruning. responses: of each way, in the order of ``Pruning.ways``. best: place of the least.
    fewest: place of the way that keeps fewest examples with a response within the near-optimal range of the best.
    probability: of each being the best. ratio: response of ``fewest`` over that of all examples, None where no run kept
    all. measured: whether from runs at and around this size, else from laws.
    """

    total: float
    responses: tuple[Interval, ...]
    best: int
    fewest: int
    probability: tuple[float, ...]
    ratio: Interval | None
    measured: bool


@dataclass(frozen=True)
class Exchange(Value):
    """Two rules at one share kept: the size from which ``second`` is better than ``first``, with its interval.

    probability: share of draws in which they change places; NaN where no point was repeated, so that there are none.
    """

    share: float
    first: str
    second: str
    total: Interval
    probability: float


@dataclass(frozen=True)
class Pruning(Value):
    """Ways to prune at each size.

    frontier: exponent of the error of the best ways in the examples that they keep, over the sizes; unpruned: the same
    of all examples; NaN where it is not defined. repetitions: runs that stand for each point.
    """

    ways: tuple[Kept, ...]
    sizes: tuple[AtSize, ...]
    exchanges: tuple[Exchange, ...]
    frontier: Interval
    unpruned: Interval
    repetitions: int
    response: str
    findings: tuple[Finding, ...]


def prune(
    runs: Runs,
    *,
    rule: str = "family",
    keep: str = "keep",
    at: Sequence[float] = (),
    response: str = "loss",
    law: Law | None = None,
    start: float | None = None,
    within: float = 0.02,
    draws: int = 200,
    level: float = 0.9,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Pruning:
    """argmin over rules and shares f kept of L(rule, f, T), T = D/f examples before pruning.

    Among the measured T errors are means over repetitions, linear in logarithms between them, and draws resample the
    repetitions of all ways together. Beyond, one law in T is fitted to each way and compared by
    :func:`isoflop.planning.comparison.compare_groups`.

    Parameters
    ----------
    runs :
        A row for each run: examples kept D, the share kept, the rule, the response; ``seed`` tells repetitions.
    rule, keep :
        Columns of the rule, such as hard, easy and random, and of the share kept; a share of 1 is all examples.
    at :
        Examples before pruning; the measured ones by default.
    response :
        Column of the error.
    law, start :
        Of each way in ``total``, a power law with a floor by default, fitted from this total on (the larger half).
    within :
        Relative response above the best that counts as near-optimal.
    draws, level, seed, progress :
        Of the draws.

    Returns
    -------
    Pruning
        The best way at each size, where rules change places, and exponents.

    Raises
    ------
    DataError
        No two ways to prune, or no size at which all were measured.

    Examples
    --------
    >>> from isoflop.lab.worlds import perceptron
    >>> from isoflop.planning.selection.pruned import prune
    >>> runs, _ = perceptron(dimension=40, loads=(1, 4, 16, 32), keeps=(1.0, 0.25), repetitions=4)
    >>> found = prune(runs, at=[40, 1280], draws=40)
    >>> [found.ways[each.best].rule for each in found.sizes]
    ['all', 'hard']
    """
    check_level(level)
    ways, totals, errors = _table(runs, rule, keep, response)  # errors: (ways, totals, repetitions)
    asked = np.array(sorted(set(at))) if len(at) else totals
    if not (np.isfinite(asked).all() and (asked >= 1).all()):
        raise IsoflopError(f"sizes are examples before pruning, 1 or more, not {asked[0]:g}; change --at")
    rng = np.random.default_rng([seed, 31])
    repetitions = errors.shape[2]
    logs = np.log(errors.mean(axis=2))
    rows = rng.integers(0, repetitions, (draws, len(totals), repetitions))
    drawn = np.log(
        np.take_along_axis(errors[None], rows[:, None], axis=3).mean(axis=3)  # (draws, ways, totals)
    )
    if repetitions < 2:
        drawn = np.full(drawn.shape, np.nan)
    inside = (asked >= totals[0] * (1 - _SAME)) & (asked <= totals[-1] * (1 + _SAME))
    value, spread = np.full((len(ways), len(asked)), np.nan), np.full((draws, len(ways), len(asked)), np.nan)
    value[:, inside] = _between(logs, totals, asked[inside])
    spread[:, :, inside] = _between(drawn.reshape(-1, len(totals)), totals, asked[inside]).reshape(draws, len(ways), -1)
    exponents: list[Interval] = [Interval(float("nan"), float("nan"), float("nan"), level)] * len(ways)
    findings: list[Finding] = []
    begin = totals[min(len(totals) // 2, max(0, len(totals) - _FITTED))] if start is None else start
    if (totals >= begin).sum() >= _FITTED:
        exponents, beyond = _laws(
            runs, ways, rule, keep, begin, asked[~inside], response=response, law=law, draws=draws, level=level,
            seed=seed, progress=progress,
        )  # fmt: skip
        if beyond is not None:
            value[:, ~inside], spread[:, :, ~inside] = beyond
            findings.append(_beyond_finding(asked[~inside], totals))
    elif not inside.all():
        raise DataError(
            f"{int((totals >= begin).sum())} of the {_FITTED} sizes that a law needs lie at {format_quantity(begin)} "
            f"or above, so {format_quantity(asked[~inside][0])} examples cannot be forecast; add sizes, lower "
            f"--start, or ask between {format_quantity(totals[0])} and {format_quantity(totals[-1])} (--at)"
        )
    names = [each[0] for each in ways]
    sizes = tuple(
        _at_size(float(total), value[:, k], spread[:, :, k], ways, bool(inside[k]), within, level)
        for k, total in enumerate(asked)
    )
    if repetitions < 2:
        findings.append(
            Finding(
                "one-repetition", "warning", "every point is one run, so that no choice has an interval.",
                "Repeat the runs with other seeds.",
            )
        )  # fmt: skip
    return Pruning(
        tuple(Kept(*each, exponent) for each, exponent in zip(ways, exponents, strict=True)),
        sizes,
        _exchanges(ways, totals, logs, drawn, level),
        _frontier(ways, asked, value, spread, level),
        _frontier([each for each in ways if each[0] == ALL], asked, *_only_all(names, value, spread), level),
        repetitions,
        response,
        tuple(findings),
    )


def _table(runs: Runs, rule: str, keep: str, response: str) -> tuple[list[tuple[str, str, float]], Floats, Floats]:
    """Ways as (name, rule, share), totals at which all were measured, and errors (ways, totals, repetitions)."""
    shares = np.asarray(runs[keep], dtype=np.float64)
    rules, kept, error = np.asarray(runs.text(rule), dtype=object), np.asarray(runs["D"]), np.asarray(runs[response])
    check_range(shares, keep, "the share of examples kept, above 0, up to 1", (shares > 0) & (shares <= 1))
    check_range(error, response, "a loss or error, above 0", (error > 0) & np.isfinite(error))
    whole = shares >= 1 - _SAME
    labels = np.where(whole, ALL, np.array([f"{r} {s:g}" for r, s in zip(rules, shares, strict=True)], dtype=object))
    total = np.round(kept / shares, 0)
    repeated = np.asarray(runs["seed"]) if "seed" in runs else np.zeros(len(runs))
    ways: dict[str, tuple[str, str, float]] = {}
    cells: dict[tuple[str, float], dict[float, float]] = {}
    for k in range(len(runs)):
        name = str(labels[k])
        ways.setdefault(name, (name, ALL if whole[k] else str(rules[k]), 1.0 if whole[k] else float(shares[k])))
        # several runs of one cell and seed (all examples under every rule) are one
        cells.setdefault((name, float(total[k])), {}).setdefault(
            float(repeated[k]) if "seed" in runs else float(len(cells.get((name, float(total[k])), {}))),
            float(error[k]),
        )
    if len(ways) < 2:
        raise DataError(
            f"{runs.source} has {len(ways)} way to prune, and a choice needs two; see columns {rule}, {keep}"
        )
    order = sorted(ways.values(), key=lambda each: (-each[2], each[1]))
    totals = sorted({t for _, t in cells})
    full = [t for t in totals if all((each[0], t) in cells for each in order)]
    if not full:
        raise DataError(
            f"at no number of examples before pruning (D/{keep}) was every way measured; prune the same sets by every "
            f"rule and share, or drop ways (--where)"
        )
    seeds = set.intersection(*(set(cells[each[0], t]) for each in order for t in full))
    if not seeds:
        raise DataError("the ways to prune share no seed; give repetitions the same seeds, or leave the column out")
    table = [[[cells[each[0], t][s] for s in sorted(seeds)] for t in full] for each in order]
    return order, np.array(full), np.array(table)


def _between(rows: Floats, totals: Floats, at: Floats) -> Floats:
    x = np.log(np.clip(at, totals[0], totals[-1]))
    return np.array([np.interp(x, np.log(totals), row) for row in rows]).reshape(len(rows), len(at))


def _laws(
    runs: Runs,
    ways: Sequence[tuple[str, str, float]],
    rule: str,
    keep: str,
    begin: float,
    beyond: Floats,
    *,
    response: str,
    law: Law | None,
    draws: int,
    level: float,
    seed: int,
    progress: Callable[[int], None] | None,
) -> tuple[list[Interval], tuple[Floats, Floats] | None]:
    """The exponent of each way, and log responses (ways, sizes) and (draws, ways, sizes) beyond the runs."""
    shares = np.asarray(runs[keep], dtype=np.float64)
    total = np.round(np.asarray(runs["D"]) / shares, 0)
    table, rules = runs.with_column(TOTAL, total), np.asarray(runs.text(rule), dtype=object)
    groups = []
    for name, which, share in ways:
        own = (np.abs(shares - share) < _SAME) & (total >= begin * (1 - _SAME))
        own &= rules == (rules[own][0] if name == ALL else which)
        groups.append(Group(name, table.take(own)))
    found = compare_groups(
        groups, law=law, x=TOTAL, at={TOTAL: beyond.tolist()} if len(beyond) else None, response=response,
        draws=draws, level=level, seed=seed, progress=progress,
    )  # fmt: skip
    if list(found.names) != [each[0] for each in ways]:
        lost = [each[0] for each in ways if each[0] not in found.names]
        raise DataError(
            f"{excerpt(', '.join(lost))} has too few runs for a law of its size; add runs, or drop it (--where)"
        )
    at = np.asarray(beyond if len(beyond) else [1.0])
    exponents = []
    for place, fitted in enumerate(found.fits):
        named = [each for each in ("alpha", "beta") if each in fitted.law.param_names]
        if not named:
            exponents.append(Interval(float("nan"), float("nan"), float("nan"), level))
            continue
        drawn = found.curves.joint.draws(place)[named[0]]
        exponents.append(interval_of(float(fitted.params[named[0]]), drawn, level=level))
    if not len(beyond):
        return exponents, None
    value = np.log([found.curves.response(found.curves.value(k, at)) for k in range(len(ways))])
    spread = np.log([found.curves.response(found.curves.draws(k, at)) for k in range(len(ways))])
    return exponents, (value, spread.transpose(1, 0, 2)[:draws])


def _at_size(
    total: float,
    value: Floats,
    spread: Floats,
    ways: Sequence[tuple[str, str, float]],
    measured: bool,
    within: float,
    level: float,
) -> AtSize:
    names = [each[0] for each in ways]
    drawn = np.exp(spread)
    known = bool(np.isfinite(drawn).all())
    # ways that train on the same support vectors are equally good to the last digit, and share their draws
    first = spread <= spread.min(axis=1, keepdims=True) + _SAME
    chance = (first / first.sum(axis=1, keepdims=True)).mean(axis=0) if known else np.full(len(names), np.nan)
    ratio = None
    best = int(value.argmin())
    near = [k for k in range(len(names)) if value[k] <= value[best] + np.log1p(within)]
    fewest = min(near, key=lambda k: (ways[k][2], value[k]))
    if ALL in names:
        k = names.index(ALL)
        ratio = interval_of(
            float(np.exp(value[fewest] - value[k])), np.exp(spread[:, fewest] - spread[:, k]), level=level
        )
    return AtSize(
        total,
        tuple(interval_of(float(np.exp(value[k])), drawn[:, k], level=level) for k in range(len(names))),
        best,
        fewest,
        tuple(chance.tolist()),
        ratio,
        measured,
    )


def _exchanges(
    ways: Sequence[tuple[str, str, float]], totals: Floats, logs: Floats, drawn: Floats, level: float
) -> tuple[Exchange, ...]:
    """Where two rules of one share change places, on straight lines between measured sizes."""
    found = []
    for share in dict.fromkeys(each[2] for each in ways if each[2] < 1):
        own = [k for k, each in enumerate(ways) if each[2] == share]
        for one, other in combinations(own, 2):
            if ways[one][1] == ways[other][1] or "random" in (ways[one][1], ways[other][1]):
                continue
            gap, gaps = logs[one] - logs[other], drawn[:, one] - drawn[:, other]
            place = _last_change(totals, gap)
            if not np.isfinite(place):
                continue
            late = gap[-1] > 0  # at the end ``other`` is better
            first, second = (one, other) if late else (other, one)
            places = np.array([_last_change(totals, row) for row in gaps])
            found.append(
                Exchange(
                    share, ways[first][1], ways[second][1], interval_of(place, places, level=level),
                    float(np.isfinite(places).mean()) if np.isfinite(gaps).all() else float("nan"),
                )
            )  # fmt: skip
    return tuple(found)


def _last_change(totals: Floats, gap: Floats) -> float:
    changes = np.flatnonzero(np.sign(gap[:-1]) * np.sign(gap[1:]) < 0)
    if not len(changes):
        return float("nan")
    k = int(changes[-1])
    part = gap[k] / (gap[k] - gap[k + 1])
    return float(totals[k] * (totals[k + 1] / totals[k]) ** part)


def _frontier(
    ways: Sequence[tuple[str, str, float]], totals: Floats, value: Floats, spread: Floats, level: float
) -> Interval:
    """−d log L / d log kept of the best ways, by least squares over the sizes."""
    none = Interval(float("nan"), float("nan"), float("nan"), level)
    if not len(ways) or len(totals) < 2:
        return none
    best = value.argmin(axis=0)
    x = np.log(totals * np.array([ways[k][2] for k in best]))
    if np.ptp(x) < np.log(1.5):
        return none
    centered = x - x.mean()
    slope = -centered / (centered**2).sum()
    columns = np.arange(len(totals))
    return interval_of(float(value[best, columns] @ slope), spread[:, best, columns] @ slope, level=level)


def _only_all(names: Sequence[str], value: Floats, spread: Floats) -> tuple[Floats, Floats]:
    own = [k for k, name in enumerate(names) if name == ALL]
    return value[own], spread[:, own]


def _beyond_finding(asked: Floats, totals: Floats) -> Finding:
    return Finding(
        "pruning-beyond", "warning",
        f"{format_quantity(asked[-1] if asked[-1] > totals[-1] else asked[0])} examples lie outside the measured "
        f"{format_quantity(totals[0])} to {format_quantity(totals[-1])}, so laws of each way decide, and rules may "
        "change places there.",
        "Prune a set of that size, or one nearer to it.",
    )  # fmt: skip
