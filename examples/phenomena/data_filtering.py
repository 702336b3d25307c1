"""Data filtering: a small clean set wins while compute is small, the whole noisy pool once it has been repeated enough.

Goyal, Maini et al. 2024 (arXiv 2404.07177): the worth of filtered data decays with each repetition, so how hard to
filter depends on the compute. Digits with labels: 80 clean images against those and 1,120 more of which a share have a
random label, two fifths in the picture; the budget is the number of images seen.
"""

from __future__ import annotations

import numpy as np
import torch
from _networks import Weights, outputs, start, train
from _scaffold import (
    COLOURS,
    LEVEL,
    MARKERS,
    Outcome,
    draws_interval,
    mean_interval,
    panels,
    plain_ticks,
    show,
    stream,
    told,
)
from torch import Tensor

from isoflop import Interval, Runs, bootstrap, fit, law, squares
from isoflop.lab.schedules import Schedule
from isoflop.lab.tasks import digits
from isoflop.lab.tasks.base import shuffled

CLEAN, POOL, BATCH = 80, 1_200, 20
NOISE = 0.4  # share of random labels in the picture and the verdict
# Each repetition of U examples adds less: r is the number of repetitions after which hardly anything is added.
REPEATED = law("E + B/(U*(1 + r*(1 - exp(-(D/U - 1)/r))))^beta", domains={"r": "positive", "beta": "positive"})


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train on both pools with a constant learning rate, measure the test error along the way, compare by seed."""
    torch.set_num_threads(1)
    seeds = 16 if quick else 30
    others = () if quick else (0.2, 0.6)  # further shares of random labels
    budgets = tuple(160 * 2**k for k in range(6 if quick else 8))
    clean, pool = (_errors(size, NOISE, budgets, seeds, seed) for size in (CLEAN, POOL))  # (budgets, seeds)
    differences = [mean_interval(each) for each in clean - pool]
    crossing = _crossing_interval(budgets, clean - pool, seed)
    elsewhere = {
        noise: _crossing_interval(budgets, clean - _errors(POOL, noise, budgets, seeds, seed), seed) for noise in others
    }

    filter_wins = [b for b, each in zip(budgets, differences, strict=True) if each.high < 0]
    pool_wins = [b for b, each in zip(budgets, differences, strict=True) if each.low > 0]
    both = bool(filter_wins and pool_wins and max(filter_wins) < min(pool_wins))
    verdict = "appears" if both else "appears in part" if filter_wins or pool_wins else "does not appear"
    value = _repetitions(clean, budgets, seed)
    at_others = "".join(f"; with noise on {noise:.0%}, {told(each)}" for noise, each in elsewhere.items())
    worth = (
        f"Repeats of the clean set lose their worth at a rate r of {told(value)} passes."
        if value.high < 1_000
        else "The worth of the clean set's repeats is not determined by its curve."
    )
    says = (
        f"With random labels on {NOISE:.0%} of the rest, the clean set wins at {_listed(filter_wins)} images seen, the "
        f"whole pool at {_listed(pool_wins)} (90 % intervals of the difference clear of zero); they change places at "
        f"{told(crossing)} images, {crossing.value / CLEAN:.0f} passes over the clean set{at_others}. {worth}"
    )
    rows = [
        [f"{b:,}", f"{b / CLEAN:g}", f"{clean[i].mean():.3f}", f"{pool[i].mean():.3f}", told(differences[i])]
        for i, b in enumerate(budgets)
    ]

    figure, (axes,) = panels(1)
    for number, (name, errors) in enumerate(((f"{CLEAN} clean images", clean), (f"whole pool of {POOL:,}", pool))):
        each = [mean_interval(row) for row in errors]
        ends = np.array([[i.value - i.low, i.high - i.value] for i in each]).T
        axes.errorbar(
            budgets,
            [i.value for i in each],
            yerr=ends,
            marker=MARKERS[number],
            color=COLOURS[number],
            capsize=3,
            label=name,
        )
    axes.axvspan(crossing.low, crossing.high, color=COLOURS[4], alpha=0.35, linewidth=0, label="change of places, 90 %")
    axes.set(
        xscale="log", yscale="log", xlabel="images seen (training compute)", ylabel="error rate on held-out images"
    )
    plain_ticks(axes, budgets)
    plain_ticks(axes, (0.05, 0.1, 0.2, 0.5), axis="y")
    axes.legend(frameon=False, fontsize=9, loc="lower left")
    header = ["images seen", "passes over clean", "clean only", "whole pool", "clean − pool, 90 %"]
    numbers = {"images at the crossing": crossing, "small": differences[0], "large": differences[-1]}
    return Outcome(verdict, says, header, rows, figure, numbers)


def _errors(size: int, noise: float, budgets: tuple[int, ...], seeds: int, seed: int) -> np.ndarray:
    """Held-out error after each budget, (budgets, seeds); the first 80 images of every pool are clean."""
    task = digits()
    rng = np.random.default_rng(stream(1, seed))
    chosen = np.stack([rng.permutation(task.unique)[:POOL] for _ in range(seeds)])  # another pool for every seed
    labels = task.labels[chosen]
    noisy = rng.random(labels.shape) < noise
    noisy[:, :CLEAN] = False
    labels[noisy] = rng.integers(0, task.classes, int(noisy.sum()))
    x, y = torch.from_numpy(task.training[chosen]), torch.from_numpy(labels)
    held, truth = (torch.from_numpy(each) for each in task.held_out(10_000))
    lane = torch.arange(seeds)[:, None]
    found = np.empty((len(budgets), seeds))

    def batch(step: int) -> tuple[Tensor, Tensor]:
        rows = np.stack([shuffled(stream(own, seed), (step - 1) * BATCH, BATCH, size) for own in range(seeds)])
        return x[lane, torch.from_numpy(rows)], y[lane, torch.from_numpy(rows)]

    def watch(step: int, weights: Weights) -> bool:
        if step * BATCH in budgets:
            wrong = outputs(weights, held).argmax(dim=-1) != truth
            found[budgets.index(step * BATCH)] = wrong.float().mean(dim=1).numpy()
        return False

    train(
        start((task.features, 64, task.classes), seeds, seed=stream(0, seed)),
        batch,
        steps=budgets[-1] // BATCH,
        rates=[3e-3] * seeds,
        schedule=Schedule("constant", warmup=0.0),
        watch=watch,
    )
    return found


def _repetitions(clean: np.ndarray, budgets: tuple[int, ...], seed: int) -> Interval:
    """r of the repeated-data law along the clean set's own curve."""
    seeds = clean.shape[1]
    runs = Runs.from_columns(
        {
            "D": np.repeat(budgets, seeds),
            "U": np.full(clean.size, CLEAN),
            "loss": clean.ravel(),
            "run": np.tile([f"seed {s}" for s in range(seeds)], len(budgets)),
        },
        source="clean digits, repeated",
        units={"loss": "error rate"},
    )
    return bootstrap(fit(REPEATED, runs, objective=squares()), draws=300, seed=seed).interval("r", level=LEVEL)


def _crossing(budgets: tuple[int, ...], gaps: np.ndarray) -> float:
    """The budget at which clean − pool rises through zero for the last time, by a line in log budget."""
    rises = np.flatnonzero((gaps[:-1] < 0) & (gaps[1:] >= 0))
    if not len(rises):
        return float("nan")
    i = rises[-1]
    return float(budgets[i] * (budgets[i + 1] / budgets[i]) ** (gaps[i] / (gaps[i] - gaps[i + 1])))


def _crossing_interval(budgets: tuple[int, ...], gaps: np.ndarray, seed: int) -> Interval:
    """The crossing of the mean gap, with seeds drawn with replacement."""
    rng = np.random.default_rng(stream(0, seed))
    seeds = gaps.shape[1]
    draws = [_crossing(budgets, gaps[:, rng.integers(0, seeds, seeds)].mean(axis=1)) for _ in range(1_000)]
    return draws_interval(_crossing(budgets, gaps.mean(axis=1)), np.array(draws))


def _listed(values: list[int]) -> str:
    return ", ".join(f"{value:,}" for value in values) or "none"


if __name__ == "__main__":
    show(__doc__, "data_filtering", study)
