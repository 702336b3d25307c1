"""Formulas and conditions of a plan as people write them: ``6*N*D + 2*N*T_inference``, ``N <= 8B``, ``1e9 < D <= 2T``.

Read by the whitelist parser of laws (:mod:`isoflop.laws.formula`); nothing is ever evaluated as a program.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from isoflop.errors import FormulaError, IsoflopError, shown
from isoflop.laws.expression import MINUS_ONE, Expr, add, exp, log, mul, name, names, substitute
from isoflop.laws.formula import parse
from isoflop.symbols import WORDS
from isoflop.units import SUFFIXES
from isoflop.values import Value

SERVED = "T_inference"  # the symbol of inference tokens
SYMBOLS = {**WORDS, "served": SERVED, "inference_tokens": SERVED}

Relation = Literal["<=", ">=", "=="]

_OPERATOR = re.compile(r"(<=|>=|==|=|<|>|≤|≥)")
_RELATIONS: dict[str, Relation] = {
    "<": "<=",
    "<=": "<=",
    "≤": "<=",
    ">": ">=",
    ">=": ">=",
    "≥": ">=",
    "=": "==",
    "==": "==",
}
_SUFFIXED = re.compile(r"(?<![\w.])((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([kKmMbBGT])(?!\w)")


@dataclass(frozen=True)
class Condition(Value):
    """``left`` relation ``right``, with the words in which it was given."""

    text: str
    left: Expr
    relation: Relation
    right: Expr


def formula(text: str, where: str) -> Expr:
    """The expression of a formula whose numbers may have a suffix (8B, 2T); ``where`` names the option in messages."""
    try:
        read = parse(_SUFFIXED.sub(lambda found: f"({float(found[1]) * SUFFIXES[found[2]]!r})", text))
    except FormulaError as error:
        raise FormulaError(f"{where}: {str(error).splitlines()[0]}", at=error.at) from None
    renamed = {name(word): name(letter) for word, letter in SYMBOLS.items() if word in names(read)}
    return substitute(read, renamed)


def conditions(text: str, where: str = "--subject-to") -> list[Condition]:
    """The conditions of a text; a chain such as ``1e9 <= N <= 8e9`` is two.

    Raises IsoflopError for a text without a relation, with an empty side, or without any name.
    """
    parts = [each.strip() for each in _OPERATOR.split(text)]
    if len(parts) < 3:
        raise IsoflopError(f'{where} takes a condition such as "N <= 8e9" or "D == 20*N", not {shown(text)}')
    if not all(parts[::2]):
        raise IsoflopError(f'{where}: {shown(text)} has nothing on one side; write for example "N <= 8e9"')
    sides = [formula(each, where) for each in parts[::2]]
    found = []
    for place, operator in enumerate(parts[1::2]):
        one = f"{parts[2 * place]} {operator} {parts[2 * place + 2]}"
        if not names(sides[place]) and not names(sides[place + 1]):
            raise IsoflopError(f'{where}: {shown(one)} names no quantity; write for example "N <= 8e9"')
        found.append(Condition(one, sides[place], _RELATIONS[operator], sides[place + 1]))
    return found


def check_names(expression: Expr, known: Collection[str], text: str, where: str) -> None:
    """Refuse a formula with a name that stands for nothing here; the nearest are named."""
    for each in names(expression):
        if each not in known:
            same = [one for one in known if one.lower() == each.lower()]
            near = same or difflib.get_close_matches(each, list(known), n=2, cutoff=0.6)
            hint = f"did you mean {' or '.join(near)}" if near else f"there are {', '.join(known)}"
            raise IsoflopError(
                f"{where}: {shown(text)} has the name {each!r}, which stands for nothing here; {hint}, or give it a "
                f"value (--at {each}=…)"
            )


def is_positive(expression: Expr, positive: Collection[str]) -> bool:
    """Whether an expression is above 0 by its form, where the names in ``positive`` are."""
    match expression.op:
        case "num":
            return expression.value > 0
        case "name":
            return expression.label in positive
        case "exp":
            return True
        case "pow":
            return is_positive(expression.args[0], positive)
        case "add" | "mul" | "min" | "max":
            return all(is_positive(arg, positive) for arg in expression.args)
    return False


def log_of(expression: Expr, positive: Collection[str]) -> Expr:
    """The logarithm of a positive expression, a sum over its factors, so that powers become linear."""
    if expression.op == "exp":
        return expression.args[0]
    if expression.op == "mul" and is_positive(expression, positive):
        return add(*(log_of(factor, positive) for factor in expression.args))
    if expression.op == "pow" and is_positive(expression.args[0], positive):
        return mul(expression.args[1], log_of(expression.args[0], positive))
    return log(expression)


def minus(left: Expr, right: Expr) -> Expr:
    """left − right."""
    return add(left, mul(MINUS_ONE, right))


def in_coordinates(expression: Expr, logarithmic: Collection[str]) -> Expr:
    """The expression in which each of these names stands for the logarithm of what it stood for."""
    return substitute(expression, {name(each): exp(name(each)) for each in logarithmic})
