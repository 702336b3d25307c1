"""``discrepancy``: what a law leaves of its runs, and what it will therefore miss elsewhere.

log L = log f(θ) + δ(inputs) + run effect + noise, with δ a Gaussian process on the logarithms of the inputs. Its size
and its length are not known: each hypothesis of a prior that was learned from other tables is conditioned on this
table's residuals, and weighs what its prior probability and its marginal likelihood give it.
Source: Kennedy and O'Hagan 2001 (model discrepancy); universal kriging in closed form on the linearized law.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.findings import Finding
from isoflop.fitting import Estimate, Fit
from isoflop.fitting.coordinates import coordinates
from isoflop.fitting.estimate import FittedRows, fitted_rows
from isoflop.fitting.kernel import Kernel
from isoflop.fitting.objective import Space
from isoflop.fitting.table import fit_table
from isoflop.laws.lists import Lists
from isoflop.uncertainty.kriging import DENSE_ROWS, INDUCING, PRIOR_SD, Conditioned, Rows, condition, one_thread
from isoflop.uncertainty.mixture import Mixture
from isoflop.uncertainty.prior import Prior, shipped_prior
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


_LEAST_NOISE = 2e-4  # relative: below it lies the rounding of published losses
_FEW_NOISE = 0.01  # relative scatter of runs where fewer than three residuals are free to show it
_FEW = 3
_ROBUST = 4.0  # degrees of freedom of the weights by which outliers do not bend δ
COUNTED = 200  # rows whose evidence counts in full; more say no more of δ than so many


@dataclass(frozen=True)
class Discrepancy(Value):
    """A fit, or several laws' fits to one table, with the model error that their residuals and a prior leave open.

    fits: the laws. evidence: logarithm of each marginal likelihood, (laws, hypotheses), of ``counted`` rows.
    weights: (laws, hypotheses), of sum 1. scatter: standard deviation of a row around its run's curve,
    of log response (or of the response, as ``space`` has it), one for each law; run_effect: that of a run.
    unit: what sizes of the prior are multiplied by: 1 for log response, the typical response otherwise.
    """

    fits: tuple[Fit, ...]
    prior: Prior
    space: Space
    evidence: Floats
    counted: int
    weights: Floats
    scatter: tuple[float, ...]
    run_effect: tuple[float, ...]
    unit: float
    findings: tuple[Finding, ...]
    _laws: tuple[_Law, ...] = field(repr=False, compare=False)

    def at(self, points: Mapping[str, Floats | Lists], *, joint: bool = True) -> Mixture:
        """The distribution of log response (or response) at points, each input (points,)."""
        means, variances, covs, own = [], [], [], []
        for law in self._laws:
            value, jacobian = law.linear(points)
            place = law.place(points)
            for each in law.conditioned:
                with one_thread():
                    mean, variance, cov = each.at(jacobian, place, joint=joint)
                means.append(value + mean)
                variances.append(variance)
                covs.append(cov)
                own.append(np.full(len(value), law.scatter**2 + law.rows.run_variance))
        return Mixture(
            weights=self.weights.ravel(),
            mean=np.array(means),
            variance=np.array(variances),
            cov=np.array(covs) if joint else None,
            own=np.array(own),
            freedom=self.prior.freedom,
        )


@dataclass(frozen=True)
class _Law:
    """One law on the table: its rows, linearized, and each hypothesis conditioned on them.

    scattered: whether its residuals are more than rounding.
    """

    fit: Fit
    rows: Rows
    scatter: float
    scattered: bool
    places: tuple[tuple[str, float, float], ...]
    conditioned: tuple[Conditioned, ...]

    def linear(self, points: Mapping[str, Floats | Lists]) -> tuple[Floats, Floats]:
        return linearized(self.fit, points)

    def place(self, points: Mapping[str, Floats | Lists]) -> Floats:
        return _place(points, self.places)


def discrepancy(fit: Fit, *, others: Sequence[Fit] = (), prior: Prior | None = None) -> Discrepancy:
    """Condition every hypothesis of the prior on the residuals of a fit, and of ``others`` to the same runs.

    others: fits of further laws, which then share the weight by their marginal likelihoods.
    Of each law: θ̂ as fitted; σ = 1.4826·median|r|·√(n/(n − p)); a row's noise σ²·(ν + (r/σ)²)/(ν + 1), ν = 4, so that
    outliers bend nothing; where rows are checkpoints, the run effect σ·√(R/(R − p)). Tables of more than 500 rows are
    conditioned through 160 inducing points, and a finding says so.
    Raises FitError for a fit without its runs, and for laws of different runs or objectives.
    """
    prior = shipped_prior() if prior is None else prior
    with one_thread():
        if not others:
            # kept with the fit and forgotten with it
            kept: list[Discrepancy] = fit.__dict__.setdefault("_discrepancies", [])
            found = next((each for each in kept if each.prior is prior or each.prior == prior), None)
            if found is None:  # a prior is long to hash
                found = _discrepancy((fit,), prior)
                kept.append(found)
            return found
        return _discrepancy((fit, *others), prior)


def _discrepancy(fits: tuple[Fit, ...], prior: Prior) -> Discrepancy:
    first = fits[0]
    for each in fits[1:]:
        if each.data.digest != first.data.digest or each.objective.space != first.objective.space:
            raise FitError(
                f"{each.law.name} was fitted to other runs or with an objective of another scale than "
                f"{first.law.name}; laws of one forecast share both"
            )
    space = first.objective.space
    tables = [_fitted_rows(each) for each in fits]
    unit = 1.0
    if space == "raw":
        unit = float(np.median(np.abs(linearized(first, tables[0].inputs)[0] + tables[0].residual))) or 1.0
    laws = tuple(_law(each, table, prior, unit) for each, table in zip(fits, tables, strict=True))
    counted = len(tables[0].residual)
    evidence = np.array([[each.evidence for each in law.conditioned] for law in laws])
    # runs without scatter are made up, or as few as the parameters: that nothing is left says nothing of model error
    weights = weights_of(prior, evidence if any(law.scattered for law in laws) else 0 * evidence, counted)
    return Discrepancy(
        fits=fits,
        prior=prior,
        space=space,
        evidence=evidence,
        counted=counted,
        weights=weights,
        scatter=tuple(law.scatter for law in laws),
        run_effect=tuple(math.sqrt(law.rows.run_variance) for law in laws),
        unit=unit,
        findings=_findings(counted, first.data.n_rows),
        _laws=laws,
    )


def weights_of(prior: Prior, evidence: Floats, counted: int) -> Floats:
    """w_h ∝ π_h·exp(η·ℓ_h·min(1, 200/rows)), of sum 1, for evidence ℓ (…, hypotheses)."""
    with np.errstate(divide="ignore"):
        logs = np.log([each.weight for each in prior.hypotheses])
    logs = logs + prior.power * min(1.0, COUNTED / max(1, counted)) * evidence
    weights = np.exp(logs - logs.max())
    return np.asarray(weights / weights.sum())


def _law(fit: Fit, table: FittedRows, prior: Prior, unit: float) -> _Law:
    _, jacobian = linearized(fit, table.inputs)
    residual = np.where(np.isfinite(table.residual), table.residual, 0.0)
    count, free = len(residual), len(fit.law.params)
    scatter = noise_of(residual, free, unit)
    noise = scatter**2 * (_ROBUST + (residual / scatter) ** 2) / (_ROBUST + 1)
    if table.weights is not None:
        counted = table.weights / table.weights.mean()
        noise = noise / np.maximum(counted, 1e-6)
    run, effect = None, 0.0
    runs = int(table.run.max()) + 1
    if runs < count:
        run = table.run
        effect = scatter**2 * runs / max(1, runs - min(free, runs - 2))
    places = _axes(fit, table)
    rows = Rows(residual, jacobian, _place(table.inputs, places), noise, run, effect, _before(fit, table))
    conditioned = tuple(
        condition(rows, noise_share=each.noise_share, size=each.size * unit, length=each.length)
        for each in prior.hypotheses
    )
    scattered = _robust(residual, free) > _LEAST_NOISE * unit
    return _Law(fit, rows, scatter, scattered, places, conditioned)


def _before(fit: Fit, table: FittedRows) -> tuple[Floats, Floats] | None:
    """What other groups tell of each coordinate; None where there is none."""
    if not table.known:
        return None
    told = [table.known.get(name, (0.0, PRIOR_SD)) for name in fit.law.param_names]
    return np.array([mean for mean, _ in told]), np.array([sd for _, sd in told])


def _robust(residual: Floats, params: int) -> float:
    """1.4826·median|r|·√(n/(n − p))."""
    count = len(residual)
    return 1.4826 * float(np.median(np.abs(residual))) * math.sqrt(count / max(1, count - params))


def noise_of(residual: Floats, params: int, unit: float = 1.0) -> float:
    """σ of a row's noise: 1.4826·median|r|·√(n/(n − p)), not below what rounding and few residuals leave open."""
    lacking = max(0, _FEW - max(0, len(residual) - params)) / _FEW
    return max(_robust(residual, params), _LEAST_NOISE * unit, _FEW_NOISE * unit * lacking)


def linearized(fit: Fit, points: Mapping[str, Floats | Lists]) -> tuple[Floats, Floats]:
    """Log response (or response) of the fit at points, and its Jacobian in the fitting coordinates."""
    inputs = {name: points[name] for name in fit.law.input_names}
    kernel = Kernel(coordinates(fit.law), inputs, space=fit.objective.space, centers=fit.centers)
    theta = fit.theta[None, : kernel.n_free]
    values, jacobians = [], []
    width = kernel.tile_rows(1)
    with np.errstate(all="ignore"):
        for start in range(0, kernel.n_rows, width):
            value, jacobian = kernel.value_and_jacobian(theta, start, min(start + width, kernel.n_rows))
            values.append(value[0].copy())
            jacobians.append(jacobian[0].T.copy())
    found = np.concatenate(jacobians)
    return np.concatenate(values), np.where(np.isfinite(found), found, 0.0)


def _axes(fit: Fit, table: FittedRows) -> tuple[tuple[str, float, float], ...]:
    """The inputs that δ depends on, each with the center and the unit of its distance.

    A positive input counts in decades; one that may be zero or negative in its range among the runs.
    """
    found = []
    for each in fit.law.inputs:
        values = table.inputs[each.name]
        if isinstance(values, Lists):
            continue
        if each.domain == "positive":
            found.append((each.name, float(np.mean(np.log10(values))), 0.0))
        else:
            spread = float(values.max() - values.min()) or float(np.abs(values).max()) or 1.0
            found.append((each.name, float(values.mean()), spread))
    return tuple(found)


def _place(points: Mapping[str, Floats | Lists], axes: tuple[tuple[str, float, float], ...]) -> Floats:
    columns = []
    for name, center, spread in axes:
        values = np.asarray(points[name], dtype=np.float64)
        columns.append(np.log10(values) - center if spread == 0 else (values - center) / spread)
    rows = len(next(iter(points.values())))
    return np.stack(columns, axis=1) if columns else np.zeros((rows, 0))


def _fitted_rows(fit: Fit) -> FittedRows:
    """Where the fit left its rows; taken from the table where the law takes lists.

    Raises FitError for a fit that has neither.
    """
    if fit.data.rows is not None:
        return fit.data.rows
    table = fit_table(fit.law, fit.require_runs(), space=fit.objective.space)
    return fitted_rows(table, fit.objective.target(table.loss) - linearized(fit, table.inputs)[0])


def knows_its_rows(estimate: Estimate) -> TypeGuard[Fit]:
    """Whether it was fitted to runs, and carries what its model error is judged by."""
    return isinstance(estimate, Fit) and (estimate.data.rows is not None or estimate.runs is not None)


def _findings(counted: int, rows: int) -> tuple[Finding, ...]:
    if counted <= DENSE_ROWS:
        return ()
    sample = f"a random sample of {counted:,} of {rows:,} rows" if counted < rows else f"{rows:,} rows"
    return (
        Finding(
            "inducing-points",
            "note",
            f"the model error was conditioned on {sample} through at most {INDUCING} inducing points.",
            "Nothing to do; what this leaves out is counted as noise, which widens intervals.",
        ),
    )
