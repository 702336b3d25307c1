"""The unknown of an implicit law, solved for in a batch: Newton's steps, kept inside a bracket that only shrinks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_WIDEST = 700.0  # the unknown's distance from the ends of its interval, in e-folds
_BEYOND = 0.98 * _WIDEST  # a root out there is none
_MOST_STEPS = 120  # enough for bisection alone to reach the last digit
_SETTLED = 1e-8  # after a Newton step this small the error is its square
_EXACT = 1e-13
_MERGED = 1e-2  # e-folds
_ROUNDED = 36.0  # e-folds from the upper end beyond which the unknown, as a number, is that end


def solve_unknown(
    equation: Callable[[Floats], tuple[Floats, Floats]], low: Floats, high: Floats | None, shape: tuple[int, ...]
) -> Floats:
    """u in (low, high) with g(u) = 0, shape ``shape``; NaN where there is none.

    equation: u → (g, ∂g/∂u), where g rises with u. high: None for no upper end.
    The steps are taken in z = log((u − low)/(high − u)), or log(u − low): there both a power law and its saturation are
    nearly straight, so that a handful of steps is enough from anywhere.
    """
    with np.errstate(all="ignore"):
        z = np.zeros(shape)
        lowest, highest = np.full(shape, -_WIDEST), np.full(shape, _WIDEST)
        for _ in range(_MOST_STEPS):
            unknown, speed = _place(z, low, high)
            value, slope = equation(unknown)
            newton = -value / (slope * speed)
            lowest, highest = np.where(value < 0, z, lowest), np.where(value > 0, z, highest)
            moved = z + newton
            inside = (moved >= lowest) & (moved <= highest)
            moved = np.where(inside, moved, 0.5 * (lowest + highest))
            lost = np.isnan(value) | (highest < -_BEYOND) | (lowest > _BEYOND)
            # so near to an end that the distance from it is lost in rounding
            merged = np.isinf(value) & (highest - lowest < _MERGED)
            if high is not None:
                merged |= (lowest > _ROUNDED) & (highest < _WIDEST)
            # near an end the unknown's own rounding is worth more of z than the digits that are asked for
            rounding = np.minimum(4 * np.spacing(np.abs(unknown)) / speed, _MERGED)
            width = highest - lowest
            done = lost | merged | (value == 0) | (width < np.maximum(rounding, _EXACT))
            done |= np.abs(newton) < np.maximum(rounding, _SETTLED)
            z = np.where(lost | (value == 0), z, moved)
            if done.all():
                break
        unknown, _ = _place(z, low, high)
        return np.where(lost, np.nan, unknown)


def _place(z: Floats, low: Floats, high: Floats | None) -> tuple[Floats, Floats]:
    """The unknown and its derivative by z."""
    if high is None:
        rise = np.exp(z)
        return low + rise, rise
    share = 1 / (1 + np.exp(-z))
    return low + (high - low) * share, (high - low) * share * (1 - share)
