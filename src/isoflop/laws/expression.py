"""Expressions as frozen values: what a formula is after it was read, and what gradients are built from.

An expression is a number, a name, or an operation on expressions. The constructors (:func:`add`, :func:`mul`,
:func:`power`, :func:`log`, :func:`exp`, …) keep a light normal form: numbers folded, sums and products flat, equal
terms collected. Equality is structural, so equal subexpressions are computed once.

Two operations bind names. ``root`` is the unknown (its label) at which its first argument is zero, between its second
and third. ``total`` is the sum of its argument over a list of values that each row has: names that end in ``_k`` run
over it.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

OPERATIONS = ("add", "mul", "pow", "log", "exp", "min", "max", "abs", "sign", "ge", "root", "total")
MAX_TERMS = 64


@dataclass(frozen=True, slots=True)
class Expr:
    """``op`` is ``num`` (value), ``name`` (label) or an operation of :data:`OPERATIONS` on ``args``."""

    op: str
    args: tuple[Expr, ...] = ()
    value: float = 0.0
    label: str = ""
    _hash: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.op, self.args, self.value, self.label)))

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type[Expr], tuple[str, tuple[Expr, ...], float, str]]:
        # made anew, since text hashes differently in another process and a kept hash would find nothing there
        return Expr, (self.op, self.args, self.value, self.label)

    def __str__(self) -> str:
        return write(self)


def num(value: float) -> Expr:
    """A number."""
    return Expr("num", value=float(value))


def name(label: str) -> Expr:
    """A name: a parameter or an input."""
    return Expr("name", label=label)


ZERO, ONE, MINUS_ONE = num(0), num(1), num(-1)


def add(*terms: Expr) -> Expr:
    """Add up the terms, with equal terms collected: ``x + 2x`` is ``3x``."""
    constant = 0.0
    counts: dict[Expr, float] = defaultdict(float)
    for term in _flat("add", terms):
        if term.op == "num":
            constant += term.value
        else:
            factor, rest = _coefficient(term)
            counts[rest] += factor
    kept = [mul(num(factor), rest) for rest, factor in counts.items() if factor != 0]
    if constant != 0 or not kept:
        kept.append(num(constant))
    return kept[0] if len(kept) == 1 else Expr("add", tuple(kept))


def mul(*factors: Expr) -> Expr:
    """Multiply the factors, with numbers folded and equal bases collected: ``x · x^2`` is ``x^3``."""
    constant = 1.0
    powers: dict[Expr, list[Expr]] = defaultdict(list)
    exponents: list[Expr] = []
    for factor in _flat("mul", factors):
        if factor.op == "num":
            constant *= factor.value
        elif factor.op == "exp":
            exponents.append(factor.args[0])
        else:
            base, exponent = (factor.args[0], factor.args[1]) if factor.op == "pow" else (factor, ONE)
            powers[base].append(exponent)
    if constant == 0:
        return ZERO
    kept = [power(base, add(*exponent)) for base, exponent in powers.items()]
    if exponents:
        kept.append(exp(add(*exponents)))
    kept = [factor for factor in kept if factor != ONE]
    if constant != 1 or not kept:
        kept.insert(0, num(constant))
    return kept[0] if len(kept) == 1 else Expr("mul", tuple(kept))


def power(base: Expr, exponent: Expr) -> Expr:
    """``base ^ exponent``."""
    if exponent == ONE or base == ONE:
        return base
    if exponent == ZERO:
        return ONE
    if base.op == "num" and exponent.op == "num" and (base.value >= 0 or exponent.value.is_integer()):
        return num(base.value**exponent.value)
    if base.op == "exp":
        return exp(expand(mul(base.args[0], exponent)))
    if base.op == "pow" and exponent.op == "num" and exponent.value.is_integer():
        return power(base.args[0], mul(base.args[1], exponent))
    return Expr("pow", (base, exponent))


def log(argument: Expr) -> Expr:
    """Take the natural logarithm."""
    if argument.op == "num" and argument.value > 0:
        return num(math.log(argument.value))
    return argument.args[0] if argument.op == "exp" else Expr("log", (argument,))


def exp(argument: Expr) -> Expr:
    """Take the exponential."""
    if argument.op == "num":
        return num(math.exp(argument.value))
    return argument.args[0] if argument.op == "log" else Expr("exp", (argument,))


def call(op: str, *arguments: Expr) -> Expr:
    """An operation without a normal form of its own: ``min``, ``max``, ``abs``, ``sign``, ``ge``."""
    return Expr(op, arguments)


def root(unknown: str, equation: Expr, low: Expr, high: Expr | None = None) -> Expr:
    """The ``unknown`` in (low, high) at which ``equation``, which rises with it, is zero."""
    return Expr("root", (equation, low) if high is None else (equation, low, high), label=unknown)


def total(each: Expr) -> Expr:
    """Σ_k of an expression in which names that end in ``_k`` have a list of values in every row."""
    return ZERO if each == ZERO else Expr("total", (each,))


def runs_over_k(label: str) -> bool:
    """Whether a name has a list of values in every row."""
    return label.endswith("_k")


def _flat(op: str, items: tuple[Expr, ...]) -> Iterator[Expr]:
    for item in items:
        if item.op == op:
            yield from item.args
        else:
            yield item


def _coefficient(term: Expr) -> tuple[float, Expr]:
    """Split ``3xy`` into 3 and ``xy``."""
    if term.op == "mul" and term.args[0].op == "num":
        rest = term.args[1:]
        return term.args[0].value, rest[0] if len(rest) == 1 else Expr("mul", rest)
    return 1.0, term


def expand(expression: Expr) -> Expr:
    """Multiply out products over sums: ``a(b + c)`` becomes ``ab + ac``; only products and sums are touched.

    A product of more than :data:`MAX_TERMS` terms stays as it is: multiplied out, products of sums grow exponentially.
    """
    if expression.op == "add":
        return add(*(expand(arg) for arg in expression.args))
    if expression.op == "mul":
        factors = [expand(arg) for arg in expression.args]
        sums = [factor.args if factor.op == "add" else (factor,) for factor in factors]
        if math.prod(len(terms) for terms in sums) > MAX_TERMS:
            return mul(*factors)
        return add(*(mul(*chosen) for chosen in itertools.product(*sums)))
    return expression


def substitute(expression: Expr, replace: Mapping[Expr, Expr]) -> Expr:
    """The expression with every occurrence of the keys replaced, and its normal form restored."""
    if expression in replace:
        return replace[expression]
    if expression.op == "root" and name(expression.label) in replace:
        replace = {old: new for old, new in replace.items() if old != name(expression.label)}
    if not expression.args:
        return expression
    args = tuple(substitute(arg, replace) for arg in expression.args)
    return expression if args == expression.args else rebuild(expression, args)


def rebuild(expression: Expr, args: Sequence[Expr]) -> Expr:
    """The same operation on other arguments, in normal form."""
    match expression.op:
        case "add":
            return add(*args)
        case "mul":
            return mul(*args)
        case "pow":
            return power(*args)
        case "log":
            return log(*args)
        case "exp":
            return exp(*args)
        case "root":
            return root(expression.label, *args)
        case "total":
            return total(*args)
        case op:
            return call(op, *args)


def names(expression: Expr) -> tuple[str, ...]:
    """The names in the expression, each once, in the order in which they appear; not the unknown of a root."""
    found: dict[str, None] = {}

    def visit(node: Expr, bound: frozenset[str]) -> None:
        if node.op == "name" and node.label not in bound:
            found[node.label] = None
        if node.op == "root":
            bound = bound | {node.label}
        for arg in node.args:
            visit(arg, bound)

    visit(expression, frozenset())
    return tuple(found)


def size(expression: Expr) -> int:
    """How many nodes the expression has."""
    return 1 + sum(size(arg) for arg in expression.args)


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
        case "abs":
            yield node.args[0], call("sign", node.args[0])
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


_STRENGTH = {"add": 1, "mul": 2, "pow": 3}


def write(expression: Expr) -> str:
    """The expression as formula text that reads back to the same expression."""
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
        case "root":
            return f"root({', '.join((expression.label, *map(write, expression.args)))})"
        case op:
            return f"{op}({', '.join(write(arg) for arg in expression.args)})"


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
    sign, rest = _coefficient(exponent)
    if exponent.op == "num" and exponent.value < 0:
        return power(base, num(-exponent.value))
    return power(base, mul(num(-sign), rest)) if sign < 0 else None


def _wrapped(expression: Expr, strength: int) -> str:
    negative = expression.op == "num" and expression.value < 0 and strength > 1
    return f"({write(expression)})" if negative or _STRENGTH.get(expression.op, 9) < strength else write(expression)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
