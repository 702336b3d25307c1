"""Expressions laid out as instructions for NumPy: which calls, on which buffers, whatever the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from isoflop.fitting.coordinates import BY_ROW, coordinate
from isoflop.laws.derivative import gradient
from isoflop.laws.evaluate import UNARY
from isoflop.laws.expression import Expr, add, mul, name

_BINARY: Mapping[str, Callable[..., Any]] = {
    "add": np.add,
    "mul": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
    "pow": np.power,
    "ge": np.greater_equal,
}


@dataclass(frozen=True)
class Ref:
    """Where a value lives: ``data`` (rows,) constant, ``each`` (problems, 1), ``tile`` (problems, rows) buffer."""

    kind: Literal["data", "each", "tile"]
    slot: int


@dataclass(frozen=True)
class Step:
    """One NumPy call: ``out = function(*sources)``."""

    function: Callable[..., Any]
    sources: tuple[Ref, ...]
    out: Ref


@dataclass(frozen=True)
class Bound:
    """An operation that binds names: a root to solve for, or a sum over lists."""

    operation: Root | Sum
    sources: tuple[Ref, ...]
    out: Ref


@dataclass(frozen=True)
class Root:
    """Solves an equation, (g, ∂g/∂u) for a given u; ``position`` among the roots of its layout."""

    equation: Layout
    position: int


@dataclass(frozen=True)
class Sum:
    """One of the sums over lists, which are computed together before everything else."""

    position: int


class Layout:
    """The instructions for some outputs: the first a value, the others the rows of its Jacobian.

    order: the coordinates, in the order of theta's columns. constants: what depends on the table alone, by data slot;
    layouts that share a table share the list. sums: the same over the pairs of a row and a value of its list. given:
    the name whose value comes with every run, if any.
    """

    def __init__(
        self,
        order: tuple[str, ...],
        outputs: Sequence[Expr],
        constants: list[Expr],
        *,
        sums: list[Expr] | None = None,
        given: str | None = None,
    ) -> None:
        self.order = order
        self.constants = constants
        self.each: list[Step] = []
        self.tile: list[Step | Bound] = []
        self.roots: list[Layout] = []
        self.n_each = len(order)
        self.n_tile = 0
        self.given = given
        self._known: dict[Expr, Ref] = {
            coordinate(label): Ref("each", position) for position, label in enumerate(order)
        }
        if given is not None:
            self._known[name(given)] = Ref("tile", 0)
            self.n_tile = 1
        self._kinds: dict[Expr, str] = {}
        self._with_rows: dict[Expr, bool] = {}
        self._sums: list[Expr] = []
        self.outputs = tuple(self._emit(output) for output in outputs)
        self.pairs: Layout | None = None
        if self._sums:
            if sums is None:
                raise ValueError("a total needs data that has lists")
            self.pairs = Layout(order, [node.args[0] for node in self._sums], sums)
        self._assign_buffers()

    def _kind(self, node: Expr) -> str:
        """``data``, ``each`` or ``tile``: what the node depends on."""
        if node not in self._kinds:
            if node.op == "name":  # the unknown of a root, which is the only name that rewriting leaves
                kind = "tile"
            elif node.leaf is not None:
                kind = "each" if node.leaf.role == "coordinate" else "data"
            elif node.op in ("root", "total"):
                kind = "tile"
            else:
                kinds = {self._kind(arg) for arg in node.args}
                # a value of the table alone, or of coordinates and table-wide numbers, needs no pair of both
                rows = any(self._has_rows(arg) for arg in node.args)
                kind = "data" if not kinds or kinds == {"data"} else "tile" if "tile" in kinds or rows else "each"
            self._kinds[node] = kind
        return self._kinds[node]

    def _has_rows(self, node: Expr) -> bool:
        if node not in self._with_rows:
            own = node.leaf is not None and node.leaf.role in BY_ROW
            self._with_rows[node] = own or any(self._has_rows(arg) for arg in node.args)
        return self._with_rows[node]

    def _emit(self, node: Expr) -> Ref:
        if node in self._known:
            return self._known[node]
        kind = self._kind(node)
        if kind == "data":
            self.constants.append(node)
            ref = Ref("data", len(self.constants) - 1)
        elif node.op in ("add", "mul"):
            ref = self._emit_chain(node)
        elif node.op == "root":
            equation, *ends = node.args
            slope = gradient(equation, (name(node.label),))
            self.roots.append(Layout(self.order, (equation, *slope), self.constants, given=node.label))
            solver = Root(self.roots[-1], len(self.roots) - 1)
            ref = self._bind(solver, tuple(self._emit(end) for end in ends))
        elif node.op == "total":
            self._sums.append(node)
            ref = self._bind(Sum(len(self._sums) - 1), ())
        elif node.op == "pow" and node.args[1].op == "num" and node.args[1].value in (-1.0, 0.5, 2.0):
            function = {-1.0: np.reciprocal, 0.5: np.sqrt, 2.0: np.square}[node.args[1].value]
            ref = self._step(function, (self._emit(node.args[0]),), kind)
        elif node.op in UNARY:
            ref = self._step(UNARY[node.op], (self._emit(node.args[0]),), kind)
        else:
            ref = self._step(_BINARY[node.op], tuple(self._emit(arg) for arg in node.args), kind)
        self._known[node] = ref
        return ref

    def _emit_chain(self, node: Expr) -> Ref:
        """A sum or product: first what needs data alone, then coordinates alone, then the pairs."""
        join = add if node.op == "add" else mul
        groups: dict[str, list[Expr]] = {"data": [], "each": [], "tile": []}
        for arg in node.args:
            groups[self._kind(arg)].append(arg)
        refs = [self._emit(arg) for arg in groups["tile"]]
        for kind in ("each", "data"):
            if len(groups[kind]) == 1:
                refs.append(self._emit(groups[kind][0]))
            elif groups[kind]:
                joined = join(*groups[kind]) if kind == "data" else None
                refs.append(self._emit(joined) if joined is not None else self._fold(node.op, groups[kind], kind))
        folded = refs[0]
        for ref in refs[1:]:
            both = "tile" if "tile" in (folded.kind, ref.kind) else self._kind(node)
            folded = self._step(_BINARY[node.op], (folded, ref), both)
        return folded

    def _fold(self, op: str, parts: Sequence[Expr], kind: str) -> Ref:
        folded = self._emit(parts[0])
        for part in parts[1:]:
            folded = self._step(_BINARY[op], (folded, self._emit(part)), kind)
        return folded

    def _step(self, function: Callable[..., Any], sources: tuple[Ref, ...], kind: str) -> Ref:
        if kind == "each":
            ref = Ref("each", self.n_each)
            self.n_each += 1
            self.each.append(Step(function, sources, ref))
        else:
            ref = Ref("tile", self.n_tile)
            self.n_tile += 1
            self.tile.append(Step(function, sources, ref))
        return ref

    def _bind(self, operation: Root | Sum, sources: tuple[Ref, ...]) -> Ref:
        ref = Ref("tile", self.n_tile)
        self.n_tile += 1
        self.tile.append(Bound(operation, sources, ref))
        return ref

    def _assign_buffers(self) -> None:
        """Give every tile value a buffer, reusing those whose value is no longer needed; outputs keep their own."""
        last = {
            ref.slot: position for position, step in enumerate(self.tile) for ref in step.sources if ref.kind == "tile"
        }
        self.owner: dict[int, int] = {}  # tile slot → row of the Jacobian that it is
        for row, ref in enumerate(self.outputs[1:]):
            if ref.kind == "tile" and ref.slot not in self.owner and ref != self.outputs[0]:
                self.owner[ref.slot] = row
        free: list[int] = []
        self.place: dict[int, int] = {}
        self.n_buffers = 0
        for position, step in enumerate(self.tile):
            for ref in set(step.sources):
                dies = ref.kind == "tile" and last[ref.slot] == position and ref != self.outputs[0]
                if dies and ref.slot in self.place:
                    free.append(self.place[ref.slot])
            if step.out.slot in self.owner:
                continue
            if not free:
                free.append(self.n_buffers)
                self.n_buffers += 1
            self.place[step.out.slot] = free.pop()
