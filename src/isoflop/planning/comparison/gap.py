"""Gaps between groups at given scales, and the probability that each group is best there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.planning.comparison.alike import in_common
from isoflop.planning.comparison.curves import Curves
from isoflop.uncertainty.ensemble import Ensemble, Interval, interval_of
from isoflop.uncertainty.predictive import predictive
from isoflop.uncertainty.prior import Prior
from isoflop.values import Value

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scale(Value):
    """All groups at one x: the response of each, and P(best), if the laws hold and with model error; None without."""

    x: float
    response: tuple[Interval, ...]
    best: tuple[float, ...]
    best_with_error: tuple[float, ...] | None

    @property
    def leader(self) -> int:
        """The group that is best in most draws."""
        return int(np.argmax(self.best))


@dataclass(frozen=True)
class Gap(Value):
    """Group minus reference at one x.

    difference, log_ratio: of the responses, if the laws hold. log_ratio_with_error: with the model error of each law,
    in common as far as residuals of shared configurations are; None where a fit has none.
    probability: that the group is better; draws in which both are equal count half.
    """

    x: float
    group: str
    reference: str
    difference: Interval
    log_ratio: Interval | None
    with_error: Interval | None
    probability: float

    @property
    def differs(self) -> bool:
        """Whether the interval of the difference leaves out zero."""
        return not self.difference.low <= 0 <= self.difference.high


@dataclass(frozen=True)
class AtScales(Value):
    """Values (groups, x) and draws (groups, draws, x) of curves at some x, and draws with model error or None."""

    curves: Curves
    x: Floats
    value: Floats
    drawn: Floats
    with_error: Floats | None


def at_scales(curves: Curves, x: Floats, *, prior: Prior | None = None, seed: int = 0) -> AtScales:
    """Evaluate all groups at some x."""
    groups = range(len(curves.names))
    value = np.stack([curves.value(each, x) for each in groups])
    drawn = np.stack([curves.draws(each, x) for each in groups])
    return AtScales(curves, x, value, drawn, _with_model_error(curves, x, prior, seed))


def scales(at: AtScales, *, level: float) -> tuple[Scale, ...]:
    """Response and P(best) of every group at each x."""
    curves, groups = at.curves, len(at.curves.names)
    found = []
    for place, x in enumerate(at.x):
        response = tuple(
            interval_of(
                float(curves.response(at.value[each, place])), curves.response(at.drawn[each, :, place]), level=level
            )
            for each in range(groups)
        )
        told = None if at.with_error is None else _best(at.with_error[:, :, place])
        found.append(Scale(float(x), response, _best(at.drawn[:, :, place]), told))
    return tuple(found)


def gap(at: AtScales, place: int, group: int, reference: int, *, level: float) -> Gap:
    """The gap between two groups at one x."""
    curves = at.curves
    own, other = at.drawn[group, :, place], at.drawn[reference, :, place]
    value, base = float(at.value[group, place]), float(at.value[reference, place])
    error = None
    if at.with_error is not None:
        first, second = at.with_error[group, :, place], at.with_error[reference, :, place]
        apart = curves.response(first) - curves.response(second)
        error = interval_of(float(np.median(apart)), apart, level=level)
    return Gap(
        x=float(at.x[place]),
        group=curves.names[group],
        reference=curves.names[reference],
        difference=interval_of(
            float(curves.response(np.array(value)) - curves.response(np.array(base))),
            curves.response(own) - curves.response(other),
            level=level,
        ),
        log_ratio=interval_of(curves.sign * (value - base), curves.sign * (own - other), level=level)
        if curves.space == "log"
        else None,
        with_error=error,
        probability=float(np.mean(own < other) + np.mean(own == other) / 2),
    )


def _best(scaled: Floats) -> tuple[float, ...]:
    """The share of draws in which each group is lowest, (groups,), ties parted alike; scaled: (groups, draws)."""
    known = np.isfinite(scaled).all(axis=0)
    if not known.any():
        return tuple([float("nan")] * len(scaled))
    lowest = scaled[:, known] == scaled[:, known].min(axis=0)
    return tuple(float(each) for each in (lowest / lowest.sum(axis=0)).mean(axis=1))


def _with_model_error(curves: Curves, x: Floats, prior: Prior | None, seed: int) -> Floats | None:
    """Draws of each group's mean with model error, (groups, draws, x), on the curves' scale; None without runs.

    In a share of the draws a group errs as the reference does (:mod:`isoflop.planning.comparison.alike`): two groups
    that deviate from the law alike have the same model error, not twice as much. Each group's own draws keep their
    distribution.
    """
    drawn = []
    count, share = len(curves.joint), in_common(curves.joint)
    turn = np.random.default_rng([seed, 8]).random(count)
    for group, fitted in enumerate(curves.joint.fits):
        ensemble = Ensemble(
            replace(fitted, findings=()), curves.joint.params[group], method="joint bootstrap", seed=curves.joint.seed
        )
        found = predictive(ensemble, curves.along.points(fitted, x), prior=prior)
        if found.mixture is None:
            return None
        response = found.sample(count, seed=seed + 1_000 * (group + 1), scatter=False)
        if share[group]:
            together = found.sample(count, seed=seed + 1_000, scatter=False)
            response = np.where((turn < share[group])[:, None], together, response)
        drawn.append(curves.scaled(response))
    return np.stack(drawn)
