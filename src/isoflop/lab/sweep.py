"""Perform a sweep: hand its cells to an executor, watch them, and gather their results into two tables.

Everything that a new start needs is in the folder: each cell's result, checkpoint and last word. So a sweep that was
killed goes on when it is run again, and a finished cell is never trained twice, since its folder's name is the digest
of everything that decides its result.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoflop.errors import SpecError
from isoflop.files import NoSpaceError, write_whole
from isoflop.lab.cell import Cell, as_json
from isoflop.lab.command import Program, program_as_json
from isoflop.lab.design import cells_of, programs_of, search_cells
from isoflop.lab.estimate import flops_a_step
from isoflop.lab.executors.base import Executor, Job, Outcome
from isoflop.lab.result import RESULT, read_result
from isoflop.lab.spec import SweepSpec
from isoflop.lab.status import Status, read_status, write_status
from isoflop.lab.table import write_tables
from isoflop.lab.worker import CELL
from isoflop.lock import alone

CELLS = "cells"
SEARCH = "search"
SPEC = "spec.toml"
ATTEMPTS = 2  # a cell whose process died without a word is tried once more, from its checkpoint
PAUSE = 0.1
UNTIMED = 86_400.0  # seconds that a cell may run when nothing is known of it


@dataclass(frozen=True)
class Progress:
    """Where a sweep stands, in cells and in work (training FLOPs, or cells for a user's program)."""

    cells: int
    done: int
    diverged: int
    failed: int
    running: tuple[str, ...]
    work: float
    work_done: float
    stage: str = ""


@dataclass(frozen=True)
class Swept:
    """What a sweep left: two tables, how many cells are done, and those that diverged or failed, with the reason."""

    runs: Path
    curves: Path
    done: int
    diverged: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Task:
    """A cell or program with its folder, its share of the work and its deadline."""

    name: str
    folder: Path
    content: Mapping[str, Any]
    work: float
    deadline: float


def perform(
    spec: SweepSpec,
    out: Path,
    *,
    executor: Executor,
    watch: Callable[[Progress], None] | None = None,
    seconds: Callable[[Cell], float] | None = None,
) -> Swept:
    """Run every cell that has no result yet and write ``runs.parquet`` and ``curves.parquet``.

    ``watch`` hears of the progress a few times a second. ``seconds`` estimates a cell's time, for its deadline.

    Raises HeldError when another sweep is at work in ``out``, NoSpaceError when not even the tables can be written, and
    OSError when ``out`` cannot be a folder; a cell that fails or diverges raises nothing.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with alone(out):
            write_whole(out / SPEC, spec.text.encode())
            rates = _search(spec, out, executor=executor, watch=watch, seconds=seconds)
            tasks = _tasks(spec, out, rates=rates, seconds=seconds)
            statuses = _run(tasks, executor, watch=watch, patience=spec.limits.patience)
            left = [read_result(task.folder) for task in tasks if statuses[task.name].state != "failed"]
            runs, curves = write_tables([each for each in left if each is not None], out)
    finally:
        executor.close()
    return Swept(
        runs=runs,
        curves=curves,
        done=sum(status.state == "done" for status in statuses.values()),
        diverged=tuple((name, s.says) for name, s in statuses.items() if s.state == "diverged"),
        failed=tuple((name, s.says) for name, s in statuses.items() if s.state == "failed"),
    )


def _search(
    spec: SweepSpec,
    out: Path,
    *,
    executor: Executor,
    watch: Callable[[Progress], None] | None,
    seconds: Callable[[Cell], float] | None,
) -> dict[str, float]:
    """The best learning rate of each size, by short trainings; empty where a rule gives it."""
    trials = search_cells(spec)
    tasks = [_cell_task(cell, out / SEARCH, spec, seconds) for cells in trials.values() for cell in cells]
    if not tasks:
        return {}
    _run(tasks, executor, watch=watch, patience=spec.limits.patience, stage="learning rates")
    chosen = {}
    for size, cells in trials.items():
        losses = {}
        for cell in cells:
            result = read_result(out / SEARCH / cell.name)
            loss = None if result is None else result["row"].get("loss")
            if loss is not None:
                losses[cell.lr] = loss
        if not losses:
            raise SpecError(f"every learning rate of the search failed or diverged at size {size}; search lower rates")
        chosen[size] = min(losses, key=lambda lr: losses[lr])
    return chosen


def _tasks(
    spec: SweepSpec, out: Path, *, rates: Mapping[str, float], seconds: Callable[[Cell], float] | None
) -> list[_Task]:
    if spec.commands is not None:
        return [_program_task(program, out / CELLS, spec) for program in programs_of(spec)]
    return [_cell_task(cell, out / CELLS, spec, seconds) for cell in cells_of(spec, rates=rates)]


def _cell_task(cell: Cell, out: Path, spec: SweepSpec, seconds: Callable[[Cell], float] | None) -> _Task:
    # generous: a machine shared with others may be many times slower than the moment at which it was timed
    usual = max(3600.0, 20 * seconds(cell)) if seconds is not None else UNTIMED
    deadline = spec.limits.seconds or usual
    work = cell.steps * flops_a_step(cell)
    return _Task(cell.name, out / cell.name, as_json(cell), work, deadline)


def _program_task(program: Program, out: Path, spec: SweepSpec) -> _Task:
    deadline = spec.limits.seconds or UNTIMED
    return _Task(program.name, out / program.name, program_as_json(program), 1.0, deadline)


def _run(
    tasks: Sequence[_Task],
    executor: Executor,
    *,
    watch: Callable[[Progress], None] | None,
    patience: float,
    stage: str = "",
) -> dict[str, Status]:
    """Run the cells that have no result; return every cell's last status, in the order of ``tasks``."""
    ended: dict[str, Status] = {}
    waiting: list[_Task] = []
    for task in tasks:
        status = _prepare(task)
        if status.final:
            ended[task.name] = status
        else:
            waiting.append(task)
    flying: dict[str, tuple[_Task, float]] = {}  # with the time of submission
    attempts: dict[str, int] = {}
    waiting.reverse()  # popped from the end
    heard = 0.0
    while waiting or flying:
        while waiting and len(flying) < executor.slots:
            task = waiting.pop()
            attempts[task.name] = attempts.get(task.name, 0) + 1
            executor.submit(Job(task.name, task.folder, task.deadline))
            flying[task.name] = (task, time.time())
        outcomes = list(executor.poll())
        for name, (task, since) in list(flying.items()):
            overdue = _overdue(task, since, patience)
            if overdue and name not in {outcome.name for outcome in outcomes}:
                executor.cancel(name)
                del flying[name]
                # its result, if it was only slow to say so; not its last status, which may tell of being stopped here
                result = _result(task)
                ended[name] = _bury(task, overdue) if result is None else result
        for outcome in outcomes:
            if outcome.name not in flying:
                continue
            task, _ = flying.pop(outcome.name)
            status = _last_word(task, outcome)
            if status.final:
                ended[task.name] = status
            elif attempts[task.name] < ATTEMPTS:
                waiting.append(task)
            else:
                ended[task.name] = _bury(task, outcome.says or "it ended without a result")
        if watch is not None and time.time() - heard > 0.25:
            watch(_progress(tasks, ended, flying, stage))
            heard = time.time()
        if not outcomes:
            time.sleep(PAUSE)
    if watch is not None:
        watch(_progress(tasks, ended, flying, stage))
    return {task.name: ended[task.name] for task in tasks}


def _prepare(task: _Task) -> Status:
    """Make the folder; what an earlier start has finished stays finished, what failed is tried again."""
    try:
        task.folder.mkdir(parents=True, exist_ok=True)
        result = _result(task)
        if result is not None:
            return result
        (task.folder / RESULT).unlink(missing_ok=True)  # a damaged one: the cell is done again
        write_whole(task.folder / CELL, json.dumps(task.content).encode())
        write_status(task.folder, Status("waiting"))
    except NoSpaceError as error:
        return Status("failed", says=str(error))
    except OSError as error:
        return Status("failed", says=f"the folder {task.folder.name!r} cannot be made: {error.strerror}")
    return Status("waiting")


def _last_word(task: _Task, outcome: Outcome) -> Status:
    """The cell's end by its own files; not final when it left none."""
    result = _result(task)
    if result is not None:
        return result
    status = read_status(task.folder)
    return status if status.state == "failed" else Status("waiting", says=outcome.says)


def _result(task: _Task) -> Status | None:
    """How the cell ended, if it left a result."""
    result = read_result(task.folder)
    return None if result is None else Status(result["status"], says=read_status(task.folder).says)


def _overdue(task: _Task, since: float, patience: float) -> str:
    """Why the sweep gives the cell up, or an empty text."""
    status = read_status(task.folder)
    if status.state != "running":
        return ""
    now = time.time()
    if now - status.started > 1.1 * task.deadline + 30:
        return f"it passed its deadline of {task.deadline:.0f} s and did not stop"
    if now - max(status.beat, since) > patience:
        return f"it gave no sign of life for {patience:.0f} s"
    return ""


def _bury(task: _Task, says: str) -> Status:
    status = Status("failed", says=says)
    write_status(task.folder, status)
    return status


def _progress(
    tasks: Sequence[_Task], ended: Mapping[str, Status], flying: Mapping[str, tuple[_Task, float]], stage: str
) -> Progress:
    states = [status.state for status in ended.values()]
    finished = math.fsum(task.work for task in tasks if task.name in ended)
    running = []
    for name, (task, _) in flying.items():
        status = read_status(task.folder)
        share = status.step / status.steps if status.steps else 0.0
        finished += share * task.work
        running.append(f"{name.rsplit('-', 1)[0]} {share:.0%}" if status.steps else name)
    return Progress(
        cells=len(tasks),
        done=states.count("done"),
        diverged=states.count("diverged"),
        failed=states.count("failed"),
        running=tuple(running),
        work=math.fsum(task.work for task in tasks),
        work_done=finished,
        stage=stage,
    )
