"""A law's formula with the abbreviations of its source behind it, where they still spell it out."""

from __future__ import annotations

import re

from isoflop.errors import FormulaError
from isoflop.laws.formula import parse
from isoflop.laws.law import Law, catalogue, spell_out
from isoflop.laws.text import write
from isoflop.patterns import pattern

_NAME = pattern(r"[A-Za-z_][A-Za-z0-9_]*")


def abbreviated(law: Law) -> str:
    """``exp(lgamma((1 - mu)*nu + k) …); where mu = 1/(1 + exp(…)), nu = …``; the formula alone without abbreviations.

    The texts are the source's own, with fixed and tied parameters replaced. A law from a file is known by its name.
    Texts that do not give the law's own expression, since another law has taken the name, are left out.
    """
    source = law if law.where else catalogue().get(law.name.partition(" ")[0], law)
    if not source.where:
        return law.formula
    instead = {label: f"{value:.17g}" for label, value in law.fixed.items()} | dict(law.tied)

    def put(found: re.Match[str]) -> str:
        text = instead.get(found[0], found[0])
        return text if text.isalnum() or _is_positive(text) else f"({text})"

    stated, *meant = (_NAME.sub(put, text) for text in (source.stated, *source.where.values()))
    where = dict(zip(source.where, meant, strict=True))
    try:
        if write(spell_out(parse(stated), where)) != law.formula:
            return law.formula
    except FormulaError:
        return law.formula
    return f"{stated}; where {', '.join(f'{label} = {text}' for label, text in where.items())}"


def _is_positive(text: str) -> bool:
    return bool(_NAME.fullmatch(text) or re.fullmatch(r"[\d.]+", text))
