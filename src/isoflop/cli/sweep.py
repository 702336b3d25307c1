"""``isoflop sweep``: train the cells of a description and leave two tables of runs."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isoflop.cli.output import json_flag, print_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from isoflop.lab.cell import Cell
    from isoflop.lab.spec import SweepSpec
    from isoflop.lab.sweep import Progress, Swept

SILENCE = 30.0  # seconds between lines of progress where there is no terminal to draw on


@click.command()
@click.argument("spec", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "--out",
    "out",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Folder for the results; by default the sweep's name.",
)
@click.option("--plan", is_flag=True, help="Print the cells, their FLOPs and the time they would take; train nothing.")
@click.option("--workers", type=click.IntRange(min=1), help="Cells side by side; by default one a core.")
@click.option("--executor", default="local", show_default=True, help="Where cells run: local, slurm or ray.")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="For the executor, as partition=long.")
@json_flag
def sweep(
    spec: Path,
    out: Path | None,
    plan: bool,
    workers: int | None,
    executor: str,
    options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Train every cell of SPEC, a TOML file, and write runs.parquet and curves.parquet.

    Run the same command again after any interruption: finished cells are kept, half-trained ones go on from their
    checkpoints, and failed ones are tried again.
    """
    from isoflop.errors import SpecError
    from isoflop.lab.executors import connect
    from isoflop.lab.spec import read_spec
    from isoflop.lab.sweep import perform

    described = read_spec(spec)
    workers = workers or os.cpu_count() or 1
    if plan and as_json:
        print_json(_plan_as_dict(described, workers))
        return
    if plan:
        _print_plan(described, workers)
        return
    folder = out or Path(described.name)
    chosen = dict(_split(option) for option in options)
    place = connect(executor, workers=workers, logs=folder / "logs", options=chosen)
    with _Bar(described.name) as bar:
        swept = perform(
            described,
            folder,
            executor=place,
            watch=bar.show,
            seconds=_estimate(described),
        )
    if as_json:
        print_json(_end_as_dict(swept))
    else:
        _print_end(swept)
    if not swept.done:
        raise SpecError(f"no cell of {described.name!r} finished; the reasons are above and in {folder / 'cells'}")


def _split(option: str) -> tuple[str, str]:
    key, found, value = option.partition("=")
    if not found or not key:
        raise click.UsageError(f"--option {option!r} is not KEY=VALUE")
    return key, value


def _estimate(spec: SweepSpec) -> Callable[[Cell], float] | None:
    """Seconds of a cell, each size being timed once when the first is asked for; None for a user's program."""
    from isoflop.lab.design import cells_of
    from isoflop.lab.estimate import seconds_a_step, seconds_of

    if spec.commands is not None:
        return None
    measured: dict[str, float] = {}

    def seconds(cell: Cell) -> float:
        if not measured:
            measured.update(seconds_a_step(cells_of(spec)))
        return seconds_of(cell, measured)

    return seconds


def _plan_as_dict(spec: SweepSpec, workers: int) -> dict[str, object]:
    """The plan as plain values; seconds are null where they cannot be known."""
    from isoflop.errors import MissingExtraError
    from isoflop.lab.design import cells_of, programs_of
    from isoflop.lab.estimate import flops_a_step, seconds_a_step, seconds_of, seconds_together
    from isoflop.lab.tasks import open_task

    if spec.commands is not None:
        commands = [list(program.argv(Path("CELL"))) for program in programs_of(spec)]
        return {"name": spec.name, "workers": workers, "commands": commands, "seconds": None}
    cells = cells_of(spec)
    try:
        measured = seconds_a_step(cells)
    except MissingExtraError:
        measured = {}
    task = open_task(cells[0].task)
    rows = [
        {
            "size": cell.shape.name,
            "N": cell.shape.total(task.classes, task.features),
            "D": cell.tokens,
            "steps": cell.steps,
            "lr": cell.lr,
            "seed": cell.seed,
            "flops": flops_a_step(cell) * cell.steps,
            "seconds": seconds_of(cell, measured) if measured else None,
        }
        for cell in cells
    ]
    together = seconds_together([seconds_of(cell, measured) for cell in cells], workers) if measured else None
    return {"name": spec.name, "workers": workers, "cells": rows, "seconds": together}


def _end_as_dict(swept: Swept) -> dict[str, object]:
    """What a sweep left, as plain values."""
    return {
        "runs": str(swept.runs),
        "curves": str(swept.curves),
        "done": swept.done,
        "diverged": [{"cell": name, "says": says} for name, says in swept.diverged],
        "failed": [{"cell": name, "says": says} for name, says in swept.failed],
    }


def _print_plan(spec: SweepSpec, workers: int) -> None:
    from isoflop.errors import MissingExtraError
    from isoflop.lab.design import cells_of, programs_of, search_cells
    from isoflop.lab.estimate import flops_a_step, seconds_a_step, seconds_of, seconds_together
    from isoflop.units import format_quantity

    if spec.commands is not None:
        programs = programs_of(spec)
        for program in programs:
            click.echo(" ".join(program.argv(Path("CELL"))))
        click.echo(f"{len(programs)} runs of the program, {workers} side by side; their time is not known beforehand")
        return
    cells = cells_of(spec)
    trials = tuple(cell for each in search_cells(spec).values() for cell in each)
    try:
        measured = seconds_a_step(cells)
    except MissingExtraError as missing:
        measured, unknown = {}, str(missing)
    _print_cells(cells, measured, searched=bool(trials))
    if trials:
        click.echo(f"before them {len(trials)} short trainings choose the learning rate of each size")
    work = sum(flops_a_step(cell) * cell.steps for cell in (*cells, *trials))
    click.echo(f"{len(cells)} cells, {format_quantity(sum(c.tokens for c in cells))} tokens, {work:.3g} FLOPs in all")
    if measured:
        alone = [seconds_of(cell, measured) for cell in (*trials, *cells)]
        together = seconds_together(alone, workers)
        click.echo(f"about {_clock(together)} with {workers} workers ({_clock(sum(alone))} of computing)")
    else:
        click.echo(f"the time is not estimated: {unknown}")


def _print_cells(cells: tuple[Cell, ...], measured: Mapping[str, float], *, searched: bool) -> None:
    from rich.table import Table

    from isoflop.cli.console import terminal
    from isoflop.lab.estimate import flops_a_step, seconds_of
    from isoflop.lab.shapes import nonembedding_of
    from isoflop.lab.tasks import open_task
    from isoflop.units import format_quantity

    task = open_task(cells[0].task)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("size", "params", "non-emb.", "tokens", "epochs", "steps", "lr", "seed", "FLOPs", "time"):
        table.add_column(heading, justify="left" if heading == "size" else "right", no_wrap=True)
    for cell in cells:
        table.add_row(
            cell.shape.name,
            format_quantity(cell.shape.total(task.classes, task.features)),
            format_quantity(nonembedding_of(cell.shape, task.classes, task.features)),
            format_quantity(cell.tokens),
            f"{cell.tokens / task.unique:.2g}",
            f"{cell.steps:,}",
            "search" if searched else f"{cell.lr:.3g}",
            str(cell.seed),
            f"{flops_a_step(cell) * cell.steps:.2e}",
            _clock(seconds_of(cell, measured)) if measured else "?",
        )
    console = terminal()
    if not console.is_terminal:
        console.width = max(console.width, 100)
    console.print(table)


def _print_end(swept: Swept) -> None:
    for title, cells in (("diverged", swept.diverged), ("failed", swept.failed)):
        for name, says in cells:
            click.echo(f"{title}: {name}: {says}", err=True)
    told = f"{swept.done} cells done, {len(swept.diverged)} diverged, {len(swept.failed)} failed"
    click.echo(f"{told}; runs in {swept.runs}, curves in {swept.curves}")


def _clock(seconds: float) -> str:
    """12 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


class _Bar(AbstractContextManager["_Bar"]):
    """One line of progress, with what is running and the time left by the work (FLOPs) done since this start."""

    def __init__(self, name: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(name, total=1.0, told="starting")
        self._begun: tuple[float, float] | None = None
        self._said = time.monotonic()
        self._name = name

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @property
    def show(self) -> Callable[[Progress], None]:
        """What :func:`perform` calls."""
        return self._show

    def _show(self, at: Progress) -> None:
        share = at.work_done / at.work if at.work else 1.0
        if self._begun is None:
            self._begun = (time.monotonic(), share)
        spent, gained = time.monotonic() - self._begun[0], share - self._begun[1]
        left = f"{_clock(spent * (1 - share) / gained)} left" if gained > 0 and spent > 5 else "time left not known yet"
        parts = [f"{at.done}/{at.cells} done"]
        parts += [f"{count} {word}" for count, word in ((at.diverged, "diverged"), (at.failed, "failed")) if count]
        told = ", ".join([*parts, left])
        running = "  ".join(at.running[:4])
        if self._progress.disable and time.monotonic() - self._said > SILENCE:
            self._said = time.monotonic()
            click.echo(f"{self._name}: {told}", err=True)
        label = f"{self._name} ({at.stage})" if at.stage else self._name
        self._progress.update(self._task, completed=share, description=label, told=f"{told}  {running}")
