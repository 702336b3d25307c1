"""A formula in plain letters as a paper sets it: ``L = E + A·N^−α + B·D^−β``."""

from __future__ import annotations

import re
import unicodedata

from isoflop.laws.expression import MINUS_ONE, Expr, mul, num
from isoflop.laws.formula import parse
from isoflop.laws.law import GREEK, Law
from isoflop.laws.text import equation_sides, spelled_out

_SUBSCRIPTS = str.maketrans("0123456789aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻‧"
_SUPERSCRIPTS = str.maketrans("0123456789-−.", RAISED)
# A power in the text of a formula, after a name, a number or a bracket: N^0.35, D^-beta, C^(a/2).
POWER = re.compile(r"(?<=[\w)])\^(?P<power>-?(?:[\d.]*\d|[^\W\d]\w*)|\([\w.*/+ -]*\))")
_NAME = re.compile(r"([A-Za-z]+?)_?(\d+)|([A-Za-z]+)_(\w+)")
_PLAIN = re.compile(r"[^\W\d]+\w*|[\d.]+")  # an exponent that needs no brackets
_SUM, _PRODUCT, _POWER, _WHOLE = 1, 2, 3, 4


def exponent(found: re.Match[str]) -> str:
    """What POWER has found, without brackets, its names as symbols: ``-alpha`` is ``-α``."""
    return re.sub(r"[^\W\d]\w*", lambda name: symbol(name[0]), found["power"].strip("()"))


def superscript(number: str) -> str:
    """A number as an exponent, its point as a dot that stands as high: ``0.35`` as ⁰‧³⁵."""
    return number.translate(_SUPERSCRIPTS)


def typeset(law: Law) -> tuple[str, ...]:
    """The law as its source states it, one line for the formula and one for each of its abbreviations.

    An implicit law is its equation, with the interval in which its unknown lies.
    """
    stated = parse(law.stated) if law.stated else law.expression
    if stated.op == "root":
        left, right = equation_sides(stated)
        low, *high = map(unicode, stated.args[1:])
        between = f"{low} < {symbol(stated.label)}" + (f" < {high[0]}" if high else "")
        first = f"{unicode(left)} = {unicode(right)},  {between}"
    else:
        first = f"{'L' if law.response == 'loss' else symbol(law.response)} = {unicode(stated)}"
    return (first, *(f"{symbol(label)} = {unicode(parse(text))}" for label, text in law.where.items()))


def symbol(label: str) -> str:
    """``alpha`` as α, ``L_0`` as L₀, ``alpha_N`` as α_N: an index without letters of its own stays as it is."""
    found = _NAME.fullmatch(label)
    stem, index = (found[1] or found[3], found[2] or found[4]) if found else (label, "")
    letter = f"GREEK {'CAPITAL' if stem[:1].isupper() else 'SMALL'} LETTER {stem.upper().replace('LAMBDA', 'LAMDA')}"
    if stem.lower() in GREEK:
        stem = unicodedata.lookup(letter)
    lowered = index.translate(_SUBSCRIPTS)
    small = index and not any(each.isascii() and each != "_" for each in lowered) and "_" not in index
    return stem + (lowered if small else f"_{index}" if index else "")


def unicode(expression: Expr) -> str:
    """The expression with · for products, − for minus, Greek letters, and indices and whole exponents raised."""
    return _write(spelled_out(expression), _SUM)


def _write(node: Expr, place: int) -> str:
    text, strength = _text(node)
    return f"({text})" if strength < place else text


def _text(node: Expr) -> tuple[str, int]:
    match node.op:
        case "num":
            return _number(node.value), _WHOLE if node.value >= 0 else _SUM
        case "name":
            return symbol(node.label), _WHOLE
        case "add":
            ordered = sorted(node.args, key=lambda arg: arg.op != "num")  # 1 + x, as it is usually written
            terms = sorted((_write(arg, _SUM) for arg in ordered), key=lambda term: term.startswith("−"))
            return " + ".join(terms).replace("+ −", "− "), _SUM
        case "mul":
            return _product(node)
        case "pow":
            base, exponent = node.args
            if exponent == MINUS_ONE:
                return f"1/{_write(base, _POWER)}", _PRODUCT
            if exponent == num(0.5):
                return f"√{_write(base, _WHOLE)}", _POWER
            raised = _write(exponent, _SUM)
            if exponent.op == "num" and exponent.value.is_integer():
                return _write(base, _WHOLE) + superscript(_number(exponent.value)), _POWER
            plain = raised.lstrip("−")
            raised = raised if _PLAIN.fullmatch(plain) else f"({raised})"
            return f"{_write(base, _WHOLE)}^{raised}", _POWER
        case "total":
            return f"Σₖ {_write(node.args[0], _PRODUCT)}", _PRODUCT
        case "root":
            return f"{symbol(node.label)} with {' = '.join(_write(side, _SUM) for side in equation_sides(node))}", _SUM
        case "lgamma":
            return f"ln Γ({_write(node.args[0], _SUM)})", _WHOLE
    return f"{node.op}({', '.join(_write(arg, _SUM) for arg in node.args)})", _WHOLE


def _product(node: Expr) -> tuple[str, int]:
    """Factors with a dot between them; whole reciprocals below a slash; a leading −1 as a sign."""
    first, *rest = node.args
    sign = "−" if first.op == "num" and first.value < 0 else ""
    factors = list(node.args)
    if sign:
        factors = rest if first == MINUS_ONE else [num(-first.value), *rest]
    above = [factor for factor in factors if not (factor.op == "pow" and factor.args[1] == MINUS_ONE)]
    below = [factor.args[0] for factor in factors if factor.op == "pow" and factor.args[1] == MINUS_ONE]
    text = "·".join(_write(factor, _PRODUCT) for factor in above) or "1"
    if below:
        text += f"/{_write(mul(*below), _POWER)}"
    return sign + text, _SUM if sign else _PRODUCT


def _number(value: float) -> str:
    text = str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.6g}"
    return text.replace("-", "−")
