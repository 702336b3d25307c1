"""Exact derivatives of expressions, by one reverse sweep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from isoflop.laws.expression import (
    MINUS_ONE,
    ONE,
    ZERO,
    Expr,
    add,
    call,
    exp,
    log,
    mul,
    name,
    num,
    power,
    substitute,
    total,
)


def gradient(expression: Expr, wanted: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """∂expression/∂w for each name ``w`` in ``wanted``, exact, by one reverse sweep.

    The products are left unflattened, so that derivatives share their common factors. The unknown u of g(u, w) = 0 has
    the derivative −(∂g/∂w)/(∂g/∂u), taken at the root.
    """
    adjoint: dict[Expr, Expr] = defaultdict(lambda: ZERO)
    adjoint[expression] = ONE
    for node in reversed(list(_children_first(expression))):
        above = adjoint[node]
        if above == ZERO:
            continue
        for arg, local in _binding_partials(node, wanted) if node.op in _BINDING else _partials(node):
            adjoint[arg] = _plus(adjoint[arg], _times(above, local))
    return tuple(adjoint[each] for each in wanted)


_BINDING = ("root", "total")


def _binding_partials(node: Expr, wanted: tuple[Expr, ...]) -> Iterator[tuple[Expr, Expr]]:
    """The derivative of an operation that binds names, by each wanted name at once."""
    if node.op == "total":
        yield from zip(wanted, map(total, gradient(node.args[0], wanted)), strict=True)
        return
    unknown = name(node.label)
    own, *slopes = gradient(node.args[0], (unknown, *wanted))
    inverse = power(substitute(own, {unknown: node}), MINUS_ONE)
    for each, slope in zip(wanted, slopes, strict=True):
        if slope != ZERO:
            yield each, _times(_times(MINUS_ONE, substitute(slope, {unknown: node})), inverse)


def _partials(node: Expr) -> Iterator[tuple[Expr, Expr]]:
    """The node's derivative by each of its arguments."""
    match node.op:
        case "add":
            for arg in node.args:
                yield arg, ONE
        case "mul":
            for position, arg in enumerate(node.args):
                yield arg, mul(*node.args[:position], *node.args[position + 1 :])
        case "pow":
            base, exponent = node.args
            if exponent.op == "num":
                yield base, mul(exponent, power(base, num(exponent.value - 1)))
            else:
                yield base, _times(exponent, _times(node, power(base, MINUS_ONE)))
                yield exponent, _times(node, log(base))
        case "log":
            yield node.args[0], power(node.args[0], MINUS_ONE)
        case "exp":
            yield node.args[0], node
        case "log1p":
            yield node.args[0], power(add(ONE, node.args[0]), MINUS_ONE)
        case "expm1":
            yield node.args[0], exp(node.args[0])
        case "abs":
            yield node.args[0], call("sign", node.args[0])
        case "lgamma":
            yield node.args[0], call("digamma", node.args[0])
        case "digamma":
            yield node.args[0], call("trigamma", node.args[0])
        case "max" | "min":
            first, second = node.args
            takes_first = call("ge", first, second) if node.op == "max" else call("ge", second, first)
            yield first, takes_first
            yield second, add(ONE, mul(MINUS_ONE, takes_first))


def _times(a: Expr, b: Expr) -> Expr:
    """A product kept binary, so that ``a`` and ``b`` stay shared with whoever else uses them."""
    if ZERO in (a, b):
        return ZERO
    if a == ONE:
        return b
    if b == ONE:
        return a
    return Expr("mul", (a, b))


def _plus(a: Expr, b: Expr) -> Expr:
    if a == ZERO:
        return b
    return a if b == ZERO else Expr("add", (a, b))


def _children_first(expression: Expr) -> Iterator[Expr]:
    seen: set[Expr] = set()

    def visit(node: Expr) -> Iterator[Expr]:
        if node in seen:
            return
        seen.add(node)
        for arg in node.args if node.op not in _BINDING else ():
            yield from visit(arg)
        yield node

    yield from visit(expression)
