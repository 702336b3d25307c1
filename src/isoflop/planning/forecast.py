"""``forecast``: the loss at a size and budget nobody has trained, with its interval and its distance from the data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Estimate
from isoflop.fitting.inputs import by_symbol
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import Ensemble, Interval, check_level, no_draws, tail_findings
from isoflop.uncertainty.extrapolation import distances
from isoflop.uncertainty.predictive import predictive
from isoflop.uncertainty.prior import Prior


@dataclass(frozen=True)
class Forecast(Shown):
    """The loss of a run that was not trained.

    Attributes
    ----------
    at :
        Input → its value.
    loss :
        Prediction interval of one run with model error, around its median: sampling, scatter and model error, what laws
        missed on other tables and what this one's residuals show of it.
    expected :
        Confidence interval of the mean with model error.
    law_loss, law_expected :
        The same two if the law holds, around the law's value: sampling and scatter, no model error.
    model_error_share :
        The share of the width of ``loss`` that model error adds, 0 to 1; NaN where there are no draws.
    unit :
        Of the loss.
    reach :
        For each input, how many decades it lies beyond the runs (0 inside); ``reach_decades`` is the largest.
    findings :
        What to know about the forecast.
    ensemble :
        The draws that the forecast was made from.

    Examples
    --------
    >>> import isoflop
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> drawn = isoflop.bootstrap(isoflop.fit(isoflop.law("chinchilla"), runs), draws=40)
    >>> isoflop.forecast(drawn, {"params": 10 * max(runs["N"]), "tokens": max(runs["D"])}).reach_decades
    1.0
    """

    at: Mapping[str, float]
    loss: Interval
    expected: Interval
    law_loss: Interval
    law_expected: Interval
    model_error_share: float
    unit: str
    reach: Mapping[str, float]
    findings: tuple[Finding, ...]
    ensemble: Ensemble = field(repr=False, compare=False)

    @property
    def reach_decades(self) -> float:
        """Decades beyond the data, along the input that is farthest out; NaN where the data are not known."""
        return max(self.reach.values(), default=math.nan)


def forecast(
    ensemble: Ensemble, at: Mapping[str, float], *, level: float = 0.9, prior: Prior | None = None
) -> Forecast:
    """The loss of a run at a point; see :class:`Forecast` and :func:`isoflop.uncertainty.predictive.predictive`.

    Parameters
    ----------
    ensemble :
        Draws of a fit. A fit that came without its runs has no model error, and a finding says so.
    at :
        Every input of the law under its symbol or its word (``params``, ``tokens``), positive.
    level :
        Of the intervals.
    prior :
        Of the model error; the ensemble's by default.

    Returns
    -------
    Forecast
        The loss with its intervals, and how far the point lies beyond the runs.

    Raises
    ------
    IsoflopError
        A missing, unknown or non-positive input.

    Examples
    --------
    >>> import isoflop
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> fitted = isoflop.fit(isoflop.law("chinchilla"), runs)
    >>> drawn = isoflop.bootstrap(fitted, draws=40)
    >>> found = isoflop.forecast(drawn, {"params": 1e9, "tokens": 2e10})
    >>> found.unit, sorted(found.at)
    ('nats/byte', ['D', 'N'])
    >>> found.loss.low < found.law_loss.low
    True
    """
    return forecasts(ensemble, [at], level=level, prior=prior)[0]


def forecasts(
    ensemble: Ensemble, points: Sequence[Mapping[str, float]], *, level: float = 0.9, prior: Prior | None = None
) -> tuple[Forecast, ...]:
    """Forecasts at several points, together. For differences and ranks of them take ``predictive`` and its draws."""
    check_level(level)
    estimate = ensemble.estimate
    if not points:
        return ()
    asked = [_checked(estimate, by_symbol(estimate.law, at)) for at in points]
    together = {name: np.array([at[name] for at in asked]) for name in estimate.law.input_names}
    said = predictive(ensemble, together, level=level, prior=prior)
    farthest = (prior or ensemble.prior).farthest
    found = []
    for number, at in enumerate(asked):
        reach = distances(estimate, at)
        found.append(
            Forecast(
                at=at,
                loss=said.interval(number),
                expected=said.mean_interval(number),
                law_loss=said.law_interval(number),
                law_expected=said.law_mean_interval(number),
                model_error_share=float(said.model_error_share[number]),
                unit=estimate.data.loss_unit,
                reach=reach,
                findings=(
                    *no_draws(ensemble),
                    *tail_findings(ensemble, level=level),
                    *(each for each in said.findings if len(ensemble) or each.code != "no-model-error"),
                    *_reach_findings(estimate, reach, farthest),
                    *ensemble.findings,
                ),
                ensemble=ensemble,
            )
        )
    return tuple(found)


def _checked(estimate: Estimate, at: Mapping[str, float]) -> dict[str, float]:
    wanted = estimate.law.input_names
    if estimate.law.list_inputs:
        raise IsoflopError(
            f"{estimate.law.name} sums over lists ({', '.join(estimate.law.list_inputs)}), which --at cannot give; "
            "backtest it on whole runs, or predict a table in Python: fit.predict(runs)"
        )
    missing = [name for name in wanted if name not in at]
    unknown = [name for name in at if name not in wanted]
    if missing or unknown:
        asked = ", ".join(f"--at {name}=…" for name in wanted)
        what = f"{', '.join(missing)} is missing" if missing else f"{', '.join(unknown)} is no input of it"
        raise IsoflopError(f"a forecast from {estimate.law.name} takes {asked}; {what}")
    for each in estimate.law.inputs:
        value = at[each.name]
        lowest = {"positive": "a positive number", "nonnegative": "a number that is not negative"}.get(each.domain)
        inside = value > 0 or each.domain == "real" or (each.domain == "nonnegative" and value == 0)
        if not (math.isfinite(value) and inside):
            raise IsoflopError(f"{each.name} must be {lowest or 'a finite number'}, not {value:g}")
    return {name: float(at[name]) for name in wanted}


def _reach_findings(estimate: Estimate, reach: Mapping[str, float], farthest: float) -> list[Finding]:
    found = []
    for name, decades in reach.items():
        low, high = estimate.data.ranges[name]
        span = math.log10(high / low) if low > 0 else 1.0
        if decades > max(1.0, min(span, farthest)):
            found.append(
                Finding(
                    "far-extrapolation",
                    "warning",
                    f"{name} lies {decades:.1f} decades beyond the runs, which span {span:.1f} decades; model error "
                    f"was learned from forecasts up to {farthest:g} decades beyond theirs.",
                    "Hold out the largest runs to see what the law would have predicted, or train something larger.",
                )
            )
        elif decades > 0:
            found.append(
                Finding(
                    "extrapolation",
                    "note",
                    f"{name} lies {decades:.2f} decades beyond the runs.",
                    "The further out, the more the answer rests on the law's form.",
                )
            )
    return found
