"""Expressions as frozen values: what a formula is after it was read, and what gradients are built from.

An expression is a number, a name, a leaf, or an operation on expressions. The constructors (:func:`add`, :func:`mul`,
:func:`power`, :func:`log`, :func:`exp`, …) keep a light normal form: numbers folded, sums and products flat, equal
terms collected. Equality is structural, so equal subexpressions are computed once.

What cancels is an operation of its own: ``exp(x) − 1`` is ``expm1(x)`` and ``log(1 + x)`` is ``log1p(x)``, which
processors compute to the last digit where x is small. :func:`spelled_out` writes them as people do.

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
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

OPERATIONS = (
    *("add", "mul", "pow", "log", "exp", "log1p", "expm1", "min", "max", "abs", "sign", "ge"),
    *("lgamma", "digamma", "trigamma"),
    *("root", "total"),
)
Role = Literal["coordinate", "centered", "center", "scaled"]
MAX_TERMS = 64


@dataclass(frozen=True, slots=True)
class Leaf:
    """What stands for a parameter or an input once a law is rewritten for fitting.

    role: ``coordinate`` of a parameter; for an input its ``centered`` logarithm, its ``center`` (the mean logarithm, or
    the logarithm of its size where it may be zero), or itself ``scaled`` by that size. of: the name.
    """

    role: Role
    of: str

    def __str__(self) -> str:
        return f"{self.role}[{self.of}]"


@dataclass(frozen=True, slots=True)
class Expr:
    """``op`` is ``num`` (value), ``name`` (label), ``leaf`` or an operation of :data:`OPERATIONS` on ``args``."""

    op: str
    args: tuple[Expr, ...] = ()
    value: float = 0.0
    label: str = ""
    leaf: Leaf | None = None
    _hash: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.op, self.args, self.value, self.label, self.leaf)))

    @property
    def key(self) -> str | Leaf:
        """What looks up the value of a name or a leaf."""
        return self.label if self.leaf is None else self.leaf

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type[Expr], tuple[str, tuple[Expr, ...], float, str, Leaf | None]]:
        # made anew, since text hashes differently in another process and a kept hash would find nothing there
        return Expr, (self.op, self.args, self.value, self.label, self.leaf)


def num(value: float) -> Expr:
    """A number."""
    return Expr("num", value=float(value))


def name(label: str) -> Expr:
    """A name: a parameter or an input."""
    return Expr("name", label=label)


def leaf(role: Role, of: str) -> Expr:
    """A leaf."""
    return Expr("leaf", leaf=Leaf(role, of))


ZERO, ONE, MINUS_ONE = num(0), num(1), num(-1)


def add(*terms: Expr) -> Expr:
    """Add up the terms, with equal terms collected: ``x + 2x`` is ``3x``, and ``1 − exp(x)`` is ``−expm1(x)``."""
    constant = 0.0
    counts: dict[Expr, float] = defaultdict(float)
    for term in _flat("add", terms):
        if term.op == "num":
            constant += term.value
        else:
            factor, rest = signed(term)
            if rest.op == "expm1":
                constant -= factor
                rest = exp(rest.args[0])
            counts[rest] += factor
    left, cancelled = constant, set()
    for rest, factor in counts.items():
        if rest.op == "exp" and factor * left < 0 and abs(factor) <= abs(left):
            cancelled.add(rest)
            left += factor
    if left == 0 and cancelled:  # the constant is what these exponentials are at zero, so that nothing else is left
        constant = 0.0
        counts = {expm1(rest.args[0]) if rest in cancelled else rest: factor for rest, factor in counts.items()}
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
    if argument.op == "add" and ONE in argument.args:
        return log1p(add(*(term for term in argument.args if term != ONE)))
    return argument.args[0] if argument.op == "exp" else Expr("log", (argument,))


def exp(argument: Expr) -> Expr:
    """Take the exponential."""
    if argument.op == "num":
        return num(math.exp(argument.value))
    if argument.op == "log1p":
        return add(ONE, argument.args[0])
    return argument.args[0] if argument.op == "log" else Expr("exp", (argument,))


def expm1(argument: Expr) -> Expr:
    """``exp(x) − 1``, exact for small x."""
    if argument.op == "num":
        return num(math.expm1(argument.value))
    if argument.op == "log":
        return add(argument.args[0], MINUS_ONE)
    return argument.args[0] if argument.op == "log1p" else Expr("expm1", (argument,))


def log1p(argument: Expr) -> Expr:
    """``log(1 + x)``, exact for small x."""
    if argument.op == "num" and argument.value > -1:
        return num(math.log1p(argument.value))
    return argument.args[0] if argument.op == "expm1" else Expr("log1p", (argument,))


def call(op: str, *arguments: Expr) -> Expr:
    """An operation without a normal form of its own: ``min``, ``max``, ``abs``, ``sign``, ``ge``, ``lgamma``."""
    return Expr(op, arguments)


def root(unknown: str, equation: Expr, low: Expr, high: Expr | None = None) -> Expr:
    """The ``unknown`` in (low, high) at which ``equation``, which rises with it, is zero."""
    return Expr("root", (equation, low) if high is None else (equation, low, high), label=unknown)


def total(each: Expr) -> Expr:
    """Σ_k of an expression in which names that end in ``_k`` have a list of values in every row."""
    return ZERO if each == ZERO else Expr("total", (each,))


def runs_over_k(key: str | Leaf) -> bool:
    """Whether a name, or what a leaf stands for, has a list of values in every row."""
    return (key if isinstance(key, str) else key.of).endswith("_k")


def _flat(op: str, items: tuple[Expr, ...]) -> Iterator[Expr]:
    for item in items:
        if item.op == op:
            yield from item.args
        else:
            yield item


def signed(term: Expr) -> tuple[float, Expr]:
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
        case "log1p":
            return log1p(*args)
        case "expm1":
            return expm1(*args)
        case "root":
            return root(expression.label, *args)
        case "total":
            return total(*args)
        case op:
            return call(op, *args)


def names(expression: Expr) -> tuple[str, ...]:
    """The names in the expression, each once, in the order in which they appear; not the unknown of a root."""
    return tuple(each for each in keys(expression) if isinstance(each, str))


def leaves(expression: Expr) -> tuple[Leaf, ...]:
    """The leaves in the expression, each once, in the order in which they appear."""
    return tuple(each for each in keys(expression) if isinstance(each, Leaf))


def keys(expression: Expr) -> tuple[str | Leaf, ...]:
    """The names and leaves in the expression, each once, in the order in which they appear."""
    found: dict[str | Leaf, None] = {}

    def visit(node: Expr, bound: frozenset[str]) -> None:
        if node.op in ("name", "leaf") and node.key not in bound:
            found[node.key] = None
        if node.op == "root":
            bound = bound | {node.label}
        for arg in node.args:
            visit(arg, bound)

    visit(expression, frozenset())
    return tuple(found)


def size(expression: Expr) -> int:
    """How many nodes the expression has."""
    return 1 + sum(size(arg) for arg in expression.args)
