"""Expressions at numbers: one point, arrays of them, or several expressions that share their parts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from isoflop.errors import FormulaError
from isoflop.laws.derivative import gradient
from isoflop.laws.expression import Expr, Floats, keys, name, runs_over_k
from isoflop.laws.gamma import digamma, lgamma, trigamma
from isoflop.laws.implicit import solve_unknown
from isoflop.laws.lists import Lists

Leaves = Mapping[Any, Floats | Lists | float]  # keys are names (text) and leaves
_PAIRS = 2_000_000  # pairs of a list's value and a set of parameters that are evaluated at once


UNARY: Mapping[str, Callable[..., Any]] = {
    "log": np.log,
    "exp": np.exp,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "abs": np.abs,
    "sign": np.sign,
    "lgamma": lgamma,
    "digamma": digamma,
    "trigamma": trigamma,
}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {**UNARY, "min": np.minimum, "max": np.maximum}


def evaluate(expression: Expr, values: Mapping[Any, float]) -> float:
    """The number that the expression is at these values; scalar and slow, for single points and as an oracle."""
    functions: dict[str, Callable[..., float]] = {
        "log": math.log,
        "exp": math.exp,
        "log1p": math.log1p,
        "expm1": math.expm1,
        "abs": abs,
        "min": min,
        "max": max,
        "lgamma": lambda x: float(lgamma(x)),
        "digamma": lambda x: float(digamma(x)),
        "trigamma": lambda x: float(trigamma(x)),
    }
    match expression.op:
        case "num":
            return expression.value
        case "name" | "leaf":
            return values[expression.key]
        case "root":
            return float(array_value(expression, values))
        case "total":
            lists = {label: np.atleast_1d(values[label]) for label in keys(expression) if runs_over_k(label)}
            count = max(map(len, lists.values()))
            return math.fsum(
                evaluate(expression.args[0], {**values, **{key: float(each[k]) for key, each in lists.items()}})
                for k in range(count)
            )
    args = [evaluate(arg, values) for arg in expression.args]
    match expression.op:
        case "add":
            return math.fsum(args)
        case "mul":
            return math.prod(args)
        case "pow":
            return float(args[0] ** args[1])
        case "sign":
            return math.copysign(1.0, args[0]) if args[0] else 0.0
        case "ge":
            return float(args[0] >= args[1])
        case op:
            return functions[op](*args)


def array_value(node: Expr, leaves: Leaves) -> Floats | float:
    """The node at arrays of leaf values, broadcast against each other; the fitting kernel does the heavy work."""
    return _value(node, leaves, None)


def array_values(nodes: Sequence[Expr], leaves: Leaves) -> list[Floats | float]:
    """Several nodes at the same leaves, what they share computed once, as the parts of a gradient share nearly all.

    Every part is kept until the end, which large arrays pay for in memory.
    """
    known: dict[Expr, Floats | float] = {}
    return [_value(node, leaves, known) for node in nodes]


def _value(node: Expr, leaves: Leaves, known: dict[Expr, Floats | float] | None) -> Floats | float:
    if node.op == "num":
        return node.value
    if node.op in ("name", "leaf"):
        leaf = leaves[node.key]
        if isinstance(leaf, Lists):
            raise FormulaError(f"{node.key} has a list of values in every row; write it inside a total(…)")
        return leaf
    if known is not None and node in known:
        return known[node]
    if node.op == "root":
        value: Floats | float = _root_value(node, leaves)
    elif node.op == "total":
        value = _total_value(node, leaves)
    else:
        value = _operation(node.op, [_value(arg, leaves, known) for arg in node.args])
    if known is not None:
        known[node] = value
    return value


def _operation(op: str, args: Sequence[Floats | float]) -> Floats | float:
    with np.errstate(all="ignore"):
        match op:
            case "add":
                return sum(args[1:], start=args[0])
            case "mul":
                product = args[0]
                for arg in args[1:]:
                    product = product * arg
                return product
            case "pow":
                return np.power(args[0], args[1])
            case "ge":
                return np.asarray(np.greater_equal(args[0], args[1]), dtype=np.float64)
        return _FUNCTIONS[op](*args)


def _root_value(node: Expr, leaves: Leaves) -> Floats:
    equation, *ends = node.args
    parts = (equation, *gradient(equation, (name(node.label),)))
    low, *high = (np.asarray(array_value(end, leaves), dtype=np.float64) for end in ends)
    shape = np.broadcast_shapes(*(np.shape(leaves[key]) for key in keys(node)))

    def at(unknown: Floats) -> tuple[Floats, Floats]:
        value, slope = array_values(parts, {**leaves, node.label: unknown})
        return np.asarray(value), np.asarray(slope)

    return solve_unknown(at, low, high[0] if high else None, shape)


def _total_value(node: Expr, leaves: Leaves) -> Floats:
    """The sum over a list, or over each row's where the leaves hold :class:`Lists`."""
    lists = [leaf for leaf in leaves.values() if isinstance(leaf, Lists)]
    if lists:
        return _totals_by_row(node, leaves, lists[0])
    # lists run along the last axis of their arrays; everything else is the same for all of a list
    inside = {
        key: np.asarray(value) if runs_over_k(key) else np.asarray(value)[..., None] for key, value in leaves.items()
    }
    each = np.asarray(array_value(node.args[0], {key: np.atleast_1d(value) for key, value in inside.items()}))
    return np.asarray(each.sum(axis=-1))


def _totals_by_row(node: Expr, leaves: Leaves, lists: Lists) -> Floats:
    """The sums over the rows' own lists, (…, rows); a block of rows at a time, since every value meets every draw."""
    rows = len(lists)
    others = {key: np.asarray(leaf) for key, leaf in leaves.items() if not isinstance(leaf, Lists)}
    shape = np.broadcast_shapes((rows,), *(leaf.shape for leaf in others.values()))
    draws = max(1, math.prod(shape[:-1]))
    total = np.zeros(shape)
    block = np.cumsum(lists.counts) * draws // _PAIRS
    for start, stop in itertools.pairwise([0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), rows]):
        counts = lists.counts[start:stop]
        filled = np.flatnonzero(counts)  # reduceat has no notion of an empty list
        if not len(filled):
            continue
        inside: dict[str, Floats | Lists | float] = {
            key: np.repeat(leaf[..., start:stop], counts, axis=-1) if leaf.shape[-1:] == (rows,) and rows > 1 else leaf
            for key, leaf in others.items()
        }
        inside |= {key: leaf[start:stop].values for key, leaf in leaves.items() if isinstance(leaf, Lists)}
        each = np.asarray(array_value(node.args[0], inside))
        each = np.broadcast_to(each, (*shape[:-1], int(counts.sum())))
        begins = (np.cumsum(counts) - counts)[filled]
        total[..., start + filled] = np.add.reduceat(each, begins, axis=-1)
    return total
