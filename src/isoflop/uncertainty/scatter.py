"""The scatter of runs around their curve: what turns draws of a curve into draws of what a new run would measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting import Estimate, Fit
from isoflop.fitting.estimate import FittedRows
from isoflop.fitting.objective.space import moved
from isoflop.laws.lists import Lists
from isoflop.uncertainty.discrepancy import linearized
from isoflop.uncertainty.ensemble import Ensemble
from isoflop.uncertainty.size_scatter import SizeScatter, size_scatter
from isoflop.values import Value

Floats = NDArray[np.float64]
Points = Mapping[str, Floats | Lists | float]

_SIZE = "N"


@dataclass(frozen=True)
class RunScatter(Value):
    """How runs lie around their law.

    residuals: fitted − measured, any number, where it depends on size divided by ``by_size``. n_runs: independent ones.
    spent: of these, how many the parameters used up. by_size: how the scatter depends on size, or None.
    """

    residuals: Floats
    n_runs: int
    spent: float
    by_size: SizeScatter | None = None

    def draw(self, draws: int, points: int, rng: np.random.Generator) -> Floats:
        """−r, with r a residual for each draw and point, (draws, points), where the scatter has its middle size.

        Residuals are widened by √(n/ν), ν = n − p of n runs of which the parameters used up p, and by √(ν/χ²) for how
        little ν residuals say of their own size, once a draw, which gives Student's tails.
        """
        freedom = max(1.0, self.n_runs - self.spent)
        widen = np.sqrt(self.n_runs / freedom) * np.sqrt(freedom / rng.chisquare(freedom, draws))
        # quantiles are drawn evenly so that few draws still cover the tails
        even = (np.arange(draws) + 0.5) / draws
        position = np.column_stack([rng.permutation(even) for _ in range(points)])
        # measured − fitted is minus the residual
        return np.asarray(-widen[:, None] * np.quantile(self.residuals, position, method="weibull"))

    def share(self, at: Points | None) -> Floats:
        """The scatter at points in units of that drawn, (points,) or (1,); beyond the runs that of the nearest size."""
        if self.by_size is None or at is None or _SIZE not in at:
            return np.ones(1)
        return np.atleast_1d(self.by_size.share(np.asarray(at[_SIZE], np.float64)))


def run_scatter(estimate: Estimate) -> RunScatter:
    """How the runs of a fit lie around it; worked out once for a fit and forgotten with it."""
    kept: dict[str, RunScatter] = estimate.__dict__.setdefault("_run_scatter", {})
    if "run" not in kept:
        kept["run"] = _run_scatter(estimate)
    return kept["run"]


def _run_scatter(estimate: Estimate) -> RunScatter:
    data, count = estimate.data, len(estimate.law.params)
    rows = data.rows
    if rows is None:
        return RunScatter(np.asarray(data.residuals), data.n_runs, count)
    spent = _spent(estimate, rows) if isinstance(estimate, Fit) else float(count)
    size = rows.inputs.get(_SIZE)
    by_size = None
    if size is not None and not isinstance(size, Lists) and len(np.unique(rows.run)) == len(rows.run):
        by_size = size_scatter(rows.residual, size, free=count)
    if by_size is None:
        return RunScatter(np.asarray(data.residuals), data.n_runs, spent)
    assert size is not None
    return RunScatter(-np.asarray(rows.residual) / by_size.share(np.asarray(size)), data.n_runs, spent, by_size)


def _spent(fit: Fit, rows: FittedRows) -> float:
    """tr(ZᵀHZ): how many of the runs' own errors the parameters can take up; their number where each run is one row.

    H projects onto the law's derivatives, Z is 1/√m at the m rows of each run. What checkpoints tell within a run uses
    up no run.
    """
    runs, count = np.unique(rows.run, return_counts=True)
    if len(runs) == len(rows.run):
        return float(len(fit.law.params))
    weight = np.ones(len(rows.run)) if rows.weights is None else np.sqrt(rows.weights / rows.weights.mean())
    jacobian = linearized(fit, rows.inputs)[1] * weight[:, None]
    left, values, _ = np.linalg.svd(jacobian, full_matrices=False)
    left = left[:, values > 1e-10 * values.max(initial=1e-300)]
    means = np.zeros((len(runs), left.shape[1]))
    np.add.at(means, np.searchsorted(runs, rows.run), left)
    return float((means**2 / count[:, None]).sum())


def new_runs(ensemble: Ensemble, curve: Floats, *, at: Points | None = None, stream: int = 0) -> Floats:
    """What new runs would measure where the ensemble's law draws this curve, (draws,) or (draws, points).

    at: the inputs there, where the scatter may depend on size. stream: as for :func:`new_scatter`.
    """
    if not len(curve):
        return curve
    columns = curve.reshape(len(curve), -1)
    drawn = new_scatter(ensemble, points=columns.shape[1], at=at, stream=stream)
    return moved(columns, drawn, ensemble.estimate.data.space).reshape(curve.shape)


def new_scatter(ensemble: Ensemble, *, points: int = 1, at: Points | None = None, stream: int = 0) -> Floats:
    """By how much new runs would lie off the law, on the scale of the residuals, (draws, points).

    at: the inputs of the points; one scatter, ``points=1``, serves all points of ``at``, each of which then has the
    interval that it has alone. stream: residuals of one stream are drawn in one order; two scatters that are to be
    independent, as in a chain of laws with one seed, take two streams.
    """
    scatter = run_scatter(ensemble.estimate)
    rng = np.random.default_rng([ensemble.seed, 2] if stream == 0 else [ensemble.seed, 2, stream])
    return scatter.draw(len(ensemble), points, rng) * scatter.share(at)
