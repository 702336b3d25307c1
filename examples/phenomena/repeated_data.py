"""Repeated data: a few passes over the same text are worth almost as much as fresh text, many are not.

Muennighoff et al. 2023 (arXiv 2305.16264): U unique tokens seen for D tokens are worth U (1 + r (1 − exp(−(D/U −
1)/r))) fresh ones, with r about 15 in language models. Byte-level transformers of one size read a random choice of
windows of Python's standard library up to 16 times, or as many windows of which none repeats.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, mean_interval, panels, plain_ticks, show, side, stream, told
from matplotlib.axes import Axes

from isoflop import Interval, Runs, bootstrap, fit, law, squares
from isoflop.lab.cell import Cell, Evaluation
from isoflop.lab.schedules import Schedule
from isoflop.lab.shapes import TransformerShape
from isoflop.lab.tasks import TaskSpec, TextTask, python_text
from isoflop.lab.tasks.base import Inputs, Ints, shuffled
from isoflop.lab.train import train

CONTEXT, WINDOWS = 32, 16
BATCH = CONTEXT * WINDOWS  # bytes a step
SHAPE = TransformerShape(width=48, layers=1, heads=2)
LAW = law(
    "E + B/(U*(1 + r*(1 - exp(-(D/U - 1)/r))))^beta",
    domains={"r": (0.1, 1_000.0), "beta": "positive"},
)


@dataclass(frozen=True, eq=False)
class SomeWindows:
    """A text task that reads only the chosen windows of another, the same ones again in every epoch."""

    whole: TextTask
    chosen: Ints
    name: str = "python-text"
    unit: str = "nats/byte"
    context: int = CONTEXT
    classes: int = 256
    features: int = 0

    @property
    def unique(self) -> int:
        """U, bytes."""
        return len(self.chosen) * self.context

    @property
    def digest(self) -> str:
        """SHA-256 of the text and the choice."""
        return hashlib.sha256(self.whole.digest.encode() + self.chosen.tobytes()).hexdigest()

    def batch(self, seed: int, step: int, size: int) -> tuple[Inputs, Ints]:
        """Inputs and next bytes of ``size`` windows."""
        windows = self.chosen[shuffled(seed, step * size, size, len(self.chosen))]
        cut = self.whole.training[windows[:, None] * self.context + np.arange(self.context + 1)].astype(np.int64)
        return cut[:, :-1], cut[:, 1:]

    def held_out(self, size: int) -> tuple[Inputs, Ints]:
        """Windows of files that no training reads."""
        return self.whole.held_out(size)


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train each number of unique bytes for each number of passes, and as long on fresh bytes; fit the law to all."""
    torch.set_num_threads(1)
    uniques = (4_096,) if quick else (16_384, 65_536)
    passes = (1, 4, 16) if quick else (1, 2, 4, 8, 16)
    longest = uniques[-1] * (16 if quick else 8)
    seeds = [stream(own, seed) for own in range(2 if quick else 3)]
    text = python_text(context=CONTEXT)
    found: dict[tuple[int, int, int], float] = {}  # (D, U, seed) → held-out loss
    for own in seeds:
        order = np.random.default_rng([own, 5]).permutation(text.windows)
        for unique in uniques:
            for count in passes:
                tokens = unique * count
                if tokens <= longest:
                    for u in {unique, tokens}:
                        if (tokens, u, own) not in found:
                            found[tokens, u, own] = _loss(SomeWindows(text, order[: u // CONTEXT]), tokens, own)
    table = np.array([(*cell, loss) for cell, loss in found.items()])
    runs = Runs.from_columns(
        {"D": table[:, 0], "U": table[:, 1], "seed": table[:, 2].astype(int), "loss": table[:, 3]},
        source="transformers on repeated text",
        units={"loss": text.unit},
    )
    ensemble = bootstrap(fit(LAW, runs, objective=squares()), seed=seed)
    worth = ensemble.interval("r", level=LEVEL)

    shares = {  # of the gain of fresh text over the first pass
        (unique, count): _share(found, unique, count, seeds)
        for unique in uniques
        for count in passes[1:]
        if unique * count <= longest
    }
    unique = uniques[0]
    few, many = shares[unique, 4], shares[unique, 16]
    cheap, wanes = few.high >= 0.9, many.high < few.value
    verdict = "appears" if cheap and wanes else "appears in part" if cheap or wanes else "does not appear"
    says = (
        f"Of what fresh text gains over one pass of {unique // 1024} KiB, 4 passes over the same text gain "
        f"{_percent(few)} and 16 passes {_percent(many)}. The law's r is {told(worth)} passes (15.4 in the paper's "
        f"language models, {side(worth, 15.4)}), fitted to {len(runs)} runs with residuals of "
        f"{100 * ensemble.fit.scale:.2f} %."
    )
    rows = []
    for (u, count), share in shares.items():
        again, fresh = (np.mean([found[u * count, each, s] for s in seeds]) for each in (u, u * count))
        rows.append([f"{u // 1024} KiB", f"{count}", f"{again:.3f}", f"{fresh:.3f}", _percent(share)])
    header = ["unique", "passes", "repeated (nats/byte)", "fresh", "share of the gain, 90 %"]

    figure, (axes,) = panels(1)
    fresh = table[:, 0] == table[:, 1]
    _curve(axes, table[fresh], COLOURS[6], "o", "fresh text")
    span = np.geomspace(table[:, 0].min(), table[:, 0].max(), 100)
    axes.plot(span / 1024, ensemble.estimate.predict({"D": span, "U": span}), color=COLOURS[6], linewidth=1)
    for number, u in enumerate(uniques):
        _curve(axes, table[table[:, 1] == u], COLOURS[number], MARKERS[number + 1], f"{u // 1024} KiB, repeated")
        along = span[(span >= u) & (span <= 16 * u)]
        axes.plot(
            along / 1024, ensemble.estimate.predict({"D": along, "U": float(u)}), color=COLOURS[number], linewidth=1
        )
    axes.set(xscale="log", xlabel="text read D (KiB)", ylabel="held-out loss (nats/byte)")
    plain_ticks(axes, [uniques[0] / 1024 * 2**k for k in range(9) if uniques[0] * 2**k <= longest])
    axes.legend(frameon=False, fontsize=9, title="lines: the law", title_fontsize=9)
    return Outcome(
        verdict,
        says,
        header,
        rows,
        figure,
        {"share gained by 4 passes": few, "share gained by 16 passes": many, "r": worth},
    )


def _loss(task: SomeWindows, tokens: int, seed: int) -> float:
    cell = Cell(
        task=TaskSpec(context=CONTEXT),
        shape=SHAPE,
        steps=tokens // BATCH,
        batch=BATCH,
        lr=0.004,
        seed=seed,
        schedule=Schedule("cosine", final=0.0),
        evaluation=Evaluation(points=1, windows=1_024),
    )
    return train(cell, task=task).loss


def _share(found: dict[tuple[int, int, int], float], unique: int, count: int, seeds: tuple[int, ...]) -> Interval:
    """(L(1 pass) − L(repeated)) / (L(1 pass) − L(fresh)) in pairs by seed."""
    each = []
    for seed in seeds:
        once, again = found[unique, unique, seed], found[unique * count, unique, seed]
        each.append((once - again) / (once - found[unique * count, unique * count, seed]))
    return mean_interval(each)


def _percent(share: Interval) -> str:
    return f"{share.value:.0%} [{share.low:.0%}, {share.high:.0%}]"


def _curve(axes: Axes, rows: np.ndarray, color: str, marker: str, label: str) -> None:
    axes.scatter(rows[:, 0] / 1024, rows[:, 3], s=22, color=color, marker=marker, label=label, zorder=3)


if __name__ == "__main__":
    show(__doc__, "repeated_data", study)
