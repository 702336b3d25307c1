"""The weighted loss of a mixture that was not trained, with what the form missed on mixtures that were held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import IsoflopError
from isoflop.planning.mixtures.forms import Form, fit_mixtures
from isoflop.planning.mixtures.table import SUM_OFF, MixtureTable
from isoflop.planning.mixtures.validate import FormScore, task_weights, validate_mixtures
from isoflop.uncertainty.ensemble import Interval, check_level
from isoflop.values import Value

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MixtureForecast(Value):
    """A mixture's weighted loss: loss, an interval of one run; if_law_holds, an interval of the law's loss alone.

    shares: the mixture, (domains,). beyond: domains whose share lies outside those of the runs.
    """

    shares: Floats
    loss: Interval
    if_law_holds: Interval
    beyond: tuple[str, ...]


def forecast_mixture(
    table: MixtureTable,
    shares: ArrayLike,
    *,
    form: Form = "exponential",
    weights: Sequence[float] | None = None,
    score: FormScore | None = None,
    draws: int = 100,
    level: float = 0.9,
    seed: int = 0,
) -> MixtureForecast:
    """Σ_i w_i L̂_i(r)·exp(e), L̂ over refits and e over the form's errors on mixtures that were held out.

    Refits have Exp(1) weights. Errors are drawn together with refits, and stretched for the number of mixtures.

    Parameters
    ----------
    table :
        Mixtures with their losses.
    shares :
        The mixture, one share a domain, that add up to 1.
    form, weights :
        Of the law, and of the losses; equal by default.
    score :
        The form's forecasts of held-out mixtures, from :func:`validate_mixtures`; made where it is not given.
    draws, level, seed :
        Of the intervals.

    Returns
    -------
    MixtureForecast
        With model error, and if the law holds.

    Raises
    ------
    IsoflopError
        Shares that are no mixture.

    Examples
    --------
    >>> import numpy, isoflop
    >>> from isoflop.planning.mixtures import forecast_mixture, mixture_table
    >>> web = numpy.linspace(0.1, 0.9, 9)
    >>> loss = 2 + 0.5 * numpy.exp(-2 * web) + 0.3 * numpy.exp(-3 * (1 - web))
    >>> runs = isoflop.Runs.from_columns({"web": web, "code": 1 - web, "loss": loss})
    >>> found = forecast_mixture(mixture_table(runs, ["web", "code"]), [0.35, 0.65], draws=20)
    >>> bool(found.loss.low < 2.2913 < found.loss.high)
    True
    """
    check_level(level)
    at = np.asarray(shares, dtype=np.float64)
    if at.shape != (len(table.domains),) or not np.isfinite(at).all() or (at < 0).any():
        raise IsoflopError(f"a mixture is {len(table.domains)} shares from 0, one a domain")
    if abs(at.sum() - 1) > SUM_OFF:
        raise IsoflopError(f"the shares of a mixture add up to 1, not {at.sum():.4g}; give one of every domain")
    at = at / at.sum()
    share = task_weights(table, weights)
    held = score or validate_mixtures(table, weights=weights, forms=(form,), seed=seed)[0]
    missed = np.log((table.losses @ share) / (held.forecast @ share))
    rng = np.random.default_rng([seed, 23])
    value = float(fit_mixtures(table, form).loss(at) @ share)
    drawn = np.array(
        [
            float(fit_mixtures(table, form, weights=rng.exponential(size=len(table))).loss(at) @ share)
            for _ in range(draws)
        ]
    )
    spare = max(1, len(table) - len(table.domains) - 1)
    drawn = value * np.exp(np.sqrt(len(table) / spare) * np.log(drawn / value))
    errors = rng.choice(missed, draws) * np.sqrt(len(missed) / max(1, len(missed) - 1))
    ends = [(1 - level) / 2, (1 + level) / 2]

    def interval(values: Floats) -> Interval:
        low, high = np.quantile(values, ends)
        return Interval(value, min(float(low), value), max(float(high), value), level)

    outside = (at < table.shares.min(axis=0) - 1e-9) | (at > table.shares.max(axis=0) + 1e-9)
    return MixtureForecast(
        at,
        interval(drawn * np.exp(errors)),
        interval(drawn),
        tuple(name for name, out in zip(table.domains, outside, strict=True) if out),
    )
