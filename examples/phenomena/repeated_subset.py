"""Repeated subset: a few documents seen very often can cost more than leaving them out.

Hernandez et al. 2022 (arXiv 2205.10487): where a small share of the tokens comes from a subset that is seen again and
again, the loss is worst at an intermediate number of repeats; 0.1 % of the data seen 100 times made a model of 800M
parameters as bad as one of 400M. Byte-level transformers of one size read as much of Python's standard library as ever,
a tenth or half of it from a few windows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, mean_interval, panels, show, told

from isoflop import Ensemble, Interval, Runs, bootstrap, fit, law, squares
from isoflop.lab.cell import Cell, Evaluation
from isoflop.lab.schedules import Schedule
from isoflop.lab.shapes import TransformerShape
from isoflop.lab.tasks import TaskSpec, TextTask, python_text
from isoflop.lab.tasks.base import Inputs, Ints, shuffled
from isoflop.lab.train import train
from isoflop.validation.shape_audit import shapes

CONTEXT, WINDOWS = 32, 32
BATCH = CONTEXT * WINDOWS  # bytes a step
SHAPE = TransformerShape(width=48, layers=1, heads=2)
FRESH = law("E + B/D^beta", domains={"beta": "positive"})


@dataclass(frozen=True, eq=False)
class WithSubset:
    """A text task of which the first windows of every batch come from the subset again, and the others are fresh."""

    whole: TextTask
    fresh: Ints
    subset: Ints
    again: int
    name: str = "python-text"
    unit: str = "nats/byte"
    context: int = CONTEXT
    classes: int = 256
    features: int = 0

    @property
    def unique(self) -> int:
        """U, bytes."""
        return (len(self.fresh) + len(self.subset)) * self.context

    @property
    def digest(self) -> str:
        """SHA-256 of the text and the choice."""
        chosen = self.fresh.tobytes() + self.subset.tobytes()
        return hashlib.sha256(self.whole.digest.encode() + chosen).hexdigest()

    def batch(self, seed: int, step: int, size: int) -> tuple[Inputs, Ints]:
        """Inputs and next bytes of ``size`` windows."""
        new = size - self.again
        windows = self.fresh[step * new : (step + 1) * new]
        if self.again:
            repeated = self.subset[shuffled(seed, step * self.again, self.again, len(self.subset))]
            windows = np.concatenate((repeated, windows))
        cut = self.whole.training[windows[:, None] * self.context + np.arange(self.context + 1)].astype(np.int64)
        return cut[:, :-1], cut[:, 1:]

    def held_out(self, size: int) -> tuple[Inputs, Ints]:
        """Windows of files that no training reads."""
        return self.whole.held_out(size)


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train every share and number of repeats; how many fresh tokens is a token of the subset worth?"""
    torch.set_num_threads(1)
    steps = 128 if quick else 400
    shares = (16,) if quick else (3, 16)  # windows of the subset in a batch of 32
    repeats = (4, 512) if quick else (4, 16, 64, 256, 1024)
    spans = (0.35, 0.6, 1.0) if quick else (0.35, 0.5, 0.7, 1.0)  # of fresh text alone
    repetitions = 2 if quick else 3
    text = python_text(context=CONTEXT)
    fresh, found = [], []
    for lane in range(repetitions):
        order = np.random.default_rng([seed, lane, 7]).permutation(text.windows)
        name = 100 * seed + lane
        for span in spans:
            count = round(span * steps)
            task = WithSubset(text, order[: count * WINDOWS], order[:0], 0)
            fresh.append((count * BATCH, _loss(task, count, name)))
        for again in shares:
            for times in repeats:
                distinct = max(1, round(steps * again / times))
                task = WithSubset(text, order[distinct:], order[:distinct], again)
                found.append((again / WINDOWS, steps * again / distinct, _loss(task, steps, name)))
    alone = np.array(fresh)
    runs = Runs.from_columns({"D": alone[:, 0], "loss": alone[:, 1]}, source="fresh text", units={"loss": text.unit})
    ensemble = bootstrap(fit(FRESH, runs, objective=squares()), seed=seed)
    share, times, loss = np.array(found).T
    worth = _worth(ensemble, share, loss, float(steps * BATCH))
    table = Runs.from_columns({"times": times, "worth": worth, "share": share}, source="text with a repeated subset")
    audit = {
        each: shapes(table.take(share == each), ("worth",), x="times", delta=0.1, better="higher").of("worth")[0]
        for each in np.unique(share)
    }
    lows: dict[float, tuple[float, Interval]] = {}
    for each in audit:
        means = {t: mean_interval(worth[(share == each) & (times == t)]) for t in np.unique(times[share == each])}
        at = min(means, key=lambda t: means[t].value)
        lows[each] = at, means[at]
    harms = {each: low.high < 0 for each, (_, low) in lows.items()}
    worst = {each: harms[each] and audit[each].shape == "U" for each in audit}
    verdict = "appears" if any(worst.values()) else "appears in part" if any(harms.values()) else "does not appear"
    parts = "; ".join(
        f"with {each:.0%} of the tokens from the subset, one of them is worth least, {told(low)} fresh tokens, when it "
        f"is seen {at:,.0f} times (shape along the repeats: {audit[each].shape})"
        for each, (at, low) in lows.items()
    )
    says = (
        f"{parts[0].upper()}{parts[1:]}. Below zero a token is worse than none; the law of fresh text has "
        f"β = {told(ensemble.interval('beta', level=LEVEL))}."
    )
    rows = [
        [f"{each:.0%}", f"{t:,.0f}", f"{loss[here].mean():.4f}", told(mean_interval(worth[here]))]
        for each in audit
        for t in np.unique(times[share == each])
        for here in [(share == each) & (times == t)]
    ]
    figure, (axes,) = panels(1)
    for number, each in enumerate(audit):
        here = share == each
        levels = np.unique(times[here])
        means = [mean_interval(worth[here & (times == t)]) for t in levels]
        ends = np.array([[m.value - m.low, m.high - m.value] for m in means]).T
        axes.errorbar(
            levels, [m.value for m in means], yerr=ends, fmt=f"{MARKERS[number]}-", color=COLOURS[number], capsize=3,
            ms=5, linewidth=1, label=f"{each:.0%} of the tokens",
        )  # fmt: skip
    axes.axhline(0, color=COLOURS[6], linewidth=0.8, linestyle=":")
    axes.set(xscale="log", xlabel="times that a token of the subset is seen", ylabel="worth of it in fresh tokens")
    axes.legend(frameon=False, fontsize=9)
    numbers: dict[str, float | Interval] = {f"worth at {each:.0%}": low for each, (_, low) in reversed(lows.items())}
    numbers |= {"often": float(worth[times == times.max()].mean()), "rarely": float(worth[times == times.min()].mean())}
    return Outcome(verdict, says, ["share", "times", "loss (nats/byte)", "worth, 90 %"], rows, figure, numbers)


def _worth(ensemble: Ensemble, share: np.ndarray, loss: np.ndarray, tokens: float) -> np.ndarray:
    """w with L = E + B/((1 − s + w s) D)^β: fresh tokens that one token of the subset stands for."""
    at = ensemble.estimate.params
    effective = ((loss - at["E"]) / at["B"]) ** (-1 / at["beta"])
    return (effective / tokens - (1 - share)) / share


def _loss(task: WithSubset, steps: int, seed: int) -> float:
    cell = Cell(
        task=TaskSpec(context=CONTEXT),
        shape=SHAPE,
        steps=steps,
        batch=BATCH,
        lr=0.006,
        seed=seed,
        schedule=Schedule("cosine", final=0.0),
        evaluation=Evaluation(points=1, windows=2_048),
    )
    return train(cell, task=task).loss


if __name__ == "__main__":
    show(__doc__, "repeated_subset", study)
