"""Groups compared by several responses at once, with a correction for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isoflop.planning.comparison.compare import Comparison
from isoflop.shown import Shown
from isoflop.uncertainty.holm import holm


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
    return Responses(tuple(comparisons), tuple(p_values), tuple(holm(p_values).tolist()), comparisons[0].level)
