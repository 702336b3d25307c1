"""Formula → array program: value and exact Jacobian of a law for a batch of problems at once.

The gradient of the law in its fitting coordinates is derived once (reverse sweep, common subexpressions shared) and
laid out as a list of NumPy instructions over preallocated buffers. What depends on data alone is computed once per
table, what depends on coordinates alone once per problem, and only the rest for every pair of problem and row. No
text is compiled and nothing is evaluated as Python; the program is data and travels to other processes as it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.coordinates import Coordinates, coordinate
from isoflop.fitting.layout import Layout
from isoflop.fitting.native import engine
from isoflop.fitting.native.tape import TapeCell
from isoflop.fitting.objective import Space
from isoflop.fitting.program import Data, Program, pair_leaves
from isoflop.laws import Law
from isoflop.laws.derivative import gradient
from isoflop.laws.expression import Expr, Leaf, add, log, log1p, mul, num
from isoflop.laws.lists import Lists

Floats = NDArray[np.float64]

# Elements (problems × rows) evaluated at once: a tile's buffers stay in the second-level cache.
TILE = 24_576


class Kernel:
    """A law over one table: ``residual = g(theta, row)`` and its Jacobian, tile by tile.

    space ``log``: g is the logarithm of the law; ``raw``: the law itself; ``logit``: its log odds.
    centers: mean log inputs to center at, where they are not to be those of this table.
    n_rows, n_free: the shapes; coordinates after the first ``n_free`` are held and not differentiated.
    """

    def __init__(
        self,
        coords: Coordinates,
        inputs: Mapping[str, Floats | Lists],
        *,
        space: Space,
        centers: Mapping[str, float] | None = None,
    ) -> None:
        target = _target(coords, space)
        self.space: Space = space
        self.order = (*coords.names, *coords.held)
        self.n_free = len(coords.names)
        self.centers = dict(centers) if centers is not None else input_centers(inputs, coords.law)
        lists = next((each for each in inputs.values() if isinstance(each, Lists)), None)
        self.offsets = None if lists is None else lists.offsets
        self.n_rows = len(next(iter(inputs.values())))
        leaves: dict[Leaf, Floats | float] = {Leaf("center", each): value for each, value in self.centers.items()}
        for each in coords.law.inputs:
            values = _values(inputs[each.name])
            if each.domain == "positive":
                leaves[Leaf("centered", each.name)] = np.log(values) - self.centers[each.name]
            else:
                leaves[Leaf("scaled", each.name)] = values * math.exp(-self.centers[each.name])
        value, full, constants, sums = _layouts(target, coords.names, coords.held, lists is not None)
        data = Data(leaves, constants)
        pairs = None if self.offsets is None else Data(pair_leaves(leaves, self.offsets), sums, self.offsets)
        self._value = Program(value, data, pairs)
        self.full_program = Program(full, data, pairs)
        self.tape = TapeCell()

    def value(self, theta: Floats, start: int, stop: int) -> Floats:
        """G for problems theta (problems, coordinates) at rows start:stop, shape (problems, rows)."""
        (result,) = self._value.run(theta, start, stop, None)
        return result

    def value_and_jacobian(self, theta: Floats, start: int, stop: int) -> tuple[Floats, Floats]:
        """Evaluate g, shape (problems, rows), and ∂g/∂theta, shape (problems, free coordinates, rows).

        The arrays are the kernel's own buffers: they are overwritten by the next call.
        """
        jacobian = self.full_program.buffer("jacobian", (len(theta), self.n_free, stop - start))
        value, *_ = self.full_program.run(theta, start, stop, jacobian)
        return value, jacobian

    def everywhere(self, theta: Floats) -> tuple[Floats, Floats]:
        """Value (problems, rows) and Jacobian (problems, free coordinates, rows) on all rows of a small table.

        By the engine that fits run on; without the compiled one the arrays are overwritten by the next call.
        """
        if engine() == "native":
            return self.tape.of(self).evaluate(theta)
        return self.value_and_jacobian(theta, 0, self.n_rows)

    def tile_rows(self, problems: int) -> int:
        """How many rows a tile of that many problems should have."""
        longest = 1 if self.offsets is None else max(1, int(self.offsets[-1]) // self.n_rows)
        return max(1, min(self.n_rows, TILE // max(1, problems * longest)))


def _target(coords: Coordinates, space: Space) -> Expr:
    """The law on the scale of the residuals; it may be undefined for some coordinates, which the solver steps off."""
    if space == "raw":
        return coords.value
    logarithm = log(coords.value) if coords.log_value is None else coords.log_value
    return logarithm if space == "log" else add(logarithm, mul(num(-1.0), log1p(mul(num(-1.0), coords.value))))


@lru_cache(maxsize=256)
def _layouts(
    target: Expr, names: tuple[str, ...], held: tuple[str, ...], lists: bool
) -> tuple[Layout, Layout, list[Expr], list[Expr]]:
    """The value alone; with its Jacobian; and what both need of a table's rows, and of the pairs where it has lists."""
    derivatives = gradient(target, tuple(coordinate(label) for label in names))
    order, constants, of_pairs = (*names, *held), list[Expr](), list[Expr]()
    sums = of_pairs if lists else None
    value = Layout(order, (target,), constants, sums=sums)
    return value, Layout(order, (target, *derivatives), constants, sums=sums), constants, of_pairs


def input_centers(inputs: Mapping[str, Floats | Lists], law: Law) -> dict[str, float]:
    """The mean logarithm of each input; of one that may be zero, the logarithm of its root mean square."""
    centers = {}
    for each in law.inputs:
        values = _values(inputs[each.name])
        if not len(values):  # lists that are empty in every row
            centers[each.name] = 0.0
        elif each.domain == "positive":
            centers[each.name] = float(np.mean(np.log(values)))
        else:
            size = float(np.sqrt(np.mean(np.square(values))))
            centers[each.name] = math.log(size) if size > 0 else 0.0
    return centers


def _values(values: Floats | Lists) -> Floats:
    return values.values if isinstance(values, Lists) else values
