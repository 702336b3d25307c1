"""Programs for NumPy: a layout of instructions over one table, run on buffers that are used again."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.layout import Bound, Layout, Ref, Root
from isoflop.laws.evaluate import array_value
from isoflop.laws.expression import Expr, Leaf, runs_over_k
from isoflop.laws.implicit import solve_unknown

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Leaves = Mapping[Leaf, Floats | float]


class Data:
    """What a table gives: what depends on the values of its leaves alone, by data slot.

    offsets: where the values of each row begin, for data that has a list of values a row.
    """

    def __init__(self, leaves: Leaves, constants: Sequence[Expr], offsets: Ints | None = None) -> None:
        self.constants = [np.asarray(array_value(node, leaves), dtype=np.float64) for node in constants]
        self.offsets = offsets


def pair_leaves(leaves: Leaves, offsets: Ints) -> Leaves:
    """The leaves of every pair of a row and a value of its list: lists as they are, all else repeated along them."""
    counts = np.diff(offsets)
    return {
        label: value if np.ndim(value) == 0 or runs_over_k(label) else np.repeat(value, counts)
        for label, value in leaves.items()
    }


class Program:
    """A layout over the data of a table. pairs: the data over which sums run, where some do."""

    def __init__(self, layout: Layout, data: Data, pairs: Data | None = None) -> None:
        self.layout = layout
        self.data = data
        self.roots = [Program(each, data) for each in layout.roots]
        self.pairs = None if layout.pairs is None or pairs is None else Program(layout.pairs, pairs)
        self._scratch = Scratch()

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
        layout, shape = self.layout, (len(theta), stop - start)
        each: list[Floats] = [theta[:, column, None] for column in range(len(layout.order))]
        work = self.buffer("work", (max(1, layout.n_buffers), *shape))
        constants = [value if value.ndim == 0 else value[start:stop] for value in self.data.constants]
        sums = [] if self.pairs is None else self.pairs.sums(theta, start, stop)

        def fetch(ref: Ref) -> Floats:
            if ref.kind == "each":
                return each[ref.slot]
            if ref.kind == "data":
                return constants[ref.slot]
            if given is not None and ref.slot == 0:
                return given
            if jacobian is not None and ref.slot in layout.owner:
                return jacobian[:, layout.owner[ref.slot]]
            return work[layout.place[ref.slot]]

        with np.errstate(all="ignore"):
            for single in layout.each:
                each.append(np.asarray(single.function(*map(fetch, single.sources)), dtype=np.float64))
            for step in layout.tile:
                if isinstance(step, Bound):
                    ends = [fetch(ref) for ref in step.sources]
                    fetch(step.out)[...] = (
                        self.roots[step.operation.position].solve(theta, start, stop, *ends)
                        if isinstance(step.operation, Root)
                        else sums[step.operation.position]
                    )
                else:
                    step.function(*map(fetch, step.sources), out=fetch(step.out), casting="unsafe")
            if jacobian is not None:
                for row, ref in enumerate(layout.outputs[1:]):
                    if ref.kind != "tile" or layout.owner.get(ref.slot) != row:
                        jacobian[:, row] = fetch(ref)
        value = fetch(layout.outputs[0])
        return (value if value.shape == shape else np.broadcast_to(value, shape).copy(),)

    def sums(self, theta: Floats, start: int, stop: int) -> list[Floats]:
        """Each output of a program over pairs, added up over the pairs of each row: (problems, rows) each."""
        offsets = self.data.offsets
        if offsets is None:
            raise ValueError("only data that has lists can be added up by row")
        first, last = int(offsets[start]), int(offsets[stop])
        jacobian = self.buffer("sums", (len(theta), len(self.layout.outputs) - 1, last - first))
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

    def solve(self, theta: Floats, start: int, stop: int, low: Floats, high: Floats | None = None) -> Floats:
        """The unknown of an equation, the program's (g, ∂g/∂u), between its ends, (problems, rows)."""
        slope = self.buffer("slope", (len(theta), 1, stop - start))

        def at(unknown: Floats) -> tuple[Floats, Floats]:
            (value,) = self.run(theta, start, stop, slope, given=unknown)
            return value, slope[:, 0]

        return solve_unknown(at, low, high, (len(theta), stop - start))


class Scratch(threading.local):
    """Buffers of one thread; another thread or process makes its own."""

    def __init__(self) -> None:
        self.blocks: dict[str, Floats] = {}

    def __reduce__(self) -> tuple[type[Scratch], tuple[()]]:
        return Scratch, ()
