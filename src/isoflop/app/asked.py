"""What the page asks, checked before it is done: a law as it is typed, a task before it waits in the queue."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from isoflop.app.session import Session, used
from isoflop.errors import DataError, IsoflopError

if TYPE_CHECKING:
    from isoflop.laws import Law
    from isoflop.runs import Runs

_KINDS = ("fit", "plan", "rank", "backtest", "compare")
_LONGEST = 4_000  # letters of a list of restrictions


def formula(asked: Mapping[str, Any], runs: Runs | None) -> dict[str, Any]:
    """A law as it is typed: set as mathematics, its inputs and parameters, and which columns are missing.

    Raises FormulaError with its place in the text; what is wrong with a restriction is told as ``restricted`` instead,
    since the formula itself is understood.
    """
    from isoflop.laws.mathml import mathml
    from isoflop.laws.unicode import symbol

    columns = () if runs is None else runs.headers
    chosen = law_of({"law": str(asked.get("text", ""))}, columns)
    restricted = ""
    try:
        chosen = law_of({"law": str(asked.get("text", "")), **restrictions(asked)}, columns)
    except IsoflopError as error:
        restricted = str(error).split("\n", 1)[0]
    return {
        "mathml": mathml(chosen),
        "restricted": restricted,
        "inputs": [
            {
                "name": each.name,
                "meaning": each.meaning,
                "here": runs is None or each.name in runs or each.name in chosen.prepared,
            }
            for each in chosen.inputs
        ],
        "params": [
            {"name": symbol(each.name), "meaning": each.meaning, "domain": _domain_text(each.domain)}
            for each in chosen.params
        ],
        "response": chosen.response,
        "plans": set(chosen.input_names) == {"N", "D"},
    }


def law_of(settings: Mapping[str, Any], columns: tuple[str, ...]) -> Law:
    """The law of a task with its domains, its tied and its fixed parameters."""
    from isoflop.laws import fix, law, tie
    from isoflop.laws.restrict import parse_domain

    domains = {name: parse_domain(text) for name, text in (settings.get("domains") or {}).items()}
    chosen = law(settings["law"], columns=columns, domains=domains)
    if settings.get("tied"):
        chosen = tie(chosen, settings["tied"])
    return fix(chosen, settings["fixed"]) if settings.get("fixed") else chosen


def restrictions(asked: Mapping[str, Any]) -> dict[str, Any]:
    """``E = 1.69, alpha = 0.34`` and its like as dictionaries: fixed to numbers, tied to formulas, held in domains."""
    from isoflop.units import parse_quantity

    fixed = {}
    for name, text in _pairs(asked, "fixed", "E = 1.69").items():
        try:
            fixed[name] = parse_quantity(text)
        except ValueError as error:
            raise DataError(f"{name} = {text[:40]}: {error}") from None
    return {
        "fixed": fixed,
        "tied": _pairs(asked, "tied", "beta = alpha"),
        "domains": _pairs(asked, "domains", "E = real"),
    }


def _pairs(asked: Mapping[str, Any], key: str, example: str) -> dict[str, str]:
    text = str(asked.get(key) or "")
    if len(text) > _LONGEST:
        raise DataError(f"a list of parameters may have {_LONGEST:,} letters, and this one has {len(text):,}")
    found: dict[str, str] = {}
    for part in filter(str.strip, text.replace(";", ",").split(",")):
        name, equals, value = (each.strip() for each in part.partition("="))
        if not (name and equals and value):
            raise DataError(f"{part.strip()[:40]!r} is no parameter with its value; write for example {example}")
        if found.setdefault(name, value) != value:
            raise DataError(f"{name[:40]} is given twice, {found[name][:40]} and {value[:40]}; choose one")
    return found


def _domain_text(held: str | tuple[float, float]) -> str:
    return held if isinstance(held, str) else f"{held[0]:g}:{held[1]:g}"


def checked(session: Session, asked: Mapping[str, Any], runs: Runs) -> tuple[str, dict[str, Any]]:
    """The kind of a task and its settings; raises IsoflopError for what cannot be asked."""
    from isoflop.fitting import objective
    from isoflop.uncertainty.ensemble import check_level
    from isoflop.units import parse_quantity

    kind = asked.get("kind")
    if kind not in _KINDS:
        raise DataError(f"the page asks for {', '.join(_KINDS)}, not {str(kind)[:20]!r}")
    budget, served = str(asked.get("budget") or "").strip(), str(asked.get("served") or "").strip()
    for each in (budget, served):
        if each:
            try:
                good = parse_quantity(each) > 0
            except ValueError as error:
                raise DataError(str(error)) from None
            if not good:
                raise DataError(f"{each} is not a positive number of FLOPs or tokens")
    if kind in ("plan", "compare"):
        names = asked.get("of")
        of = [session.task(str(name)) for name in (names if isinstance(names, list) else [names])]
        if len(of) != (2 if kind == "compare" else 1) or any(each.kind not in ("fit", "plan") for each in of):
            raise DataError("a comparison takes two fits" if kind == "compare" else "a plan takes one fit")
        ids = [each.id for each in of]
        first = {**of[0].settings, "budget": budget or of[0].settings.get("budget"), "served": served}
        return kind, {**first, "of": ids if kind == "compare" else ids[0]}
    level, draws, seed = asked.get("level", 0.9), asked.get("draws", 1000), asked.get("seed", 0)
    if type(draws) is not int or not 20 <= draws <= 20_000:
        raise DataError("draws must be a whole number from 20 to 20,000")
    if type(seed) is not int or seed < 0 or not isinstance(level, int | float) or not math.isfinite(level):
        raise DataError("the seed must be a whole number, and the level a number between 0 and 1")
    check_level(float(level))
    settings: dict[str, Any] = {
        "law": str(asked.get("law", "")),
        **restrictions(asked),
        "objective": objective(str(asked.get("objective") or "huber:1e-3")).name,
        "draws": draws,
        "seed": seed,
        "level": float(level),
        "budget": budget,
        "served": served,
        "reading": asdict(session.reading),
        "dropped": list(session.dropped),
    }
    if kind != "rank":
        law_of(settings, runs.headers)
    used(session, runs)
    return kind, settings
