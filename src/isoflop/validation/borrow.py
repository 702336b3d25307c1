"""Parameters borrowed from other families: what one run of a new family says once others have said what is usual.

θ_f ~ N(μ, Σ) over families f, in the law's fitting coordinates (logarithms of floor and amplitudes at common centers,
and of exponents), so that every family has its own floor and amplitudes; θ̂_f ~ N(θ_f, V_f) is a family's own fit. μ
and Σ by maximum likelihood (EM). A new family's run then weighs in by Bayes' rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, FitError
from isoflop.findings import Finding
from isoflop.fitting import Estimate, fit
from isoflop.fitting.coordinates import coordinates
from isoflop.fitting.estimate import summary
from isoflop.fitting.kernel import Kernel, input_centers
from isoflop.fitting.table import fit_table, prepared_runs
from isoflop.laws import Law
from isoflop.runs import Runs
from isoflop.uncertainty import Ensemble
from isoflop.uncertainty.hierarchical import pooled
from isoflop.uncertainty.walkers import WALKERS, walk
from isoflop.validation.progress import share_of_training
from isoflop.values import Value

Floats = NDArray[np.float64]

_FEWEST = 5  # families that make a prior
_BEGINNING = 0.1  # of each run's training is left out: warm-up says nothing of the end
_NOISE_FLOOR = 1e-3  # relative: two seeds of one run differ by about so much


@dataclass(frozen=True)
class FamilyPrior(Value):
    """What is usual: N(mean, covariance) over the law's coordinates at ``centers``, of ``families``."""

    law: Law
    centers: dict[str, float]
    mean: Floats = field(repr=False)
    covariance: Floats = field(repr=False)
    families: tuple[str, ...]


def family_prior(law: Law, runs: Runs, *, without: Sequence[str] = ()) -> FamilyPrior:
    """N(μ, Σ) of a law's parameters over the families of ``runs``.

    Families that count D in steps are left out, since their amplitudes cannot be compared.

    Parameters
    ----------
    law :
        Fitted to each family.
    runs :
        With N, D, loss, run and family; families of one ``collection``, where that column is there, count together as
        one, since they share models and data.
    without :
        Families or collections to leave out.

    Returns
    -------
    FamilyPrior
        μ and Σ in fitting coordinates, for :func:`isoflop.validation.borrow.fit_with_prior`.

    Raises
    ------
    DataError
        Fewer than five families that the law fits.

    Examples
    --------
    >>> import isoflop, numpy
    >>> from isoflop.validation.borrow import family_prior
    >>> d = numpy.geomspace(1e9, 1e11, 12)
    >>> parts = [(k, n, x) for k in range(5) for n in (1e8, 4e8, 1.6e9) for x in d]
    >>> k, n, d = (numpy.array(each) for each in zip(*parts))
    >>> loss = (1.7 + 0.02 * k) + 400 / n**0.34 + (400 + 20 * k) / d**0.28
    >>> loss = loss * numpy.exp(0.002 * numpy.random.default_rng(0).standard_normal(len(loss)))
    >>> run = [f"f{a} {b:g}" for a, b, _ in parts]
    >>> table = {"family": [f"f{each}" for each in k], "run": run, "N": n, "D": d, "loss": loss}
    >>> family_prior(isoflop.law("chinchilla"), isoflop.Runs.from_columns(table)).families
    ('f0', 'f1', 'f2', 'f3', 'f4')
    """
    labels = np.asarray(runs.text("family"))
    groups = np.asarray(runs.text("collection") if "collection" in runs else runs.text("family"))
    counts = np.asarray(runs.text("counts") if "counts" in runs else ["tokens"] * len(runs))
    usable = (
        (counts == "tokens")
        & ~np.isin(labels, without)
        & ~np.isin(groups, without)
        & (share_of_training(runs) > _BEGINNING)
    )
    if not usable.any():
        raise DataError(f"{runs.source} has no family left for a prior; give checkpoints of {_FEWEST} or more")
    kept, labels, groups = prepared_runs(law, runs).take(usable), labels[usable], groups[usable]
    centers = input_centers(fit_table(law, kept, space="log").inputs, law)
    names, found = [], []
    for name in sorted(set(labels.tolist())):
        rows = labels == name
        if len(np.unique(kept["N"][rows])) < 3:
            continue
        try:
            found.append(_own_fit(law, kept.take(rows), centers))
        except FitError:
            continue
        names.append((name, str(groups[rows][0])))
    if len(found) < _FEWEST:
        raise DataError(f"{len(found)} families of {runs.source} can be fitted; {_FEWEST} or more make a prior")
    sizes = {group: sum(other == group for _, other in names) for _, group in names}
    share = np.array([1 / sizes[group] for _, group in names])
    mean, covariance = pooled(np.array([each[0] for each in found]), np.array([each[1] for each in found]), share=share)
    return FamilyPrior(law, centers, mean, covariance, tuple(name for name, _ in names))


def fit_with_prior(prior: FamilyPrior, runs: Runs, *, draws: int = 1_000, seed: int = 0) -> Ensemble:
    """p(θ | runs) ∝ N(θ; μ, Σ) · Π_i N(log L_i − log L(θ); s²/κ): the prior's law for the family of ``runs``.

    s is the robust scatter of the run about the curve and κ the share of checkpoints that count as independent; the
    posterior is sampled by an ensemble of walkers. The ensemble's method and findings name the hierarchical prior.

    Parameters
    ----------
    prior :
        μ and Σ, as :func:`isoflop.validation.borrow.family_prior` gives them.
    runs :
        Of one family; the checkpoints of one model alone are enough.
    draws, seed :
        Number of draws of the posterior, and the seed of the walkers.

    Returns
    -------
    Ensemble
        Draws of the posterior.

    Raises
    ------
    DataError, FitError
        Columns that :func:`isoflop.fit` does not take.

    Examples
    --------
    >>> import isoflop, numpy
    >>> from isoflop.validation.borrow import family_prior, fit_with_prior
    >>> d = numpy.geomspace(1e9, 1e11, 12)
    >>> parts = [(k, n, x) for k in range(6) for n in (1e8, 4e8, 1.6e9) for x in d]
    >>> k, n, d = (numpy.array(each) for each in zip(*parts))
    >>> loss = (1.7 + 0.02 * k) + 400 / n**0.34 + (400 + 20 * k) / d**0.28
    >>> loss = loss * numpy.exp(0.002 * numpy.random.default_rng(0).standard_normal(len(loss)))
    >>> run = [f"f{a} {b:g}" for a, b, _ in parts]
    >>> table = {"family": [f"f{each}" for each in k], "run": run, "N": n, "D": d, "loss": loss}
    >>> runs = isoflop.Runs.from_columns(table)
    >>> prior = family_prior(isoflop.law("chinchilla"), runs, without=["f0"])
    >>> one = runs.take((k == 0) & (n == 1e8))
    >>> fit_with_prior(prior, one, draws=40).findings[0].code
    'hierarchical-prior'
    """
    law = prior.law
    late = prepared_runs(law, runs).take(share_of_training(runs) > _BEGINNING)
    table = fit_table(law, late, space="log")
    kernel = Kernel(coordinates(law), table.inputs, space="log", centers=prior.centers)
    target = np.log(table.loss)
    whiten = np.linalg.cholesky(np.linalg.inv(prior.covariance)).T
    scale = 0.02
    mode = prior.mean
    for _ in range(4):  # the scatter about the curve, and the curve, in turn
        mode = _mode(kernel, target, prior, whiten, scale, mode)
        scale = _noise(kernel.value(mode[None], 0, kernel.n_rows)[0] - target, table.run_codes)
    theta, taken = _posterior(kernel, target, prior, whiten, scale, mode, draws, seed)
    coords = coordinates(law)
    residual = kernel.value(mode[None], 0, kernel.n_rows)[0] - target
    estimate = Estimate(
        law=law,
        params=dict(zip(law.param_names, coords.to_params(mode[None], prior.centers)[0].tolist(), strict=True)),
        data=summary(law, table, late, residual, space="log"),
        runs=late,
    )
    return Ensemble(
        estimate=estimate,
        params=coords.to_params(theta, prior.centers),
        method=f"one run and a prior from {len(prior.families)} families",
        seed=seed,
        findings=_findings(prior, late, taken),
    )


def _own_fit(law: Law, runs: Runs, centers: dict[str, float]) -> tuple[Floats, Floats]:
    """A family's coordinates and their covariance, checkpoints counted as far as they are independent."""
    fitted = fit(law, runs)
    theta = coordinates(law).from_params(np.array([[fitted.params[name] for name in law.param_names]]), centers)
    table = fit_table(law, runs, space="log")
    kernel = Kernel(coordinates(law), table.inputs, space="log", centers=centers)
    value, jacobian = kernel.value_and_jacobian(theta, 0, kernel.n_rows)
    if not (np.isfinite(theta).all() and np.isfinite(value).all() and np.isfinite(jacobian).all()):
        raise FitError(f"the fit of {law.name} to {runs.source} ends at infinity")
    scale = _noise(value[0] - np.log(table.loss), table.run_codes)
    information = jacobian[0] @ jacobian[0].T / scale**2
    # an open direction says nothing: a spread of a thousand in logarithms
    return theta[0], np.linalg.inv(information + 1e-6 * np.eye(len(theta[0])))


def _noise(residual: Floats, codes: NDArray[np.int64]) -> float:
    """The scatter that independent rows would need to say as much as these: s/√κ, κ = (1 − ρ)/(1 + ρ) within runs."""
    center = residual - np.median(residual)
    scale = max(1.4826 * float(np.median(np.abs(center))), _NOISE_FLOOR)
    same = codes[1:] == codes[:-1]
    pairs = np.clip(residual[1:][same], -3 * scale, 3 * scale) * np.clip(residual[:-1][same], -3 * scale, 3 * scale)
    lag = float(np.clip(pairs.mean() / scale**2, 0.0, 0.98)) if len(pairs) > 2 else 0.0
    return scale * float(np.sqrt((1 + lag) / (1 - lag)))


def _mode(kernel: Kernel, target: Floats, prior: FamilyPrior, whiten: Floats, scale: float, start: Floats) -> Floats:
    from scipy.optimize import least_squares

    def residuals(theta: Floats) -> Floats:
        data = (kernel.value(theta[None], 0, kernel.n_rows)[0] - target) / scale
        return np.concatenate([data, whiten @ (theta - prior.mean)])

    def slopes(theta: Floats) -> Floats:
        _, jacobian = kernel.value_and_jacobian(theta[None], 0, kernel.n_rows)
        return np.concatenate([jacobian[0].T / scale, whiten])

    found: Floats = least_squares(residuals, start, jac=slopes, method="lm", xtol=1e-12, ftol=1e-12).x
    return found


def _posterior(
    kernel: Kernel,
    target: Floats,
    prior: FamilyPrior,
    whiten: Floats,
    scale: float,
    mode: Floats,
    draws: int,
    seed: int,
) -> tuple[Floats, float]:
    """Draws of the coordinates (draws, k), and the share of moves that the walkers took."""

    def height(theta: Floats) -> Floats:
        with np.errstate(all="ignore"):
            miss = (kernel.value(theta, 0, kernel.n_rows) - target) / scale
        chi = np.square(miss).sum(axis=1) + np.square((theta - prior.mean) @ whiten.T).sum(axis=1)
        return np.where(np.isfinite(chi), -0.5 * chi, -np.inf)

    _, jacobian = kernel.value_and_jacobian(mode[None], 0, kernel.n_rows)
    precision = jacobian[0] @ jacobian[0].T / scale**2 + whiten.T @ whiten
    root = np.linalg.inv(np.linalg.cholesky(precision))
    begin = mode + np.random.default_rng([seed, 4]).standard_normal((WALKERS, len(mode))) @ root
    return walk(height, begin, draws=draws, seed=seed)


def _findings(prior: FamilyPrior, runs: Runs, taken: float) -> tuple[Finding, ...]:
    sizes = len(np.unique(runs["N"]))
    found = [
        Finding(
            "hierarchical-prior",
            "warning",
            f"{sizes} {'size determines' if sizes == 1 else 'sizes determine'} the fall of the loss with N poorly; it "
            f"is taken from the hierarchical prior of {len(prior.families)} other families, as wide as they differ.",
            "Train a second and a third size to estimate it from this family.",
        )
    ]
    if taken < 0.1:
        found.append(
            Finding(
                "draws-stuck",
                "warning",
                f"the sampler took {taken:.0%} of its moves; the interval is rough.",
                "The run and the prior disagree: check the units of N, D and loss.",
            )
        )
    return tuple(found)
