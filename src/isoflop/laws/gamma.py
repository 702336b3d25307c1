"""ln Γ and its derivatives on positive numbers; SciPy's special functions are loaded by the first formula that has one.

Negative numbers give NaN in every engine: a law has no use for the branches between the poles.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Casting = Literal["same_kind", "unsafe"]  # called as NumPy's functions are


def lgamma(x: ArrayLike, out: Floats | None = None, casting: Casting = "same_kind") -> Floats:
    """Ln Γ(x)."""
    from scipy.special import gammaln

    return np.asarray(gammaln(_not_negative(x), out=out, casting=casting))


def digamma(x: ArrayLike, out: Floats | None = None, casting: Casting = "same_kind") -> Floats:
    """d ln Γ(x) / dx."""
    from scipy.special import psi

    return np.asarray(psi(_not_negative(x), out=out, casting=casting))


def trigamma(x: ArrayLike) -> Floats:
    """d² ln Γ(x) / dx² = Σₙ (x + n)⁻², which is Hurwitz' ζ(2, x)."""
    from scipy.special import zeta

    return np.asarray(zeta(2.0, _not_negative(x)))


def _not_negative(x: ArrayLike) -> Floats:
    at = np.asarray(x, dtype=np.float64)
    return np.where(at < 0, np.nan, at)
