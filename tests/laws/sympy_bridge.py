"""Expressions in SymPy, an independent oracle for values and derivatives."""

import sympy

from isoflop.laws.expression import Expr


def to_sympy(expression: Expr) -> sympy.Expr:
    """The expression in SymPy, every name a positive symbol, built node by node (SymPy's own parser runs code)."""
    args = [to_sympy(arg) for arg in expression.args]
    match expression.op:
        case "root":
            return sympy.Function("root")(sympy.Symbol(expression.label, positive=True), *args)
        case "total":
            return sympy.Sum(args[0], (sympy.Symbol("k"), 1, sympy.Symbol("K")))
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
        "log1p": lambda x: sympy.log(1 + x),
        "expm1": lambda x: sympy.exp(x) - 1,
        "abs": sympy.Abs,
        "sign": sympy.sign,
        "lgamma": sympy.loggamma,
    }
    return functions[expression.op](*args)
