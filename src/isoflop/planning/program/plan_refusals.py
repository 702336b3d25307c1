"""Why a problem has no plan, in one sentence with what to do: a condition that nothing meets, an open unknown."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.laws.evaluate import array_value
from isoflop.laws.expression import names
from isoflop.planning.program.interior_point import FEASIBLE, minimize
from isoflop.planning.program.plan_conditions import COST, LOSS, Limit
from isoflop.planning.program.plan_program import violation_program
from isoflop.planning.program.problem import Problem
from isoflop.planning.program.solve_plan import Optima, PlanSolver
from isoflop.planning.program.unknowns import LARGEST

Floats = NDArray[np.float64]
_SHOWN = 6  # digits


def require_optimum(solver: PlanSolver, at_fit: Optima, params: Mapping[str, float]) -> None:
    """Raise IsoflopError where the fit has no optimum: what nothing meets, or which unknown nothing bounds."""
    if not at_fit.met[0]:
        raise IsoflopError(_unmet(solver, params))
    for (label, side), there in at_fit.open.items():
        if there[0]:
            raise IsoflopError(_unbounded(solver, at_fit, label, side))


def _unmet(solver: PlanSolver, params: Mapping[str, float]) -> str:
    """Which condition no point meets, and what it can be at best where the others hold."""
    problem = solver.problem
    chosen = ", ".join(problem.names)
    order = sorted(problem.limits, key=lambda each: ("loss", "budget", "given", "shares").index(each.why))
    for limit in order:
        least = _least_violation(solver, limit, params)
        if least is None or least[0] <= FEASIBLE:
            continue
        reached = least[1]
        if limit.why == "loss":
            return (
                f"no {chosen} reach a loss of {problem.target:g}: the law's least loss here is {reached:.{_SHOWN}g}; "
                "raise --loss or loosen the other conditions"
            )
        if limit.why == "budget":
            return (
                f"no {chosen} stay within a budget of {problem.budget:g}: the other conditions cost at least "
                f"{reached:.4g}; raise --budget or loosen them"
            )
        if limit.why == "shares":
            return f"no {chosen} add up to 1 under the other conditions; loosen a cap on a share"
        how = "is not reached" if limit.relation == "==" else "is at best"
        reach = "" if limit.relation == "==" else f" {reached:.4g}"
        tail = f"its left side {how}{reach} under the other conditions; loosen one of them"
        return f"no {chosen} meet {limit.text!r}: {tail}"
    what = _objective(problem)
    return (
        f"no best {chosen} is found: {what} gets better without end, or the conditions leave single points alone; "
        f'bound the unknowns (--subject-to "{problem.names[-1]} <= …") or give values (--at {problem.names[-1]}=…)'
    )


def _objective(problem: Problem) -> str:
    """What is made least, in words: the response of a law may be another than a loss."""
    response = "the " + problem.law.response.replace("_", " ")
    return {LOSS: response, COST: "the cost"}.get(problem.objective_text, problem.objective_text)


def _least_violation(solver: PlanSolver, limit: Limit, params: Mapping[str, float]) -> tuple[float, float] | None:
    """The least violation of a condition where the others hold, and its left side there; None where they do not."""
    program = violation_program(solver.problem, solver.searched, limit, log_response=solver.log_response)
    starts = solver.starts(24)
    count = len(solver.combinations)
    combination = np.repeat(solver.combinations, len(starts), axis=0)
    begin = np.tile(starts, (count, 1))
    wide = {label: np.full(len(begin), float(value)) for label, value in params.items()}
    leaves = solver.leaves(wide, combination)
    if not solver.searched:
        with np.errstate(all="ignore"):
            values = program.values(begin, leaves)
        held = values[:, 1:].max(axis=1, initial=0.0) <= FEASIBLE
        y, least = begin, np.where(held, values[:, 0], np.inf)
    else:
        found = minimize(program, leaves, begin)
        y, least = found.y, np.where(found.violation <= 1e-6, found.value, np.inf)
    row = int(least.argmin())
    if not np.isfinite(least[row]):
        return None
    values_at = {each.name: each.value(y[row : row + 1, column]) for column, each in enumerate(solver.searched)}
    leaves_at = {**{k: (v[row : row + 1] if isinstance(v, np.ndarray) else v) for k, v in leaves.items()}, **values_at}
    left = float(np.asarray(array_value(limit.left, leaves_at)).ravel()[0])
    return float(least[row]), left


def _unbounded(solver: PlanSolver, at_fit: Optima, label: str, side: str) -> str:
    """Which unknown nothing bounds, and what would."""
    problem = solver.problem
    grows = "grows" if side == "high" else "falls"
    relation = "<=" if side == "high" else ">="
    fix = f'bound it (--subject-to "{label} {relation} …") or give it a value (--at {label}=…)'
    what = _objective(problem)
    if side == "low" and problem.target is not None and _slack(solver, at_fit):
        chosen = ", ".join(problem.names)
        return f"any {chosen} reach a loss of {problem.target:g}, so nothing keeps {label} from falling; lower --loss"
    priced = problem.cost is not None and label in names(problem.cost.expression)
    paid = problem.budget is not None or problem.objective_text == COST
    if problem.objective_text == LOSS and problem.cost is not None and problem.budget is None and priced:
        return (
            f"nothing bounds the cost {problem.cost.text}, and {what} gets no worse all the way as {label} {grows}; "
            f"give --budget, as 1e24, or {fix}"
        )
    if problem.cost is not None and paid and not priced:
        return (
            f"{label} has no price: the cost {problem.cost.text} does not have it, and {what} gets no worse all the "
            f"way as {label} {grows}; put it into --cost, {fix}"
        )
    if priced and paid and _cost_slope(solver, at_fit, label) * (1 if side == "high" else -1) <= 0:
        assert problem.cost is not None
        return (
            f"the cost {problem.cost.text} does not grow as {label} {grows}, so nothing keeps {label} from it; write a "
            f"cost that does, or {fix}"
        )
    if priced and problem.budget is not None and side == "high":
        return f"a budget of {problem.budget:g} buys {label} beyond {LARGEST:g}; lower --budget, or {fix}"
    return f"this plan has no optimum: {what} gets no worse all the way as {label} {grows}; {fix}"


def _slack(solver: PlanSolver, at_fit: Optima) -> bool:
    """Whether the target loss is no bound at the optimum."""
    one = {label: np.array([value]) for label, value in solver.params.items()}
    reached = float(solver.natural(at_fit, one, solver.problem.response)[0])
    return solver.problem.target is not None and reached < solver.problem.target - 1e-6 * abs(solver.problem.target)


def _cost_slope(solver: PlanSolver, at_fit: Optima, label: str) -> float:
    """d cost/d log of an unknown at the optimum, by a small step."""
    problem = solver.problem
    assert problem.cost is not None
    values = {each: float(value[0]) for each, value in at_fit.values.items()}
    ends = []
    for sign in (-1, 1):
        moved = {**problem.fixed, **values, label: values[label] * (1 + 1e-4 * sign)}
        ends.append(float(np.asarray(array_value(problem.cost.expression, moved))))
    return ends[1] - ends[0]
