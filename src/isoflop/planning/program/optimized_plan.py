"""``optimized_plan``: the least of any objective over any unknowns of any law, for the fit and for every draw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Fit
from isoflop.laws.expression import Expr
from isoflop.laws.optimum import Optimum
from isoflop.planning.optimal import undetermined
from isoflop.planning.program.interior_point import minimize
from isoflop.planning.program.plan_program import CEILING, TOWARDS, closed_optimum, near_program, objective_is_log
from isoflop.planning.program.plan_refusals import require_optimum
from isoflop.planning.program.problem import Problem, point_expression
from isoflop.planning.program.solve_plan import Optima, PlanSolver
from isoflop.planning.sizes import LAW_ANYWHERE
from isoflop.shown import Shown
from isoflop.special import special
from isoflop.uncertainty.ensemble import Ensemble, Interval, check_level, interval_of, no_draws, tail_findings
from isoflop.uncertainty.extrapolation import distances
from isoflop.uncertainty.predictive import Predictive, predictive
from isoflop.values import Value

Floats = NDArray[np.float64]

_DIRECTIONS = 160  # in which the near-optimal set is searched for its edge
_BINDING = 1e-6  # relative, from a condition's limit


@dataclass(frozen=True)
class Chosen(Value):
    """One unknown of a plan: its value with an interval, and its range over the near-optimal set."""

    name: str
    interval: Interval
    near: tuple[float, float]
    draws: Floats = field(repr=False, compare=False)


@dataclass(frozen=True)
class Held(Value):
    """A condition at the plan: both sides, whether it is binding, and what loosening it is worth.

    worth: relative (or absolute, where the objective may be negative) fall of the objective for each relative rise of
    the limit; NaN for an equality, and for a bound of one unknown that is binding.
    """

    text: str
    left: float
    right: float
    binding: bool
    worth: float


@dataclass(frozen=True)
class Option(Value):
    """One combination of menus and whole numbers: its values, everything else at its best, and the objective."""

    values: Mapping[str, float]
    objective: float


@dataclass(frozen=True)
class OptimizedPlan(Shown):
    """The least of a problem, with intervals from the draws.

    Attributes
    ----------
    problem :
        What was made least, over what, under which conditions.
    chosen :
        Every unknown.
    objective, cost :
        At the optimum, each draw at its own; cost None where nothing is paid for.
    response :
        The law's prediction at the plan, with model error and if the law holds.
    at :
        Every input of the law at the plan.
    held :
        The conditions.
    options :
        The best of each combination of menus, ascending by objective; empty without menus.
    near :
        Points of the near-optimal set, unknown → (points,); the optimum first.
    within :
        How much worse, relatively, an objective counts as near-optimal.
    method :
        ``closed form`` or ``numeric``.
    ensemble :
        The draws.
    findings :
        What to know about it.
    """

    problem: Problem
    chosen: tuple[Chosen, ...]
    objective: Interval
    cost: Interval | None
    response: Predictive
    at: Mapping[str, float]
    held: tuple[Held, ...]
    options: tuple[Option, ...]
    near: Mapping[str, Floats]
    within: float
    method: str
    ensemble: Ensemble = field(repr=False, compare=False)
    findings: tuple[Finding, ...] = ()

    def of(self, label: str) -> Chosen:
        """An unknown by its name; KeyError for another name."""
        return {each.name: each for each in self.chosen}[label]


def optimized_plan(
    ensemble: Ensemble, problem: Problem, *, level: float = 0.9, within: float = 0.002, seed: int = 0
) -> OptimizedPlan:
    """The least of a problem for the fit and every draw: in closed form for E + c(A/N^α + B/D^β)^k, else by search.

    Parameters
    ----------
    ensemble :
        Draws of the problem's law.
    problem :
        As :func:`isoflop.planning.plan_problem` makes it.
    level :
        Of the intervals.
    within :
        The relative objective of the near-optimal set.
    seed :
        Of the points from which the search begins.

    Returns
    -------
    OptimizedPlan
        Unknowns, objective, cost and loss with intervals, conditions, near-optimal ranges.

    Raises
    ------
    IsoflopError
        Nothing meets the conditions, or nothing bounds an unknown.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.planning import PlanWords, optimized_plan, plan_problem
    >>> from isoflop.planning.published import published
    >>> constants = published("chinchilla:epoch")
    >>> words = PlanWords(minimize="N", loss=2.2, at={"D": 1e12})
    >>> smallest = optimized_plan(constants, plan_problem(constants.estimate.law, words))
    >>> round(smallest.of("N").interval.value / 1e9, 2)
    1.69
    """
    check_level(level)
    if not 0 < within < 1:
        raise IsoflopError(f"the near-optimal range is a relative objective between 0 and 1, not {within:g}")
    estimate = ensemble.estimate
    params = {label: float(value) for label, value in estimate.params.items()}
    solver = PlanSolver(problem, params, dict(estimate.data.ranges), seed)
    one = {label: np.array([value]) for label, value in params.items()}
    known = closed_optimum(problem, one)
    fitted = solver.at_fit()
    here = fitted.optima
    require_optimum(solver, here, params)
    draws = ensemble.draws
    if known is not None and known.inside[0]:
        here = _closed(here, known)
    there = None
    if len(ensemble):
        closed = None if known is None else closed_optimum(problem, draws)
        there = solver.at_draws(draws, fitted.begins) if closed is None else _closed_draws(solver, problem, closed)
    kept = np.zeros(0, dtype=bool) if there is None else there.inside

    def interval(at_fit: Floats, at_draws: Floats | None) -> Interval:
        return interval_of(float(at_fit[0]), np.empty(0) if at_draws is None else at_draws[kept], level=level)

    def pushed(expression: Expr) -> Interval:
        drawn = None if there is None else solver.natural(there, draws, expression)
        return interval(solver.natural(here, one, expression), drawn)

    near, ends = _near(solver, here, one, within)
    at = {
        label: float(solver.natural(here, one, point_expression(problem, label))[0])
        for label in problem.law.input_names
    }
    response = predictive(ensemble, at, level=level)
    return OptimizedPlan(
        problem=problem,
        chosen=tuple(
            Chosen(
                label,
                interval(here.values[label], None if there is None else there.values[label]),
                ends[label],
                np.empty(0) if there is None else np.where(kept, there.values[label], np.nan),
            )
            for label in problem.names
        ),
        objective=pushed(problem.objective),
        cost=None if problem.cost is None else pushed(problem.cost.expression),
        response=response,
        at=at,
        held=tuple(_held(solver, here, one)),
        options=_options(solver, fitted.listed, one),
        near=near,
        within=within,
        method="numeric" if known is None or not known.inside[0] else "closed form",
        ensemble=ensemble,
        findings=(
            *no_draws(ensemble),
            *_undetermined(ensemble, problem),
            *tail_findings(ensemble, level=level),
            *_lost(there),
            *_conditional(problem, there),
            *_far(ensemble, at),
            *response.findings,
            *ensemble.findings,
        ),
    )


def _closed(found: Optima, known: Optimum) -> Optima:
    """An optimum at the closed form's N and D."""
    return Optima(
        {label: known.n if label == "N" else known.d for label in found.values},
        np.log(known.loss), known.inside, {}, found.combination, found.multipliers,
    )  # fmt: skip


def _closed_draws(solver: PlanSolver, problem: Problem, known: Optimum) -> Optima:
    values = {label: known.n if label == "N" else known.d for label in problem.names}
    with np.errstate(all="ignore"):
        scaled = np.log(known.loss)
    nothing = np.zeros((len(known.n), len(solver.relaxed.inequalities)))
    return Optima(values, scaled, known.inside, {}, np.zeros(len(known.n), dtype=np.intp), nothing)


def _near(
    solver: PlanSolver, here: Optima, one: Mapping[str, Floats], within: float
) -> tuple[dict[str, Floats], dict[str, tuple[float, float]]]:
    """Points of the near-optimal set at the fit, and each unknown's range over it; menus stay at their best."""
    searched, problem = solver.searched, solver.problem
    fixed = {each.name: (float(here.values[each.name][0]),) * 2 for each in solver.listed}
    optimum = {label: float(value[0]) for label, value in here.values.items()}
    if not searched:
        return {label: np.array([value]) for label, value in optimum.items()}, fixed
    program = near_program(problem, searched, log_response=solver.log_response)
    n = len(searched)
    random = np.random.default_rng(solver.seed)
    axes = np.concatenate([np.eye(n), -np.eye(n)])
    towards = np.concatenate([axes, random.normal(size=(_DIRECTIONS if n > 1 else 0, n))])
    best = np.array([each.coordinate(here.values[each.name])[0] for each in searched])
    value = float(here.scaled[0])
    log_scale = objective_is_log(problem, log_response=solver.log_response)
    ceiling = value + (math.log1p(within) if log_scale else within * abs(value))
    rows = len(towards)
    leaves = {
        **solver.leaves(
            {label: np.repeat(each, rows) for label, each in one.items()},
            np.repeat(solver.combinations[here.combination], rows, axis=0),
        ),
        CEILING: np.full(rows, ceiling),
        **{TOWARDS + each.name: towards[:, column] for column, each in enumerate(searched)},
    }
    found = minimize(program, leaves, np.repeat(best[None], rows, axis=0))
    good = (found.violation <= 1e-6) & np.isfinite(found.value) & (found.error <= 1e-3)
    edge = np.where(good[:, None], found.y, best)
    inner = best + random.uniform(size=(rows, 1)) ** (1 / n) * (edge - best)  # within the set, where it is convex
    values = program.values(inner, leaves)
    k = 1 + len(program.inequalities)
    holds = (values[:, 1:k].max(axis=1, initial=0.0) <= 1e-6) & (np.abs(values[:, k:]).max(axis=1, initial=0.0) <= 1e-6)
    points = np.concatenate([best[None], edge, inner[holds]])
    ranges = {
        each.name: _ends(each.value(np.append(points[:, column], best[column])), optimum[each.name])
        for column, each in enumerate(searched)
    }
    sampled = {each.name: each.value(points[:, column]) for column, each in enumerate(searched)}
    sampled |= {each.name: np.full(len(points), optimum[each.name]) for each in solver.listed}
    return {label: sampled[label] for label in problem.names}, {**fixed, **ranges}


def _ends(values: Floats, best: float) -> tuple[float, float]:
    return min(float(values.min()), best), max(float(values.max()), best)


def _held(solver: PlanSolver, here: Optima, one: Mapping[str, Floats]) -> list[Held]:
    """The conditions at the fit's optimum, with their multipliers; bounds of single unknowns have none."""
    multipliers = iter(here.multipliers[0].tolist())
    worth = [math.nan if each.relation == "==" else next(multipliers) for each in solver.problem.limits]
    worth += [math.nan] * len(solver.problem.bounds)
    found = []
    for limit, value in zip((*solver.problem.limits, *solver.problem.bounds), worth, strict=True):
        left, right = (float(solver.natural(here, one, side)[0]) for side in (limit.left, limit.right))
        binding = abs(left - right) <= _BINDING * max(abs(left), abs(right), 1e-300)
        found.append(Held(limit.text, left, right, binding, value if binding or limit.relation == "==" else 0.0))
    return found


def _options(solver: PlanSolver, listed: Sequence[Optima], one: Mapping[str, Floats]) -> tuple[Option, ...]:
    """The best of every combination of menus at the fit that meets the conditions, ascending."""
    found = [
        Option(
            {label: float(value[0]) for label, value in each.values.items()},
            float(solver.natural(each, one, solver.problem.objective)[0]),
        )
        for each in listed
        if each.inside[0]
    ]
    return tuple(sorted(found, key=lambda each: each.objective))


def _undetermined(ensemble: Ensemble, problem: Problem) -> tuple[Finding, ...]:
    """The first unknown that the runs did not vary against another input of the law."""
    estimate = ensemble.estimate
    runs = estimate.runs if isinstance(estimate, Fit) else None
    told = [undetermined(runs, each, estimate.law.input_names) for each in problem.names]
    return next((each for each in told if each), ())


def _lost(there: Optima | None) -> list[Finding]:
    if there is None or there.inside.all():
        return []
    lost, unmet = int((~there.inside).sum()), int((~there.met).sum())
    why = "meet no condition there" if unmet == lost else "have no optimum there"
    return [
        Finding(
            "no-optimum",
            "warning",
            f"{lost} of {len(there.met)} draws {why} and are left out of the intervals.",
            "Add runs, tie exponents (--tie beta=alpha), or loosen the conditions.",
        )
    ]


def _conditional(problem: Problem, there: Optima | None) -> list[Finding]:
    """Intervals of unknowns and cost are those of the draws: no measured optima tell their model error."""
    if there is None or not there.inside.any():
        return []
    names = [each.name for each in problem.unknowns if not each.menu]
    if not names:
        return []
    factor = math.exp(special.ndtri(0.95) * LAW_ANYWHERE)
    plain = set(problem.names) == set(problem.law.input_names) == {"N", "D"}
    return [
        Finding(
            "plan-if-law-holds",
            "note",
            f"intervals of {', '.join(names[:6])}{' …' if len(names) > 6 else ''} and of costs are those if "
            f"{problem.law.name} holds. Where minima were measured, N* of laws in N and D was off by up to a factor of "
            f"{factor:.1f} (90 % of them) within the runs, and by more beyond.",
            "Name the --budget alone, where the plan has no other condition: its N* counts model error."
            if plain
            else "Train a few runs around the plan, and look whether the least loss is there.",
        )
    ]


def _far(ensemble: Ensemble, at: Mapping[str, float]) -> list[Finding]:
    return [
        Finding(
            "far-extrapolation",
            "warning",
            f"the best {label} lies {decades:.1f} decades beyond the runs, and model error was learned from forecasts "
            f"up to {ensemble.prior.farthest:g} decades beyond theirs.",
            "Hold out the largest runs to see what the law would have planned, or train something larger.",
        )
        for label, decades in distances(ensemble.estimate, at).items()
        if decades > 1
    ]
