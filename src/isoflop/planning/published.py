"""Published or stated constants as something to ask: an estimate without runs and without draws."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from isoflop.errors import FormulaError
from isoflop.fitting import Estimate
from isoflop.fitting.estimate import DataSummary
from isoflop.laws import Law, law
from isoflop.laws.constants import Stated, on_record, stated_constants
from isoflop.laws.expression import names
from isoflop.laws.formula import parse
from isoflop.laws.law import Published
from isoflop.laws.responses import split_response
from isoflop.uncertainty.ensemble import Ensemble

_ARITHMETIC = re.compile(r"[-+*/^(]")
_VALUE = re.compile(r"\s*[A-Za-z_]\w*\s*=")


def published(text: str) -> Ensemble:
    """The law and constants of ``LAW:KEY``, for example ``chinchilla:epoch``, of ``LAW:NAME=VALUE,…``, or of both.

    LAW is a name or a formula, of which every name without a value is an input. Forecasts and plans from it have
    values, but no intervals, since a paper prints no draws.
    Raises FormulaError for an unknown law or key, naming those that exist, and for constants that are not complete.
    """
    each, stated = _read(text)
    entry, changed = stated.entry, ", ".join(f"{one}={stated.values[one]:g}" for one in stated.replaced)
    if entry is None:
        data, method = DataSummary(f"{each.name} with stated constants", "nats/token"), "stated constants"
    else:
        told = f"{each.name}:{entry.key} ({entry.source}{', but ' + changed if changed else ''})"
        data = DataSummary(told, entry.unit, entry.convention)
        method = "published constants" + (", some of them replaced" if changed else "")
    return Ensemble(Estimate(each, stated.values, data), np.empty((0, len(stated.values))), method=method, seed=0)


def law_with_constants(text: str, *, columns: Sequence[str] = ()) -> Law:
    """A law by name or formula. Constants behind it, as :func:`published` reads them, stand as its published ones.

    columns: headers of the table at hand, which are inputs of a formula without constants.
    """
    if ":" not in text:
        return law(text, columns=columns)
    each, stated = _read(text)
    if stated.entry is not None and not stated.replaced:
        return replace(each, published=(stated.entry,))
    unit = "nats/token" if stated.entry is None else stated.entry.unit
    entry = Published("stated", stated.values, source="stated constants", label="stated", unit=unit)
    return replace(each, published=(entry,))


def _read(text: str) -> tuple[Law, Stated]:
    name, _, given = text.partition(":")
    each = _stated_formula(name, given) if is_stated_formula(text) else law(name)
    if not given.strip():
        raise FormulaError(f"{each.name} needs a key for its constants; {on_record(each)}")
    return each, stated_constants(each, [given])


def is_stated_formula(text: str) -> bool:
    """Whether a text is a formula with values of its constants, as ``E + A/N^alpha:E=1.7,A=400,alpha=0.34``."""
    name, colon, given = text.partition(":")
    parts = [part for part in given.split(",") if part.strip()]
    return bool(colon and parts and _ARITHMETIC.search(name)) and all(_VALUE.match(part) for part in parts)


def _stated_formula(text: str, given: str) -> Law:
    stated = {part.partition("=")[0].strip() for part in given.split(",")}
    _, right = split_response(text)
    return law(text, inputs=[each for each in names(parse(right)) if each not in stated])
