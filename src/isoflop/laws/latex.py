"""A law in LaTeX, for papers."""

from __future__ import annotations

import math
import re

from isoflop.laws.expression import Expr, mul, num, power
from isoflop.laws.law import GREEK, Law
from isoflop.laws.text import equation_sides, spelled_out

_SUM, _PRODUCT, _ATOM = 1, 2, 3
_NAME = re.compile(r"([^\W\d_]+?)(?:_(\w+)|(\d+))")
# Greek capitals that look like Latin ones have no command of their own.
_LATIN = {
    "Alpha": "A",
    "Beta": "B",
    "Epsilon": "E",
    "Zeta": "Z",
    "Eta": "H",
    "Iota": "I",
    "Kappa": "K",
    "Mu": "M",
    "Nu": "N",
    "Omicron": "O",
    "Rho": "P",
    "Tau": "T",
    "Chi": "X",
    "omicron": "o",
}


def latex(law: Law, *, symbol: str = "L") -> str:
    r"""The law in LaTeX, terms in the order of the formula: ``L = E + \frac{A}{N^{\alpha}} + …``."""
    if law.expression.op == "root":
        return " = ".join(_write(spelled_out(side)) for side in equation_sides(law.expression))
    left = symbol if law.response == "loss" else _name(law.response)
    return f"{left} = {_write(spelled_out(law.expression))}"


def _write(node: Expr) -> str:
    match node.op:
        case "num":
            return _number(node.value)
        case "name":
            return _name(node.label)
        case "add":
            return _sum(node.args)
        case "mul":
            return _product(node)
        case "pow":
            return _power(node)
        case "exp":
            return f"e^{{{_write(node.args[0])}}}"
        case "abs":
            return rf"\left|{_write(node.args[0])}\right|"
        case "lgamma":
            return rf"\ln\Gamma\left({_write(node.args[0])}\right)"
        case "ge":
            return rf"\left[{_write(node.args[0])} \ge {_write(node.args[1])}\right]"
        case "total":
            return rf"\sum_k {_enclosed(node.args[0], _PRODUCT)}"
        case "sign":
            return rf"\operatorname{{sgn}}\left({_write(node.args[0])}\right)"
        case "root":
            return rf"{_name(node.label)}\left({' = '.join(map(_write, equation_sides(node)))}\right)"
    args = ", ".join(_write(arg) for arg in node.args)
    return rf"\{node.op}\left({args}\right)"


def _sum(terms: tuple[Expr, ...]) -> str:
    """Positive terms first where the sum begins with a negative one: ``1 - x`` rather than ``-x + 1``."""
    ordered = sorted(terms, key=_negative) if _negative(terms[0]) else terms
    text = ""
    for position, term in enumerate(ordered):
        if position and _negative(term):
            text += " - " + _enclosed(mul(num(-1), term), _PRODUCT)
        else:
            text += (" + " if position else "") + _write(term)
    return text


def _product(node: Expr) -> str:
    if _negative(node):
        return f"-{_enclosed(mul(num(-1), node), _PRODUCT)}"
    above = [factor for factor in node.args if _inverse(factor) is None]
    below = [inverse for factor in node.args if (inverse := _inverse(factor)) is not None]
    if not below:
        return _row(above)
    return rf"\frac{{{_row(above) if above else '1'}}}{{{_row(below)}}}"


def _row(factors: list[Expr]) -> str:
    if len(factors) == 1:
        return _write(factors[0])
    text = ""
    for position, factor in enumerate(factors):
        joint = r" \cdot " if factor.op == "num" else " "
        text += (joint if position else "") + _enclosed(factor, _PRODUCT)
    return text


def _power(node: Expr) -> str:
    base, exponent = node.args
    inverse = _inverse(node)
    if inverse is not None:
        return rf"\frac{{1}}{{{_write(inverse)}}}"
    if exponent == num(0.5):
        return rf"\sqrt{{{_write(base)}}}"
    return f"{_enclosed(base, _ATOM)}^{{{_write(exponent)}}}"


def _inverse(factor: Expr) -> Expr | None:
    """``x^a`` for a factor ``x^-a``, else None."""
    if factor.op != "pow" or not _negative(factor.args[1]):
        return None
    return power(factor.args[0], mul(num(-1), factor.args[1]))


def _negative(node: Expr) -> bool:
    first = node.args[0] if node.op == "mul" else node
    return first.op == "num" and first.value < 0


def _enclosed(node: Expr, strength: int) -> str:
    """The node, in brackets where its neighbors would bind more tightly than it does."""
    own = {"add": _SUM, "mul": _PRODUCT, "pow": _PRODUCT, "exp": _PRODUCT, "total": _SUM}.get(node.op, _ATOM)
    weak = own < strength or (node.op == "num" and node.value < 0)
    return rf"\left({_write(node)}\right)" if weak else _write(node)


def _number(value: float) -> str:
    if value < 0:
        return f"-{_number(-value)}"
    exponent = math.floor(math.log10(value)) if value else 0
    if -4 <= exponent < 6:
        return f"{value:.15g}"
    mantissa = f"{value / 10.0**exponent:.12g}"
    return f"10^{{{exponent}}}" if mantissa == "1" else rf"{mantissa} \cdot 10^{{{exponent}}}"


def _name(label: str) -> str:
    r"""``alpha_2`` as ``\alpha_{2}``; a longer word upright, as it stands."""
    found = _NAME.fullmatch(label)
    head, tail = (found[1], found[2] or found[3]) if found else (label, "")
    if head in _LATIN:
        letter = _LATIN[head]
    elif head.lower() in GREEK:
        letter = rf"\{head}"
    else:
        letter = head if len(head) == 1 else rf"\mathrm{{{_escaped(head)}}}"
    return f"{letter}_{{{_index(tail)}}}" if tail else letter


def _index(tail: str) -> str:
    if tail in GREEK:
        return rf"\{tail}"
    return tail if len(tail) == 1 or tail.isdigit() else rf"\mathrm{{{_escaped(tail)}}}"


def _escaped(word: str) -> str:
    return word.replace("_", r"\_")
