"""Published or stated constants as something to ask: an estimate without runs and without draws."""

from __future__ import annotations

import numpy as np

from isoflop.errors import FormulaError
from isoflop.fitting import Estimate
from isoflop.fitting.estimate import DataSummary
from isoflop.laws import law
from isoflop.laws.constants import on_record, stated_constants
from isoflop.uncertainty.ensemble import Ensemble


def published(text: str) -> Ensemble:
    """The law and constants of ``LAW:KEY``, for example ``chinchilla:epoch``, of ``LAW:NAME=VALUE,…``, or of both.

    Forecasts and plans from it have values, but no intervals, since a paper prints no draws.
    Raises FormulaError for an unknown law or key, naming those that exist, and for constants that are not complete.
    """
    name, _, given = text.partition(":")
    each = law(name)
    if not given.strip():
        raise FormulaError(f"{each.name} needs a key for its constants; {on_record(each)}")
    stated = stated_constants(each, [given])
    entry, changed = stated.entry, ", ".join(f"{one}={stated.values[one]:g}" for one in stated.replaced)
    if entry is None:
        data, method = DataSummary(f"{each.name} with stated constants", "nats/token"), "stated constants"
    else:
        told = f"{each.name}:{entry.key} ({entry.source}{', but ' + changed if changed else ''})"
        data = DataSummary(told, entry.unit, entry.convention)
        method = "published constants" + (", some of them replaced" if changed else "")
    return Ensemble(Estimate(each, stated.values, data), np.empty((0, len(stated.values))), method=method, seed=0)
