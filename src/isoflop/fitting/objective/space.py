"""On which scale residuals are taken: the logarithm of the response, the response itself, or its log odds.

``log``: ln y, y > 0. ``raw``: y. ``logit``: ln(y/(1 − y)), 0 < y < 1, for scores, whose scatter shrinks at both ends.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Space = Literal["log", "raw", "logit"]
PREFIXES: Final[dict[Space, str]] = {"log": "", "raw": "raw-", "logit": "logit-"}

_HIGHEST = 700.0  # exp of more is beyond a float


def to_scale(response: ArrayLike, space: Space) -> Floats:
    """The response on the scale of the residuals; NaN or infinite where it has none."""
    values = np.asarray(response, dtype=np.float64)
    if space == "raw":
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(values) if space == "log" else np.log(values) - np.log1p(-values)


def from_scale(target: ArrayLike, space: Space) -> Floats:
    """The response of a value on the scale of the residuals."""
    values = np.asarray(target, dtype=np.float64)
    if space == "raw":
        return values
    bounded = np.clip(values, -_HIGHEST, _HIGHEST) if space == "logit" else np.minimum(values, _HIGHEST)
    return np.asarray(1 / (1 + np.exp(-bounded)) if space == "logit" else np.exp(bounded))


def moved(response: Floats, by: Floats | float, space: Space) -> Floats:
    """The response with something added on the scale of the residuals.

    A law that leaves (0, 1), as one may far from its runs, has no log odds and stays where it is.
    """
    if space == "log":
        return np.asarray(response * np.exp(by))
    if space == "raw":
        return np.asarray(response + by)
    inside = (response > 0) & (response < 1)
    return np.where(inside, from_scale(to_scale(np.where(inside, response, 0.5), space) + by, space), response)


def slope(response: Floats, space: Space) -> Floats:
    """d(scale)/d(response): 1/y, 1, or 1/(y(1 − y))."""
    if space == "raw":
        return np.ones_like(response)
    return 1 / response if space == "log" else 1 / (response * (1 - response))


def space_of(text: str) -> tuple[Space, str]:
    """The space that the prefix of an objective's text names, and the rest."""
    for space, prefix in PREFIXES.items():
        if prefix and text.startswith(prefix):
            return space, text.removeprefix(prefix)
    return "log", text
