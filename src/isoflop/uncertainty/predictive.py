"""``predictive``: the distribution of runs that were not trained, with model error and if the law holds.

"If the law holds" counts what resampling the runs says of the parameters, and the scatter of runs. The default
adds the model error that laws of other tables showed when their largest runs were held out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Estimate, Fit
from isoflop.fitting.objective.space import Space, from_scale, moved, to_scale
from isoflop.laws.lists import Lists
from isoflop.uncertainty.discrepancy import discrepancy, knows_its_rows
from isoflop.uncertainty.ensemble import Ensemble, Interval, check_level
from isoflop.uncertainty.mixture import Mixture
from isoflop.uncertainty.prior import Prior
from isoflop.uncertainty.quantiles import finite_quantiles
from isoflop.uncertainty.scatter import new_scatter
from isoflop.uncertainty.unseen import of_unseen
from isoflop.values import Value

Floats = NDArray[np.float64]

JOINT_POINTS = 400  # beyond which points are not asked for jointly


@dataclass(frozen=True)
class Predictive(Value):
    """Predictions at points, (points,) each.

    value: the law at the fit. median: of the default distribution, which follows the trend of the residuals nearby.
    loss: prediction interval of a new run with model error (low, high); mean: confidence interval of the mean with
    model error. law_loss, law_mean: the same if the law holds: NaN for an ensemble without draws.
    model_error_share: the share of the prediction interval's width that model error adds, 0 to 1.
    mixture: the default distribution, of log response (``space`` log) or of the response; None where the fit came
    without its runs, and then loss and mean are those of the law, and a finding says so.
    """

    points: Mapping[str, Floats | Lists]
    level: float
    value: Floats
    median: Floats
    loss: tuple[Floats, Floats]
    mean: tuple[Floats, Floats]
    law_loss: tuple[Floats, Floats]
    law_mean: tuple[Floats, Floats]
    model_error_share: Floats
    space: Space
    mixture: Mixture | None = field(repr=False)
    seed: int
    findings: tuple[Finding, ...]

    def interval(self, point: int = 0) -> Interval:
        """The default prediction interval of one point, around its median."""
        return self._interval(self.median, self.loss, point)

    def mean_interval(self, point: int = 0) -> Interval:
        """The confidence interval of the mean with model error."""
        return self._interval(self.median, self.mean, point)

    def law_interval(self, point: int = 0) -> Interval:
        """The prediction interval if the law holds, around the law's value."""
        return self._interval(self.value, self.law_loss, point)

    def law_mean_interval(self, point: int = 0) -> Interval:
        """The confidence interval of the mean if the law holds."""
        return self._interval(self.value, self.law_mean, point)

    def _interval(self, value: Floats, ends: tuple[Floats, Floats], point: int) -> Interval:
        return Interval(float(value[point]), float(ends[0][point]), float(ends[1][point]), self.level)

    def sample(self, draws: int = 1_000, *, seed: int | None = None, scatter: bool = True) -> Floats:
        """Joint draws of new runs (or of their means: ``scatter=False``), (draws, points).

        Points share their model error, so differences and ranks of these draws are those of the runs.
        Raises IsoflopError for a fit without its runs.
        """
        found = self._known().sample(draws, seed=self.seed if seed is None else seed, scatter=scatter)
        return from_scale(found, self.space)

    def covariance(self, *, scatter: bool = True) -> Floats:
        """Covariance on the scale of the residuals, as ``space`` has it, (points, points)."""
        return self._known().covariance(scatter=scatter)

    def quantile(self, probability: float, *, scatter: bool = True) -> Floats:
        """A quantile of the default distribution, (points,)."""
        return from_scale(self._known().quantile(probability, scatter=scatter), self.space)

    def log_density(self, response: Floats | float) -> Floats:
        """Logarithm of the density on the scale of the residuals at what was measured, (points,)."""
        return self._known().log_density(self._scaled(response))

    def _scaled(self, response: Floats | float) -> Floats:
        return np.broadcast_to(to_scale(response, self.space), self.median.shape)

    def _known(self) -> Mixture:
        if self.mixture is None:
            raise IsoflopError("the fit came without its runs, so its model error is not known; give the runs")
        return self.mixture


def predictive(
    ensemble: Ensemble,
    points: Mapping[str, Floats | Lists | float],
    *,
    level: float = 0.9,
    others: Sequence[Fit] = (),
    prior: Prior | None = None,
) -> Predictive:
    """The loss of new runs at points, with both intervals; see :class:`Predictive`.

    points: every input of the law (and of ``others``), scalars or (points,). others: fits of further laws to the same
    runs, which share the weight of the default distribution. prior: of the model error; the ensemble's by default.
    Raises IsoflopError for a level outside (0, 1).
    """
    check_level(level)
    fit = ensemble.estimate
    points = _arrays(points, dict.fromkeys(name for each in (fit, *others) for name in each.law.input_names))
    count = len(next(iter(points.values())))
    ends = ((1 - level) / 2, (1 + level) / 2)
    with np.errstate(all="ignore"):
        value = np.broadcast_to(fit.predict(points), (count,)).astype(np.float64)
        law_mean, law_loss = _by_draws(ensemble, points, count, ends)
    if ensemble.departures and len(ensemble):
        findings: tuple[Finding, ...] = ()
        mixture = of_unseen(ensemble, points, prior or ensemble.prior, joint=count <= JOINT_POINTS)
        space = fit.data.space
    elif not knows_its_rows(fit):
        return Predictive(
            points, level, value, value, law_loss, law_mean, law_loss, law_mean,
            np.zeros(count), fit.data.space, None, ensemble.seed, (_no_runs(fit),),
        )  # fmt: skip
    else:
        known = discrepancy(fit, others=others, prior=prior or ensemble.prior)
        mixture, space, findings = known.at(points, joint=count <= JOINT_POINTS), known.space, known.findings
    low, high = (from_scale(mixture.quantile(end), space) for end in ends)
    mean = (
        from_scale(mixture.quantile(ends[0], scatter=False), space),
        from_scale(mixture.quantile(ends[1], scatter=False), space),
    )
    with np.errstate(all="ignore"):
        share = 1 - (law_loss[1] - law_loss[0]) / (high - low)
    return Predictive(
        points=points,
        level=level,
        value=value,
        median=from_scale(mixture.quantile(0.5), space),
        loss=(low, high),
        mean=mean,
        law_loss=law_loss,
        law_mean=law_mean,
        model_error_share=np.where(np.isfinite(share), np.clip(share, 0.0, 1.0), np.nan),
        space=space,
        mixture=mixture,
        seed=ensemble.seed,
        findings=findings,
    )


def _arrays(points: Mapping[str, Floats | Lists | float], names: Mapping[str, None]) -> dict[str, Floats | Lists]:
    """Every input as an array of one length."""
    kept = {name: each if isinstance(each, Lists) else np.asarray(each, np.float64) for name, each in points.items()}
    missing = [name for name in names if name not in kept]
    if missing:
        raise IsoflopError(f"a prediction needs {', '.join(names)}; {', '.join(missing)} is missing")
    count = max((len(each) for each in kept.values() if isinstance(each, Lists) or each.ndim), default=1)
    return {
        name: each if isinstance(each, Lists) else np.broadcast_to(each, (count,))
        for name, each in kept.items()
        if name in names
    }


def _by_draws(
    ensemble: Ensemble, points: Mapping[str, Floats | Lists], count: int, ends: tuple[float, float]
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Ends of the mean and of a new run, both (points,), over the draws of the parameters."""
    if not len(ensemble):
        nothing = np.full(count, np.nan)
        return (nothing, nothing), (nothing, nothing)
    params = {name: draws[:, None] for name, draws in ensemble.draws.items()}
    curve = np.broadcast_to(ensemble.estimate.law.value(params, points), (len(ensemble), count))
    # one scatter for all points: each then has the interval that it has alone
    space = ensemble.estimate.data.space
    scatter = new_scatter(ensemble, at=points)
    low, high = finite_quantiles(curve, ends)
    runs = finite_quantiles(moved(curve, scatter, space), ends)
    return (low, high), (runs[0], runs[1])


def _no_runs(fit: Estimate) -> Finding:
    return Finding(
        "no-model-error",
        "warning",
        f"{fit.data.source} gives no residuals of runs, so its intervals hold only if the law does: they count "
        "sampling and scatter, not what the law misses.",
        "Forecast from the table of runs.",
    )
