"""Train one cell: deterministic for its seed, restarted from its checkpoint as if it had never stopped."""

from __future__ import annotations

import io
import math
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal

from isoflop.errors import MissingExtraError, SpecError
from isoflop.files import write_whole
from isoflop.lab.cell import Cell
from isoflop.lab.tasks import Task, open_task
from isoflop.lab.tasks.base import Inputs, Ints

if TYPE_CHECKING:
    import torch
    from torch import nn

CHECKPOINT = "checkpoint.pt"
DIVERGED_ABOVE = 1.5  # times the loss of the first step, after warm-up


@dataclass(frozen=True)
class Point:
    """One evaluation: held-out ``loss`` and mean training loss since the last one, after ``step`` steps."""

    step: int
    loss: float
    train_loss: float
    lr: float
    wall_seconds: float


@dataclass(frozen=True)
class Trained:
    """What came of a cell: its curve, the last point being the result, or where and why it diverged."""

    status: Literal["done", "diverged"]
    curve: tuple[Point, ...]
    steps: int
    wall_seconds: float
    hardware: str
    software: str
    says: str = ""

    @property
    def loss(self) -> float:
        """Final held-out loss in the task's unit; NaN when the training diverged."""
        return self.curve[-1].loss if self.status == "done" else math.nan


Beat = Callable[[int], None]  # called with the steps done, about once a second


def train(
    cell: Cell,
    folder: Path | None = None,
    *,
    device: str = "auto",
    threads: int = 1,
    beat: Beat | None = None,
    save_every: float = 20.0,
    task: Task | None = None,
) -> Trained:
    """Train ``cell``; with a ``folder``, save a checkpoint there every ``save_every`` seconds and start from one.

    The result is the same to the last bit whether or not it was interrupted, on one machine with equal ``threads``.
    ``task`` replaces the one that the cell names, for tasks made in memory.

    Raises SpecError for a batch that holds no whole window, NoSpaceError when a checkpoint finds no room, and
    MissingExtraError without PyTorch.
    """
    torch = import_torch()
    task = open_task(cell.task) if task is None else task
    if cell.batch % task.context:
        raise SpecError(
            f"batch = {cell.batch} tokens is not a whole number of windows of {task.context}; "
            f"use a multiple of {task.context}"
        )
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    with _repeatable(threads):
        return _Training(cell, task, where, folder).go(beat=beat, save_every=save_every)


def import_torch() -> ModuleType:
    """PyTorch, or one sentence on how to get it."""
    try:
        import torch
    except ImportError as missing:
        raise MissingExtraError(
            'training needs PyTorch, which is not installed: pip install "isoflop[lab]"'
        ) from missing
    module: ModuleType = torch
    return module


@contextmanager
def _repeatable(threads: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # Filling memory that is about to be written is an aid to debugging; it takes a sixth of the time of a small model.
    torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        torch.utils.deterministic.fill_uninitialized_memory = filled


class _Training:
    """The moving parts of one training; lives inside :func:`train` only."""

    def __init__(self, cell: Cell, task: Task, device: str, folder: Path | None) -> None:
        from isoflop.lab.models import build

        self.cell, self.task, self.device, self.folder = cell, task, device, folder
        self.windows = cell.batch // task.context
        model = build(cell.shape, classes=task.classes, context=task.context, features=task.features, seed=cell.seed)
        self.model: nn.Module = model.to(device)
        self.optimiser = make_optimiser(self.model, cell)
        self.step = 0
        self.first_loss = math.nan
        self.since: list[float] = []  # training losses since the last point of the curve
        self.curve: list[Point] = []
        self.wall = 0.0
        self._held: list[tuple[torch.Tensor, torch.Tensor]] | None = None
        self._load()

    def go(self, *, beat: Beat | None, save_every: float) -> Trained:
        import torch.nn.functional as F

        cell, steps = self.cell, self.cell.steps
        points = frozenset(cell.evaluation.steps(steps))
        warm = math.ceil(cell.schedule.warmup * steps)
        parameters = list(self.model.parameters())
        start = saved = beaten = time.monotonic()
        carried = self.wall
        self.model.train()
        while self.step < steps:
            rate = cell.lr * cell.schedule.factor(self.step, steps)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            inputs, targets = self._on_device(*self.task.batch(cell.seed, self.step, self.windows))
            logits = self.model(inputs)
            loss = F.cross_entropy(logits.reshape(-1, self.task.classes), targets.reshape(-1))
            value = loss.item()
            if self.step == 0:
                self.first_loss = value
            if not math.isfinite(value) or (self.step >= warm and value > DIVERGED_ABOVE * self.first_loss):
                return self._diverged(value, carried + time.monotonic() - start)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            if cell.optimiser.clip > 0:
                _clip(parameters, cell.optimiser.clip)
            self.optimiser.step()
            self.step += 1
            self.since.append(value)
            now = time.monotonic()
            self.wall = carried + now - start
            if self.step in points:
                self._evaluate(rate, carried, start)
                if not math.isfinite(self.curve[-1].loss):
                    return self._diverged(self.curve[-1].loss, self.wall)
            if beat is not None and now - beaten >= 1.0:
                beat(self.step)
                beaten = now
            if self.folder is not None and self.step < steps and now - saved >= save_every:
                self._save()
                saved = time.monotonic()
        return Trained("done", tuple(self.curve), self.step, self.wall, *self._where())

    def _evaluate(self, rate: float, carried: float, start: float) -> None:
        loss = self._held_out_loss()
        self.wall = carried + time.monotonic() - start
        self.curve.append(Point(self.step, loss, math.fsum(self.since) / len(self.since), rate, self.wall))
        self.since.clear()

    def _held_out_loss(self) -> float:
        import torch
        import torch.nn.functional as F

        if self._held is None:
            inputs, targets = self._on_device(*self.task.held_out(self.cell.evaluation.windows))
            self._held = list(zip(inputs.split(64), targets.split(64), strict=True))
        self.model.eval()
        total, count = 0.0, 0
        with torch.inference_mode():
            for inputs, targets in self._held:
                logits = self.model(inputs).reshape(-1, self.task.classes)
                total += F.cross_entropy(logits, targets.reshape(-1), reduction="sum").item()
                count += targets.numel()
        self.model.train()
        return total / count

    def _diverged(self, value: float, wall: float) -> Trained:
        says = f"the loss reached {value:.4g} at step {self.step} (it began at {self.first_loss:.4g}); lower lr"
        return Trained("diverged", tuple(self.curve), self.step, wall, *self._where(), says)

    def _where(self) -> tuple[str, str]:
        """What it ran on, in general terms, and the version of PyTorch."""
        import torch

        threads = torch.get_num_threads()
        cpu = f"{platform.machine()}, {threads} of {os.cpu_count()} cores"
        return torch.cuda.get_device_name(self.device) if self.device.startswith("cuda") else cpu, (
            f"torch {torch.__version__}"
        )

    def _on_device(self, inputs: Inputs, targets: Ints) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        return torch.from_numpy(inputs).to(self.device), torch.from_numpy(targets).to(self.device)

    def _save(self) -> None:
        import torch

        assert self.folder is not None
        held = io.BytesIO()  # torch's own writer does not say that a disk is full
        state = {
            "key": self.cell.key,
            "digest": self.task.digest,
            "step": self.step,
            "first_loss": self.first_loss,
            "since": self.since,
            "curve": [asdict(point) for point in self.curve],
            "wall": self.wall,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        torch.save(state, held)
        write_whole(self.folder / CHECKPOINT, held.getvalue())

    def _load(self) -> None:
        import torch

        if self.folder is None or not (self.folder / CHECKPOINT).exists():
            return
        try:
            state = torch.load(self.folder / CHECKPOINT, map_location=self.device, weights_only=True)
        except (RuntimeError, EOFError, ValueError, OSError, KeyError):
            return  # a damaged checkpoint costs time, not correctness: the cell starts anew
        if state.get("key") != self.cell.key or state.get("digest") != self.task.digest:
            return
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.first_loss, self.wall = state["step"], state["first_loss"], state["wall"]
        self.since = list(state["since"])
        self.curve = [Point(**point) for point in state["curve"]]


def make_optimiser(model: nn.Module, cell: Cell) -> torch.optim.Optimizer:
    """The cell's optimiser; weight decay on matrices only."""
    import torch

    choice = cell.optimiser
    groups = [
        {"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": choice.weight_decay},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if choice.kind == "sgd":
        return torch.optim.SGD(groups, lr=cell.lr, momentum=choice.momentum, fused=True)
    return torch.optim.AdamW(groups, lr=cell.lr, betas=(choice.beta1, choice.beta2), eps=1e-8, fused=True)


def _clip(parameters: list[nn.Parameter], limit: float) -> None:
    """Scale all gradients so that their joint norm is at most ``limit``."""
    import torch

    torch.nn.utils.clip_grad_norm_(parameters, limit, foreach=True)
