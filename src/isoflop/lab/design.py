"""From a description to its cells: C = 6 N D ⇒ D = C / (6 N), rounded to whole steps; no cell twice."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

from isoflop.errors import SpecError
from isoflop.lab.cell import Cell
from isoflop.lab.command import Program
from isoflop.lab.schedules import Schedule
from isoflop.lab.shapes import Shape
from isoflop.lab.spec import Design, SweepSpec
from isoflop.lab.tasks import open_task

MOST_CELLS = 100_000


@dataclass(frozen=True)
class Sized:
    """A size with its counts: all parameters, and training FLOPs a token."""

    shape: Shape
    params: int
    flops: float


def sizes_of(spec: SweepSpec) -> tuple[Sized, ...]:
    """The description's sizes, counted for its task, in the order given."""
    task = open_task(spec.task)
    return tuple(
        Sized(
            shape,
            shape.total(task.classes, task.features),
            shape.flops_per_token(task.classes, task.context, task.features),
        )
        for shape in spec.shapes
    )


def search_cells(spec: SweepSpec) -> dict[str, tuple[Cell, ...]]:
    """For each size the short trainings that choose its learning rate; empty where a rule gives it."""
    if not spec.rate.search:
        return {}
    steps = max(1, round((spec.rate.tokens or 0) / spec.batch))
    _refuse_many(len(spec.shapes) * len(spec.rate.search))
    return {
        sized.shape.name: tuple(_cell(spec, sized.shape, steps, lr, spec.seeds[0]) for lr in spec.rate.search)
        for sized in sizes_of(spec)
    }


def cells_of(spec: SweepSpec, *, rates: Mapping[str, float] | None = None) -> tuple[Cell, ...]:
    """All cells of the designs, largest training first; ``rates`` are those that a search has chosen, by size.

    Raises SpecError when a budget does not buy one step for any of its sizes, and when a design yields no cell.
    """
    _refuse_many(
        sum(
            len(design.sizes) * len(design.tokens or design.budgets) * len(design.seeds or spec.seeds)
            for design in spec.designs
        )
    )
    found: dict[str, tuple[float, Cell]] = {}
    for number, design in enumerate(spec.designs, start=1):
        chosen = [sized for sized in sizes_of(spec) if sized.shape.name in design.sizes]
        before = len(found)
        seen = False
        for sized in chosen:
            for tokens in _tokens(design, sized, spec.batch):
                seen = True
                steps = max(1, round(tokens / spec.batch))
                lr = (rates or {}).get(sized.shape.name, spec.rate.rate(sized.params, steps * spec.batch))
                for seed in design.seeds or spec.seeds:
                    cell = _cell(spec, sized.shape, steps, lr, seed, design.schedule)
                    found[cell.key] = (sized.flops * cell.tokens, cell)
        if not seen and len(found) == before:
            raise SpecError(
                f"design {number} leaves no cell between least = {design.least:g} and most = {design.most:g}"
                f" tokens; widen them or change budgets"
            )
    return tuple(cell for _, cell in sorted(found.values(), key=lambda pair: (-pair[0], pair[1].key)))


def programs_of(spec: SweepSpec) -> tuple[Program, ...]:
    """One run of the user's program for each combination of its values, or for each listed cell."""
    if spec.commands is None:
        return ()
    listed = spec.commands.cells
    _refuse_many(len(listed) or math.prod(len(each) for _, each in spec.commands.values))
    names = [name for name, _ in spec.commands.values]
    cells = (tuple(dict(each)[name] for name in names) for each in listed)
    return tuple(
        Program(
            template=spec.commands.template,
            values=tuple(zip(names, chosen, strict=True)),
            metrics=spec.commands.metrics,
            folder=spec.commands.folder,
            loss_unit=spec.commands.loss_unit,
        )
        for chosen in (cells if listed else itertools.product(*(each for _, each in spec.commands.values)))
    )


def _refuse_many(cells: int) -> None:
    """Cells are counted before one of them is built."""
    if cells > MOST_CELLS:
        raise SpecError(f"the sweep has {cells:,} cells; at most {MOST_CELLS:,} fit in one, so list fewer values")


def _tokens(design: Design, sized: Sized, batch: int) -> tuple[float, ...]:
    if design.kind == "grid":
        return design.tokens
    each = sized.flops if design.count == "counted" else 6.0 * sized.params
    bought = []
    for budget in design.budgets:
        tokens = budget / each
        if not design.least <= tokens <= design.most:
            continue
        if tokens < batch:
            raise SpecError(
                f"the budget of {budget:.3g} FLOPs buys {sized.shape.name} ({sized.params:,} parameters) "
                f"{tokens:,.0f} tokens, less than one step of {batch}; raise it above {each * batch:.3g}, or set least"
            )
        bought.append(tokens)
    return tuple(bought)


def _cell(spec: SweepSpec, shape: Shape, steps: int, lr: float, seed: int, schedule: Schedule | None = None) -> Cell:
    return Cell(
        task=spec.task,
        shape=shape,
        steps=steps,
        batch=spec.batch,
        lr=lr,
        seed=seed,
        schedule=schedule or spec.schedule,
        optimiser=spec.optimiser,
        evaluation=spec.evaluation,
    )
