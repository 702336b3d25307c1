"""The coordinates in which a law is fitted: logarithms of what is positive, inputs centered at their geometric means.

``E + A/N^alpha`` is fitted as ``exp(t_E) + exp(t_A − alpha·x)`` with ``x = log N − mean(log N)``: the amplitude is the
reducible loss at the middle of the data instead of at N = 1, so that one set of starts serves every table, the normal
equations stay well conditioned, and measuring N in other units changes nothing but A. An input that may be zero has no
logarithm: it is divided by its root mean square, and what multiplies it absorbs that in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from isoflop.laws import Input, Law, Param
from isoflop.laws.evaluate import array_value
from isoflop.laws.expression import (
    MINUS_ONE,
    ONE,
    ZERO,
    Expr,
    Leaf,
    add,
    call,
    exp,
    expand,
    expm1,
    leaf,
    leaves,
    log,
    log1p,
    mul,
    name,
    num,
    power,
    rebuild,
    root,
    substitute,
    total,
)

Floats = NDArray[np.float64]

BY_ROW = ("centered", "scaled")  # roles of leaves that have a value in every row


def coordinate(param: str) -> Expr:
    """The leaf that stands for a parameter's coordinate."""
    return leaf("coordinate", param)


def centered(given: str) -> Expr:
    """The leaf that stands for an input's centered logarithm."""
    return leaf("centered", given)


def center(given: str) -> Expr:
    """The leaf that stands for the mean logarithm of an input, or the logarithm of its size where it may be zero."""
    return leaf("center", given)


def scaled(given: str) -> Expr:
    """The leaf that stands for an input that may be zero, divided by its size."""
    return leaf("scaled", given)


@dataclass(frozen=True)
class Coordinates:
    """A law in its fitting coordinates.

    names: the free parameters, in the order of the coordinates.
    held: parameters whose coordinate is given instead of fitted; they come last and are not centered.
    value: the law's value in leaves.
    log_value: its logarithm, or None where the law may be zero or negative.
    params: each parameter's value in coordinates and centers.
    inverse: each coordinate in uncentered coordinates and centers.
    powers: parameters whose coordinate is the logarithm of a power of theirs, (N_0/N)^alpha at the middle of the data.
    """

    law: Law
    names: tuple[str, ...]
    held: tuple[str, ...]
    value: Expr
    log_value: Expr | None
    params: tuple[Expr, ...]
    inverse: tuple[Expr, ...]
    powers: tuple[str, ...] = ()

    def to_params(self, theta: Floats, centers: Mapping[str, float]) -> Floats:
        """Parameters in the user's units, (draws, params), of coordinates (draws, params)."""
        values = self._leaves(theta, centers)
        columns = [np.broadcast_to(array_value(each, values), theta.shape[:1]) for each in self.params]
        return np.stack(columns, axis=1)

    def from_params(self, params: Floats, centers: Mapping[str, float]) -> Floats:
        """Coordinates (draws, params) of parameters in the user's units (draws, params)."""
        plain = np.empty_like(params, dtype=np.float64)
        domains = {param.name: param.domain for param in self.law.params}
        with np.errstate(divide="ignore", invalid="ignore"):
            for column, label in enumerate((*self.names, *self.held)):
                domain, value = domains[label], params[:, column]
                if isinstance(domain, tuple):
                    plain[:, column] = np.log((value - domain[0]) / (domain[1] - value))
                else:
                    plain[:, column] = np.log(value) if domain == "positive" else value
        values = self._leaves(plain, centers)
        return np.stack([np.broadcast_to(array_value(each, values), len(params)) for each in self.inverse], axis=1)

    def _leaves(self, theta: Floats, centers: Mapping[str, float]) -> dict[Leaf, Floats | float]:
        values: dict[Leaf, Floats | float] = {Leaf("center", key): value for key, value in centers.items()}
        for column, label in enumerate((*self.names, *self.held)):
            values[Leaf("coordinate", label)] = theta[:, column]
        return values


def coordinates(law: Law, *, hold: Sequence[str] = (), uncentered: Sequence[str] = ()) -> Coordinates:
    """The law's fitting coordinates; parameters in ``hold`` get their value from outside, problem by problem.

    uncentered: parameters whose coordinate is neither moved to the middle of the inputs nor a power's.
    """
    return replace(_coordinates(law.expression, law.inputs, law.params, tuple(hold), tuple(uncentered)), law=law)


@lru_cache(maxsize=256)
def _coordinates(
    expression: Expr,
    inputs: tuple[Input, ...],
    params: tuple[Param, ...],
    hold: tuple[str, ...],
    uncentered: tuple[str, ...],
) -> Coordinates:
    """Kept by form, since a bootstrap, a hold-out and a ranking ask for the same one again and again."""
    law = Law("", expression, inputs, params)
    reader = _Reader(law)
    free = tuple(label for label in law.param_names if label not in hold)
    value = reader.value(law.expression)
    movable = [label for label in free if label not in uncentered]
    shifts = _shifts(value, law, movable)
    moved: dict[Expr, Expr] = {
        centered(each.name): add(centered(each.name), center(each.name))
        if each.domain == "positive"
        else center(each.name)
        for each in law.inputs
    }
    weights = _weights(value, law, movable, shifts)
    for label in {**shifts, **weights}:
        own = mul(coordinate(label), power(weights.get(label, ONE), MINUS_ONE))
        moved[coordinate(label)] = add(own, mul(MINUS_ONE, shifts.get(label, ZERO)))
    order = (*free, *hold)
    plain = {label: reader.value(name(label)) for label in order}
    return Coordinates(
        law=law,
        names=free,
        held=hold,
        value=_tidy(substitute(value, moved)),
        log_value=_tidy(substitute(reader.logarithm(law.expression), moved))
        if reader.positive(law.expression)
        else None,
        params=tuple(_tidy(substitute(plain[label], moved)) for label in order),
        inverse=tuple(mul(weights.get(label, ONE), add(coordinate(label), shifts.get(label, ZERO))) for label in order),
        powers=tuple(weights),
    )


class _Reader:
    """Rewrites a law's expression: everything positive becomes the exponential of a sum."""

    def __init__(self, law: Law) -> None:
        self.inputs = {each.name for each in law.inputs if each.domain == "positive"}
        self.scaled = {each.name for each in law.inputs if each.domain != "positive"}
        self.domains = {param.name: param.domain for param in law.params}
        self.unknowns: dict[str, bool] = {}  # whether they are positive
        self.differences: set[Expr] = set()  # between an unknown and the ends of its interval: positive there

    def positive(self, node: Expr) -> bool:
        """Whether the node is positive for every value of the parameters within their domains."""
        if node in self.differences:
            return True
        match node.op:
            case "num":
                return node.value > 0
            case "name":
                domain = self.domains.get(node.label)
                bounded = isinstance(domain, tuple) and domain[0] >= 0
                return (
                    node.label in self.inputs or domain == "positive" or bounded or self.unknowns.get(node.label, False)
                )
            case "root":
                return node.args[1] == ZERO or self.positive(node.args[1])
            case "total":
                return self.positive(node.args[0])
            case "mul" if node.args[0].op == "num" and node.args[0].value < 0:
                return self.negative(mul(*node.args[1:])) if len(node.args) > 1 else False
            case "add" | "mul" | "min":
                return all(self.positive(arg) for arg in node.args)
            case "expm1" | "log1p":
                return self.positive(node.args[0])
            case "max":
                return any(self.positive(arg) for arg in node.args)
            case "pow":
                return self.positive(node.args[0])
            case "exp":
                return True
        return False

    def negative(self, node: Expr) -> bool:
        """Whether the node is negative for every value of the parameters within their domains."""
        match node.op:
            case "num":
                return node.value < 0
            case "mul":
                signs = [self.negative(arg) for arg in node.args]
                sure = all(negative or self.positive(arg) for arg, negative in zip(node.args, signs, strict=True))
                return sure and sum(signs) % 2 == 1
            case "expm1":
                return self.negative(node.args[0])
        return False

    def logarithm(self, node: Expr) -> Expr:
        """The logarithm of a positive node."""
        match node.op:
            case "name" if node.label in self.inputs:
                return centered(node.label)
            case "name" if self.domains.get(node.label) == "positive":
                return coordinate(node.label)
            case "mul":
                rest = [arg for arg in node.args if not self.positive(arg)]  # negative factors, in pairs
                above = [self.logarithm(arg) for arg in node.args if arg not in rest]
                return add(*above, *([log(self.value(mul(*rest)))] if rest else []))
            case "pow":
                return expand(mul(self.value(node.args[1]), self.logarithm(node.args[0])))
            case "exp":
                return self.value(node.args[0])
            case "min" | "max" if all(self.positive(arg) for arg in node.args):  # equal inputs stay equal to the bit
                return call(node.op, *(self.logarithm(arg) for arg in node.args))
        return log(self.value(node))

    def value(self, node: Expr) -> Expr:
        """The node in leaves."""
        match node.op:
            case "num":
                return node
            case "name":
                return self._leaf(node)
            case "add":
                return add(*(self.value(arg) for arg in node.args))
            case "mul" if expand(node) != node:
                return self.value(expand(node))
            case "mul":
                above = [arg for arg in node.args if arg.op != "num" and self.positive(arg)]
                rest = [self.value(arg) for arg in node.args if arg.op == "num" or not self.positive(arg)]
                return mul(*rest, exp(expand(add(*(self.logarithm(arg) for arg in above)))) if above else ONE)
            case "pow":
                if self.positive(node.args[0]):
                    return exp(self.logarithm(node))
                return power(self.value(node.args[0]), self.value(node.args[1]))
            case "log":
                return self.logarithm(node.args[0]) if self.positive(node.args[0]) else log(self.value(node.args[0]))
            case "exp":
                return exp(self.value(node.args[0]))
            case "expm1":
                return expm1(self.value(node.args[0]))
            case "log1p":
                return log1p(self.value(node.args[0]))
            case "root":
                return self._root(node)
            case "total":
                return self._total(node)
            case op:
                return call(op, *(self.value(arg) for arg in node.args))

    def _root(self, node: Expr) -> Expr:
        """The unknown keeps its own value; its distances from the ends are known to be positive."""
        low, *high = node.args[1:]
        free = name(node.label)
        self.unknowns[node.label] = self.positive(node)
        ends = [add(free, mul(MINUS_ONE, low)), *(add(end, mul(MINUS_ONE, free)) for end in high)]
        self.differences.update(ends)
        equation = self.value(node.args[0])
        del self.unknowns[node.label]
        self.differences.difference_update(ends)
        return root(node.label, equation, self.value(low), *map(self.value, high))

    def _total(self, node: Expr) -> Expr:
        """Σ_k of a product gives the sizes of its scaled lists to what multiplies the sum."""
        inner = node.args[0]
        factors = inner.args if inner.op == "mul" else (inner,)
        sizes = [factor.label for factor in factors if factor.op == "name" and factor.label in self.scaled]
        rest = mul(*(factor for factor in factors if factor.op != "name" or factor.label not in sizes))
        outside = exp(add(*map(centered, sizes))) if sizes else ONE
        return mul(outside, total(mul(*map(scaled, sizes), self.value(rest))))

    def _leaf(self, node: Expr) -> Expr:
        if node.label in self.inputs:
            return exp(centered(node.label))
        if node.label in self.unknowns:
            return node
        if node.label in self.scaled:  # the size of such an input takes the place of its logarithm
            return mul(scaled(node.label), exp(centered(node.label)))
        domain = self.domains[node.label]
        if isinstance(domain, tuple):
            low, high = domain
            rise = power(add(ONE, exp(mul(MINUS_ONE, coordinate(node.label)))), MINUS_ONE)
            return add(num(low), mul(num(high - low), rise))
        return exp(coordinate(node.label)) if domain == "positive" else coordinate(node.label)


def _shifts(value: Expr, law: Law, free: Sequence[str]) -> dict[str, Expr]:
    """By what a coordinate moves when inputs are centered: ``−alpha·c_N`` for A in ``A/N^alpha``.

    In a sum ``k·t_A + Σ e_j·x_j``, replacing x_j by x_j + c_j is undone by t_A − Σ (e_j/k)·c_j. Each coordinate is used
    once, and no shift may depend on a shifted coordinate.
    """
    movable = [param.name for param in law.params if isinstance(param.domain, str) and param.name in free]
    shifts: dict[str, Expr] = {}
    locked: set[str] = set()
    for terms in _sums(value):
        slopes = {given: _coefficient(terms, centered(given)) for given in law.input_names}
        if all(slope == ZERO for slope in slopes.values()):
            continue
        for label in movable:
            weight = _coefficient(terms, coordinate(label))
            inside = leaves(weight)
            if weight == ZERO or label in shifts or label in locked or any(each.role in BY_ROW for each in inside):
                continue
            shift = add(*(mul(slope, power(weight, MINUS_ONE), center(given)) for given, slope in slopes.items()))
            within = leaves(shift)
            used = {each.of for each in within if each.role == "coordinate"}
            varies = any(each.role in BY_ROW for each in within)  # another input's slope: no constant undoes it
            if varies or label in used or used & shifts.keys():
                continue
            shifts[label] = shift
            locked |= used
            break
    return shifts


def _weights(value: Expr, law: Law, free: Sequence[str], shifts: Mapping[str, Expr]) -> dict[str, Expr]:
    """The exponent alpha of an N_0 that is known by (N_0/N)^alpha alone: alpha·log N_0 is its coordinate.

    log N_0 = log L/alpha + log N is in the hundreds for a flat law, where no search gets, and alpha·log N_0 is not.
    """
    found: dict[str, Expr] = {}
    for label in (param.name for param in law.params if param.domain == "positive" and param.name in free):
        inside = [weight for terms in _sums(value) if (weight := _coefficient(terms, coordinate(label))) != ZERO]
        powers = [each.of for each in leaves(inside[0]) if each.role == "coordinate"] if len(inside) == 1 else []
        if len(powers) != 1 or powers[0] in {*shifts, *found, label} or _count(value, coordinate(label)) != 1:
            continue
        if inside[0] in (coordinate(powers[0]), exp(coordinate(powers[0]))):
            found[label] = inside[0]
    return found


def _count(node: Expr, leaf: Expr) -> int:
    return 1 if node == leaf else sum(_count(arg, leaf) for arg in node.args)


def _sums(node: Expr) -> Iterator[tuple[Expr, ...]]:
    """The terms of every sum, outer ones first; an exponential's argument counts as a sum."""
    if node.op == "add" or (node.op in ("exp", "expm1") and node.args[0].op != "add"):
        yield node.args
    for arg in node.args:
        yield from _sums(arg)


def _coefficient(terms: Sequence[Expr], leaf: Expr) -> Expr:
    """What multiplies ``leaf`` in a sum of products."""
    found = []
    for term in terms:
        if term == leaf:
            found.append(ONE)
        elif term.op == "mul" and leaf in term.args:
            found.append(mul(*(arg for arg in term.args if arg != leaf)))
    return add(*found) if found else ZERO


def _tidy(node: Expr) -> Expr:
    """The expression with the arguments of exponentials multiplied out, so that centers cancel."""
    if not node.args:
        return node
    args = tuple(_tidy(arg) for arg in node.args)
    match node.op:
        case "add":
            return add(*(expand(arg) for arg in args))
        case "mul":
            return mul(*args)
        case "exp":
            return exp(expand(args[0]))
        case "expm1":
            return expm1(expand(args[0]))
        case "pow":
            return power(*args)
        case "log":
            return log(*args)
    return rebuild(node, args)
