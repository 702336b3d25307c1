"""A law as JavaScript, for the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from isoflop.laws.expression import MINUS_ONE, Expr, names, runs_over_k


def javascript(expression: Expr) -> str:
    """The expression as JavaScript over an object ``v`` of values: ``(v["E"] + (v["A"] * Math.pow(…)))``.

    The text holds nothing but numbers, ``v["name"]``, ``Math`` calls, and for what binds names a loop of its own.
    """
    return _javascript(expression, lambda label: f'v["{label}"]')


def _javascript(expression: Expr, leaf: Callable[[str], str]) -> str:
    match expression.op:
        case "name":
            return leaf(expression.label)
        case "root":
            equation, *ends = expression.args
            unknown = expression.label
            inside = _javascript(equation, lambda label: "u" if label == unknown else leaf(label))
            return f"{_JAVASCRIPT_ROOT}((u) => {inside}, {', '.join(_javascript(end, leaf) for end in ends)})"
        case "total":
            inside = _javascript(
                expression.args[0], lambda label: f"[].concat({leaf(label)})[k]" if runs_over_k(label) else leaf(label)
            )
            one = next(label for label in names(expression) if runs_over_k(label))
            return f"[].concat({leaf(one)}).reduce((sum, _, k) => sum + {inside}, 0)"
    return _javascript_step(expression, [_javascript(arg, leaf) for arg in expression.args])


# Bisection in the logarithm of the distance from the ends: slower than Newton's steps, and short.
_JAVASCRIPT_ROOT = (
    "((g, a, b) => { const at = (z) => b === undefined ? a + Math.exp(z) : a + (b - a) / (1 + Math.exp(-z)); "
    "let low = -700, high = 700; for (let i = 0; i < 120; i++) { const z = (low + high) / 2; "
    "if (g(at(z)) < 0) low = z; else high = z; } return at((low + high) / 2); })"
)

# By the recurrence up to 10, then the asymptotic series; NaN where the number is negative, as everywhere.
_JAVASCRIPT_LGAMMA = (
    "((x) => { let below = 0; if (x < 0) return NaN; for (; x < 10; x += 1) below += Math.log(x); "
    "const y = 1 / (x * x); return (x - 0.5) * Math.log(x) - x + 0.9189385332046727 - below + "
    "(1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y * (1 / 1188))))) / x; })"
)
_JAVASCRIPT_DIGAMMA = (
    "((x) => { let below = 0; if (x < 0) return NaN; for (; x < 10; x += 1) below += 1 / x; "
    "const y = 1 / (x * x); return Math.log(x) - 0.5 / x - below - "
    "y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y * (1 / 132 - y * (691 / 32760)))))); })"
)


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
                bound = node.op in ("root", "total")
                step = (
                    _javascript(node, leaves.__getitem__)
                    if bound
                    else _javascript_step(node, [visit(arg) for arg in node.args])
                )
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
        case "lgamma":
            return f"{_JAVASCRIPT_LGAMMA}({args[0]})"
        case "digamma":
            return f"{_JAVASCRIPT_DIGAMMA}({args[0]})"
        case op:
            return f"Math.{op}({', '.join(args)})"
