"""One training to be done, as a frozen value: everything that decides its result and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from isoflop.errors import SpecError, shown
from isoflop.lab.schedules import Schedule
from isoflop.lab.shapes import MlpShape, Shape, TransformerShape
from isoflop.lab.tasks import TaskSpec
from isoflop.schema import Number, SchemaError, Whole


@dataclass(frozen=True)
class Optimiser:
    """AdamW (Loshchilov and Hutter 2019) or SGD with momentum; gradients are clipped to norm ``clip`` (0: never).

    Weight decay applies to matrices, not to gains and biases.
    """

    kind: Literal["adamw", "sgd"] = "adamw"
    beta1: float = 0.9
    beta2: float = 0.95
    momentum: float = 0.9
    weight_decay: float = 0.1
    clip: float = 1.0


@dataclass(frozen=True)
class Evaluation:
    """Held-out loss at ``points`` steps, log-spaced from the share ``first`` of the run to its end, on ``windows``."""

    points: int = 8
    first: float = 1 / 64
    windows: int = 768

    def steps(self, steps: int) -> tuple[int, ...]:
        """The optimiser steps after which the held-out loss is taken, rising, the last one being ``steps``."""
        if self.points == 1:
            return (steps,)
        shares = [self.first ** (1 - i / (self.points - 1)) for i in range(self.points)]
        return tuple(sorted({max(1, round(share * steps)) for share in shares} | {steps}))


@dataclass(frozen=True)
class Cell:
    """A training of one model: D = steps · batch tokens, ``batch`` tokens a step, peak learning rate ``lr``."""

    task: TaskSpec
    shape: Shape
    steps: int
    batch: int
    lr: float
    seed: int
    schedule: Schedule = field(default_factory=Schedule)
    optimiser: Optimiser = field(default_factory=Optimiser)
    evaluation: Evaluation = field(default_factory=Evaluation)

    @property
    def tokens(self) -> int:
        """D."""
        return self.steps * self.batch

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits that stand for this training; equal keys, equal results on one machine."""
        text = json.dumps(as_json(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """A folder name that a person can read: shape, steps, seed, key."""
        return f"{self.shape.name}-{self.steps}steps-seed{self.seed}-{self.key}"


def as_json(cell: Cell) -> dict[str, Any]:
    """The cell as plain values for a file; :func:`from_json` reads it back.

    A choice that came later than the first sweeps is left out where it is the default, so that their keys stay theirs.
    """
    values = {"kind": "train", **asdict(cell)}
    if cell.task.vocabulary == TaskSpec.vocabulary:
        del values["task"]["vocabulary"]
    return values


def from_json(values: Mapping[str, Any]) -> Cell:
    """The cell that :func:`as_json` wrote. Raises SpecError on a file of another kind."""
    if values.get("kind") != "train":
        raise SpecError(f"a cell of kind {shown(values.get('kind'))} is not a training of the lab; regenerate the cell")
    try:
        shape = dict(values["shape"])
        form = MlpShape if shape["family"] == "mlp" else TransformerShape
        schedule = dict(values["schedule"])
        schedule["milestones"] = tuple(schedule["milestones"])
        return Cell(
            task=TaskSpec(**values["task"]),
            shape=form(**shape),
            **{name: _count(values[name], name) for name in ("steps", "batch", "seed")},
            lr=Number(low=0.0).read(values["lr"], "lr"),
            schedule=Schedule(**schedule),
            optimiser=Optimiser(**values["optimiser"]),
            evaluation=Evaluation(**values["evaluation"]),
        )
    except (KeyError, TypeError, ValueError, SchemaError) as error:
        raise SpecError(f"the cell is damaged ({type(error).__name__}: {error}); regenerate the cell") from None


def _count(value: object, name: str) -> int:
    return Whole(low=0).read(value, name)
