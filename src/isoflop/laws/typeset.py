"""A law in other notations: SymPy, LaTeX, and JavaScript for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from isoflop.laws.expression import MINUS_ONE, Expr
from isoflop.laws.law import Law

if TYPE_CHECKING:
    import sympy


def to_sympy(expression: Expr) -> sympy.Expr:
    """The expression in SymPy, every name a positive symbol, built node by node (SymPy's own parser runs code)."""
    import sympy

    args = [to_sympy(arg) for arg in expression.args]
    match expression.op:
        case "num":
            value = expression.value
            return sympy.Integer(int(value)) if value == int(value) else sympy.Float(value)
        case "name":
            return sympy.Symbol(expression.label, positive=True)
        case "add":
            return sympy.Add(*args)
        case "mul":
            return sympy.Mul(*args)
        case "pow":
            return sympy.Pow(*args)
        case "ge":
            return sympy.Heaviside(args[0] - args[1], 1)
    functions = {
        "log": sympy.log,
        "exp": sympy.exp,
        "min": sympy.Min,
        "max": sympy.Max,
        "abs": sympy.Abs,
        "sign": sympy.sign,
    }
    return functions[expression.op](*args)


def latex(law: Law, *, symbol: str = "L") -> str:
    r"""The law in LaTeX, terms in the order of the formula: ``L = E + \frac{A}{N^{\alpha}} + …``."""
    import sympy

    terms = law.expression.args if law.expression.op == "add" else (law.expression,)
    written = [str(sympy.latex(to_sympy(term))) for term in terms]
    return f"{symbol} = " + " + ".join(written).replace("+ -", "- ")


def javascript(expression: Expr) -> str:
    """The expression as JavaScript over an object ``v`` of values: ``(v["E"] + (v["A"] * Math.pow(…)))``.

    The text holds nothing but numbers, ``v["name"]`` and ``Math`` calls.
    """
    if expression.op == "name":
        return f'v["{expression.label}"]'
    return _javascript_step(expression, [javascript(arg) for arg in expression.args])


def javascript_block(expressions: Sequence[Expr], leaves: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Statements that compute the expressions, each common part once, and the text of each result.

    leaves: for each name the JavaScript that holds its value; no name of the law itself gets into the text.
    """
    statements: list[str] = []
    written: dict[Expr, str] = {}

    def visit(node: Expr) -> str:
        if node not in written:
            if node.op == "name":
                written[node] = leaves[node.label]
            elif node.op == "num":
                written[node] = _javascript_step(node, [])
            else:
                step = _javascript_step(node, [visit(arg) for arg in node.args])
                written[node] = f"t{len(statements)}"
                statements.append(f"const {written[node]} = {step};")
        return written[node]

    results = tuple(visit(expression) for expression in expressions)
    return "\n".join(statements), results


def _javascript_step(expression: Expr, args: Sequence[str]) -> str:
    """One operation on the texts of its arguments."""
    match expression.op:
        case "num":
            return f"({expression.value!r})"
        case "add":
            return "(" + " + ".join(args) + ")"
        case "mul":
            return "(" + " * ".join(args) + ")"
        case "pow" if expression.args[1] == MINUS_ONE:
            return f"(1 / {args[0]})"
        case "ge":
            return f"(({args[0]}) >= ({args[1]}) ? 1 : 0)"
        case op:
            return f"Math.{op}({', '.join(args)})"
