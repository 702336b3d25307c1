"""Intervals without draws: from the sandwich covariance of a fit, in the coordinates where it is closest to normal."""

from __future__ import annotations

import math

from isoflop.fitting import Fit
from isoflop.special import special
from isoflop.uncertainty.ensemble import Interval, check_level


def wald(fit: Fit, *, level: float = 0.9) -> dict[str, Interval]:
    """p·exp(± t·s/p) of a positive parameter, p ± t·s of a real one, with s of :attr:`Fit.covariance`.

    t: Student's quantile with R − k degrees of freedom, of R runs and k parameters. One in an interval is taken by its
    logistic coordinate. A parameter without effect on the fit has NaN for ends.

    Measured: 80 simulations on 240 runs at Epoch's N and D, Chinchilla's form, Student-t residuals (3 degrees of
    freedom, scale .01): 90 % intervals of B, beta, alpha and E held the truth in 86 to 95 %, for each objective.
    Raises FitError without runs, and for no more runs than parameters.
    """
    check_level(level)
    errors = fit.standard_errors
    freedom = max(1, fit.data.n_runs - len(fit.law.params))
    reach = float(special.stdtrit(freedom, (1 + level) / 2))
    found = {}
    for param in fit.law.params:
        value, half = fit.params[param.name], reach * errors[param.name]
        if param.domain == "real":
            low, high = value - half, value + half
        elif param.domain == "positive":
            low, high = (value * _exp(sign * half / value) if value > 0 else math.nan for sign in (-1, 1))
        else:
            assert not isinstance(param.domain, str)
            bottom, top = param.domain
            share = (value - bottom) / (top - bottom)
            slope = share * (1 - share) * (top - bottom)
            moved = half / slope if slope > 0 else math.nan
            low, high = (
                bottom + (top - bottom) / (1 + (1 - share) / share * _exp(-sign * moved)) if slope > 0 else math.nan
                for sign in (-1, 1)
            )
        found[param.name] = Interval(value, low, high, level)
    return found


def _exp(power: float) -> float:
    return math.nan if math.isnan(power) else math.exp(min(power, 700.0))
