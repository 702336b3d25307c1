"""A law's constants in words: the key of a publication, values one by one, or both, of which values come first."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from isoflop.errors import FormulaError, shown
from isoflop.laws.law import Law, Published
from isoflop.laws.restrict import fix
from isoflop.units import parse_quantity
from isoflop.values import Value


@dataclass(frozen=True)
class Stated(Value):
    """Every constant of a law, the publication that they come from if there is one, and those that were replaced."""

    values: dict[str, float]
    entry: Published | None
    replaced: tuple[str, ...]


def stated_constants(law: Law, words: Iterable[str]) -> Stated:
    """Constants from words such as ``epoch``, ``E=1.7`` and ``epoch,E=1.7``; each constant must get a value.

    Raises FormulaError for an unknown key or constant, what is stated twice, no number or outside its domain, and for
    constants that nothing gives.
    """
    parts = [part.strip() for word in words for part in word.split(",") if part.strip()]
    keys = [part for part in parts if "=" not in part]
    if len(keys) > 1:
        raise FormulaError(f"{keys[0]} and {keys[1]} are both publications of constants; choose one")
    entry = None if not keys else next((each for each in law.published if each.key == keys[0]), None)
    if keys and entry is None:
        raise FormulaError(f"{law.name} has no published constants {shown(keys[0])}; {on_record(law)}")
    found = (
        {} if entry is None else {name: float(entry.values[name]) for name in law.param_names if name in entry.values}
    )
    replaced: dict[str, str] = {}
    for part in parts:
        name, equals, text = (piece.strip() for piece in part.partition("="))
        if not equals:
            continue
        if name not in law.param_names:
            raise FormulaError(f"{law.name} has no constant {shown(name)}; it has {', '.join(law.param_names)}")
        if name in replaced:
            raise FormulaError(f"{name} is stated twice, {replaced[name]} and {text}; choose one")
        try:
            found[name] = parse_quantity(text)
        except ValueError:
            found[name] = math.nan
        if not math.isfinite(found[name]):
            raise FormulaError(f"{name}={text} is no number; write for example {name}=0.35")
        replaced[name] = text
        if len(law.param_names) > 1:  # fixing its only parameter would leave a law nothing to fit
            fix(law, {name: found[name]})  # refuses what lies outside its domain
    missing = [name for name in law.param_names if name not in found]
    if missing and entry is not None and not replaced:
        raise FormulaError(
            f"{entry.source} gives no {', '.join(missing)}, so {law.name}:{entry.key} cannot be evaluated; state them "
            f"too ({law.name}:{entry.key},{missing[0]}=…); {on_record(law)}"
        )
    if missing:
        raise FormulaError(f"{law.name} has no value for {', '.join(missing)}; state every constant; {on_record(law)}")
    return Stated({name: found[name] for name in law.param_names}, entry, tuple(replaced))


def on_record(law: Law) -> str:
    """Which constants of a law are in the catalogue, as part of a message."""
    listed = ", ".join(f"{law.name}:{entry.key}" for entry in law.published)
    return f"there are {listed}" if listed else f"no constants of {law.name} are on record (isoflop laws {law.name})"
