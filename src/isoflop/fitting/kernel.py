"""Formula → array program: value and exact Jacobian of a law for a batch of problems at once.

The gradient of the law in its fitting coordinates is derived once (reverse sweep, common subexpressions shared) and
laid out as a list of NumPy instructions over preallocated buffers. What depends on data alone is computed once per
table, what depends on coordinates alone once per problem, and only the rest for every pair of problem and row. No
text is compiled and nothing is evaluated as Python; the program is data and travels to other processes as it is.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.coordinates import Coordinates, coordinate
from isoflop.laws import Law
from isoflop.laws.expression import Expr, add, array_value, gradient, log, mul

Floats = NDArray[np.float64]
Space = Literal["log", "raw"]

# Elements (problems × rows) evaluated at once: a tile's buffers stay in the second-level cache.
TILE = 24_576

_UNARY: Mapping[str, Callable[..., Any]] = {
    "log": np.log,
    "exp": np.exp,
    "abs": np.abs,
    "sign": np.sign,
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
class _Ref:
    """Where a value lives: ``data`` (rows,) constant, ``each`` (problems, 1), ``tile`` (problems, rows) buffer."""

    kind: Literal["data", "each", "tile"]
    slot: int


@dataclass(frozen=True)
class _Step:
    """One NumPy call: ``out = function(*sources)``."""

    function: Callable[..., Any]
    sources: tuple[_Ref, ...]
    out: _Ref


class Kernel:
    """A law over one table: ``residual = g(theta, row)`` and its Jacobian, tile by tile.

    space ``log``: g is the logarithm of the law; ``raw``: the law itself.
    centres: mean log inputs to centre at, where they are not to be those of this table.
    n_rows, n_free: the shapes; coordinates after the first ``n_free`` are held and not differentiated.
    """

    def __init__(
        self,
        coords: Coordinates,
        inputs: Mapping[str, Floats],
        *,
        space: Space,
        centres: Mapping[str, float] | None = None,
    ) -> None:
        target = coords.log_value if space == "log" else coords.value
        if target is None:
            target = log(coords.value)  # may be undefined for some coordinates, which the solver steps away from
        self.space: Space = space
        self.order = (*coords.names, *coords.held)
        self.n_free = len(coords.names)
        self.centres = dict(centres) if centres is not None else input_centres(inputs, coords.law)
        self.n_rows = len(next(iter(inputs.values())))
        self._leaves: dict[str, Floats | float] = {f"c:{each}": value for each, value in self.centres.items()}
        for each in coords.law.inputs:
            if each.domain == "positive":
                self._leaves[f"x:{each.name}"] = np.log(inputs[each.name]) - self.centres[each.name]
            else:
                self._leaves[f"v:{each.name}"] = inputs[each.name] * math.exp(-self.centres[each.name])
        derivatives = gradient(target, tuple(coordinate(label) for label in coords.names))
        self._constants: list[Floats] = []
        self._value = _Program(self, (target,))
        self._full = _Program(self, (target, *derivatives))

    def value(self, theta: Floats, start: int, stop: int) -> Floats:
        """G for problems theta (problems, coordinates) at rows start:stop, shape (problems, rows)."""
        (result,) = self._value.run(theta, start, stop, None)
        return result

    def value_and_jacobian(self, theta: Floats, start: int, stop: int) -> tuple[Floats, Floats]:
        """Evaluate g, shape (problems, rows), and ∂g/∂theta, shape (problems, free coordinates, rows).

        The arrays are the kernel's own buffers: they are overwritten by the next call.
        """
        jacobian = self._full.buffer("jacobian", (len(theta), self.n_free, stop - start))
        value, *_ = self._full.run(theta, start, stop, jacobian)
        return value, jacobian

    def constant(self, node: Expr) -> int:
        """The slot of a value that depends on data alone, computed now."""
        value = np.asarray(array_value(node, self._leaves), dtype=np.float64)
        self._constants.append(value)
        return len(self._constants) - 1

    def tile_rows(self, problems: int) -> int:
        """How many rows a tile of that many problems should have."""
        return max(1, min(self.n_rows, TILE // max(1, problems)))


def input_centres(inputs: Mapping[str, Floats], law: Law) -> dict[str, float]:
    """The mean logarithm of each input; of one that may be zero, the logarithm of its root mean square."""
    centres = {}
    for each in law.inputs:
        values = inputs[each.name]
        if each.domain == "positive":
            centres[each.name] = float(np.mean(np.log(values)))
        else:
            size = float(np.sqrt(np.mean(np.square(values))))
            centres[each.name] = math.log(size) if size > 0 else 0.0
    return centres


class _Program:
    """The instructions for some outputs: the first a value, the others the rows of its Jacobian."""

    def __init__(self, kernel: Kernel, outputs: Sequence[Expr]) -> None:
        self.kernel = kernel
        self.each: list[_Step] = []
        self.tile: list[_Step] = []
        self.n_each = len(kernel.order)
        self.n_tile = 0
        self._known: dict[Expr, _Ref] = {
            coordinate(label): _Ref("each", position) for position, label in enumerate(kernel.order)
        }
        self._kinds: dict[Expr, str] = {}
        self.outputs = tuple(self._emit(output) for output in outputs)
        self._assign_buffers()
        self._scratch = _Scratch()

    # -- layout ------------------------------------------------------------------------------------------------------

    def _kind(self, node: Expr) -> str:
        """``data``, ``each`` or ``tile``: what the node depends on."""
        if node not in self._kinds:
            if node.op == "name":
                kind = "each" if node.label.startswith("t:") else "data"
            else:
                kinds = {self._kind(arg) for arg in node.args}
                # a value of the table alone, or of coordinates and table-wide numbers, needs no pair of both
                rows = any(self._has_rows(arg) for arg in node.args)
                kind = "data" if not kinds or kinds == {"data"} else "tile" if "tile" in kinds or rows else "each"
            self._kinds[node] = kind
        return self._kinds[node]

    def _has_rows(self, node: Expr) -> bool:
        return (node.op == "name" and node.label[:2] in ("x:", "v:")) or any(self._has_rows(arg) for arg in node.args)

    def _emit(self, node: Expr) -> _Ref:
        if node in self._known:
            return self._known[node]
        kind = self._kind(node)
        if kind == "data":
            ref = _Ref("data", self.kernel.constant(node))
        elif node.op in ("add", "mul"):
            ref = self._emit_chain(node)
        elif node.op == "pow" and node.args[1].op == "num" and node.args[1].value in (-1.0, 0.5, 2.0):
            function = {-1.0: np.reciprocal, 0.5: np.sqrt, 2.0: np.square}[node.args[1].value]
            ref = self._step(function, (self._emit(node.args[0]),), kind)
        elif node.op in _UNARY:
            ref = self._step(_UNARY[node.op], (self._emit(node.args[0]),), kind)
        else:
            ref = self._step(_BINARY[node.op], tuple(self._emit(arg) for arg in node.args), kind)
        self._known[node] = ref
        return ref

    def _emit_chain(self, node: Expr) -> _Ref:
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

    def _fold(self, op: str, parts: Sequence[Expr], kind: str) -> _Ref:
        folded = self._emit(parts[0])
        for part in parts[1:]:
            folded = self._step(_BINARY[op], (folded, self._emit(part)), kind)
        return folded

    def _step(self, function: Callable[..., Any], sources: tuple[_Ref, ...], kind: str) -> _Ref:
        if kind == "each":
            ref = _Ref("each", self.n_each)
            self.n_each += 1
            self.each.append(_Step(function, sources, ref))
        else:
            ref = _Ref("tile", self.n_tile)
            self.n_tile += 1
            self.tile.append(_Step(function, sources, ref))
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

    def run(self, theta: Floats, start: int, stop: int, jacobian: Floats | None) -> tuple[Floats, ...]:
        """Evaluate the program; Jacobian rows are written into ``jacobian`` (problems, free, rows)."""
        shape = (len(theta), stop - start)
        each: list[Floats] = [theta[:, column, None] for column in range(len(self.kernel.order))]
        work = self.buffer("work", (max(1, self.n_buffers), *shape))
        constants = [value if value.ndim == 0 else value[start:stop] for value in self.kernel._constants]

        def fetch(ref: _Ref) -> Floats:
            if ref.kind == "each":
                return each[ref.slot]
            if ref.kind == "data":
                return constants[ref.slot]
            if jacobian is not None and ref.slot in self.owner:
                return jacobian[:, self.owner[ref.slot]]
            return work[self.place[ref.slot]]

        with np.errstate(all="ignore"):
            for step in self.each:
                each.append(np.asarray(step.function(*map(fetch, step.sources)), dtype=np.float64))
            for step in self.tile:
                step.function(*map(fetch, step.sources), out=fetch(step.out), casting="unsafe")
            if jacobian is not None:
                for row, ref in enumerate(self.outputs[1:]):
                    if ref.kind != "tile" or self.owner.get(ref.slot) != row:
                        jacobian[:, row] = fetch(ref)
        value = fetch(self.outputs[0])
        return (value if value.shape == shape else np.broadcast_to(value, shape).copy(),)


class _Scratch(threading.local):
    """Buffers of one thread; another thread or process makes its own."""

    def __init__(self) -> None:
        self.blocks: dict[str, Floats] = {}

    def __reduce__(self) -> tuple[type[_Scratch], tuple[()]]:
        return _Scratch, ()
