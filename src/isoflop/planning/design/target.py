"""What a design is to find out: N* at a budget, the response at points, the exponent of N*, or a law's constant.

A target is numbers that depend on the response at a few points: linearly on its model error, and on a law's constants
as the law has them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError, shown
from isoflop.laws.optimum import optimum
from isoflop.laws.training_flops import SIX_ND, TrainingFlops
from isoflop.planning.design.belief import Belief, Component
from isoflop.planning.points import values_of
from isoflop.planning.sizes import LAW_ANYWHERE
from isoflop.uncertainty.kriging import matern
from isoflop.uncertainty.prior import Hypothesis, Prior, shipped_prior
from isoflop.units import format_quantity, parse_quantity
from isoflop.values import Value

Floats = NDArray[np.float64]
Points = Mapping[str, Floats]
Kind = Literal["factor", "relative", "number", "ratio"]

_LENGTH = 1.0  # decades over which the model error changes that moves N*
_LARGEST_ERROR = 0.1  # of it, relative
_SPAN = math.log(3.0)  # of log N between the points by which the model error moves N*
_APART = 10.0  # ratio of the budgets between which the exponent of N* is taken
_MOST = 1e100  # of an input or a budget
_USABLE = 0.5  # share of draws with an optimum that a law needs
_CENTRAL = (0.02, 0.98)  # quantiles beyond which a draw of N* counts as lying there


@dataclass(frozen=True)
class Target(Value):
    """name, in words; kind: whether an error is a factor (N*), relative (a response) or that of the number itself.

    points: inputs at which the response is looked at, (points,) each. weights: (numbers, points).
    of_laws: a law's own draws of the numbers, (draws, numbers), or None where they follow from its response.
    model_error: the prior of the model error that suits the target; None for that of forecasts.
    if_law_holds: whether it means nothing but within a law, and so has no model error.
    budget: FLOPs at which N* is asked for, whose drift beyond the largest run then counts too.
    compared: the groups whose responses are compared, of which the sign is asked.
    """

    name: str
    kind: Kind
    points: Points
    weights: Floats
    of_laws: Callable[[Component], Floats] | None = field(default=None, compare=False)
    model_error: Prior | None = None
    if_law_holds: bool = False
    budget: float | None = None
    compared: tuple[str, str] | None = None


def target_of(text: str, belief: Belief, *, counted: TrainingFlops = SIX_ND) -> Target:
    """The target of a question in words.

    ``N* at 1e21``; ``loss at N=7B D=140B`` (several values between commas: the mean error over all combinations);
    ``exponent of N* at 1e21``; ``alpha`` or another constant of the law. Questions of which of two is better are read
    by :func:`isoflop.planning.design.sign.comparison_of`.
    Raises IsoflopError for what is none of these.
    """
    words = " ".join(text.split())
    asked = re.fullmatch(r"(exponent of )?n\*? at (\S+)(?: flops)?", words, re.IGNORECASE)
    if asked is not None:
        budget = _positive(asked[2], "the budget of the question")
        return exponent_target(belief, budget, counted) if asked[1] else optimum_target(belief, budget, counted)
    if re.fullmatch(r"\w+ at .+=.+", words):
        return response_at(words, belief)
    known = list(belief.components[0].law.param_names)
    if words in known:
        return constant_target(belief, words)
    raise IsoflopError(
        f"the question {shown(text)} is none of 'N* at 1e21', 'loss at N=7B D=140B', 'exponent of N* at 1e21', 'which "
        f"recipe is better at N=7B D=140B' and a constant of the law ({', '.join(known)})"
    )


def response_at(text: str, belief: Belief) -> Target:
    """The response at points in words, ``loss at N=7B D=140B``; without ``loss at`` that of the laws.

    Raises IsoflopError for another response, an input that is missing and one that no law has.
    """
    before, _, point = text.rpartition(" at ")
    names = list(dict.fromkeys(name for each in belief.components for name in each.law.input_names))
    response = belief.components[0].law.response
    if before and before != response:
        raise IsoflopError(f"the laws predict {response}, and the question is of {before}; ask {response} at …")
    values = values_of(re.split(r"[ ;]+", point.strip()), names, option="the question")
    return response_target(belief, _combined(values, names))


def response_target(belief: Belief, points: Points) -> Target:
    """The response at points: the mean of their squared errors."""
    count = len(next(iter(points.values())))
    told = ", ".join(f"{name} = {format_quantity(float(values[0]), digits=4)}" for name, values in points.items())
    response = belief.components[0].law.response.replace("_", " ")
    name = f"{response} at {told}" if count == 1 else f"{response} at {count} points"
    kind: Kind = "relative" if belief.components[0].space == "log" else "number"
    return Target(name, kind, points, np.eye(count) / math.sqrt(count))


def optimum_target(belief: Belief, budget: float, counted: TrainingFlops = SIX_ND) -> Target:
    """log N* at a budget: each law's own, moved by the model error's slope along the budget over its curvature.

    The model error has the size that moves N* by a standard deviation of 0.3, as far as optima of fits lay from
    measured minima on other tables, where no runs around N* show it; 0.45 a decade beyond the largest run comes on top.
    """
    points, weights = _around(belief, budget, counted)
    return Target(
        f"N* at {budget:.3g} FLOPs", "factor", points, weights,
        lambda each: _log_optimum(each, budget, counted)[:, None], _of_optima(belief, points, weights), budget=budget,
    )  # fmt: skip


def exponent_target(belief: Belief, budget: float, counted: TrainingFlops = SIX_ND) -> Target:
    """a of N* ∝ C^a: the slope of log N* between a tenth of the budget and the budget."""
    low, low_weights = _around(belief, budget / _APART, counted)
    high, high_weights = _around(belief, budget, counted)
    points = {name: np.concatenate([low[name], high[name]]) for name in high}
    run = math.log(_APART)
    sized = _of_optima(belief, high, high_weights)
    return Target(
        f"exponent of N* at {budget:.3g} FLOPs", "number", points,
        np.concatenate([-low_weights, high_weights], axis=1) / run,
        lambda each: (
            (_log_optimum(each, budget, counted) - _log_optimum(each, budget / _APART, counted))[:, None] / run
        ),
        sized,
    )  # fmt: skip


def constant_target(belief: Belief, name: str) -> Target:
    """A constant of the first law, if that law holds; other laws that have one of that name take part."""
    first = belief.components[0].law
    points: dict[str, Floats] = {each: np.empty(0) for each in first.input_names}

    def of_laws(each: Component) -> Floats:
        params = each.params
        return params[name][:, None] if name in params else np.full((len(each.theta), 1), np.nan)

    return Target(name, "number", points, np.empty((1, 0)), of_laws, if_law_holds=True)


def _log_optimum(each: Component, budget: float, counted: TrainingFlops) -> Floats:
    """Log N* of every draw, those without an optimum and the outermost at quantiles of the others."""
    found = optimum(each.law, each.params, budget, counted=counted)
    with np.errstate(all="ignore"):
        logs = np.where(found.inside, np.log(found.n), np.nan)
    known = logs[np.isfinite(logs)]
    if len(known) < _USABLE * len(logs):
        raise IsoflopError(
            f"{each.law.name} has no compute-optimal size at {budget:.3g} FLOPs in {1 - len(known) / len(logs):.0%} of "
            "its draws; ask of a budget nearer to the candidates, or name another law"
        )
    low, high = np.quantile(known, _CENTRAL)
    return np.asarray(np.clip(np.where(np.isfinite(logs), logs, np.median(known)), low, high))


def _around(belief: Belief, budget: float, counted: TrainingFlops) -> tuple[dict[str, Floats], Floats]:
    """Three points along the budget around N*, and d log N* / d log L at each: the vertex of their parabola."""
    others = [each for each in belief.components if set(each.law.input_names) != {"N", "D"}]
    if others:
        raise IsoflopError(
            f"N* needs laws in N and D; {others[0].law.name} takes {', '.join(others[0].law.input_names)}: ask for the "
            "response at a point, or name another law"
        )
    share = np.array([each.weight for each in belief.components])
    middles = np.array([float(np.median(_log_optimum(each, budget, counted))) for each in belief.components])
    middle = float(share @ middles / share.sum())
    sizes = np.exp(middle + _SPAN * np.array([-1.0, 0.0, 1.0]))
    points = {"N": sizes, "D": np.asarray(counted.tokens(sizes, budget))}
    bends = []
    for each in belief.components:
        value = np.median(each.value(points), axis=0)
        bends.append(float(value[0] - 2 * value[1] + value[2]))
    bend = float(share @ np.array(bends) / share.sum())
    if not bend > 0:
        raise IsoflopError(f"along {budget:.3g} FLOPs the laws' loss has no minimum in N; ask for the loss at a point")
    return points, np.array([[_SPAN / (2 * bend), 0.0, -_SPAN / (2 * bend)]])


def _of_optima(belief: Belief, points: Points, weights: Floats) -> Prior:
    """Model error of one length, whose standard deviation in log N* is that of fits to all runs on other tables."""
    place = belief.place(points)
    unit = math.sqrt(float((weights @ matern(place, place, _LENGTH) @ weights.T)[0, 0]))
    size = min(LAW_ANYWHERE / unit, _LARGEST_ERROR)
    return replace(shipped_prior(), hypotheses=(Hypothesis(1.0, size, _LENGTH, 1.0),))


def _combined(values: Mapping[str, list[float]], names: list[str]) -> dict[str, Floats]:
    missing = [name for name in names if name not in values]
    unknown = [name for name in values if name not in names]
    if missing or unknown:
        what = f"{missing[0]} is missing" if missing else f"{unknown[0]} is no input of the laws"
        raise IsoflopError(f"a point of the question gives {', '.join(names)}; {what}")
    for name, each in values.items():
        wrong = [value for value in each if not 0 < value < _MOST]
        if wrong:
            raise IsoflopError(f"{name} in the question must be a positive number below 1e100, not {wrong[0]:g}")
    grids = np.meshgrid(*(np.array(values[name]) for name in names), indexing="ij")
    return {name: grid.ravel() for name, grid in zip(names, grids, strict=True)}


def _positive(text: str, what: str) -> float:
    try:
        value = parse_quantity(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and 0 < value < _MOST):
        raise IsoflopError(f"{what} is a number of FLOPs such as 1e21, not {shown(text)}")
    return value
