"""``forecast``: the loss at a size and budget nobody has trained, with its interval and its distance from the data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Estimate
from isoflop.fitting.inputs import by_symbol
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import Ensemble, Interval, check_level, no_draws, tail_findings
from isoflop.uncertainty.extrapolation import distances
from isoflop.uncertainty.scatter import mean_and_prediction


@dataclass(frozen=True)
class Forecast(Shown):
    """The loss of a run that was not trained.

    loss: what one new run would measure: the curve's uncertainty and the scatter of runs around it.
    expected: the curve alone, as if runs had no scatter.
    reach: for each input, how many decades it lies beyond the runs (0 inside); ``reach_decades`` is the largest.
    ensemble: what was asked.
    """

    at: Mapping[str, float]
    loss: Interval
    expected: Interval
    unit: str
    reach: Mapping[str, float]
    findings: tuple[Finding, ...]
    ensemble: Ensemble = field(repr=False, compare=False)

    @property
    def reach_decades(self) -> float:
        """Decades beyond the data, along the input that is farthest out; NaN where the data are not known."""
        return max(self.reach.values(), default=math.nan)


def forecast(ensemble: Ensemble, at: Mapping[str, float], *, level: float = 0.9) -> Forecast:
    """L(at) over the draws, and L(at)·exp(r) (log loss) or L(at) + r (raw loss) with r drawn from the fit's residuals.

    at: every input of the law under its symbol or its word (``params``, ``tokens``), positive. Residuals are widened
    by √(n/(n − p)) for the p parameters that were fitted to them, and by √((n − p)/χ²) for how little n − p residuals
    say of their own size.
    Raises IsoflopError for a missing, unknown or non-positive input.
    """
    check_level(level)
    estimate = ensemble.estimate
    at = _checked(estimate, by_symbol(estimate.law, at))
    mean, prediction = mean_and_prediction(ensemble, at, level=level)
    reach = distances(estimate, at)
    return Forecast(
        at=at,
        loss=prediction,
        expected=mean,
        unit=estimate.data.loss_unit,
        reach=reach,
        findings=(
            *no_draws(ensemble),
            *tail_findings(ensemble, level=level),
            *_reach_findings(estimate, reach),
            *ensemble.findings,
        ),
        ensemble=ensemble,
    )


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


def _reach_findings(estimate: Estimate, reach: Mapping[str, float]) -> list[Finding]:
    found = []
    for name, decades in reach.items():
        low, high = estimate.data.ranges[name]
        span = math.log10(high / low) if low > 0 else 1.0
        if decades > max(1.0, span):
            found.append(
                Finding(
                    "far-extrapolation",
                    "warning",
                    f"{name} lies {decades:.1f} decades beyond the runs, which span {span:.1f} decades; the interval "
                    "covers noise in the runs, not the chance that the law has another form there.",
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
