"""The loss along a budget: L(N, C/(k N)) as a function of log N, for every draw at once, and where it is least."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.laws.derivative import gradient
from isoflop.laws.evaluate import array_value, array_values
from isoflop.laws.expression import MINUS_ONE, ONE, Expr, mul, name, power
from isoflop.laws.law import Law
from isoflop.laws.training_flops import SIX_ND, TrainingFlops
from isoflop.values import Value

Floats = NDArray[np.float64]

_GRID = 161
_SAME = 1e-9  # relative, of losses that do not differ
_HALVINGS = 48  # of a step of the grid: below the rounding of log N


@dataclass(frozen=True)
class Optimum(Value):
    """Where each draw's loss is least along a budget, (draws,): n, d, loss; ``inside`` says whether it is a minimum."""

    n: Floats
    d: Floats
    loss: Floats
    inside: NDArray[np.bool_]


def check_positive(value: float, what: str, unit: str) -> None:
    """Refuse a quantity that is not a positive number."""
    if not (math.isfinite(value) and value > 0):
        raise IsoflopError(f"{what} must be a positive number of {unit}, not {value:g}")


def require_n_and_d(law: Law) -> None:
    """Refuse a law whose inputs are not N and D."""
    if set(law.input_names) != {"N", "D"}:
        hint = "ask isoflop repeat" if set(law.input_names) == {"N", "D", "U"} else "fit for example chinchilla"
        raise IsoflopError(f"a plan needs a law in N and D; {law.name} has {', '.join(law.input_names)}: {hint}")


def optimum(
    law: Law, params: Mapping[str, Floats], budget: Floats | float, *, counted: TrainingFlops = SIX_ND
) -> Optimum:
    """argmin over N of L(N, C/(6N)), (draws,): by the closed form where the law has one, else by a search.

    params: each (draws,). budget: FLOPs, one number or (draws,). counted: what N and D cost, 6ND or as a table counts.
    """
    draws = len(next(iter(params.values())))
    known = closed_form(law, params, budget, counted=counted)
    if known is None:
        return searched_optimum(law, params, budget, counted=counted)
    spent = np.broadcast_to(np.asarray(budget, dtype=np.float64), draws)
    n, d = known[0].copy(), known[1].copy()
    with np.errstate(invalid="ignore"):
        inside = (n > 1) & (d > 1)
    loss = law.value(params, {"N": n, "D": d})
    others = np.flatnonzero(~inside)
    if len(others):  # along the budget these draws have no minimum: the search says at which end they are lowest
        some = {label: values[others] for label, values in params.items()}
        rest = searched_optimum(law, some, spent[others], counted=counted)
        n[others], d[others], loss[others], inside[others] = rest.n, rest.d, rest.loss, rest.inside
    return Optimum(n, d, loss, inside)


def searched_optimum(
    law: Law, params: Mapping[str, Floats], budget: Floats | float, *, counted: TrainingFlops = SIX_ND
) -> Optimum:
    """argmin over N of L(N, C/(6N)), (draws,): a grid finds the valley, bisection on the exact slope its bottom.

    Of a law that turns, so that far from any run its loss falls again and without end, the valley is the optimum; of
    several valleys the deepest.
    """
    draws = len(next(iter(params.values())))
    total = np.broadcast_to(counted.product(np.asarray(budget, dtype=np.float64)), draws)
    power = counted.power
    middle = 0.5 * np.log(total)
    grid = np.linspace(-0.5, 0.5, _GRID) * np.log(total)[:, None] + middle[:, None]
    wide = {label: values[:, None] for label, values in params.items()}
    losses = law.value(wide, {"N": np.exp(grid), "D": (total[:, None] / np.exp(grid)) ** (1 / power)})
    losses = np.where(np.isfinite(losses), losses, np.inf)
    bottom = np.zeros(losses.shape, dtype=np.bool_)
    bottom[:, 1:-1] = (losses[:, 1:-1] < losses[:, :-2]) & (losses[:, 1:-1] <= losses[:, 2:])
    inside = np.asarray(bottom.any(axis=1))
    best = np.where(inside, np.where(bottom, losses, np.inf).argmin(axis=1), losses.argmin(axis=1))
    rows = np.arange(draws)
    low, high = grid[rows, np.maximum(best - 1, 0)], grid[rows, np.minimum(best + 1, _GRID - 1)]
    by_n, by_d = gradient(law.expression, (name("N"), name("D")))
    for _ in range(_HALVINGS):
        at = (low + high) / 2
        rising = _slope(by_n, by_d, params, at, total, power) > 0
        high, low = np.where(rising, at, high), np.where(rising, low, at)
    n = np.exp((low + high) / 2)
    d = (total / n) ** (1 / power)
    return Optimum(n, d, law.value(params, {"N": n, "D": d}), inside)


def falls_again(
    law: Law, params: Mapping[str, Floats], budget: float, n: float, *, counted: TrainingFlops = SIX_ND
) -> tuple[float, ...]:
    """Sizes on either side of a minimum beyond which L(N, C/(6N)) falls again, and ends below the minimum's loss.

    params: each of one draw, (1,). Empty where the minimum is the least loss of all.
    """
    total = float(counted.product(np.asarray(budget, dtype=np.float64)))
    span, found = math.log(total), []
    for end in (0.0, span):
        path = np.linspace(math.log(n), end, 8 * _GRID)
        sizes = np.exp(path)
        losses = law.value(params, {"N": sizes, "D": (total / sizes) ** (1 / counted.power)})
        losses = np.where(np.isfinite(losses), losses, np.inf)
        below = np.flatnonzero(losses < losses[0] * (1 - _SAME))
        if len(below):
            found.append(float(sizes[int(losses[: below[0] + 1].argmax())]))
    return tuple(sorted(found))


def _slope(by_n: Expr, by_d: Expr, params: Mapping[str, Floats], log_n: Floats, total: Floats, power: float) -> Floats:
    """dL/dlog N at fixed N·D^s: N ∂L/∂N − (D/s) ∂L/∂D."""
    n = np.exp(log_n)
    d = (total / n) ** (1 / power)
    leaves = {**params, "N": n, "D": d}
    slope_n, slope_d = array_values((by_n, by_d), leaves)
    return np.asarray(n * slope_n - d / power * slope_d, dtype=np.float64)


def closed_form(
    law: Law, params: Mapping[str, Floats], budget: Floats | float, *, counted: TrainingFlops = SIX_ND
) -> tuple[Floats, Floats] | None:
    """N* = G (C/6)^a, D* = (C/6)^b / G with G = (αA/βB)^(1/(α+β)), a = β/(α+β), for E + c (A/N^α + B/D^β)^k; else None.

    A power with c k > 0 rises with its base, so it moves no minimum: k = 1 is Chinchilla, and Kaplan's form and
    Skaling's have the same plan. Where training is counted as C = k·N^p·D^q, D^(q/p) stands for D. NaN for
    draws without a minimum. Recognized by the form of the expression, not by the law's name.
    Source: Hoffmann et al. 2022, equation 4.
    """
    known = _minimum_moved_by(law.expression)
    if known is None:
        return None
    draws = len(next(iter(params.values())))
    total = counted.product(np.asarray(budget, dtype=np.float64))
    power = counted.power
    with np.errstate(all="ignore"):
        rising, a, alpha, b, beta = (_at(each, params, draws) for each in known)
        beta = beta / power
        scale = (alpha * a / (beta * b)) ** (1 / (alpha + beta))
        minimum = (rising > 0) & (a > 0) & (b > 0)
        n = np.where(minimum, scale * total ** (beta / (alpha + beta)), np.nan)
    return n, (total / n) ** (1 / power)


@lru_cache(maxsize=256)
def _minimum_moved_by(expression: Expr) -> tuple[Expr, Expr, Expr, Expr, Expr] | None:
    """What must be positive, and A, α, B and β, of a law whose minimum along a budget is that of A/N^α + B/D^β."""
    moving = _moving(expression)
    sign, found = ONE, _two_powers(moving)
    if found is None and len(moving) == 1:
        outer = [factor for factor in _factors(moving[0]) if _moves(factor)]
        if len(outer) == 1 and outer[0].op == "pow" and not _moves(outer[0].args[1]):
            sign = mul(*(factor for factor in _factors(moving[0]) if factor != outer[0]), outer[0].args[1])
            found = _two_powers(_moving(outer[0].args[0]))
    return None if found is None else (sign, *found)


def two_powers(law: Law, params: Mapping[str, Floats]) -> tuple[Floats, Floats, Floats, Floats] | None:
    """A, α, B and β of a law of the form E + A/N^α + B/D^β, each (draws,); None for another form."""
    found = _two_powers(_moving(law.expression))
    if found is None:
        return None
    draws = len(next(iter(params.values())))
    a, alpha, b, beta = (_at(each, params, draws) for each in found)
    return a, alpha, b, beta


def _two_powers(terms: Sequence[Expr]) -> tuple[Expr, Expr, Expr, Expr] | None:
    """A, α, B and β where the terms are A/N^α and B/D^β, in any order."""
    found: dict[str, tuple[Expr, Expr]] = {}
    for term in terms:
        inputs = [each for each in ("N", "D") if _contains(term, each)]
        split = _amplitude_and_exponent(term, inputs[0]) if len(inputs) == 1 else None
        if split is None or inputs[0] in found:
            return None
        found[inputs[0]] = split
    return (*found["N"], *found["D"]) if set(found) == {"N", "D"} else None


def _amplitude_and_exponent(term: Expr, given: str) -> tuple[Expr, Expr] | None:
    """A and α of a term A·x^−α whose A and α are free of x."""
    amplitude, exponent = ONE, None
    for factor in _factors(term):
        if not _contains(factor, given):
            amplitude = mul(amplitude, factor)
        elif factor.op == "pow" and exponent is None and not _contains(factor.args[1], given):
            base, raised = factor.args
            within = (ONE, MINUS_ONE) if base == name(given) else _amplitude_and_exponent(base, given)
            if within is None:
                return None
            amplitude = mul(amplitude, power(within[0], raised))
            exponent = mul(within[1], raised)
        else:
            return None
    return None if exponent is None else (amplitude, exponent)


def _at(node: Expr, params: Mapping[str, Floats], draws: int) -> Floats:
    return np.broadcast_to(np.asarray(array_value(node, params), dtype=np.float64), draws)


def _moving(node: Expr) -> list[Expr]:
    """The terms of a sum that depend on N or D."""
    return [term for term in (node.args if node.op == "add" else (node,)) if _moves(term)]


def _moves(node: Expr) -> bool:
    return _contains(node, "N") or _contains(node, "D")


def _factors(node: Expr) -> tuple[Expr, ...]:
    return node.args if node.op == "mul" else (node,)


def _contains(node: Expr, label: str) -> bool:
    return (node.op == "name" and node.label == label) or any(_contains(arg, label) for arg in node.args)
