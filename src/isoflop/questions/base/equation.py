"""The fitted law with its numbers, on one line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from isoflop.answers import of_interval
from isoflop.answers.wording import worded
from isoflop.patterns import pattern

if TYPE_CHECKING:
    from isoflop.laws import Law
    from isoflop.laws.expression import Expr
    from isoflop.uncertainty import Ensemble, Interval

_NOTHING = 1e-6  # share of its upper limit below which a parameter is zero
_NAME = pattern(r"[A-Za-z_][A-Za-z0-9_]*")


def param_intervals(ensemble: Ensemble, *, level: float) -> dict[str, Interval]:
    """Each parameter with its interval: from draws, or of a fit without them from its sandwich covariance.

    Where neither is known, as of published constants, the ends are NaN.
    """
    from isoflop.errors import FitError
    from isoflop.fitting import Fit
    from isoflop.uncertainty.wald import wald

    estimate = ensemble.estimate
    if not len(ensemble) and isinstance(estimate, Fit) and estimate.runs is not None:
        try:
            return wald(estimate, level=level)
        except FitError:  # no more runs than parameters: the findings say so
            pass
    return {name: ensemble.interval(name, level=level) for name in estimate.law.param_names}


def equation(ensemble: Ensemble, *, level: float) -> str:
    """``loss = 1.82 + 482/N^0.348 + 2090/D^0.366``: every parameter replaced by its value, in its interval's digits."""
    fit = ensemble.estimate
    values = {
        name: worded(of_interval(name, each)) or f"{each.value:.4g}"
        for name, each in param_intervals(ensemble, level=level).items()
    }
    values |= dict.fromkeys(_gone(ensemble, level), "0")

    def number(found: re.Match[str]) -> str:
        value = values.get(found[0], found[0])
        return f"({value})" if value.startswith("-") else value

    return f"{fit.law.response} = {_NAME.sub(number, written(fit.law))}"


def written(law: Law) -> str:
    """The law's formula, with the abbreviations of its source behind it where it has some."""
    from isoflop.laws.abbreviated import abbreviated

    return abbreviated(law)


def _gone(ensemble: Ensemble, level: float) -> list[str]:
    """The floors that are zero at the fit, and of which the draws give an upper limit alone.

    A coefficient is no such number: what it is worth depends on the exponent beside it.
    """
    from isoflop.uncertainty.ensemble import upper_limit

    if not len(ensemble):
        return []
    params = ensemble.estimate.params
    limits = {
        name: upper_limit(ensemble, name, level=level)
        for name in params
        if is_term(ensemble.estimate.law.expression, name)
    }
    return [name for name, limit in limits.items() if limit is not None and params[name] < _NOTHING * limit]


def is_term(expression: Expr, name: str) -> bool:
    """Whether the parameter is a term of a sum by itself, as a floor is."""
    return expression.op == "add" and any(term.op == "name" and term.label == name for term in expression.args)
