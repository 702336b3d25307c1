"""A law as MathML, which browsers set as mathematics and screen readers read aloud."""

from __future__ import annotations

import html
import math
import re

from isoflop.laws.expression import Expr, mul, num, power
from isoflop.laws.law import GREEK, Law
from isoflop.laws.text import spelled_out

_LETTERS = dict(zip(GREEK, "αβγδεζηθικλμνξοπρστυφχψω", strict=True))
_SUM, _PRODUCT, _ATOM = 1, 2, 3


def mathml(law: Law, *, symbol: str = "L") -> str:
    """``L = E + A/N^α + …`` as one ``<math>`` element, terms in the order of the formula."""
    left = symbol if law.response == "loss" else law.response
    body = f"{_name(left)}<mo>=</mo>{_write(spelled_out(law.expression))}"
    return f'<math display="block" xmlns="http://www.w3.org/1998/Math/MathML"><mrow>{body}</mrow></math>'


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
            return f"<msup><mi>e</mi><mrow>{_write(node.args[0])}</mrow></msup>"
        case "abs":
            return f"<mrow><mo>|</mo>{_write(node.args[0])}<mo>|</mo></mrow>"
        case "lgamma":
            return f"<mrow><mi>ln</mi><mi>Γ</mi><mo>(</mo>{_write(node.args[0])}<mo>)</mo></mrow>"
    args = "<mo>,</mo>".join(_write(arg) for arg in node.args)
    return f"<mrow><mi>{node.op}</mi><mo>&#x2061;</mo><mo>(</mo>{args}<mo>)</mo></mrow>"


def _sum(terms: tuple[Expr, ...]) -> str:
    """Positive terms first where the sum begins with a negative one: ``1 − x`` rather than ``−x + 1``."""
    ordered = sorted(terms, key=_negative) if _negative(terms[0]) else terms
    text = ""
    for position, term in enumerate(ordered):
        if position and _negative(term):
            text += "<mo>−</mo>" + _enclosed(mul(num(-1), term), _PRODUCT)
        else:
            text += ("<mo>+</mo>" if position else "") + _write(term)
    return f"<mrow>{text}</mrow>"


def _product(node: Expr) -> str:
    if _negative(node):
        return f"<mrow><mo>−</mo>{_enclosed(mul(num(-1), node), _PRODUCT)}</mrow>"
    above = [factor for factor in node.args if _inverse(factor) is None]
    below = [inverse for factor in node.args if (inverse := _inverse(factor)) is not None]
    if not below:
        return _row(above)
    return f"<mfrac>{_row(above) if above else '<mn>1</mn>'}{_row(below)}</mfrac>"


def _row(factors: list[Expr]) -> str:
    if len(factors) == 1:
        return f"<mrow>{_write(factors[0])}</mrow>"
    text = ""
    for position, factor in enumerate(factors):
        joint = "<mo>·</mo>" if factor.op == "num" else "<mo>&#x2062;</mo>"
        text += (joint if position else "") + _enclosed(factor, _PRODUCT)
    return f"<mrow>{text}</mrow>"


def _power(node: Expr) -> str:
    base, exponent = node.args
    inverse = _inverse(node)
    if inverse is not None:
        return f"<mfrac><mn>1</mn><mrow>{_write(inverse)}</mrow></mfrac>"
    if exponent == num(0.5):
        return f"<msqrt>{_write(base)}</msqrt>"
    return f"<msup><mrow>{_enclosed(base, _ATOM)}</mrow><mrow>{_write(exponent)}</mrow></msup>"


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
    own = {"add": _SUM, "mul": _PRODUCT, "pow": _PRODUCT, "exp": _PRODUCT}.get(node.op, _ATOM)
    weak = own < strength or (node.op == "num" and node.value < 0)
    return f"<mrow><mo>(</mo>{_write(node)}<mo>)</mo></mrow>" if weak else _write(node)


def _number(value: float) -> str:
    if value < 0:
        return f"<mrow><mo>−</mo>{_number(-value)}</mrow>"
    exponent = math.floor(math.log10(value)) if value else 0
    if -4 <= exponent < 6:
        return f"<mn>{value:.15g}</mn>"
    mantissa = f"{value / 10.0**exponent:.12g}"
    power_of_ten = f"<msup><mn>10</mn><mrow>{_number(float(exponent))}</mrow></msup>"
    return power_of_ten if mantissa == "1" else f"<mrow><mn>{mantissa}</mn><mo>·</mo>{power_of_ten}</mrow>"


def _name(label: str) -> str:
    """``alpha_2`` as α with the subscript 2; a longer word upright, as it stands."""
    found = re.fullmatch(r"([^\W\d_]+?)(?:_(\w+)|(\d+))", label)
    head, tail = (found[1], found[2] or found[3]) if found else (label, "")
    letter = _LETTERS.get(head) or (_LETTERS[head.lower()].upper() if head.lower() in _LETTERS else head)
    body = f"<mi>{html.escape(letter)}</mi>"
    return f"<msub>{body}<mtext>{html.escape(tail)}</mtext></msub>" if tail else body
