"""What a fit minimises: a sum over runs of a function of the residual, on log loss or on raw loss.

Always the sum, never the mean; each objective says whether it is a likelihood, so that intervals and comparisons which
need one can refuse the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting.kernel import Space

Floats = NDArray[np.float64]
Kind = Literal["huber", "lad", "lsq", "student-t"]

# In the last steps the Huber curvature is used, with this share of the reweighted one kept on the outer residuals.
OUTER = 0.05


@dataclass(frozen=True)
class Objective:
    """Σ_i w_i ρ(r_i), with r = log L̂ − log L (``log``) or L̂ − L (``raw``).

    kind ``huber``: ρ = r²/2 for |r| ≤ δ, else δ(|r| − δ/2).  ``lad``: ρ = |r|.  ``lsq``: ρ = r².
    kind ``student-t``: minus the log-likelihood, ρ = log σ + (ν+1)/2 · log(1 + r²/(νσ²)) + constant, σ fitted.
    """

    kind: Kind
    space: Space = "log"
    delta: float = 1e-3
    df: float = 4.0

    @property
    def name(self) -> str:
        """As the command line writes it: ``huber:0.001``, ``lad``, ``raw-lsq`` …"""
        body = {"huber": f"huber:{self.delta:g}", "student-t": "student-t"}.get(self.kind, self.kind)
        return f"raw-{body}" if self.space == "raw" else body

    @property
    def likelihood(self) -> bool:
        """Whether the minimum is a maximum likelihood: Gaussian (``lsq``) or Student-t residuals, scale fitted."""
        return self.kind in ("lsq", "student-t")

    @property
    def n_extra(self) -> int:
        """Coordinates that belong to the objective and not to the law: log σ of a Student-t."""
        return 1 if self.kind == "student-t" else 0


def huber(delta: float = 1e-3, *, space: Space = "log") -> Objective:
    """Huber's function of the residuals: squares within ``delta``, absolute values outside; summed."""
    if not (math.isfinite(delta) and delta > 0):
        raise FitError(f"the Huber width must be positive, not {delta:g}; the field's usual value is 1e-3")
    return Objective("huber", space, delta=delta)


def absolute(*, space: Space = "log") -> Objective:
    """Sum of absolute residuals (least absolute deviation)."""
    return Objective("lad", space)


def squares(*, space: Space = "log") -> Objective:
    """Sum of squared residuals; a likelihood for Gaussian residuals whose scale is fitted."""
    return Objective("lsq", space)


def student_t(df: float = 4.0, *, space: Space = "log") -> Objective:
    """Minus the log-likelihood of Student-t residuals with ``df`` degrees of freedom and a fitted scale."""
    if not (math.isfinite(df) and df > 0):
        raise FitError(f"a Student-t needs positive degrees of freedom, not {df:g}; 4 is usual")
    return Objective("student-t", space, df=df)


def objective(text: str) -> Objective:
    """The objective of a word: ``huber:1e-3``, ``lad``, ``lsq``, ``student-t``; ``raw-`` before it for raw loss."""
    space: Space = "raw" if text.startswith("raw-") else "log"
    kind, _, number = text.removeprefix("raw-").partition(":")
    try:
        width = float(number) if number else None
    except ValueError:
        raise FitError(f"objective {text!r}: {number!r} is no number; write for example huber:1e-3") from None
    match kind:
        case "huber":
            return huber(1e-3 if width is None else width, space=space)
        case "lad" if width is None:
            return absolute(space=space)
        case "lsq" if width is None:
            return squares(space=space)
        case "student-t":
            return student_t(4.0 if width is None else width, space=space)
    raise FitError(
        f"objective {text!r} is not known; use huber:1e-3, lad, lsq or student-t, or raw- before one of them"
    )


@dataclass(frozen=True)
class Parts:
    """The objective's pieces for a tile: sums (problems,), slope and curvature by residual (problems, rows).

    ``extra`` for a fitted scale: slope (problems,), curvature (problems,), and the mixed curvature (problems, rows).
    """

    total: Floats
    slope: Floats
    curvature: Floats
    extra: tuple[Floats, Floats, Floats] | None = None


def parts(
    objective: Objective, residual: Floats, weights: Floats | None, newton: NDArray[np.bool_], scale: Floats
) -> Parts:
    """Value, slope and curvature of the objective at residuals (problems, rows).

    weights: (problems, rows), or None for ones.
    newton: (problems,), use the function's own curvature instead of the reweighting one.
    scale: (problems,), the Huber width δ, or log σ of a Student-t.
    """
    match objective.kind:
        case "lsq":
            slope = 2 * residual if weights is None else 2 * residual * weights
            total = np.einsum("bn,bn->b", residual, slope) / 2
            curvature = np.broadcast_to(np.float64(2), residual.shape) if weights is None else 2 * weights
            return Parts(total, slope, curvature)
        case "student-t":
            return _student_t(objective.df, residual, weights, newton, scale)
    width = scale[:, None]
    size = np.abs(residual)
    inner = np.minimum(size, width)
    cost = inner * (size - 0.5 * inner)
    pull = np.divide(width, np.maximum(size, width))  # 1 inside, δ/|r| outside
    total = cost.sum(axis=1) if weights is None else np.einsum("bn,bn->b", cost, weights)
    weighted = pull if weights is None else pull * weights
    slope = residual * weighted
    if not newton.any():
        return Parts(total, slope, weighted)
    keep = np.where(newton, OUTER, 1.0)[:, None]
    return Parts(total, slope, np.where(size <= width, weighted, keep * weighted))


def _student_t(df: float, residual: Floats, weights: Floats | None, newton: NDArray[np.bool_], scale: Floats) -> Parts:
    precision = np.exp(-2 * scale)[:, None]
    ones = np.ones_like(residual) if weights is None else weights
    squared = residual**2 * precision
    constant = math.lgamma(df / 2) - math.lgamma((df + 1) / 2) + 0.5 * math.log(df * math.pi)
    cost = 0.5 * (df + 1) * np.log1p(squared / df) + scale[:, None] + constant
    pull = (df + 1) / (df + squared) * ones
    slope = pull * residual * precision
    own = pull * (df - squared) / (df + squared)
    curvature = np.where(newton[:, None], np.maximum(own, OUTER * pull), pull) * precision
    scale_slope = (ones - pull * squared).sum(axis=1)
    scale_curvature = (2 * df * pull * squared / (df + squared)).sum(axis=1)
    mixed = -2 * df * pull * residual * precision / (df + squared)
    return Parts((cost * ones).sum(axis=1), slope, curvature, (scale_slope, scale_curvature, mixed))
