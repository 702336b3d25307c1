"""Quality against quantity: pools of data whose utility decays with repetition, and the best union at each budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError, excerpt
from isoflop.findings import Finding
from isoflop.fitting import Objective
from isoflop.fitting.panel import PanelFit, fit_panel
from isoflop.laws import Law
from isoflop.laws import law as law_of
from isoflop.runs import Runs
from isoflop.uncertainty.ensemble import Interval, check_level, interval_of
from isoflop.uncertainty.panel import bootstrap_panel
from isoflop.units import format_quantity
from isoflop.values import Value

Floats = NDArray[np.float64]

JOINED = "+"  # between the names of pools that a row was trained on together
EPOCHS = 10  # from here on the utility of the tenth epoch is kept, as in the law of one pool
_GRID = 121
_BEYOND = 10.0  # factor beyond the largest measured budget up to which an admission is looked for


@dataclass(frozen=True)
class Pool(Value):
    """One pool: its size, and its fitted utility b (the exponent of its first epoch) and half-life tau in epochs."""

    name: str
    size: float
    utility: Interval
    half_life: Interval


@dataclass(frozen=True)
class Choice(Value):
    """All unions at one budget.

    budget: samples seen. errors: of each union, in the order of ``Curation.unions``. best: place of the least.
    probability: share of draws in which each union is the best.
    """

    budget: float
    errors: tuple[Interval, ...]
    best: int
    probability: tuple[float, ...]


@dataclass(frozen=True)
class Admission(Value):
    """The budget from which a further pool lowers the error of those before it.

    at: with its interval over draws; infinite in draws where it is not reached within ten times the largest budget.
    probability: share of draws in which it is.
    """

    name: str
    at: Interval
    probability: float


@dataclass(frozen=True)
class Held(Value):
    """A union that was trained: its mean relative error of prediction over rows, and the largest."""

    union: str
    rows: int
    error: float
    largest: float


@dataclass(frozen=True)
class Curation(Value):
    """Pools from the best to the worst, nested unions of them, and which of these to train on at which budget.

    unions: names, the k-th of the best k pools. admissions: one for each further pool. checks: measured unions, none
    of which was fitted. curve: budgets of a grid with the error of each union there, (unions + 1, budgets) with the
    budgets first.
    """

    pools: tuple[Pool, ...]
    unions: tuple[str, ...]
    choices: tuple[Choice, ...]
    admissions: tuple[Admission, ...]
    checks: tuple[Held, ...]
    shared: dict[str, Interval]
    response: str
    fitted: PanelFit = field(repr=False)
    curve: Floats = field(repr=False)
    findings: tuple[Finding, ...]


def union_error(
    seen: Floats, sizes: Floats, utilities: Floats, half_lives: Floats, *, scale: Floats, floor: Floats
) -> Floats:
    """y = a·n₁^(−u₁)·Π_{k≥2} (n_k / n_{k−1})^(−u_k) + d, u_k = Σ_i w_i b_i 2^(−w_i (k−1)/τ_i), w_i = U_i / Σ U.

    The utility of an epoch over a union is the mean of its pools', weighed by size, and the half-life of each counts
    1/w_i times as many epochs, since its samples come so much more seldom; with equal pools this is theorem 1 of Goyal,
    Maini et al. 2024. From the tenth epoch on the tenth's utility is kept.

    seen: (budgets,). sizes: (pools,). utilities, half_lives: (draws, pools). scale, floor: (draws,). Returns
    (draws, budgets).
    """
    total = float(sizes.sum())
    share = sizes / total
    utility = [
        (share * utilities * 2.0 ** (-share * epoch / half_lives)).sum(axis=1)[:, None] for epoch in range(EPOCHS)
    ]
    power = utility[0] * np.log(np.minimum(seen, total))
    for epoch in range(1, EPOCHS):
        last = seen if epoch == EPOCHS - 1 else np.minimum(seen, (epoch + 1) * total)
        power = power + utility[epoch] * np.log(np.maximum(last, epoch * total) / (epoch * total))
    return np.asarray(scale[:, None] * np.exp(-power) + floor[:, None])


def curate(
    runs: Runs,
    *,
    by: str,
    budgets: Sequence[float] = (),
    response: str = "error",
    order: Sequence[str] = (),
    share: Sequence[str] = ("a", "d"),
    objective: Objective | None = None,
    draws: int = 200,
    level: float = 0.9,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Curation:
    """argmin over nested unions of pools of :func:`union_error`, at each budget, from runs on single pools.

    The law ``goyal`` is fitted to all pools at once, with the parameters of ``share`` common to them; unions are
    predicted. Rows whose pool is several names joined by ``+`` are kept out of the fit and are its check.

    Parameters
    ----------
    runs :
        A row for each pool and budget: samples seen D, samples in the pool U, and the response.
    by :
        Column that names the pool.
    budgets :
        Samples seen; those of the runs that several pools share by default.
    response :
        Column of the error.
    order :
        Pools from best to worst; by fitted utility where it is empty.
    share :
        Parameters of ``goyal`` that all pools share: of a, b, tau and d.
    objective, draws, level, seed, progress :
        Of the fit and its draws.

    Returns
    -------
    Curation
        The best union at each budget, and the budget from which each further pool is to be admitted.

    Raises
    ------
    DataError
        Fewer than two pools, a pool of several sizes, an order that is not of the pools.

    Examples
    --------
    >>> import isoflop, numpy
    >>> from isoflop.planning.selection.pools import curate
    >>> seen = numpy.geomspace(50, 3200, 7)
    >>> rows = {"pool": ["fine"] * 7 + ["coarse"] * 7, "D": [*seen, *seen], "U": [100.0] * 7 + [800.0] * 7}
    >>> each = isoflop.law("goyal")
    >>> parts = [{"a": 1.5, "b": b, "tau": 2.0, "d": 0.02} for b in (0.4, 0.25)]
    >>> rows["error"] = [
    ...     float(each.value(p, {"D": d, "U": u})) for p, u in zip(parts, (100.0, 800.0)) for d in seen
    ... ]
    >>> found = curate(isoflop.Runs.from_columns(rows), by="pool", budgets=[100, 1e5], draws=20)
    >>> [found.unions[each.best] for each in found.choices]
    ['fine', 'fine+coarse']
    """
    check_level(level)
    law = _law(response, share)
    labels = np.asarray(runs.text(by), dtype=object)
    joined = np.array([JOINED in str(each) for each in labels])
    alone = runs.take(~joined)
    names = list(dict.fromkeys(labels[~joined].tolist()))
    if len(names) < 2:
        raise DataError(
            f"column {excerpt(by)} of {runs.source} has single pools {excerpt(', '.join(names) or 'none')}, and a "
            f"choice needs two or more; add runs on single pools, or name another column with --by"
        )
    sizes = _sizes(alone, labels[~joined], names)
    panel = fit_panel(law, alone, by=by, share=share, objective=objective, seed=seed)
    drawn = bootstrap_panel(panel, draws=draws, seed=seed, progress=progress)
    columns = law.param_names

    def of(name: str) -> tuple[Floats, Floats]:
        place = columns.index(name)
        rows = [panel.position(each) for each in names]
        return panel.params[None, rows, place], drawn.params[:, rows, place]

    order_of = _order(names, order, of("b")[0][0])
    names = [names[each] for each in order_of]
    size = np.array([sizes[each] for each in names])
    value, spread = ({name: of(name)[which] for name in columns} for which in (0, 1))
    seen = _budgets(runs, budgets, labels, names)

    def errors(at: Floats, which: dict[str, Floats], pools: Sequence[int]) -> Floats:
        some = list(pools)
        part = size[some] / size[some].sum()
        scale = np.exp((part * np.log(which["a"][:, some])).sum(axis=1))
        floor = (part * which["d"][:, some]).sum(axis=1)
        return union_error(at, size[some], which["b"][:, some], which["tau"][:, some], scale=scale, floor=floor)

    nested = [range(count + 1) for count in range(len(names))]
    fitted = np.stack([errors(seen, value, each)[0] for each in nested])
    draw = np.stack([errors(seen, spread, each) for each in nested])  # (unions, draws, budgets)
    unions = tuple(JOINED.join(names[k] for k in each) for each in nested)
    wins = np.stack([(draw.argmin(axis=0) == place).mean(axis=0) for place in range(len(nested))])
    choices = tuple(
        Choice(
            float(budget),
            tuple(interval_of(float(fitted[k, b]), draw[k, :, b], level=level) for k in range(len(nested))),
            int(fitted[:, b].argmin()),
            tuple(wins[:, b].tolist()),
        )
        for b, budget in enumerate(seen)
    )
    top = max(float(seen.max()), float(runs["D"].max()))
    grid = np.geomspace(min(float(seen.min()), float(runs["D"].min())), top * _BEYOND, _GRID)
    on_grid = [errors(grid, value, each) for each in nested]
    draws_on_grid = [errors(grid, spread, each) for each in nested]
    admissions = tuple(
        _admission(names[k], grid, on_grid[k - 1] - on_grid[k], draws_on_grid[k - 1] - draws_on_grid[k], level)
        for k in range(1, len(names))
    )
    checks = _checks(runs.take(joined), labels[joined], names, response, lambda at, some: errors(at, value, some)[0])
    pools = tuple(
        Pool(
            name,
            float(size[k]),
            interval_of(float(value["b"][0, k]), spread["b"][:, k], level=level),
            interval_of(float(value["tau"][0, k]), spread["tau"][:, k], level=level),
        )
        for k, name in enumerate(names)
    )
    shared = {name: drawn.interval(name, level=level) for name in share}
    findings = (*panel.findings, *drawn.findings, *_findings(pools, checks, level), *_outside(seen, runs["D"]))
    curve = np.concatenate((grid[None], np.concatenate(on_grid)))
    return Curation(pools, unions, choices, admissions, checks, shared, response, panel, curve, findings)


def _law(response: str, share: Sequence[str]) -> Law:
    from dataclasses import replace

    law = law_of("goyal")
    unknown = [each for each in share if each not in law.param_names]
    if unknown:
        raise IsoflopError(
            f"goyal has no parameter {excerpt(unknown[0])} to share; it has {', '.join(law.param_names)}"
        )
    return law if response == law.response else replace(law, response=response)


def _sizes(alone: Runs, labels: NDArray[np.object_], names: Sequence[str]) -> dict[str, float]:
    """The size of each pool: one number."""
    if "U" not in alone:
        raise DataError(
            f"{alone.source} has no column U, the samples in each pool; add it, or name it (--column U=HEADER)"
        )
    column, found = alone["U"], {}
    for name in names:
        values = np.unique(column[labels == name])
        if len(values) != 1 or not values[0] > 0:
            told = ", ".join(f"{each:g}" for each in values[:3])
            raise DataError(f"pool {excerpt(name)} has the sizes U = {told}; give each pool one size above 0")
        found[name] = float(values[0])
    return found


def _order(names: Sequence[str], order: Sequence[str], utility: Floats) -> list[int]:
    if not order:
        return [int(each) for each in np.argsort(-utility, kind="stable")]
    if sorted(order) != sorted(names):
        raise IsoflopError(f"--quality names {', '.join(order)}, and the pools are {', '.join(names)}; name each once")
    return [list(names).index(each) for each in order]


def _budgets(runs: Runs, budgets: Sequence[float], labels: NDArray[np.object_], names: Sequence[str]) -> Floats:
    if len(budgets):
        seen = np.array(sorted(set(budgets)), dtype=np.float64)
        if not (np.isfinite(seen).all() and (seen >= 1).all()):
            raise IsoflopError(f"budgets are samples seen, 1 or more, not {seen[0]:g}")
        return seen
    at = [set(runs["D"][labels == name].tolist()) for name in names]
    common = set.intersection(*at)
    return np.array(sorted(common or set.union(*at)), dtype=np.float64)


def _admission(name: str, grid: Floats, gain: Floats, gains: Floats, level: float) -> Admission:
    """From the last change of sign of what the pool gains; the first budget where it always does."""

    def from_where(row: Floats) -> float:
        if row[-1] <= 0:
            return float("inf")
        losing = np.flatnonzero(row <= 0)
        if not len(losing):
            return float(grid[0])
        k = int(losing[-1])
        part = -row[k] / (row[k + 1] - row[k])
        return float(grid[k] * (grid[k + 1] / grid[k]) ** part)

    drawn = np.array([from_where(row) for row in gains])
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], method="nearest")
    return Admission(
        name, Interval(from_where(gain[0]), float(low), float(high), level), float(np.isfinite(drawn).mean())
    )


def _checks(
    held: Runs,
    labels: NDArray[np.object_],
    names: Sequence[str],
    response: str,
    predicted: Callable[[Floats, Sequence[int]], Floats],
) -> tuple[Held, ...]:
    found = []
    for union in dict.fromkeys(labels.tolist()):
        parts = [each.strip() for each in str(union).split(JOINED)]
        unknown = [each for each in parts if each not in names]
        if unknown:
            raise DataError(
                f"the union {excerpt(str(union))} names {excerpt(unknown[0])}, of which no run was trained alone"
            )
        rows = held.take(labels == union)
        told = predicted(np.asarray(rows["D"], dtype=np.float64), [names.index(each) for each in parts])
        off = np.abs(told / np.asarray(rows[response], dtype=np.float64) - 1)
        found.append(Held(str(union), len(rows), float(off.mean()), float(off.max())))
    return tuple(found)


def _outside(seen: Floats, measured: Floats) -> list[Finding]:
    """That the law is followed to budgets at which nothing was trained."""
    low, high = float(measured.min()), float(measured.max())
    outside = [float(each) for each in seen if not low * (1 - 1e-9) <= each <= high * (1 + 1e-9)]
    if not outside:
        return []
    far = outside[-1] if outside[-1] > high else outside[0]
    return [
        Finding(
            "pools-beyond", "warning",
            f"{format_quantity(far)} samples seen lie outside the measured {format_quantity(low)} to "
            f"{format_quantity(high)}, and intervals hold only if the law does there.",
            "Train pools at that number of samples, or ask nearer to the measured (--at).",
        )
    ]  # fmt: skip


def _findings(pools: Sequence[Pool], checks: Sequence[Held], level: float) -> list[Finding]:
    told = []
    loose = [each.name for each in pools if each.half_life.high > 100 * max(each.half_life.low, 1e-9)]
    if loose:
        told.append(
            Finding(
                "half-life-untold", "warning",
                f"the half-life of {', '.join(loose[:4])} is not determined: its runs repeat the pool too seldom.",
                "Add runs of several epochs, or share the half-life (--share a --share d --share tau).",
            )
        )  # fmt: skip
    if not checks:
        told.append(
            Finding(
                "unions-unchecked", "note",
                "no union of pools was trained, so predictions for unions rest on the theory alone.",
                f"Train one union and name its pools joined by {JOINED} in the column of pools.",
            )
        )  # fmt: skip
    elif max(each.error for each in checks) > 0.1:
        worst = max(checks, key=lambda each: each.error)
        told.append(
            Finding(
                "unions-missed", "warning",
                f"the measured union {worst.union} is missed by {worst.error:.0%} on average.",
                "Take the choice between unions for a guess; train the unions that it decides between.",
            )
        )  # fmt: skip
    return told
