"""A plan's problem as a smooth program in the coordinates of its unknowns, and the closed form where it has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from isoflop.laws.derivative import gradient
from isoflop.laws.evaluate import array_value
from isoflop.laws.expression import ZERO, Expr, add, exp, mul, name, names, num, power, substitute
from isoflop.laws.optimum import Optimum, closed_form, optimum
from isoflop.laws.training_flops import TrainingFlops
from isoflop.planning.program.conditions import is_positive, log_of, minus
from isoflop.planning.program.plan_conditions import Limit
from isoflop.planning.program.problem import Problem
from isoflop.planning.program.smooth_program import SmoothProgram
from isoflop.planning.program.unknowns import Unknown

Floats = NDArray[np.float64]
TOWARDS = "towards_"  # before an unknown's name: its weight in a linear objective
CEILING = "ceiling"  # the most that the objective of a near-optimal point may be, on the objective's scale


def plan_program(problem: Problem, searched: Sequence[Unknown], *, log_response: bool) -> SmoothProgram:
    """The problem over the searched unknowns; every other quantity is a name with a value.

    log_response: whether the law's response is positive, so that it is made least by its logarithm.
    """
    inequalities: list[Expr] = []
    equalities: list[Expr] = []
    for limit in problem.limits:
        (equalities if limit.relation == "==" else inequalities).append(_violation(problem, limit, log_response))
    return SmoothProgram(
        unknowns=tuple(each.name for each in searched),
        objective=_coordinates(scaled_objective(problem, log_response=log_response), searched),
        inequalities=tuple(_coordinates(each, searched) for each in inequalities),
        equalities=tuple(_coordinates(each, searched) for each in equalities),
        low=np.array([each.ends[0] for each in searched]),
        high=np.array([each.ends[1] for each in searched]),
    )


def near_program(problem: Problem, searched: Sequence[Unknown], *, log_response: bool) -> SmoothProgram:
    """Least Σ w_j y_j where the conditions hold and the objective is up to a ceiling: an end of a near-optimal set."""
    whole = plan_program(problem, searched, log_response=log_response)
    return SmoothProgram(
        unknowns=whole.unknowns,
        objective=add(*(mul(name(TOWARDS + each), name(each)) for each in whole.unknowns)),
        inequalities=(*whole.inequalities, minus(whole.objective, name(CEILING))),
        equalities=whole.equalities,
        low=whole.low,
        high=whole.high,
    )


def violation_program(
    problem: Problem, searched: Sequence[Unknown], dropped: Limit, *, log_response: bool
) -> SmoothProgram:
    """The least violation of one condition where the others hold."""
    whole = plan_program(problem, searched, log_response=log_response)
    violated = _coordinates(_violation(problem, dropped, log_response), searched)
    if dropped.relation == "==":
        violated = power(violated, num(2.0))
    return SmoothProgram(
        unknowns=whole.unknowns,
        objective=violated,
        inequalities=tuple(
            _coordinates(_violation(problem, each, log_response), searched)
            for each in problem.limits
            if each.relation != "==" and each != dropped
        ),
        equalities=tuple(
            _coordinates(_violation(problem, each, log_response), searched)
            for each in problem.limits
            if each.relation == "==" and each != dropped
        ),
        low=whole.low,
        high=whole.high,
    )


def scaled_objective(problem: Problem, *, log_response: bool) -> Expr:
    """The objective, or its logarithm where it is positive."""
    return _log_or_self(problem, problem.objective, log_response)[0]


def objective_is_log(problem: Problem, *, log_response: bool) -> bool:
    """Whether the objective is made least by its logarithm."""
    return _log_or_self(problem, problem.objective, log_response)[1]


def _log_or_self(problem: Problem, expression: Expr, log_response: bool) -> tuple[Expr, bool]:
    if (expression == problem.response and log_response) or is_positive(expression, problem.positive):
        return log_of(expression, problem.positive), True
    return expression, False


def _violation(problem: Problem, limit: Limit, log_response: bool) -> Expr:
    """What is at most 0 (0 for an equality) where the condition holds; a difference of logarithms where it can be."""
    left, right = (limit.left, limit.right) if limit.relation != ">=" else (limit.right, limit.left)
    logs = [_log_or_self(problem, side, log_response) for side in (left, right)]
    if all(known for _, known in logs):
        return minus(logs[0][0], logs[1][0])
    size = max((abs(side.value) for side in (left, right) if side.op == "num"), default=0.0)
    return mul(num(1 / size), minus(left, right)) if size > 0 else minus(left, right)


def _coordinates(expression: Expr, searched: Sequence[Unknown]) -> Expr:
    return substitute(expression, {name(each.name): each.expression for each in searched})


def closed_optimum(problem: Problem, params: Mapping[str, Floats]) -> Optimum | None:
    """N* and D* by :func:`isoflop.laws.optimum.optimum` where the problem is min L(N, D) under k·N^p·D^q; else None."""
    plain = set(problem.names) == {"N", "D"} and not any(each.menu or each.integer for each in problem.unknowns)
    free = all(each.low_open and each.high_open for each in problem.unknowns)
    if not plain or not free or problem.objective != problem.law.expression or problem.cost is None:
        return None
    if len(problem.limits) != 1 or problem.limits[0].why != "budget" or problem.budget is None:
        return None
    counted = power_cost(problem.cost.expression)
    draws = len(next(iter(params.values())))
    given = {label: problem.fixed[label] for label in problem.law.input_names if label in problem.fixed}
    params = {**params, **{label: np.full(draws, value) for label, value in given.items()}}
    if counted is None or closed_form(problem.law, params, problem.budget, counted=counted) is None:
        return None
    return optimum(problem.law, params, problem.budget, counted=counted)


def power_cost(cost: Expr) -> TrainingFlops | None:
    """k, p and q of a cost k·N^p·D^q with p, q > 0; None for another one."""
    if set(names(cost)) != {"N", "D"}:
        return None
    spelled = substitute(log_of(cost, {"N", "D"}), {name(each): exp(name(each)) for each in ("N", "D")})
    slopes = gradient(spelled, (name("N"), name("D")))
    if any(each.op != "num" or each == ZERO for each in slopes):
        return None
    per = float(np.asarray(array_value(cost, {"N": 1.0, "D": 1.0})))
    p, q = (each.value for each in slopes)
    return TrainingFlops(per, p, q) if per > 0 and p > 0 and q > 0 else None
