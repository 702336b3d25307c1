"""An expression as formula text that reads back to the same expression."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from isoflop.laws.expression import MINUS_ONE, ONE, ZERO, Expr, mul, num, power, signed

_STRENGTH = {"add": 1, "mul": 2, "pow": 3}


def write(expression: Expr) -> str:
    """The expression as formula text that reads back to the same expression."""
    return _write(spelled_out(expression))


def _write(expression: Expr) -> str:
    match expression.op:
        case "num":
            return _number(expression.value)
        case "name":
            return expression.label
        case "add":
            text = " + ".join(_wrapped(arg, 1) for arg in expression.args)
            return text.replace("+ -", "- ")
        case "mul":
            return _write_product(expression)
        case "pow":
            base, exponent = expression.args
            return f"{_wrapped(base, 4)}^{_wrapped(exponent, 4)}"
        case "leaf":
            return str(expression.leaf)
        case "root":
            return f"root({', '.join((expression.label, *map(_write, expression.args)))})"
        case op:
            return f"{op}({', '.join(_write(arg) for arg in expression.args)})"


def _write_product(expression: Expr) -> str:
    """``-2*A/N^alpha``: the factors in their order, those with a negative exponent below a slash."""
    first, *rest = expression.args
    text = ""
    if first.op == "num" and first.value < 0:
        text = "-"
        first = num(-first.value)
    factors = rest if first == ONE else [first, *rest]
    for position, factor in enumerate(factors):
        inverse = _inverse(factor)
        if inverse is None:
            text += ("*" if position else "") + _wrapped(factor, 2)
        else:
            text += ("/" if position else "1/") + _wrapped(inverse, 3)
    return text


def _inverse(factor: Expr) -> Expr | None:
    """``x^a`` for a factor ``x^-a``, else None."""
    if factor.op != "pow":
        return None
    base, exponent = factor.args
    sign, rest = signed(exponent)
    if exponent.op == "num" and exponent.value < 0:
        return power(base, num(-exponent.value))
    return power(base, mul(num(-sign), rest)) if sign < 0 else None


def _wrapped(expression: Expr, strength: int) -> str:
    negative = expression.op == "num" and expression.value < 0 and strength > 1
    return f"({_write(expression)})" if negative or _STRENGTH.get(expression.op, 9) < strength else _write(expression)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def spelled_out(expression: Expr) -> Expr:
    """The expression as people write it: ``1 − exp(x)`` for ``−expm1(x)`` and ``log(1 + x)`` for ``log1p(x)``.

    For texts alone: it is not in normal form, but what it is read back to is.
    """
    match expression.op:
        case "log1p":
            return Expr("log", (_sum((ONE, spelled_out(expression.args[0]))),))
        case "expm1":
            return _difference(spelled_out(expression.args[0]), falling=False)
        case "mul" if any(factor.op == "expm1" for factor in expression.args):
            return _product_of_differences(expression)
    args = tuple(map(spelled_out, expression.args))
    if expression.op == "add":
        return _sum(args)
    return expression if args == expression.args else replace(expression, args=args)


def _product_of_differences(expression: Expr) -> Expr:
    """Each factor ``expm1(x)`` as ``1 − exp(x)`` or ``exp(x) − 1``, so that minus signs disappear in pairs."""
    sign, size = 1, 1.0
    factors = list(expression.args)
    if factors[0].op == "num":
        sign, size = (-1 if factors[0].value < 0 else 1), abs(factors[0].value)
        factors = factors[1:]
    differences = [position for position, factor in enumerate(factors) if factor.op == "expm1"]
    falling = {position for position in differences if signed(factors[position].args[0])[0] < 0}
    if sign * (-1) ** len(falling) < 0:  # one more turns the sign of the product
        falling ^= {next((position for position in differences if position not in falling), differences[0])}
    written = [
        _difference(spelled_out(factor.args[0]), falling=position in falling)
        if position in differences
        else spelled_out(factor)
        for position, factor in enumerate(factors)
    ]
    written = written if size == 1 else [num(size), *written]
    return written[0] if len(written) == 1 else Expr("mul", tuple(written))


def _difference(exponent: Expr, *, falling: bool) -> Expr:
    rise = Expr("exp", (exponent,))
    return Expr("add", (ONE, Expr("mul", (MINUS_ONE, rise)))) if falling else Expr("add", (rise, MINUS_ONE))


def _sum(terms: Iterable[Expr]) -> Expr:
    return Expr("add", tuple(each for term in terms for each in (term.args if term.op == "add" else (term,))))


def equation_sides(root: Expr) -> tuple[Expr, Expr]:
    """The two sides of the equation that an unknown solves: ``log(a) − log(b)`` is a = b, anything else g = 0."""
    equation = root.args[0]
    if equation.op == "add" and len(equation.args) == 2:
        first, second = equation.args
        right = mul(MINUS_ONE, second)
        if first.op == right.op == "log":
            return first.args[0], right.args[0]
        return first, right
    return equation, ZERO
