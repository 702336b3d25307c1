"""Size classes: Kruskal and Wallis' test that they differ, and Dunn's of which, with Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.special import special
from isoflop.uncertainty.holm import holm
from isoflop.units import format_quantity
from isoflop.validation.levels import Levels
from isoflop.values import Value

Floats = NDArray[np.float64]

FEWEST: Final = 2  # models that a class needs for its ranks to be compared
_CLASSES: Final = 4  # as many by default, of equal numbers of models


@dataclass(frozen=True)
class Pair(Value):
    """Dunn's comparison of two classes: z of the mean ranks (second − first), p before and after Holm's correction."""

    first: int
    second: int
    z: float
    p: float
    adjusted: float


@dataclass(frozen=True)
class SizeClasses(Value):
    """One response by size class; a model (a group at one x) counts once, by its mean.

    names: of the classes, ascending. count, median: models in each, and the median of their responses. h, p: Kruskal
    and Wallis' statistic and p-value, NaN where fewer than two classes have two models. pairs: of the classes that have
    two models.
    """

    response: str
    names: tuple[str, ...]
    count: tuple[int, ...]
    median: tuple[float, ...]
    h: float
    p: float
    pairs: tuple[Pair, ...]

    def plateau(self, *, alpha: float, delta: float) -> int | None:
        """The smallest class from which on no larger one differs at the level ``alpha``, nor its median by ``delta``.

        None where classes as a whole do not differ, or where only the largest one is left: with few models a test finds
        no difference where there is one, so its silence alone shows no plateau.
        """
        if not self.p <= alpha:
            return None
        tested = sorted({each for pair in self.pairs for each in (pair.first, pair.second)})
        for k in tested[:-1]:
            differs = any(pair.first >= k and pair.adjusted <= alpha for pair in self.pairs)
            if not differs and max(self.median[k:]) - min(self.median[k:]) <= delta:
                return k
        return None


def size_classes(levels: Sequence[Levels], edges: Sequence[float]) -> SizeClasses | None:
    """One response's classes between ``edges``, in which a class includes its upper edge.

    edges: ascending; quartiles of the models' x where there are none. None where there are fewer than two classes.
    Raises DataError for edges that are not above zero and ascending.
    """
    if any(each <= 0 for each in edges) or any(a >= b for a, b in pairwise(edges)):
        raise DataError(
            f"the edges of size classes ascend from above zero, and these are {', '.join(map(format_quantity, edges))}"
        )
    x = np.concatenate([each.x for each in levels])
    y = np.concatenate([each.mean for each in levels])
    inner = np.array(edges if len(edges) else _quartiles(x))
    code = np.searchsorted(inner, x, side="left")
    present = np.unique(code)
    if len(present) < 2:
        return None
    members = [y[code == each] for each in present]
    compared = [k for k, each in enumerate(members) if len(each) >= FEWEST]
    h, p = _kruskal([members[k] for k in compared])
    return SizeClasses(
        response=levels[0].response,
        names=tuple(_name(inner, int(each)) for each in present),
        count=tuple(len(each) for each in members),
        median=tuple(float(np.median(each)) for each in members),
        h=h,
        p=p,
        pairs=dunn([members[k] for k in compared], compared) if len(compared) > 1 else (),
    )


def dunn(members: Sequence[Floats], names: Sequence[int]) -> tuple[Pair, ...]:
    """z = (R̄_b − R̄_a)/√((n(n + 1)/12 − Σ(t³ − t)/(12(n − 1)))·(1/n_a + 1/n_b)), two-sided, Holm over all pairs.

    R̄: mean ranks over all members together; t: sizes of ties. Dunn (1964).
    """
    from scipy.stats import rankdata  # a second to import, which no other command needs

    together = np.concatenate(members)
    ranks = rankdata(together)
    n = len(together)
    _, ties = np.unique(together, return_counts=True)
    variance = n * (n + 1) / 12 - float((ties**3 - ties).sum()) / (12 * (n - 1))
    ends = np.cumsum([len(each) for each in members])
    mean = [float(part.mean()) for part in np.split(ranks, ends[:-1])]
    found = []
    for a, b in combinations(range(len(members)), 2):
        error = np.sqrt(variance * (1 / len(members[a]) + 1 / len(members[b])))
        z = (mean[b] - mean[a]) / error if error > 0 else 0.0
        found.append((names[a], names[b], float(z), float(2 * special.ndtr(-abs(z)))))
    adjusted = holm([each[3] for each in found])
    return tuple(Pair(*each, float(corrected)) for each, corrected in zip(found, adjusted, strict=True))


def _kruskal(members: Sequence[Floats]) -> tuple[float, float]:
    if len(members) < 2:
        return float("nan"), float("nan")
    if np.ptp(np.concatenate(members)) == 0:
        return 0.0, 1.0
    from scipy.stats import kruskal

    found = kruskal(*members)
    return float(found.statistic), float(found.pvalue)


def _quartiles(x: Floats) -> Floats:
    """Inner edges of classes with equal numbers of models, at values of x."""
    edges = np.quantile(x, np.arange(1, _CLASSES) / _CLASSES, method="inverted_cdf")
    return np.unique(edges[edges < x.max()])


def _name(inner: Floats, code: int) -> str:
    if not len(inner):
        return "all"
    if code == 0:
        return f"≤ {format_quantity(float(inner[0]))}"
    if code == len(inner):
        return f"> {format_quantity(float(inner[-1]))}"
    return f"{format_quantity(float(inner[code - 1]))}–{format_quantity(float(inner[code]))}"
