"""Published constants as something to ask: an estimate without runs and without draws."""

from __future__ import annotations

import numpy as np

from isoflop.errors import FormulaError
from isoflop.fitting import Estimate
from isoflop.fitting.estimate import DataSummary
from isoflop.laws import Law, fix, law
from isoflop.uncertainty.ensemble import Ensemble
from isoflop.units import parse_quantity


def published(text: str) -> Ensemble:
    """The law and constants of ``LAW:KEY``, for example ``chinchilla:epoch``, or of ``LAW:NAME=VALUE,…``.

    Forecasts and plans from it have values, but no intervals, since a paper prints no draws.
    Raises FormulaError for an unknown law or key, naming those that exist, and for constants that are not complete.
    """
    name, _, key = text.partition(":")
    each = law(name)
    if "=" in key:
        return _stated(each, key)
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


def _stated(each: Law, text: str) -> Ensemble:
    """A law with constants that are stated one by one."""
    values: dict[str, float] = {}
    for part in text.split(","):
        label, equals, value = (piece.strip() for piece in part.partition("="))
        if label not in each.param_names or not equals:
            raise FormulaError(f"{each.name} has no parameter {label!r}; it has {', '.join(each.param_names)}")
        if label in values:
            raise FormulaError(f"{label} is stated twice, {values[label]:g} and {value}; choose one")
        try:
            values[label] = parse_quantity(value)
        except ValueError:
            raise FormulaError(f"{label}={value} is no number; write for example {label}=0.35") from None
    missing = [label for label in each.param_names if label not in values]
    if missing:
        raise FormulaError(f"{each.name} has no value for {', '.join(missing)}; state every parameter")
    for label in values if len(values) > 1 else ():
        fix(each, {label: values[label]})  # refuses what lies outside its domain
    data = DataSummary(f"{each.name} with stated constants", "nats/token")
    params = {label: values[label] for label in each.param_names}
    return Ensemble(Estimate(each, params, data), np.empty((0, len(params))), method="stated constants", seed=0)


def _keys(each: Law) -> str:
    listed = ", ".join(f"{each.name}:{entry.key}" for entry in each.published)
    return f"there are {listed}" if listed else f"no constants of {each.name} are on record (isoflop laws {each.name})"
