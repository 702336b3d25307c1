"""``families_left_out``: scores of a family that was not fitted, from its smallest model and scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.planning.capability.response import Response, fit_response, locate
from isoflop.planning.capability.scores import ModelScores
from isoflop.values import Value

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FamilyError(Value):
    """Mean absolute errors of the scores of one family's larger models.

    unchanged: predicted by the smallest model's own scores. mean: by the mean of the other families on each benchmark.
    """

    family: str
    models: int
    scores: int
    error: float
    unchanged: float
    mean: float


@dataclass(frozen=True)
class FamilyErrors(Value):
    """Each family left out once; the errors are means over all scores predicted."""

    each: tuple[FamilyError, ...]
    error: float
    unchanged: float
    mean: float


def families_left_out(scores: ModelScores, fitted: Response) -> FamilyErrors | None:
    """ŷ = g + (1 − g)·logistic(s·(c₀ + b·ln(X/X₀) − d)), c₀ and X₀ those of the family's smallest model.

    s, d and b are fitted without the family; b is the slope of the index on ln X within families. Families need two
    models of different scale; None where fewer than three have them.
    """
    x = np.log(np.where(np.isfinite(scores.scale), scores.scale, math.nan))
    family = np.array(scores.family, dtype=object)
    names = [
        name for name in sorted(set(scores.family) - {""}) if len(np.unique(x[(family == name) & np.isfinite(x)])) >= 2
    ]
    if len(names) < 3:
        return None
    found = [each for name in names if (each := _one(scores, fitted, x, family, name)) is not None]
    if not found:
        return None
    weight = np.array([each.scores for each in found], dtype=float)
    error, unchanged, mean = (
        float(np.average([getattr(each, name) for each in found], weights=weight))
        for name in ("error", "unchanged", "mean")
    )
    return FamilyErrors(tuple(found), error, unchanged, mean)


def _one(
    scores: ModelScores, fitted: Response, x: Floats, family: NDArray[np.object_], name: str
) -> FamilyError | None:
    own = (family == name) & np.isfinite(x)
    others = family != name
    table = scores.scores
    tested = np.isfinite(table[others]).any(axis=0)
    start = Response(fitted.capability[others], fitted.difficulty, fitted.discrimination, fitted.chance)
    items = fit_response(np.where(tested, table[others], math.nan), fitted.chance, start)
    slope = _within(items.capability, x[others], family[others])
    rows = np.flatnonzero(own)[np.argsort(x[own], kind="stable")]
    first, larger = rows[0], rows[x[rows] > x[rows[0]]]
    known = locate(table[first], items)
    expected = Response(known + slope * (x[larger] - x[first]), items.difficulty, items.discrimination, items.chance)
    there = np.isfinite(table[larger]) & np.isfinite(table[first]) & tested
    if not there.any():
        return None
    with np.errstate(all="ignore"):
        middle = np.array(
            [np.mean(col[np.isfinite(col)]) if np.isfinite(col).any() else math.nan for col in table[others].T]
        )

    def miss(predicted: Floats) -> float:
        return float(np.abs(table[larger] - predicted)[there].mean())

    return FamilyError(
        name,
        len(larger),
        int(there.sum()),
        miss(expected.scores()),
        miss(np.broadcast_to(table[first], there.shape)),
        miss(np.broadcast_to(middle, there.shape)),
    )


def _within(c: Floats, x: Floats, family: NDArray[np.object_]) -> float:
    """Σ(x − x̄_f)(c − c̄_f)/Σ(x − x̄_f)² over families f."""
    cross = square = 0.0
    for name in sorted(set(family) - {""}):
        own = (family == name) & np.isfinite(x)
        if own.sum() >= 2:
            off = x[own] - x[own].mean()
            cross, square = cross + float(off @ c[own]), square + float(off @ off)
    return cross / square if square > 0 else 0.0
