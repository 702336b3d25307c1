"""Groups compared by several responses at once, with a correction for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.planning.comparison.compare import Comparison
from isoflop.shown import Shown

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Responses(Shown):
    """Comparisons of the same groups, one a response.

    p_values: two-sided, of the gap between the leader and the next group at the scale of the headline, over the draws;
    corrected: by Holm's method over the responses. Both in the order of ``comparisons``.
    """

    comparisons: tuple[Comparison, ...]
    p_values: tuple[float, ...]
    corrected: tuple[float, ...]
    level: float

    def decided(self, place: int) -> bool:
        """Whether the leader of a response is better than the next at 1 − level, corrected."""
        return self.corrected[place] < 1 - self.level


def responses(comparisons: Sequence[Comparison]) -> Responses:
    """p = 2·(1 + draws on the rarer side of zero)/(1 + draws) of each, corrected by Holm's method."""
    p_values = []
    for each in comparisons:
        count = len(each.curves.joint)
        rarer = round(min(each.lead.ahead, 1 - each.lead.ahead) * count)
        p_values.append(min(1.0, 2 * (1 + rarer) / (1 + count)))
    return Responses(tuple(comparisons), tuple(p_values), tuple(holm(np.array(p_values))), comparisons[0].level)


def holm(p_values: Floats) -> list[float]:
    """max over j ≤ i of min(1, (m − j)·p₍ⱼ₎), in the order given. Source: Holm 1979.

    Examples
    --------
    >>> holm(np.array([0.04, 0.01, 0.5]))
    [0.08, 0.03, 0.5]

    """
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    stepped = np.minimum(1.0, np.maximum.accumulate(factors * p_values[order]))
    found = np.empty(len(p_values))
    found[order] = stepped
    return [float(each) for each in found]
