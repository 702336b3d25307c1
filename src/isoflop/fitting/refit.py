"""Refits from an optimum that is known: draws, jack-knives and hold-outs, begun at the fit.

The logarithm of a floor E that has run to zero has no slope, so a descent begun there, or fallen there on its way, can
not leave it: with E near zero most draws would keep the fit's E = 0, and their intervals held the truth in 56 to 66 %.
Such a draw is descended a second time with E inside its bound, and keeps the better end.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.fit import Problem
from isoflop.fitting.solve import Solution

Floats = NDArray[np.float64]

_GONE = 1e-3  # a floor below this share of the lowest loss counts as at its bound
_INSIDE = 0.1  # share of the lowest loss at which it begins again


def refit(
    ready: Problem,
    theta: Floats,
    *,
    weights: Floats | None = None,
    target: Floats | None = None,
    scales: Floats | None = None,
) -> Solution:
    """argmin Σ_i w_i ρ(r_i) for each row of ``weights`` (problems, rows), begun at ``theta`` (problems, coordinates).

    target: (problems, rows), what residuals are taken from in each problem, the runs' own by default. scales:
    (problems,), log σ for an objective that fits one.
    """
    found = ready.solve(theta, weights=weights, target=target, scales=scales, near=True)
    lowest = float(ready.table.loss.min())
    if lowest <= 0:
        return found
    for position in floors(ready):
        gone = np.flatnonzero(found.theta[:, position] < math.log(_GONE * lowest))
        if not len(gone):
            continue
        begin = found.theta[gone].copy()
        begin[:, position] = math.log(_INSIDE * lowest)
        own = None if scales is None else found.scale[gone]
        other = ready.solve(
            begin,
            weights=None if weights is None else weights[gone],
            target=None if target is None else target[gone],
            scales=own,
        )
        better = other.value < found.value[gone]
        found = _with(found, gone[better], other, better)
    return found


def floors(ready: Problem) -> tuple[int, ...]:
    """Positions of the coordinates of positive parameters that are terms of the law by themselves, such as E."""
    expression = ready.law.expression
    terms = expression.args if expression.op == "add" else (expression,)
    alone = {term.label for term in terms if term.op == "name"}
    positive = {param.name for param in ready.law.params if param.domain == "positive"}
    return tuple(position for position, name in enumerate(ready.coords.names) if name in alone & positive)


def _with(found: Solution, rows: NDArray[np.int64], other: Solution, chosen: NDArray[np.bool_]) -> Solution:
    fields = {each: getattr(found, each).copy() for each in Solution.__dataclass_fields__}
    for each, values in fields.items():
        values[rows] = getattr(other, each)[chosen]
    return replace(found, **fields)
