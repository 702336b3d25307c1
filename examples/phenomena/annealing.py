"""Learning-rate annealing: a law fitted to constant and cosine schedules foretells the whole curve of another one.

Tissue et al. 2024 (arXiv 2408.11029): L(s) = L_0 + A/S1^alpha − G S2, with S1 the sum of the rates up to step s and S2
the annealed area, the sum of m_i = lambda m_{i−1} + (rate_{i−1} − rate_i). Byte-level transformers read Python's
standard library under four schedules; the law sees two of them, and a schedule that falls at the end is foretold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from _scaffold import COLOURS, Outcome, mean_interval, panels, show, stream, told

from isoflop import Runs, fit, fix, huber, law
from isoflop.fitting import Fit
from isoflop.lab.cell import Cell, Evaluation
from isoflop.lab.schedules import Kind, Schedule
from isoflop.lab.shapes import TransformerShape
from isoflop.lab.tasks import TaskSpec
from isoflop.lab.train import train

KNOWN: tuple[Kind, ...] = ("constant", "cosine")
UNSEEN: tuple[Kind, ...] = ("wsd", "multistep")
WORDS = {"constant": "constant", "cosine": "cosine", "wsd": "WSD", "multistep": "multi-step"}
SHAPE = TransformerShape(width=32, layers=1, heads=2)
CONTEXT = 32
# annealed = 1 + S2: an input must be positive, and S2 is zero for a constant rate.
LAW = law("L_0 + A/area^alpha - G*(annealed - 1)", inputs=("area", "annealed"), domains={"alpha": "positive"})
MEMORIES = (0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998)


@dataclass(frozen=True)
class Size:
    """How long a training is: steps, windows a step, points of its curve, and windows held out."""

    steps: int
    windows: int
    points: int
    held_out: int


@dataclass(frozen=True)
class Curve:
    """Held-out losses after some steps, and the schedule's factor at every step."""

    kind: Kind
    seed: int
    steps: np.ndarray
    loss: np.ndarray
    factors: np.ndarray

    def areas(self, memory: float) -> tuple[np.ndarray, np.ndarray]:
        """S1 and S2 at the curve's steps, in units of the peak rate; warm-up counts as the peak, as in the paper."""
        rates = np.maximum.accumulate(self.factors[::-1])[::-1]
        falls = np.append(0.0, rates[:-1] - rates[1:])
        momentum = np.empty_like(rates)
        last = 0.0
        for i, fall in enumerate(falls):
            last = memory * last + fall
            momentum[i] = last
        at = self.steps - 1
        return rates.cumsum()[at], momentum.cumsum()[at]


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train all schedules, fit to constant and cosine, foretell the others; by seed."""
    torch.set_num_threads(1)
    seeds = [stream(own, seed) for own in range(1 if quick else 3)]
    size = Size(300, 8, 16, 128) if quick else Size(1_500, 32, 30, 768)
    unseen = UNSEEN[:1] if quick else UNSEEN
    curves = {(kind, own): _trained(kind, own, size) for own in seeds for kind in (*KNOWN, *unseen)}
    fits = {own: _fitted([curves[kind, own] for kind in KNOWN]) for own in seeds}

    rows, ratios, errors, plain_errors = [], [], [], []
    for kind in (*KNOWN, *unseen):
        final, said, mean_error, without = [], [], [], []
        for own in seeds:
            (memory, full, plain), curve = fits[own], curves[kind, own]
            foretold = _foretold(full, curve, memory)
            final.append(curve.loss[-1])
            said.append(foretold[-1])
            mean_error.append(np.abs(foretold - curve.loss).mean())
            without.append(_foretold(plain, curve, memory)[-1])
            if kind == "wsd":
                gain = curves["constant", own].loss[-1] - curve.loss[-1]
                ratios.append((curves["constant", own].loss[-1] - foretold[-1]) / gain)
                errors.append(foretold[-1] - curve.loss[-1])
                plain_errors.append(without[-1] - curve.loss[-1])
        role = "fitted" if kind in KNOWN else "foretold"
        means = tuple(float(np.mean(each)) for each in (final, said, mean_error, without))
        rows.append([WORDS[kind], role, *(f"{each:.4f}" for each in means)])
        if kind == "cosine":
            with_term, without_term = abs(means[1] - means[0]), abs(means[3] - means[0])

    gains = [curves["constant", own].loss[-1] - curves["wsd", own].loss[-1] for own in seeds]
    share = float(np.mean(ratios))
    right = abs(share - 1) <= 0.25
    verdict = (
        "appears"
        if right and min(gains) > 0
        else "appears in part"
        if min(gains) > 0 and share > 0.5
        else "does not appear"
    )
    error = told(mean_interval(errors)) if len(errors) > 1 else f"{errors[0]:+.4f}"
    unannealed = float(np.mean(plain_errors))
    memories = ", ".join(f"{memory:g}" for memory, *_ in fits.values())
    says = (
        f"Decay at the end lowers the loss by {np.mean(gains):.4f} nats/byte against a constant rate; the law, fitted "
        f"to constant and cosine, foretells {share:.0%} of that, its final WSD loss being off by {error} nats/byte; "
        f"without the annealing term it is off by {unannealed:+.4f}. The memory lambda that fits the two curves best "
        f"is {memories} (one a seed); it goes with the run's length and is not a constant."
    )

    figure, (left, right_axes) = panels(2, width=9.8)
    memory, full, _ = fits[seeds[0]]
    for number, kind in enumerate((*KNOWN, *unseen)):
        curve, color = curves[kind, seeds[0]], COLOURS[number]
        left.plot(np.arange(1, size.steps + 1), curve.factors, color=color, label=WORDS[kind])
        late = curve.steps >= 0.15 * size.steps
        right_axes.scatter(curve.steps[late], curve.loss[late], s=14, color=color, label=WORDS[kind])
        line = "-" if kind in KNOWN else "--"
        every = replace(curve, steps=np.arange(int(0.15 * size.steps), size.steps + 1))
        right_axes.plot(every.steps, _foretold(full, every, memory), color=color, linewidth=1.2, linestyle=line)
    left.set(xlabel="optimizer steps", ylabel="learning rate (share of the peak)")
    right_axes.set(xlabel="optimizer steps", ylabel="held-out loss (nats/byte)")
    right_axes.legend(frameon=False, fontsize=9, title="solid: fitted · dashed: foretold", title_fontsize=9)
    header = ["schedule", "", "final loss", "law", "mean error of curve", "law without annealing"]
    foretold_share = mean_interval(ratios) if len(ratios) > 1 else share
    numbers = {"share of the gain foretold": foretold_share, "gain": float(np.mean(gains))}
    numbers |= {"with": with_term, "without": without_term}
    return Outcome(verdict, says, header, rows, figure, numbers)


def _trained(kind: Kind, seed: int, size: Size) -> Curve:
    schedule = Schedule(kind, warmup=0.05, final=0.02)
    cell = Cell(
        task=TaskSpec(context=CONTEXT),
        shape=SHAPE,
        steps=size.steps,
        batch=CONTEXT * size.windows,
        lr=0.01,
        seed=seed,
        schedule=schedule,
        evaluation=Evaluation(points=size.points, first=0.06, windows=size.held_out),
    )
    done = train(cell)
    points = [(point.step, point.loss) for point in done.curve]
    at, loss = np.array(points).T
    return Curve(
        kind, seed, at.astype(int), loss, np.array([schedule.factor(step, size.steps) for step in range(size.steps)])
    )


def _fitted(known: list[Curve]) -> tuple[float, Fit, Fit]:
    """The memory whose fit to the known curves is best, that fit, and one without the annealing term."""
    tries = [(memory, fit(LAW, _runs(known, memory), objective=huber())) for memory in MEMORIES]
    memory, best = min(tries, key=lambda pair: pair[1].value)
    return memory, best, fit(fix(LAW, {"G": 0.0}), _runs(known, memory), objective=huber())


def _runs(curves: list[Curve], memory: float) -> Runs:
    areas = [curve.areas(memory) for curve in curves]
    return Runs.from_columns(
        {
            "area": np.concatenate([area for area, _ in areas]),
            "annealed": 1 + np.concatenate([annealed for _, annealed in areas]),
            "loss": np.concatenate([curve.loss for curve in curves]),
            "run": [f"{curve.kind}, seed {curve.seed}" for curve in curves for _ in curve.loss],
        },
        source="curves of two schedules",
        units={"loss": "nats/byte"},
    )


def _foretold(fitted: Fit, curve: Curve, memory: float) -> np.ndarray:
    area, annealed = curve.areas(memory)
    return fitted.predict({"area": area, "annealed": 1 + annealed})


if __name__ == "__main__":
    show(__doc__, "annealing", study)
