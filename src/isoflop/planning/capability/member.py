"""``forecast_member``: the scores of a further model of a family, from its family and scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError, choices, excerpt
from isoflop.planning.capability.families import FamilyErrors, error_bound, inputs_of
from isoflop.planning.capability.panel import fit_panel
from isoflop.planning.capability.scores import ModelScores
from isoflop.uncertainty.ensemble import Interval
from isoflop.values import Value

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MemberForecast(Value):
    """Expected scores of a further model of a family with prediction intervals, by benchmark.

    at: its scale and tokens. beyond: the factor by which one of them lies outside those that were fitted, 1 inside.
    """

    family: str
    at: Mapping[str, float]
    scores: Mapping[str, Interval]
    beyond: float


def forecast_member(
    scores: ModelScores,
    family: str,
    at: Mapping[str, float],
    chance: Floats,
    errors: FamilyErrors | None,
    *,
    skills: int = 2,
    level: float = 0.9,
) -> MemberForecast:
    """ŷ ± q: the panel of all models, and the bound of the errors of families left out, cut off at 0 and 1.

    Raises
    ------
    IsoflopError
        A family that is not there, or inputs other than the table's scale and tokens.
    DataError
        Too few families to know how far a forecast misses.
    """
    labels = sorted(set(scores.family) - {""})
    if family not in labels:
        there = choices(labels, bare=True) or "none: name the column of families (--family)"
        raise IsoflopError(f"{excerpt(family)} is no family of {scores.source}; there are {there}")
    if errors is None:
        raise DataError(
            "a forecast needs three families with models of two scales, whose errors give its interval; give further "
            "families, or the column of scale (--scale)"
        )
    given = {scores.by: scores.scale}
    if scores.tokens is not None:
        given[scores.tokens_by] = scores.tokens
    if set(at) != set(given):
        raise IsoflopError(
            f"--at names {', '.join(at) or 'nothing'}; the panel is fitted in {' and '.join(given)}: give "
            + " ".join(f"--at {name}=VALUE" for name in given)
        )
    if any(not (math.isfinite(each) and each > 0) for each in at.values()):
        raise IsoflopError(f"--at is {', '.join(f'{n}={v:g}' for n, v in at.items())}; scales are above 0")
    x = inputs_of(scores)[1]
    known = np.isfinite(x).all(axis=1)
    names, place = np.unique(np.array(scores.family)[known], return_inverse=True)
    if family not in names:
        raise DataError(f"no model of {excerpt(family)} has {' and '.join(given)}; give them, or leave it to --where")
    panel = fit_panel(scores.scores[known], x[known], place.astype(np.int64), chance, skills=skills)
    new = [math.log(at[scores.by]) - float(np.nanmean(np.log(scores.scale)))]
    if scores.tokens is not None:
        seen = math.log(at[scores.tokens_by]) - float(np.nanmean(np.log(scores.tokens)))
        new += [seen, new[0] * seen]
    expected = panel.scores(np.array([new]), np.array([int(np.searchsorted(names, family))]))[0]
    bound = error_bound(errors.methods["panel"].residuals, level)
    return MemberForecast(
        family,
        dict(at),
        {
            task: Interval(float(y), max(0.0, float(y) - bound), min(1.0, float(y) + bound), level)
            for task, y in zip(scores.tasks, expected, strict=True)
        },
        max(_outside(at[name], column[known]) for name, column in given.items()),
    )


def _outside(value: float, known: Floats) -> float:
    return max(1.0, value / float(known.max()), float(known.min()) / value)
