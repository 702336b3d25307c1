"""Published constants as something to ask: an estimate without runs and without draws."""

from __future__ import annotations

import numpy as np

from isoflop.errors import FormulaError
from isoflop.fitting import Estimate
from isoflop.fitting.estimate import DataSummary
from isoflop.laws import Law, law
from isoflop.uncertainty.ensemble import Ensemble


def published(text: str) -> Ensemble:
    """The law and constants of ``LAW:KEY``, for example ``chinchilla:epoch``.

    Forecasts and plans from it have values, but no intervals, since a paper prints no draws.
    Raises FormulaError for an unknown law or key, naming those that exist, and for constants that are not complete.
    """
    name, _, key = text.partition(":")
    each = law(name)
    entry = next((entry for entry in each.published if entry.key == key), None)
    if entry is None:
        what = f"has no published constants {key!r}" if key else "needs a key for its constants"
        raise FormulaError(f"{each.name} {what}; {_keys(each)}")
    missing = [label for label in each.param_names if label not in entry.values]
    if missing:
        raise FormulaError(
            f"{entry.source} gives no {', '.join(missing)}, so {text} cannot be evaluated; {_keys(each)}"
        )
    params = {label: float(entry.values[label]) for label in each.param_names}
    data = DataSummary(f"{each.name}:{key} ({entry.source})", entry.unit, entry.convention)
    return Ensemble(Estimate(each, params, data), np.empty((0, len(params))), method="published constants", seed=0)


def _keys(each: Law) -> str:
    listed = ", ".join(f"{each.name}:{entry.key}" for entry in each.published)
    return f"there are {listed}" if listed else f"no constants of {each.name} are on record (isoflop laws {each.name})"
