"""All rows of a store's curves, laid out in blocks on disk, and an objective over them: what the solver asks.

Each evaluation is one pass: every block is read, adds its value and its normal equations, and is let go. Blocks are
summed in their order, so that threads change nothing.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, TypeVar

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting.coordinates import coordinates
from isoflop.fitting.kernel import Kernel
from isoflop.fitting.objective import Objective
from isoflop.fitting.result import Fit
from isoflop.fitting.solve import Batch, Dense, Solution, solve_measured
from isoflop.fitting.table import prepared_runs
from isoflop.laws import Law
from isoflop.runs import Runs
from isoflop.runs.curves import Curves

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Progress = Callable[[str, float], None]
T = TypeVar("T")

BLOCK_ROWS = 131_072
_RESIDUALS = 1_000_000  # residuals of which quantiles are taken
_STEPS = 12
_TOLERANCE = 1e-8  # expected relative gain at which a descent is over
_LAST = 1e-13  # and the last one: far below what the intervals of 10⁷ rows can tell


def needs(law: Law) -> set[str]:
    """The columns that a law is fitted to, prepared ones among them."""
    return {*law.input_names, law.response}


def usable(law: Law, runs: Runs) -> Flags:
    """Rows at which every input of the law and its response are finite and within their domains."""
    good = np.isfinite(runs[law.response])
    for each in law.inputs:
        values = runs[each.name]
        good &= np.isfinite(values)
        if each.domain == "positive":
            good &= values > 0
        elif each.domain == "nonnegative":
            good &= values >= 0
    return good


@dataclass(frozen=True)
class Block:
    """Where a block lies in the file: (columns, rows) float64, inputs first and the response last.

    runs, ends: number of each run in it, and the row at which it ends.
    """

    offset: int
    rows: int
    runs: Ints
    ends: Ints


class BlockRows(Dense):
    """All rows that count, on disk, and the objective over them: what the solver asks of a table in memory.

    A context: the file goes when it ends.
    """

    def __init__(
        self,
        law: Law,
        curves: Curves,
        objective: Objective,
        centers: Mapping[str, float],
        *,
        jobs: int,
        progress: Progress,
    ) -> None:
        self.curves, self.objective, self.centers, self.jobs = curves, objective, centers, jobs
        self.passes = 0
        self.dropped = 0
        self._progress = progress
        self._file: IO[bytes] | None = None
        self.runs = {run: number for number, run in enumerate(curves.chosen)}
        self.law, self.coords = law, coordinates(law)
        self.n_free = len(self.coords.names)
        self.blocks: list[Block] = []
        self.n_rows = 0

    def __enter__(self) -> BlockRows:
        self._lay_out(self.law)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def _lay_out(self, law: Law) -> None:
        """Write the rows as the law sees them; again for another constant of its prepared columns."""
        if self._file is not None:
            self._file.close()
        self._file = tempfile.TemporaryFile(prefix="isoflop-")  # noqa: SIM115  (closed by __exit__)
        self.law, self.coords = law, coordinates(law)
        self.blocks, self.n_rows, self.dropped = [], 0, 0
        self.ranges = dict.fromkeys(law.input_names, (math.inf, -math.inf))
        offset = seen = 0
        for batch in self.curves.batches(needs(law)):
            runs = prepared_runs(law, batch.runs)
            good = batch.counts & usable(law, runs)
            self.dropped += int(batch.counts.sum() - good.sum())
            columns = np.stack([runs[name][good] for name in (*law.input_names, law.response)])
            for name, values in zip(law.input_names, columns, strict=False):
                if values.size:
                    low, high = self.ranges[name]
                    self.ranges[name] = (min(low, float(values.min())), max(high, float(values.max())))
            if self.objective.of_logarithms and (columns[-1] <= 0).any():
                raise FitError(
                    f"{int((columns[-1] <= 0).sum()):,} rows of {runs.source} have a {law.response} that is not "
                    "positive; use an objective on raw losses (--objective raw-huber:1e-3)"
                )
            stretches = runs.frame["run"].rle().struct.unnest()
            numbers = [self.runs[run] for run in stretches["value"]]
            codes = np.repeat(np.array(numbers, dtype=np.int64), stretches["len"].to_numpy())[good]
            for start in range(0, columns.shape[1], BLOCK_ROWS):
                piece = np.ascontiguousarray(columns[:, start : start + BLOCK_ROWS])
                offset = self._add_block(piece, codes[start : start + BLOCK_ROWS], offset)
            seen += len(batch.runs)
            self._progress("preparing", min(1.0, seen / self.curves.rows))
        if self.n_rows < max(2, len(law.params)):
            raise FitError(
                f"{self.n_rows} rows cannot determine the {len(law.params)} parameters of {law.name}; add runs"
            )

    def _add_block(self, piece: Floats, codes: Ints, offset: int) -> int:
        ends = np.append(np.flatnonzero(np.diff(codes)) + 1, len(codes))
        self.blocks.append(Block(offset, len(codes), codes[ends - 1], ends))
        assert self._file is not None
        self._file.write(piece.tobytes())
        self.n_rows += len(codes)
        return offset + piece.nbytes

    def _read(self, block: Block) -> Floats:
        """The numbers of a block, (inputs and response, rows)."""
        assert self._file is not None
        columns = len(self.law.input_names) + 1
        data = os.pread(self._file.fileno(), columns * block.rows * 8, block.offset)
        return np.frombuffer(data).reshape(columns, block.rows)

    def _table(self, data: Floats) -> Batch:
        """Numbers of a block as a table in memory."""
        inputs = dict(zip(self.law.input_names, data, strict=False))
        kernel = Kernel(self.coords, inputs, space=self.objective.space, centers=self.centers)
        return Batch(kernel, self.objective.target(data[-1]), self.objective, None)

    def each(self, measure: Callable[[Block, Floats], T], doing: str) -> list[T]:
        """One pass: what ``measure`` makes of every block and its data, in their order."""
        assert self._file is not None
        self._file.flush()
        self.passes += 1
        done: list[T] = []
        with ThreadPoolExecutor(self.jobs) as pool:
            for result in pool.map(lambda block: measure(block, self._read(block)), self.blocks):
                done.append(result)
                self._progress(doing, len(done) / len(self.blocks))
        return done

    # -- what the solver asks --------------------------------------------------------------------------------------

    def weight_sums(self, count: int) -> Floats:
        """Each row counts once."""
        return np.full(count, float(self.n_rows))

    def normal_equations(
        self, theta: Floats, scale: Floats, index: Ints, newton: Flags
    ) -> tuple[Floats, Floats, Floats]:
        """Value, gradient and curvature, summed over all blocks."""

        def measure(_: Block, data: Floats) -> tuple[Floats, Floats, Floats]:
            return self._table(data).normal_equations(theta, scale, np.arange(len(theta)), newton)

        pieces = self.each(measure, f"pass {self.passes + 1} over {self.n_rows:,} rows")
        value, slope, curvature = (np.zeros_like(part) for part in pieces[0])
        for piece in pieces:
            value, slope, curvature = value + piece[0], slope + piece[1], curvature + piece[2]
        return value, slope, curvature

    def residuals(self, theta: Floats) -> Floats:
        """Up to a million residuals, evenly spread over the rows, (problems, rows)."""
        every = max(1, math.ceil(self.n_rows / _RESIDUALS))
        pieces = self.each(lambda _, data: self._table(data[:, ::every]).residuals(theta), "residuals")
        return np.concatenate(pieces, axis=1)

    def robust_scale(self, theta: Floats) -> Floats:
        """Log of 1.48 times the median absolute residual of up to a million rows."""
        typical = 1.4826 * np.median(np.abs(self.residuals(theta)), axis=1)
        return np.log(np.maximum(np.where(np.isfinite(typical), typical, 1.0), 1e-13))

    def absolute_sum(self, theta: Floats) -> Floats:
        """Sum of all absolute residuals."""
        return np.sum(self.each(lambda _, data: self._table(data).absolute_sum(theta), "residuals"), axis=0)

    # -- the descent -----------------------------------------------------------------------------------------------

    def descend(self, begun: Fit) -> Solution:
        """From the optimum of the sample to that of all rows."""
        scale = np.array([self.objective.scale_at(begun.scale, 1.0)])
        return self._near(begun.theta[None].copy(), scale)

    def again(self, law: Law, near: Solution) -> Solution:
        """The optimum with another constant in the prepared columns, from one that is near."""
        if law != self.law:
            self._lay_out(law)
        return self._near(near.theta, near.scale)

    def finish(self, found: Solution) -> Solution:
        """The last digits that the rows support."""
        return self._near(found.theta, found.scale, tolerance=_LAST)

    def _near(self, theta: Floats, scale: Floats, *, tolerance: float = _TOLERANCE) -> Solution:
        """The optimum from a start that is close to it: Newton steps, and the whole solver where one of them fails."""
        if not self.objective.smooth:
            return solve_measured(self, theta.copy(), None)
        index, newton = np.zeros(1, dtype=np.int64), np.ones(1, dtype=bool)
        best, before = math.inf, (theta, scale)
        for steps in range(_STEPS):
            value, slope, curvature = self.normal_equations(theta, scale, index, newton)
            if not value[0] <= best + 1e-9 * abs(best) or not np.isfinite(curvature).all():
                theta, scale = before
                break
            best, before = float(value[0]), (theta, scale)
            diagonal = np.diag(curvature[0])
            step = -np.linalg.lstsq(curvature[0] + np.diag(1e-12 * diagonal + 1e-300), slope[0], rcond=None)[0]
            size = float(self.objective.magnitude(best, self.n_rows))
            if -float(slope[0] @ step) <= tolerance * size:
                return Solution(theta, scale, value, np.array([steps]), np.ones(1, dtype=bool))
            theta = theta + step[None, : self.n_free]
            scale = scale + step[None, self.n_free :].sum(axis=1)
        own = scale.copy() if self.objective.fits_scale else None
        return solve_measured(self, theta.copy(), own, tolerance=max(tolerance, 1e-11))

    def by_run(self, best: Solution) -> tuple[Floats, Floats]:
        """Gradient (runs, k) and own curvature (runs, k, k) of every run at the optimum, for runs with rows."""
        index, k = np.zeros(1, dtype=np.int64), self.n_free + self.objective.n_extra
        scale = self.objective.curvature_scale(best.scale, lambda: np.exp(self.robust_scale(best.theta)))

        def measure(block: Block, data: Floats) -> list[tuple[Floats, Floats]]:
            found = []
            for begin, end in zip([0, *block.ends[:-1]], block.ends, strict=True):
                table = self._table(data[:, begin:end])
                _, slope, near = table.normal_equations(best.theta, scale, index, np.ones(1, dtype=bool))
                _, _, reweighted = table.normal_equations(best.theta, scale, index, np.zeros(1, dtype=bool))
                own = self.objective.own_curvature(near, reweighted)
                found.append((slope[0], own[0]))
            return found

        slopes, curvatures = np.zeros((len(self.runs), k)), np.zeros((len(self.runs), k, k))
        for block, pieces in zip(self.blocks, self.each(measure, "each run's share"), strict=True):
            for run, (slope, own) in zip(block.runs, pieces, strict=True):
                slopes[run] += slope
                curvatures[run] += own
        seen = np.unique(np.concatenate([block.runs for block in self.blocks]))
        return slopes[seen], curvatures[seen]
