"""Method 2: at each budget a parabola through the losses near its minimum, and a power law through the minima."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.laws import Law
from isoflop.laws.optimum import optimum, require_n_and_d
from isoflop.laws.training_flops import SIX_ND, TrainingFlops
from isoflop.planning.local_parabola import FEWEST, LocalParabola, fit_near_minimum, vertex_of, widened
from isoflop.runs import Runs
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import Interval, check_level
from isoflop.units import format_quantity, training_flops
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SAME_BUDGET = 0.1  # runs whose log C differ by less belong to one budget
WIDEST = 0.3  # in log C, from a budget's smallest run to its largest
_BIAS_POINTS = 15
_MOST_NAMED = 3  # budgets that a finding names


@dataclass(frozen=True)
class Profile(Value):
    """One budget: its runs' sizes and losses, and the parabola's minimum.

    n_best, loss_best: at the vertex. bracketed: the vertex lies between sizes that were trained and opens upwards.
    n_draws: the vertex in every draw of this budget's losses, (draws,); NaN where a draw has no minimum.
    curvature: c in loss = loss_best + c·(log N − log n_best)². reach: the factor on both sides of the least loss within
    which sizes were fitted; infinite for all. fitted: places of the runs that the parabola goes through.
    """

    budget: float
    n: Floats
    loss: Floats
    n_best: float
    loss_best: float
    bracketed: bool
    n_draws: Floats = field(default_factory=lambda: np.empty(0), repr=False, compare=False)
    curvature: float = math.nan
    reach: float = math.inf
    fitted: tuple[int, ...] = ()

    def minimum(self, *, level: float = 0.9) -> Interval:
        """N at this budget's own minimum; without ends where more draws than 1 − level have lost it."""
        known = self.n_draws[np.isfinite(self.n_draws)]
        if not len(known) or len(known) < level * len(self.n_draws):
            return Interval(self.n_best, math.nan, math.nan, level)
        low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
        return Interval(self.n_best, float(low), float(high), level)


@dataclass(frozen=True)
class Parabolas(Shown):
    """N* ∝ C^a by method 2.

    profiles: one a budget, ascending. exponent_a: with interval. coefficient: log N* = coefficient + a·log C.
    draws: (draws, 2), coefficient and exponent in every bootstrap draw. source, unit: of the runs, and of their loss.
    """

    profiles: tuple[Profile, ...]
    exponent_a: Interval
    coefficient: float
    draws: Floats = field(repr=False, compare=False)
    findings: tuple[Finding, ...]
    source: str = ""
    unit: str = "nats/token"

    def n_at(self, budget: float) -> Interval:
        """N* at a budget, with its interval."""
        level = self.exponent_a.level
        values = np.exp(np.clip(self.draws[:, 0] + self.draws[:, 1] * math.log(budget), -700, 700))
        low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
        value = math.exp(self.coefficient + self.exponent_a.value * math.log(budget))
        return Interval(value, float(low), float(high), level)


def parabolas(
    runs: Runs, *, reach: float | None = None, draws: int = 1_000, seed: int = 0, level: float = 0.9
) -> Parabolas:
    """At each budget L = c₀ + c₁·log N + c₂·(log N)², N* = exp(−c₁/2c₂); then log N* = g + a·log C by least squares.

    Each parabola goes through the sizes near the least loss: within a factor of 7, 5, 4 or 3 of it, the widest in which
    residuals have no cubic term (:func:`isoflop.planning.local_parabola.fit_near_minimum`).

    runs: with N, C and loss; runs whose C (or 6ND) agree within 10 % form a budget. Budgets with fewer than four sizes
    or an unbracketed minimum are left out, and a finding says so. reach: one factor for all budgets instead; infinite
    for all sizes, as published. Intervals: residuals redrawn within each budget, and minima spread by what they
    scatter about their power law beyond that.
    Raises IsoflopError where fewer than two budgets are left, and for a reach of 1 or less.
    Source: Hoffmann et al. 2022, section 3.2.
    """
    check_level(level)
    if reach is not None and not reach > 1:
        raise IsoflopError(f"reach is a factor on both sides of the least loss, above 1, not {reach:g}; leave it out")
    log_n, loss = np.log(runs["N"]), runs["loss"]
    flops, findings = flops_of_budgets(runs, log_n)
    groups, few = enough_sizes(by_budget(flops), log_n)
    if few:
        findings.append(_too_few(sum(len(rows) for rows in few), len(few)))
    profiles, used, found = [], [], []
    for rows in groups:
        budget = float(np.exp(np.log(flops[rows]).mean()))
        each = fit_near_minimum(log_n[rows], loss[rows], reach=reach)
        bracketed = each.bracketed(log_n[rows])
        profiles.append(_profile(budget, log_n[rows], loss[rows], each, bracketed))
        if bracketed:
            used.append(rows[each.rows])
            found.append(each)
        else:
            findings.append(_unbracketed(budget, log_n[rows], each.vertex if each.curvature > 0 else math.nan))
    if len(used) < 2:
        raise IsoflopError(
            f"{runs.source} has {len(used)} {'budget' if len(used) == 1 else 'budgets'} whose minimum is bracketed by "
            "four or more sizes; method 2 needs two: add sizes around the minimum, or fit a law instead"
        )
    kept = [profile for profile in profiles if profile.bracketed]
    findings += _misfits(kept, found)
    log_c = np.log([profile.budget for profile in kept])
    vertices = [each.vertex for each in found]
    exponent, coefficient = np.polyfit(log_c, vertices, 1)
    minima, alone = _redraw(log_n, loss, used, draws, seed)
    whole = minima[np.isfinite(minima).all(axis=1)]
    redrawn = _power_laws(widened(whole, vertices, log_c, np.random.default_rng([seed, 3, 2])), log_c)
    by_draw = iter(np.exp(np.clip(alone.T, -700, 700)))
    if len(redrawn) < draws / 2:
        findings.append(
            Finding(
                "draws-failed",
                "warning",
                f"{draws - len(redrawn)} of {draws} draws lost the minimum of a budget and are left out.",
                "The minima are hardly bracketed; add sizes on both sides.",
            )
        )
    low, high = np.quantile(redrawn[:, 1], [(1 - level) / 2, (1 + level) / 2])
    return Parabolas(
        tuple(replace(each, n_draws=next(by_draw)) if each.bracketed else each for each in profiles),
        Interval(float(exponent), float(low), float(high), level),
        float(coefficient),
        redrawn,
        tuple(findings),
        runs.source,
        runs.loss_unit,
    )


def _profile(budget: float, log_n: Floats, loss: Floats, found: LocalParabola, bracketed: bool) -> Profile:
    n_best = math.exp(found.vertex) if abs(found.vertex) < 700 else math.nan
    return Profile(
        budget,
        np.exp(log_n),
        loss,
        n_best,
        found.bottom,
        bracketed,
        curvature=found.curvature,
        reach=found.reach,
        fitted=tuple(int(row) for row in found.rows),
    )


def flops_of_budgets(runs: Runs, log_n: Floats) -> tuple[Floats, list[Finding]]:
    """The FLOPs by which runs form budgets: C as the table has it, or 6ND where that gives more budgets."""
    by_rule = training_flops(runs["N"], runs["D"])
    if "C" not in runs:
        return by_rule, []
    if len(enough_sizes(by_budget(by_rule), log_n)[0]) <= len(enough_sizes(by_budget(runs["C"]), log_n)[0]):
        return runs["C"], []
    return by_rule, [
        Finding(
            "budgets-by-6nd",
            "note",
            "the runs form budgets in 6ND rather than in the table's C, so 6ND was used.",
            "Nothing to do, unless the design was meant to fix C as counted.",
        )
    ]


def enough_sizes(groups: list[Ints], log_n: Floats) -> tuple[list[Ints], list[Ints]]:
    """Budgets with enough sizes for a parabola, and the others."""
    # the length first: a table of 100,000 rows may have as many budgets of one run
    enough = [len(rows) >= FEWEST and len(np.unique(np.round(log_n[rows], 6))) >= FEWEST for rows in groups]
    return (
        [rows for rows, ok in zip(groups, enough, strict=True) if ok],
        [rows for rows, ok in zip(groups, enough, strict=True) if not ok],
    )


def by_budget(flops: Floats) -> list[Ints]:
    """Row numbers of each budget, ascending in C: a gap of 10 % starts a new one.

    Rows that follow each other in smaller gaps over more than a third of C are no one budget; they are parted at gaps
    of 5 % and of 2.5 %, and where that does not part them, as in a grid of sizes and tokens, each stands for itself.
    """
    order = np.argsort(flops, kind="stable")
    return [np.sort(rows) for rows in _parted(order, np.log(flops), SAME_BUDGET)]


def _parted(order: Ints, log_c: Floats, gap: float) -> list[Ints]:
    found: list[Ints] = []
    for rows in np.split(order, np.flatnonzero(np.diff(log_c[order]) > gap) + 1):
        if not len(rows) or log_c[rows[-1]] - log_c[rows[0]] <= WIDEST:
            found.append(rows)
        elif gap > SAME_BUDGET / 3:
            found += _parted(rows, log_c, gap / 2)
        else:
            found += [rows[at : at + 1] for at in range(len(rows))]
    return found


def _redraw(log_n: Floats, loss: Floats, groups: list[Ints], draws: int, seed: int) -> tuple[Floats, Floats]:
    """log N of every budget's vertex in every draw, (draws, budgets), for their power law and for each alone.

    Residuals of each parabola are redrawn rather than runs, so that every draw keeps its sizes: with five to ten sizes
    a budget, a draw of the runs themselves often loses one whole side. For a minimum alone they are widened by
    √((n − 3)/χ²), since so few residuals say little of their own size; over several budgets that evens out.
    NaN where the parabola of a draw opens downwards.
    """
    rng = np.random.default_rng([seed, 3])
    tails = np.random.default_rng([seed, 3, 1])
    minima, alone = np.empty((2, draws, len(groups)))
    for column, rows in enumerate(groups):
        x = log_n[rows] - log_n[rows].mean()
        basis = np.vander(x, 3)
        solve = np.linalg.pinv(basis)
        fitted = basis @ (solve @ loss[rows])
        freedom = max(1, len(rows) - 3)
        residual = (loss[rows] - fitted) * math.sqrt(len(rows) / freedom)
        off = rng.choice(residual, (draws, len(rows)))
        widen = np.sqrt(freedom / tails.chisquare(freedom, (draws, 1)))
        for found, redrawn in ((minima, fitted + off), (alone, fitted + widen * off)):
            curvature, slope, _ = solve @ redrawn.T
            with np.errstate(all="ignore"):
                found[:, column] = np.where(curvature > 0, log_n[rows].mean() - slope / (2 * curvature), np.nan)
    return minima, alone


def _power_laws(minima: Floats, log_c: Floats) -> Floats:
    """Coefficient and exponent of every draw of the minima, (draws, 2)."""
    if not len(minima):
        return np.empty((0, 2))
    exponent, coefficient = np.polyfit(log_c, minima.T, 1)
    return np.column_stack([coefficient, exponent])


def parabola_bias(
    law: Law,
    params: dict[str, float],
    *,
    budgets: Floats,
    at: float,
    reach: float = 8.0,
    counted: TrainingFlops = SIX_ND,
) -> float:
    """D*(method 2)/D*(true) − 1 at budget ``at``, on noiseless losses of the law.

    At each of ``budgets`` 15 sizes over a factor of ``reach`` on both sides of the true optimum. A parabola is not the
    shape of the valley unless α = β, so the minimum moves; the error grows with extrapolation.
    Source: Problems with Chinchilla Approach 2, arXiv:2603.22339.
    """
    require_n_and_d(law)
    arrays = {label: np.array([value]) for label, value in params.items()}
    tokens = []
    for budget in budgets:
        best = math.log(float(optimum(law, arrays, float(budget), counted=counted).d[0]))
        log_d = best + np.linspace(-math.log(reach), math.log(reach), _BIAS_POINTS)
        d = np.exp(log_d)
        loss = law.value(params, {"N": counted.params(d, float(budget)), "D": d})
        tokens.append(vertex_of(log_d, loss)[0])
    exponent, coefficient = np.polyfit(np.log(budgets), tokens, 1)
    true = math.log(float(optimum(law, arrays, at, counted=counted).d[0]))
    return math.expm1(coefficient + exponent * math.log(at) - true)


def _misfits(kept: Sequence[Profile], found: Sequence[LocalParabola]) -> list[Finding]:
    """Budgets whose parabola has its minimum below all runs, though those nearest to it lie above it."""
    doubted = [(each.budget, shape.below) for each, shape in zip(kept, found, strict=True) if shape.below > 0]
    if not doubted:
        return []
    one = len(doubted) == 1
    listed = "; ".join(f"{budget:.3g} FLOPs by {below:.2g}" for budget, below in doubted[:_MOST_NAMED])
    more = f" and {len(doubted) - _MOST_NAMED} more" if len(doubted) > _MOST_NAMED else ""
    return [
        Finding(
            "parabola-misfits",
            "warning",
            f"at {len(doubted)} {'budget' if one else 'budgets'} the parabola's minimum lies below every run, and the "
            f"runs nearest to it lie above the parabola ({listed}{more}); {'its' if one else 'their'} N* is doubtful.",
            "Add sizes near the minimum, or leave out runs that went wrong there (--where).",
        )
    ]


def _too_few(runs: int, budgets: int) -> Finding:
    return Finding(
        "few-sizes-at-budget",
        "note",
        f"{runs} {'run is' if runs == 1 else 'runs are'} left out, at {budgets} "
        f"{'value' if budgets == 1 else 'values'} of C with fewer than four sizes.",
        "Train four or more sizes at a budget to use it.",
    )


def _unbracketed(budget: float, log_n: Floats, vertex: float) -> Finding:
    """A budget without a minimum, and on which side it lies; ``vertex`` is NaN where the losses bend downwards."""
    if math.isnan(vertex):
        where, fix = "the losses have a maximum instead of a minimum", "Look for runs that went wrong there"
    else:
        end = log_n.min() if vertex <= log_n.min() else log_n.max()
        side = "smaller" if end == log_n.min() else "larger"
        last = {"smaller": "smallest", "larger": "largest"}[side]
        where = f"the least loss lies beyond the {last} of the sizes ({format_quantity(math.exp(end))})"
        fix = f"Train {side} models at this budget"
    return Finding(
        "not-bracketed", "warning", f"at {budget:.3g} FLOPs {where}, so the budget is left out.", f"{fix}, or drop it."
    )
