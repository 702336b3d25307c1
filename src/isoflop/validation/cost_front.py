"""Performance per cost: which models are beaten by none that costs no more, and the cheapest near the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.validation.levels import Levels
from isoflop.values import Value

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FrontModel(Value):
    """A model of the front: its group, its x, what it costs, its mean response, and whether it is within delta."""

    group: str
    x: float
    cost: float
    mean: float
    near: bool


def cost_front(
    levels: Sequence[Levels], costs: Sequence[Floats], *, delta: float, lower: bool
) -> tuple[FrontModel, ...]:
    """Models of one response that every cheaper or equally costly one falls short of, by ascending cost.

    costs: of each size of each group. near: within ``delta`` of the best response of all; the first such is the
    cheapest. Rows without a cost are left out.
    """
    models = [
        (float(cost), -float(mean) if lower else float(mean), each.group, float(x), float(mean))
        for each, of in zip(levels, costs, strict=True)
        for x, mean, cost in zip(each.x, each.mean, of, strict=True)
        if np.isfinite(cost)
    ]
    front: list[FrontModel] = []
    if not models:
        return ()
    best, most = max(score for _, score, *_ in models), -np.inf
    for cost, score, group, x, mean in sorted(models, key=lambda each: (each[0], -each[1])):
        if score > most:
            front.append(FrontModel(group, x, cost, mean, score >= best - delta))
            most = score
    return tuple(front)
