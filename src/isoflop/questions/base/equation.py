"""The fitted law with its numbers, on one line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from isoflop.answers import of_interval
from isoflop.answers.wording import worded

if TYPE_CHECKING:
    from isoflop.uncertainty import Ensemble

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def equation(ensemble: Ensemble, *, level: float) -> str:
    """``loss = 1.82 + 482/N^0.348 + 2090/D^0.366``: every parameter replaced by its value, in its interval's digits."""
    fit = ensemble.estimate
    values = {
        name: worded(of_interval(name, ensemble.interval(name, level=level))) or f"{fit.params[name]:.4g}"
        for name in fit.law.param_names
    }

    def number(found: re.Match[str]) -> str:
        value = values.get(found[0], found[0])
        return f"({value})" if value.startswith("-") else value

    return f"{fit.law.response} = {_NAME.sub(number, fit.law.formula)}"
