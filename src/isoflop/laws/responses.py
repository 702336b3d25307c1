"""What a typed law predicts, and which values its inputs may have: ``acc = 1 - A/C^a``, a share that may be zero."""

from __future__ import annotations

import re

from isoflop.errors import FormulaError
from isoflop.laws.expression import Expr, names
from isoflop.patterns import pattern

_LEFT = pattern(
    r"\s*(?!(?:log|ln|exp|sqrt|abs|min|max|lgamma)\s*\()([A-Za-z_]\w*|`[^`]{1,200}`)\s*(?:\(\s*\w+(?:\s*,\s*\w+)*\s*\)\s*)?"
    r"(?:=(?!=)|~)\s*(.*)",
    re.DOTALL,
)
_LOSS = ("L", "loss")


def split_response(text: str) -> tuple[str, str]:
    """The response and the formula of ``lr = A*N^a``; without a left side the response is the loss.

    The left side is a column's name, in backticks where it is no word, and may have its inputs behind it, as in
    ``L(N, D) = …``; ``~`` stands for ``=``.
    """
    found = _LEFT.fullmatch(text)
    if found is None or not found[2].strip():
        return "loss", text
    response = found[1].strip("`")
    return ("loss" if response in _LOSS else response), found[2].strip()


def inferred_domain(expression: Expr, given: str) -> str:
    """``real`` for an input of which no logarithm or power is taken, ``nonnegative`` under a power of a sum with it.

    An input that stands under a power of its own, or in a logarithm, is ``positive``.
    """
    found = {_need(node, given) for node in _over(expression, given)}
    return "positive" if "positive" in found else "nonnegative" if "nonnegative" in found else "real"


def check_input_domain(name: str, domain: object) -> str:
    """The declared domain of an input; raises FormulaError for ends, which only parameters have."""
    if domain not in ("positive", "nonnegative", "real"):
        raise FormulaError(f"input {name} has domain {domain!r}; use positive, nonnegative or real")
    return str(domain)


def _over(node: Expr, given: str) -> list[Expr]:
    """The powers and logarithms whose base or argument holds the input."""
    here = []
    if node.op in ("log", "pow") and given in names(node.args[0]):
        here.append(node)
    return here + [each for arg in node.args for each in _over(arg, given)]


def _need(node: Expr, given: str) -> str:
    base = node.args[0]
    if node.op == "pow":
        exponent = node.args[1]
        if exponent.op == "num" and exponent.value > 0 and float(exponent.value).is_integer():
            return "real"
    return "nonnegative" if base.op == "add" else "positive"
