"""Instructions for NumPy: expressions laid out as a list of calls over reused buffers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.coordinates import BY_ROW, coordinate
from isoflop.laws.derivative import gradient
from isoflop.laws.evaluate import array_value
from isoflop.laws.expression import Expr, Leaf, add, mul, name, runs_over_k
from isoflop.laws.gamma import digamma, lgamma
from isoflop.laws.implicit import solve_unknown

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_UNARY: Mapping[str, Callable[..., Any]] = {
    "log": np.log,
    "exp": np.exp,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "abs": np.abs,
    "sign": np.sign,
    "lgamma": lgamma,
    "digamma": digamma,
}
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


class Data:
    """What a table gives: the values of leaves, and what was computed from them alone.

    order: the coordinates, in the order of theta's columns.
    offsets: where the values of each row begin, for data that has a list of values a row.
    """

    def __init__(
        self, leaves: Mapping[Leaf, Floats | float], order: tuple[str, ...], offsets: Ints | None = None
    ) -> None:
        self.leaves = leaves
        self.order = order
        self.offsets = offsets
        self.constants: list[Floats] = []

    def constant(self, node: Expr) -> int:
        """The slot of a value that depends on data alone, computed now."""
        self.constants.append(np.asarray(array_value(node, self.leaves), dtype=np.float64))
        return len(self.constants) - 1


def pair_data(data: Data, offsets: Ints) -> Data:
    """The data of every pair of a row and a value of its list: lists as they are, all else repeated along them."""
    counts = np.diff(offsets)
    leaves = {
        label: value if np.ndim(value) == 0 or runs_over_k(label) else np.repeat(value, counts)
        for label, value in data.leaves.items()
    }
    return Data(leaves, data.order, offsets)


class Program:
    """The instructions for some outputs: the first a value, the others the rows of its Jacobian.

    pairs: the data over which sums run, where some do. given: the name whose value comes with every run, if any.
    """

    def __init__(
        self, data: Data, outputs: Sequence[Expr], *, pairs: Data | None = None, given: str | None = None
    ) -> None:
        self.data = data
        self.each: list[Step] = []
        self.tile: list[Step | Bound] = []
        self.n_each = len(data.order)
        self.n_tile = 0
        self.given = given
        self._known: dict[Expr, Ref] = {
            coordinate(label): Ref("each", position) for position, label in enumerate(data.order)
        }
        if given is not None:
            self._known[name(given)] = Ref("tile", 0)
            self.n_tile = 1
        self._kinds: dict[Expr, str] = {}
        self._sums: list[Expr] = []
        self.outputs = tuple(self._emit(output) for output in outputs)
        self.pairs: Program | None = None
        if self._sums:
            if pairs is None:
                raise ValueError("a total needs data that has lists")
            self.pairs = Program(pairs, [node.args[0] for node in self._sums])
        self._assign_buffers()
        self._scratch = Scratch()

    # -- layout ------------------------------------------------------------------------------------------------------

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
        return (node.leaf is not None and node.leaf.role in BY_ROW) or any(self._has_rows(arg) for arg in node.args)

    def _emit(self, node: Expr) -> Ref:
        if node in self._known:
            return self._known[node]
        kind = self._kind(node)
        if kind == "data":
            ref = Ref("data", self.data.constant(node))
        elif node.op in ("add", "mul"):
            ref = self._emit_chain(node)
        elif node.op == "root":
            equation, *ends = node.args
            slope = gradient(equation, (name(node.label),))
            solver = Root(Program(self.data, (equation, *slope), given=node.label))
            ref = self._bind(solver, tuple(self._emit(end) for end in ends))
        elif node.op == "total":
            self._sums.append(node)
            ref = self._bind(Sum(len(self._sums) - 1), ())
        elif node.op == "pow" and node.args[1].op == "num" and node.args[1].value in (-1.0, 0.5, 2.0):
            function = {-1.0: np.reciprocal, 0.5: np.sqrt, 2.0: np.square}[node.args[1].value]
            ref = self._step(function, (self._emit(node.args[0]),), kind)
        elif node.op in _UNARY:
            ref = self._step(_UNARY[node.op], (self._emit(node.args[0]),), kind)
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

    # -- running -----------------------------------------------------------------------------------------------------

    def buffer(self, key: str, shape: tuple[int, ...]) -> Floats:
        """A reusable block of memory of at least that shape, as a contiguous array of exactly that shape."""
        wanted = int(np.prod(shape))
        held = self._scratch.blocks.get(key)
        if held is None or held.size < wanted:
            held = self._scratch.blocks[key] = np.empty(wanted)
        return held[:wanted].reshape(shape)

    def run(
        self, theta: Floats, start: int, stop: int, jacobian: Floats | None, given: Floats | None = None
    ) -> tuple[Floats, ...]:
        """Evaluate the program; Jacobian rows are written into ``jacobian`` (problems, free, rows)."""
        shape = (len(theta), stop - start)
        each: list[Floats] = [theta[:, column, None] for column in range(len(self.data.order))]
        work = self.buffer("work", (max(1, self.n_buffers), *shape))
        constants = [value if value.ndim == 0 else value[start:stop] for value in self.data.constants]
        sums = [] if self.pairs is None else self.pairs.sums(theta, start, stop)

        def fetch(ref: Ref) -> Floats:
            if ref.kind == "each":
                return each[ref.slot]
            if ref.kind == "data":
                return constants[ref.slot]
            if given is not None and ref.slot == 0:
                return given
            if jacobian is not None and ref.slot in self.owner:
                return jacobian[:, self.owner[ref.slot]]
            return work[self.place[ref.slot]]

        with np.errstate(all="ignore"):
            for single in self.each:
                each.append(np.asarray(single.function(*map(fetch, single.sources)), dtype=np.float64))
            for step in self.tile:
                if isinstance(step, Bound):
                    ends = [fetch(ref) for ref in step.sources]
                    fetch(step.out)[...] = (
                        step.operation.solve(theta, start, stop, *ends)
                        if isinstance(step.operation, Root)
                        else sums[step.operation.position]
                    )
                else:
                    step.function(*map(fetch, step.sources), out=fetch(step.out), casting="unsafe")
            if jacobian is not None:
                for row, ref in enumerate(self.outputs[1:]):
                    if ref.kind != "tile" or self.owner.get(ref.slot) != row:
                        jacobian[:, row] = fetch(ref)
        value = fetch(self.outputs[0])
        return (value if value.shape == shape else np.broadcast_to(value, shape).copy(),)

    def sums(self, theta: Floats, start: int, stop: int) -> list[Floats]:
        """Each output of a program over pairs, added up over the pairs of each row: (problems, rows) each."""
        offsets = self.data.offsets
        if offsets is None:
            raise ValueError("only data that has lists can be added up by row")
        first, last = int(offsets[start]), int(offsets[stop])
        jacobian = self.buffer("sums", (len(theta), len(self.outputs) - 1, last - first))
        (value,) = self.run(theta, first, last, jacobian)
        filled = np.flatnonzero(np.diff(offsets[start : stop + 1]))  # reduceat has no notion of an empty list
        begins = offsets[start:stop][filled] - first
        added = []
        for part in (value, *np.moveaxis(jacobian, 1, 0)):
            whole = np.zeros((len(theta), stop - start))
            if len(filled):
                whole[:, filled] = np.add.reduceat(part, begins, axis=1)
            added.append(whole)
        return added


@dataclass(frozen=True)
class Root:
    """Solves an equation, (g, ∂g/∂u) for a given u, for every problem and row of a tile."""

    equation: Program

    def solve(self, theta: Floats, start: int, stop: int, low: Floats, high: Floats | None = None) -> Floats:
        """The unknown between its ends, (problems, rows)."""
        slope = self.equation.buffer("slope", (len(theta), 1, stop - start))

        def at(unknown: Floats) -> tuple[Floats, Floats]:
            (value,) = self.equation.run(theta, start, stop, slope, given=unknown)
            return value, slope[:, 0]

        return solve_unknown(at, low, high, (len(theta), stop - start))


@dataclass(frozen=True)
class Sum:
    """One of the sums over lists, which are computed together before everything else."""

    position: int


class Scratch(threading.local):
    """Buffers of one thread; another thread or process makes its own."""

    def __init__(self) -> None:
        self.blocks: dict[str, Floats] = {}

    def __reduce__(self) -> tuple[type[Scratch], tuple[()]]:
        return Scratch, ()
