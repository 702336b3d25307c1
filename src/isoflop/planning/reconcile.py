"""``convert_counts``: a law in all parameters, in parameters without embeddings, as Kaplan et al. counted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.accounting.embeddings import OMEGA, all_params
from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.laws.optimum import check_positive, two_powers
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import Ensemble, Interval, check_level, interval_of, no_draws, tail_findings
from isoflop.units import TRAIN

Floats = NDArray[np.float64]

KAPLAN = (790.0, 1.58e9)  # non-embedding parameters of Kaplan's models, by Pearce and Song
_POINTS = 200  # budgets on which a slope is read
_FINE = 4_000  # sizes on which C(N) is inverted


@dataclass(frozen=True)
class Recount(Shown):
    """The exponent of compute-optimal size in parameters without embeddings.

    omega: N = N_E + ω N_E^(1/3). sizes: smallest and largest N_E of the range. slope: of log N_E* on log C over it, at
    even steps of log C. small, large: the local exponent's limits for N_E → 0 and → ∞; ``large`` is Chinchilla's.
    peak, peak_at: its largest value, and the N_E where it is reached. loss_slope: of log L* on log C over the range.
    curve: N_E, the local exponent there at the fit, and its interval (NaN without draws), (4, points).
    """

    ensemble: Ensemble = field(repr=False, compare=False)
    omega: float
    sizes: tuple[float, float]
    slope: Interval
    small: Interval
    large: Interval
    peak: Interval
    peak_at: Interval
    loss_slope: Interval
    curve: Floats = field(repr=False, compare=False)
    findings: tuple[Finding, ...]


def local_exponent(n: Floats, alpha: Floats, beta: Floats, omega: Floats | float) -> Floats:
    """g(N) = d log N/d log C = 1/[1 + (1+α)/β · (N+ωu/3)/(N+ωu) − 1/β · (N+ωu/9)/(N+ωu/3)], u = N^(1/3).

    n: parameters without embeddings. Exact, from the optimum of :func:`budget_at`; β/(β+α/3) for N → 0 and β/(β+α) for
    N → ∞, but not monotone between.
    """
    whole, third, ninth = (all_params(n, omega / part) for part in (1, 3, 9))
    return 1 / (1 + (1 + alpha) / beta * third / whole - ninth / third / beta)


def budget_at(n: Floats, powers: tuple[Floats, Floats, Floats, Floats], omega: Floats | float) -> Floats:
    """C = 6 (βB/αA)^(1/β) · N · (N+ωu)^((1+α)/β) · (N+ωu/3)^(−1/β): the C = 6ND for which N is optimal.

    powers: A, α, B, β of E + A/(N+ωu)^α + B/D^β. Source: Pearce and Song 2024, equation 12.
    """
    a, alpha, b, beta = powers
    scale = TRAIN * (beta * b / (alpha * a)) ** (1 / beta)
    return scale * n * all_params(n, omega) ** ((1 + alpha) / beta) * all_params(n, omega / 3) ** (-1 / beta)


def convert_counts(
    ensemble: Ensemble,
    *,
    omega: float = OMEGA,
    sizes: tuple[float, float] = KAPLAN,
    level: float = 0.9,
) -> Recount:
    """d log N_E*/d log C of a law in all parameters N = N_E + ω·N_E^(1/3), at the fit and for every draw.

    The law is of the form E + A/N^α + B/D^β; N_E are the parameters without embeddings.

    Parameters
    ----------
    ensemble :
        Draws of such a law.
    omega :
        ω: the embedding parameters of a model with one parameter besides.
    sizes :
        Smallest and largest N_E of the range over which a power law would be read.
    level :
        Of the intervals.

    Returns
    -------
    Recount
        The exponents over the range and at its ends, with intervals.

    Raises
    ------
    IsoflopError
        Another form of law, or quantities ≤ 0.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.planning import convert_counts
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> drawn = isoflop.bootstrap(isoflop.fit(isoflop.law("chinchilla"), runs), draws=40)
    >>> found = convert_counts(drawn)
    >>> found.slope.low < found.slope.value < found.slope.high
    True

    Source: Pearce and Song 2024, arXiv:2406.12907.
    """
    check_level(level)
    check_positive(omega, "omega", "parameters")
    for each in sizes:
        check_positive(each, "a model size", "parameters")
    if not sizes[0] < sizes[1]:
        raise IsoflopError(f"the sizes go from the smaller to the larger, not from {sizes[0]:g} to {sizes[1]:g}")
    fit = ensemble.estimate
    at_fit = fit.one_draw
    powers = two_powers(fit.law, at_fit)
    if powers is None:
        raise IsoflopError(
            f"counting again needs a law of the form E + A/N^alpha + B/D^beta; {fit.law.name} is {fit.law.formula}: "
            "fit for example chinchilla"
        )
    here = _Numbers.of(fit.law.value, at_fit, powers, omega, sizes)
    drawn = two_powers(fit.law, ensemble.draws) if len(ensemble) else None
    there = None if drawn is None else _Numbers.of(fit.law.value, ensemble.draws, drawn, omega, sizes)

    def interval(label: str) -> Interval:
        draws = np.empty(0) if there is None else getattr(there, label)
        return interval_of(float(getattr(here, label)[0]), draws, level=level)

    n = np.geomspace(min(1e2, sizes[0]), max(1e13, sizes[1]), 400)
    curve = local_exponent(n, powers[1], powers[3], omega)
    ends = np.full((2, len(n)), np.nan)
    if drawn is not None:
        every = local_exponent(n[None, :], drawn[1][:, None], drawn[3][:, None], omega)
        ends = np.quantile(every, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Recount(
        ensemble=ensemble,
        omega=float(omega),
        sizes=(float(sizes[0]), float(sizes[1])),
        slope=interval("slope"),
        small=interval("small"),
        large=interval("large"),
        peak=interval("peak"),
        peak_at=interval("peak_at"),
        loss_slope=interval("loss_slope"),
        curve=np.stack([n, curve, *ends]),
        findings=(
            *no_draws(ensemble),
            *tail_findings(ensemble, level=level),
            *_about_count(ensemble),
            *ensemble.findings,
        ),
    )


@dataclass(frozen=True)
class _Numbers:
    """The converted numbers in each draw, (draws,)."""

    slope: Floats
    small: Floats
    large: Floats
    peak: Floats
    peak_at: Floats
    loss_slope: Floats

    @staticmethod
    def of(
        value: Callable[..., Floats],
        params: dict[str, Floats],
        powers: tuple[Floats, Floats, Floats, Floats],
        omega: float,
        sizes: tuple[float, float],
    ) -> _Numbers:
        wide = tuple(each[:, None] for each in powers)
        log_n = np.linspace(math.log(sizes[0]), math.log(sizes[1]), _FINE)[None, :]
        with np.errstate(all="ignore"):
            log_c = np.log(budget_at(np.exp(log_n), (wide[0], wide[1], wide[2], wide[3]), omega))
        even = np.linspace(0, 1, _POINTS)
        budgets = log_c[:, :1] + even * (log_c[:, -1:] - log_c[:, :1])
        best = np.stack([np.interp(c, own, log_n[0]) for c, own in zip(budgets, log_c, strict=True)])
        tokens = np.exp(budgets - math.log(TRAIN) - best)
        each = {label: values[:, None] for label, values in params.items()}
        loss = value(each, {"N": all_params(np.exp(best), omega), "D": tokens})
        alpha, beta = powers[1], powers[3]
        wide_n = np.geomspace(1.0, 1e14, _FINE)[None, :]
        g = local_exponent(wide_n, wide[1], wide[3], omega)
        top = g.argmax(axis=1)
        return _Numbers(
            slope=_slopes(budgets, best),
            small=beta / (beta + alpha / 3),
            large=beta / (beta + alpha),
            peak=g.max(axis=1),
            peak_at=wide_n[0][top],
            loss_slope=_slopes(budgets, np.log(loss)),
        )


def _slopes(x: Floats, y: Floats) -> Floats:
    """Least-squares slope of each row."""
    x = x - x.mean(axis=1, keepdims=True)
    return np.asarray((x * y).sum(axis=1) / (x**2).sum(axis=1), dtype=np.float64)


def _about_count(ensemble: Ensemble) -> list[Finding]:
    stated = ensemble.estimate.data.param_convention or ""
    if "non-embedding" not in stated:
        return []
    return [
        Finding(
            "already-without-embeddings",
            "warning",
            f"{ensemble.estimate.data.source} already counts N without embeddings, and here it is read as all "
            "parameters.",
            "Fit in all parameters, or read only the limit for large models.",
        )
    ]
