"""How long a sweep will take: each size is timed for a step or two before anything is trained."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

from isoflop.lab.cell import Cell, Evaluation
from isoflop.lab.shapes import MlpShape
from isoflop.lab.tasks import open_task

# A step this long is not timed but taken from the largest size that was: a plan must not cost minutes.
TOO_LONG = 2e11
EVALUATION = 0.4  # a token evaluated costs so much of a token trained: one forward pass of forward, backward and update


def seconds_a_step(cells: Iterable[Cell]) -> dict[str, float]:
    """Seconds of one optimiser step of each size, by the size's name, on one thread, measured here and now.

    Raises MissingExtraError without PyTorch.
    """
    from isoflop.lab.train import train

    sizes = {cell.shape.name: cell for cell in cells}
    measured: dict[str, float] = {}
    rate = 0.0  # FLOPs a second of the largest size timed so far
    for name, cell in sorted(sizes.items(), key=lambda item: flops_a_step(item[1])):
        if flops_a_step(cell) > TOO_LONG:
            rate = rate or _rate_of_small(cell)
            measured[name] = flops_a_step(cell) / rate
            continue
        few = replace(cell, steps=4, evaluation=Evaluation(points=1, windows=1))
        train(replace(few, steps=1))  # the first step of a shape pays for allocation
        began = time.perf_counter()
        train(few)
        measured[name] = (time.perf_counter() - began) / 4
        rate = flops_a_step(cell) / measured[name]
    return measured


def _rate_of_small(cell: Cell) -> float:
    """FLOPs a second of a model of two narrow layers, where every size of the sweep is too large to be timed."""
    from isoflop.lab.train import train

    shape = cell.shape
    narrow = MlpShape(64) if isinstance(shape, MlpShape) else replace(shape, width=64, layers=2, heads=2, ratio=4.0)
    context = open_task(cell.task).context
    few = replace(cell, shape=narrow, batch=context, steps=4, evaluation=Evaluation(points=1, windows=1))
    train(replace(few, steps=1))
    began = time.perf_counter()
    train(few)
    return 4 * flops_a_step(few) / (time.perf_counter() - began)


def flops_a_step(cell: Cell) -> float:
    """Training FLOPs of one optimiser step, counted."""
    task = open_task(cell.task)
    return cell.batch * cell.shape.flops_per_token(task.classes, task.context, task.features)


def seconds_of(cell: Cell, measured: Mapping[str, float]) -> float:
    """Seconds that the cell takes alone on one thread, evaluations included."""
    task = open_task(cell.task)
    evaluated = len(cell.evaluation.steps(cell.steps)) * cell.evaluation.windows * task.context
    return measured[cell.shape.name] * (cell.steps + EVALUATION * evaluated / cell.batch)


def seconds_together(seconds: Iterable[float], workers: int) -> float:
    """Wall seconds when ``workers`` cells run side by side, each taking the next of the list as it falls idle."""
    ends = [0.0] * max(1, workers)
    for each in seconds:
        first = ends.index(min(ends))
        ends[first] += each
    return max(ends)
