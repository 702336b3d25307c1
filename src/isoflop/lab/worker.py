"""``python -m isoflop.lab.worker FOLDER``: perform one cell; ``--serve``: perform those that standard input names.

The worker trains ``cell.json``, keeps ``status.json`` fresh, writes ``result.json`` once, and leaves the folder's lock
when it ends, however it ends. It stops by itself when its parent is gone.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from isoflop.documents import DocumentError, parse_json, read_bounded
from isoflop.errors import IsoflopError, SpecError
from isoflop.files import write_whole
from isoflop.lab.cell import Cell, from_json
from isoflop.lab.command import KIND as COMMAND
from isoflop.lab.command import program_from_json, run_program
from isoflop.lab.result import RESULT, checked, read_result
from isoflop.lab.shapes import nonembedding_of
from isoflop.lab.status import Status, read_status, write_status
from isoflop.lab.tasks import open_task
from isoflop.lab.train import CHECKPOINT, Trained, train
from isoflop.lock import LOCK, HeldError, alone

CELL = "cell.json"
_MOST_CELL = 10_000_000  # bytes
LOCK_PATIENCE = 120.0  # seconds to wait for a worker of an earlier, killed sweep to notice that it is alone


class CellFailedError(IsoflopError):
    """The cell cannot be finished; the sweep goes on with the others."""


class OrphanedError(Exception):
    """The process that started this worker has ended, so the worker ends too, and its cell stays unfinished."""


def run_cell(folder: Path, *, deadline: float = float("inf"), device: str = "auto", save_every: float = 20.0) -> Status:
    """Perform the cell of ``folder`` and return its last status, which is also in ``status.json``.

    Raises nothing for a cell that fails or diverges: the status says so.
    """
    try:
        with alone(folder, patience=LOCK_PATIENCE):
            status = read_status(folder)
            if status.final and status.state != "failed" and read_result(folder) is not None:
                return status
            return _perform(folder, deadline=deadline, device=device, save_every=save_every)
    except HeldError as error:
        return Status("failed", says=str(error))
    except OSError as error:
        return Status("failed", says=f"the cell's folder cannot be used: {error.strerror}")


def _perform(folder: Path, *, deadline: float, device: str, save_every: float) -> Status:
    begun = time.time()
    status = Status("running", started=begun)
    _sweep_up(folder)
    parent = os.getppid()

    def beat(step: int) -> None:
        nonlocal status
        status = replace(status, step=step)
        write_status(folder, status)
        if time.time() - begun > deadline:
            raise CellFailedError(f"the cell passed its deadline of {deadline:.0f} s at step {step}")
        if os.getppid() != parent:
            raise OrphanedError("the sweep is gone; a new one goes on from the checkpoint")

    try:
        values = _cell_file(folder)
        if values.get("kind") == COMMAND:
            result = run_program(program_from_json(values), folder, beat=lambda: beat(0), deadline=deadline)
            state, says = result["status"], ""
        else:
            cell = from_json(values)
            status = replace(status, steps=cell.steps)
            beat(0)
            trained = train(cell, folder, device=device, beat=beat, save_every=save_every)
            result, state, says = _rows(cell, trained), trained.status, trained.says
            status = replace(status, step=trained.steps)
        write_whole(folder / RESULT, json.dumps(checked(result), allow_nan=False).encode())
        status = replace(status, state=state, says=says)
        (folder / CHECKPOINT).unlink(missing_ok=True)
    except IsoflopError as error:
        status = replace(status, state="failed", says=str(error))
    except MemoryError:
        status = replace(status, state="failed", says="out of memory; use fewer workers or a smaller batch")
    except (OSError, RuntimeError, ValueError) as error:
        status = replace(status, state="failed", says=f"{type(error).__name__}: {_first_line(error)}")
    write_status(folder, status)
    return status


def _cell_file(folder: Path) -> dict[str, Any]:
    """The plain values of the cell that is to be done. Raises SpecError where the file is damaged."""
    try:
        values = parse_json(read_bounded(folder / CELL, most=_MOST_CELL))
    except DocumentError as error:
        raise SpecError(f"{CELL} {error}; start the sweep again, which writes it anew") from None
    if not isinstance(values, dict):
        raise SpecError(f"{CELL} holds no cell; start the sweep again, which writes it anew")
    return values


def _rows(cell: Cell, trained: Trained) -> dict[str, Any]:
    """The row of the runs table and those of the curves, as plain values."""
    task = open_task(cell.task)
    total = cell.shape.total(task.classes, task.features)
    flops = cell.shape.flops_per_token(task.classes, task.context, task.features)
    common = {
        "run": cell.name,
        "family": cell.shape.family,
        "shape": cell.shape.name,
        "N": total,
        "N_nonembed": nonembedding_of(cell.shape, task.classes, task.features),
        "U": min(task.unique, cell.tokens),
        "seed": cell.seed,
        "schedule": cell.schedule.kind,
        "lr": cell.lr,
        "batch": cell.batch,
        "loss_unit": task.unit,
    }
    row = {
        **common,
        "D": trained.steps * cell.batch,
        "C": trained.steps * cell.batch * flops,
        "C_6ND": 6.0 * total * trained.steps * cell.batch,
        "loss": trained.loss if trained.status == "done" else None,
        "steps": trained.steps,
        "wall_seconds": trained.wall_seconds,
        "hardware": trained.hardware,
        "software": trained.software,
        "task": task.name,
        "task_digest": task.digest,
        "status": trained.status,
    }
    curve = [
        {
            **common,
            "U": min(task.unique, point.step * cell.batch),
            "D": point.step * cell.batch,
            "C": point.step * cell.batch * flops,
            "C_6ND": 6.0 * total * point.step * cell.batch,
            "step": point.step,
            "steps": cell.steps,
            "loss": point.loss,
            "train_loss": point.train_loss,
            "rate": point.lr,
            "wall_seconds": point.wall_seconds,
        }
        for point in trained.curve
    ]
    return {"row": row, "curve": curve, "status": trained.status}


def _sweep_up(folder: Path) -> None:
    """Remove half-written files of a worker that was killed; the lock is held, so no other writes here."""
    for left in folder.glob(".*"):
        if left.name != LOCK and left.is_file():
            left.unlink(missing_ok=True)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or "no message").splitlines()[0]


def serve(requests: Iterator[str]) -> None:
    """Perform one cell after another as lines of JSON name them; answer each with a line of JSON."""
    for line in requests:
        request: Mapping[str, Any] = json.loads(line)
        status = run_cell(Path(request["folder"]), deadline=request["deadline"], save_every=request["save_every"])
        sys.stdout.write(json.dumps({"name": request["name"], **asdict(status)}) + "\n")
        sys.stdout.flush()


def main() -> None:
    """The command line of a worker."""
    parser = argparse.ArgumentParser(prog="python -m isoflop.lab.worker")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--serve", action="store_true", help="read cells from standard input")
    parser.add_argument("--deadline", type=float, default=float("inf"), help="seconds the cell may run")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the sweep, which then ends its workers
    if options.serve:
        try:
            serve(iter(sys.stdin.readline, ""))
        except OrphanedError:
            raise SystemExit(1) from None
    else:
        status = run_cell(options.folder, deadline=options.deadline, device=options.device)
        raise SystemExit(0 if status.state in ("done", "diverged") else 1)


if __name__ == "__main__":
    main()
