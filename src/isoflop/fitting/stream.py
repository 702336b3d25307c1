"""Fits to whole curves in memory that does not grow with them: the same optimum as :func:`isoflop.fitting.fit`.

The search runs on a sample of rows that is spread like all of them; its optimum is then carried down on every row. Each
step of that descent is one pass over blocks on disk, each of which adds its value and its normal equations. Blocks are
summed in their order, so that threads change nothing.
"""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import IO, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.findings import Finding
from isoflop.fitting.coordinates import coordinates
from isoflop.fitting.fit import fit, problem
from isoflop.fitting.kernel import Kernel
from isoflop.fitting.objective import OUTER, Objective, huber
from isoflop.fitting.outer import Optimum, settle
from isoflop.fitting.result import DataSummary, Fit
from isoflop.fitting.solve import Batch, Solution, solve_measured
from isoflop.fitting.table import prepared_runs
from isoflop.laws import Law
from isoflop.laws.expression import runs_over_k
from isoflop.runs import Runs
from isoflop.runs.curves import Checkpoints, Curves
from isoflop.runs.table import ROW

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Progress = Callable[[str, float], None]
T = TypeVar("T")

BLOCK_ROWS = 131_072
SAMPLE_ROWS = 32_768
_FEWEST = 16  # rows of a run that a sample holds at least, where it has them
_BENDS = 1_000  # rows of a run kept because its schedule bends there
_BEND = 1e-3  # share of the peak rate by which a row must miss the line through its neighbours to be a bend
_RESIDUALS = 1_000_000  # residuals of which quantiles are taken
_QUANTILES = 1_001
_NEAR = 0.25  # first step of the search for a constant on all rows, in its logarithmic distance to 1
_CLOSE = 0.02
_LOOKS = 8
_STEPS = 12
_TOLERANCE = 1e-8  # expected relative gain at which a descent is over
_LAST = 1e-13  # and the last one: far below what the intervals of 10⁷ rows can tell


@dataclass(frozen=True)
class CurveFit:
    """A fit to curves, and what a bootstrap over runs needs of them.

    slopes: (runs, coordinates), each run's gradient of the objective at the optimum; curvatures: (runs, coordinates,
    coordinates), each run's own curvature there. passes: over all rows.
    """

    fit: Fit
    slopes: Floats = field(repr=False)
    curvatures: Floats = field(repr=False)
    passes: int = 0


def fit_curves(
    law: Law,
    curves: Curves,
    *,
    objective: Objective | None = None,
    starts: int = 64,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress | None = None,
) -> CurveFit:
    """argmin over parameters of Σ_i ρ(residual_i) over all rows that count, whatever their number.

    law: inputs are columns of the curves, of their table of runs, or prepared from them along whole curves.
    jobs: threads. progress: called with what is being done and which share of it is.
    Raises DataError (columns), FitError (no row counts, or fewer than parameters).
    """
    objective = huber() if objective is None else objective
    progress = progress or (lambda _doing, _share: None)
    if any(runs_over_k(each) for each in law.input_names):
        raise FitError(
            f"{law.name} sums over every change of a schedule, row by row, which whole curves make too long; give a "
            "table of checkpoints, every 50th step or so, to isoflop fit without --curves"
        )
    sample = _sample(law, curves, progress)
    searched = [each.name for each in law.searched]
    optimum = sample.optimum(objective, starts, seed)
    law, settled = settle(law, optimum, present=sample.runs.headers)
    begun = fit(law, sample.prepared(law), objective=objective, starts=starts, seed=seed)
    with _Rows(law, curves, objective, begun.centres, jobs=jobs, progress=progress) as rows:
        found = rows.descend(begun)
        findings = [finding for finding in settled if finding.code != "searched-constant"]
        if len(findings) < len(settled):  # not at the end of its range, where it would only run on
            for constant in searched:
                if constant in law.fixed:
                    law, found, finding = _refine(law, constant, begun, found, rows, optimum)
                    findings.append(finding)
        return _finished(law, begun, rows.finish(found), rows, curves, tuple(findings))


# -- the sample --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sample:
    """Rows that stand for all, and with them the rows at which schedules bend, so that areas stay those of all rows."""

    runs: Runs
    counts: Flags

    def prepared(self, law: Law) -> Runs:
        """The rows that count, with the columns that the law prepares."""
        return prepared_runs(law, self.runs).take(self.counts)

    def optimum(self, objective: Objective, starts: int, seed: int) -> Optimum:
        """The optimum of everything else, for the search of a constant that prepared columns depend on."""

        def at(law: Law, begin: Floats | None) -> tuple[float, Floats]:
            prepared = self.prepared(law)
            if begin is None:
                found = fit(law, prepared, objective=objective, starts=starts, seed=seed)
                return found.value, np.array([found.params[name] for name in law.param_names])
            ready = problem(law, prepared, objective=objective)
            solved = ready.solve(ready.coords.from_params(begin[None], ready.kernel.centres))
            return float(solved.value[0]), ready.params(solved.theta)[0]

        return at


def _needs(law: Law) -> set[str]:
    return {*law.input_names, law.response}


def _sample(law: Law, curves: Curves, progress: Progress) -> _Sample:
    stride = max(1, math.ceil(curves.rows / SAMPLE_ROWS))
    frames, flags, seen = [], [], 0
    for batch in curves.batches(_needs(law)):
        keep, counts = _spread(batch, stride)
        frames.append(batch.runs.frame.filter(pl.Series(keep)).drop(ROW))
        flags.append(counts[keep])
        seen += len(batch.runs)
        known = batch.runs
        progress("reading", min(1.0, seen / curves.rows))
    counts = np.concatenate(flags) if flags else np.zeros(0, dtype=bool)
    if not counts.any():
        raise FitError(f"no row of the curves of {curves.table.source} counts: no loss was logged after the warm-up")
    frame = pl.concat(frames, how="diagonal_relaxed")
    frame = frame.with_columns(pl.Series(ROW, np.arange(1, frame.height + 1, dtype=np.int64)))
    runs = replace(known, frame=frame, _cache={})
    return _clean(law, _Sample(runs, counts))


def _clean(law: Law, sample: _Sample) -> _Sample:
    """The sample without rows that the full fit leaves out too, such as step 0, at which no area is positive."""
    good = usable(law, prepared_runs(law, sample.runs))
    return replace(sample, counts=sample.counts & good)


def _spread(batch: Checkpoints, stride: int) -> tuple[Flags, Flags]:
    """Which rows of whole runs to keep, and which of these count: every ``stride``-th, more of short runs."""
    counts = np.zeros(len(batch.counts), dtype=bool)
    keep = np.zeros(len(batch.counts), dtype=bool)
    rate = batch.runs["lr"] if "lr" in batch.runs.frame.columns else None
    step = batch.runs["step"]
    for begin, end in _stretches(batch.runs):
        rows = begin + np.flatnonzero(batch.counts[begin:end])
        own = max(1, min(stride, len(rows) // _FEWEST))
        counts[rows[own // 2 :: own]] = True
        keep[[begin, end - 1]] = True
        if rate is not None:
            keep[begin + _bends(step[begin:end], rate[begin:end])] = True
    return keep | counts, counts


def _bends(step: Floats, rate: Floats) -> Ints:
    """Rows at which a schedule leaves the straight line, with their neighbours."""
    if len(step) < 3:
        return np.arange(len(step))
    share = (step[1:-1] - step[:-2]) / np.maximum(step[2:] - step[:-2], 1)
    missed = np.abs(rate[1:-1] - (rate[:-2] + share * (rate[2:] - rate[:-2])))
    bent = 1 + np.flatnonzero(missed > _BEND * max(float(rate.max()), 1e-300))
    if len(bent) > _BENDS:  # a rate that is logged with noise bends everywhere
        bent = bent[np.argsort(-missed[bent - 1])[:_BENDS]]
    return np.unique(np.concatenate([bent - 1, bent, bent + 1]))


def _stretches(runs: Runs) -> Iterator[tuple[int, int]]:
    """First row and end of each run, in order."""
    ends = np.cumsum(runs.frame["run"].rle().struct.field("len").to_numpy().astype(np.int64))
    yield from zip([0, *ends[:-1]], ends, strict=True)


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


# -- all rows ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Block:
    """Where a block lies in the file: (columns, rows) float64, inputs first and the response last.

    runs, ends: number of each run in it, and the row at which it ends.
    """

    offset: int
    rows: int
    runs: Ints
    ends: Ints


class _Rows:
    """All rows that count, on disk, and the objective over them: what the solver asks of a table in memory.

    A context: the file goes when it ends.
    """

    def __init__(
        self,
        law: Law,
        curves: Curves,
        objective: Objective,
        centres: Mapping[str, float],
        *,
        jobs: int,
        progress: Progress,
    ) -> None:
        self.curves, self.objective, self.centres, self.jobs = curves, objective, centres, jobs
        self.passes = 0
        self.dropped = 0
        self._progress = progress
        self._file: IO[bytes] | None = None
        self.runs = {run: number for number, run in enumerate(curves.chosen)}
        self.law, self.coords = law, coordinates(law)
        self.n_free = len(self.coords.names)
        self.blocks: list[_Block] = []
        self.n_rows = 0

    def __enter__(self) -> _Rows:
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
        for batch in self.curves.batches(_needs(law)):
            runs = prepared_runs(law, batch.runs)
            good = batch.counts & usable(law, runs)
            self.dropped += int(batch.counts.sum() - good.sum())
            columns = np.stack([runs[name][good] for name in (*law.input_names, law.response)])
            for name, values in zip(law.input_names, columns, strict=False):
                if values.size:
                    low, high = self.ranges[name]
                    self.ranges[name] = (min(low, float(values.min())), max(high, float(values.max())))
            if self.objective.space == "log" and (columns[-1] <= 0).any():
                raise FitError(
                    f"{int((columns[-1] <= 0).sum()):,} rows of {runs.source} have a {law.response} that is not "
                    "positive; use an objective on raw losses (--objective raw-huber:1e-3)"
                )
            codes = runs.frame["run"].replace_strict(self.runs, return_dtype=pl.Int64).to_numpy()[good]
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
        self.blocks.append(_Block(offset, len(codes), codes[ends - 1], ends))
        assert self._file is not None
        self._file.write(piece.tobytes())
        self.n_rows += len(codes)
        return offset + piece.nbytes

    def _read(self, block: _Block) -> Floats:
        """The numbers of a block, (inputs and response, rows)."""
        assert self._file is not None
        columns = len(self.law.input_names) + 1
        data = os.pread(self._file.fileno(), columns * block.rows * 8, block.offset)
        return np.frombuffer(data).reshape(columns, block.rows)

    def _table(self, data: Floats) -> Batch:
        """Numbers of a block as a table in memory."""
        inputs = dict(zip(self.law.input_names, data, strict=False))
        kernel = Kernel(self.coords, inputs, space=self.objective.space, centres=self.centres)
        return Batch(kernel, np.log(data[-1]) if self.objective.space == "log" else data[-1], self.objective, None)

    def each(self, measure: Callable[[_Block, Floats], T], doing: str) -> list[T]:
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

        def measure(_: _Block, data: Floats) -> tuple[Floats, Floats, Floats]:
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
        scale = np.full(1, self.objective.delta)
        if self.objective.n_extra and begun.scale is not None:
            scale = np.array([math.log(begun.scale)])
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
        if self.objective.kind == "lad":
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
            size = abs(best) if not self.objective.n_extra else float(self.n_rows)
            if -float(slope[0] @ step) <= tolerance * size:
                return Solution(theta, scale, value, np.array([steps]), np.ones(1, dtype=bool))
            theta = theta + step[None, : self.n_free]
            scale = scale + step[None, self.n_free :].sum(axis=1)
        own = scale.copy() if self.objective.n_extra else None
        return solve_measured(self, theta.copy(), own, tolerance=max(tolerance, 1e-11))

    def by_run(self, best: Solution) -> tuple[Floats, Floats]:
        """Gradient (runs, k) and own curvature (runs, k, k) of every run at the optimum, for runs with rows."""
        index, k = np.zeros(1, dtype=np.int64), self.n_free + self.objective.n_extra
        scale = best.scale if self.objective.kind != "lad" else 0.3 * np.exp(self.robust_scale(best.theta))

        def measure(block: _Block, data: Floats) -> list[tuple[Floats, Floats]]:
            found = []
            for begin, end in zip([0, *block.ends[:-1]], block.ends, strict=True):
                table = self._table(data[:, begin:end])
                _, slope, near = table.normal_equations(best.theta, scale, index, np.ones(1, dtype=bool))
                _, _, reweighted = table.normal_equations(best.theta, scale, index, np.zeros(1, dtype=bool))
                # the solver keeps a share of the reweighted curvature on outer rows, which is taken off again
                own = (near - OUTER * reweighted) / (1 - OUTER) if self.objective.kind in ("huber", "lad") else near
                found.append((slope[0], own[0]))
            return found

        slopes, curvatures = np.zeros((len(self.runs), k)), np.zeros((len(self.runs), k, k))
        for block, pieces in zip(self.blocks, self.each(measure, "each run's share"), strict=True):
            for run, (slope, own) in zip(block.runs, pieces, strict=True):
                slopes[run] += slope
                curvatures[run] += own
        seen = np.unique(np.concatenate([block.runs for block in self.blocks]))
        return slopes[seen], curvatures[seen]


def _refine(
    law: Law, constant: str, begun: Fit, found: Solution, rows: _Rows, optimum: Optimum
) -> tuple[Law, Solution, Finding]:
    """A searched constant on all rows, from its value on the sample: parabolas until they move it no more.

    The objective is followed along log(1 − λ) for a constant between 0 and 1, else along its logarithm. Each descent
    begins where that of the first value ended, moved by as much as the optimum of the sample moves.
    """
    at_first = np.array([begun.params[name] for name in law.param_names])
    first = law.fixed[constant]
    shares = 0 < first < 1
    place = math.log1p(-first) if shares else math.log(first)
    ends = {place: found}

    def value_at(there: float) -> float:
        return -math.expm1(there) if shares else math.exp(there)

    def look(there: float) -> None:
        other = _with_constant(law, constant, value_at(there))
        moved = rows.coords.from_params(np.stack([optimum(other, at_first)[1], at_first]), rows.centres)
        ends[there] = rows.again(other, replace(found, theta=found.theta + moved[:1] - moved[1:]))

    look(place - _NEAR)
    look(place + _NEAR)
    for _ in range(_LOOKS):
        best = min(ends, key=lambda each: float(ends[each].value[0]))
        there = _vertex(ends, best)
        if min(abs(there - each) for each in ends) < _CLOSE:
            break
        look(there)
    best = min(ends, key=lambda each: float(ends[each].value[0]))
    settled = _with_constant(law, constant, value_at(best))
    solution = rows.again(settled, ends[best])
    far = max(ends, key=lambda each: float(ends[each].value[0]))
    worse = 100 * (float(ends[far].value[0]) / float(ends[best].value[0]) - 1)
    return (
        settled,
        solution,
        Finding(
            "searched-constant",
            "note" if worse > 0.1 else "doubt",
            f"{constant} = {value_at(best):.6g} was found by a search around the fit to all rows (the sample gave "
            f"{first:.6g}), and every interval holds it there; at {value_at(far):.6g} the objective is {worse:.2g} % "
            "larger.",
            f"Where that is small the runs leave {constant} open: set it (--fix {constant}=…) and compare.",
        ),
    )


def _vertex(ends: Mapping[float, Solution], best: float) -> float:
    """Where the parabola through the best place and its neighbours is lowest; beyond an end, a step further."""
    order = sorted(ends)
    at = order.index(best)
    if at == 0:
        return best - 2 * (order[1] - best)
    if at == len(order) - 1:
        return best + 2 * (best - order[-2])
    x = np.array(order[at - 1 : at + 2]) - best
    y = np.array([float(ends[each].value[0]) for each in order[at - 1 : at + 2]])
    bend, slope, _ = np.polyfit(x, y - y[1], 2)
    return best + float(np.clip(-slope / (2 * bend), x[0], x[2])) if bend > 0 else best


def _with_constant(law: Law, constant: str, value: float) -> Law:
    """The law with another value of a constant that its prepared columns use."""
    old = law.fixed[constant]
    prepared = {
        column: replace(how, settings={key: value if known == old else known for key, known in how.settings.items()})
        for column, how in law.prepared.items()
    }
    return replace(law, prepared=prepared, fixed={**law.fixed, constant: value})


# -- the result --------------------------------------------------------------------------------------------------------


def _finished(
    law: Law, begun: Fit, best: Solution, rows: _Rows, curves: Curves, findings: tuple[Finding, ...]
) -> CurveFit:
    """The fit with what is known of it."""
    if not np.isfinite(best.value[0]):
        raise FitError(f"the fit of {law.name} did not converge on all rows; try another objective")
    slopes, curvatures = rows.by_run(best)
    residual = rows.residuals(best.theta)[0]
    values = rows.coords.to_params(best.theta, rows.centres)[0]
    state = f"{curves.table.digest} {sorted(curves.warmup.items())} {curves.thin} {rows.n_rows}"
    scale = None
    if rows.objective.kind == "student-t":
        scale = float(np.exp(best.scale[0]))
    elif rows.objective.kind == "lsq":
        scale = float(np.sqrt(best.value[0] / rows.n_rows))
    left_out = ()
    if rows.dropped:
        left_out = (
            Finding(
                "rows-left-out",
                "note",
                f"{rows.dropped:,} rows have no finite, positive {', '.join(law.input_names)} and are left out.",
                "Nothing to do; step 0 is such a row.",
            ),
        )
    table = curves.table
    fitted = replace(
        begun,
        law=law,
        params=dict(zip(law.param_names, (float(each) for each in values), strict=True)),
        value=float(best.value[0]),
        scale=scale,
        theta=best.theta[0],
        centres=dict(rows.centres),
        data=DataSummary(
            source=f"the curves of {table.source}",
            digest=hashlib.sha256(state.encode()).hexdigest(),
            n_rows=rows.n_rows,
            n_runs=len(slopes),
            loss_unit=table.loss_unit if law.response == "loss" else law.response,
            param_convention=table.columns["N"].convention if "N" in table.columns else None,
            ranges=dict(rows.ranges),
            residuals=tuple(float(each) for each in np.quantile(residual, np.linspace(0, 1, _QUANTILES))),
        ),
        findings=(*begun.findings, *findings, *left_out),
        runs=None,
    )
    return CurveFit(fitted, slopes, curvatures, rows.passes)
