"""Capability order: models of all sizes acquire skills in one order, and early scores foretell the final ones.

Yang et al. 2024 (arXiv 2404.01204), "The Fine Line": along training the scores of tasks run alike in models of up to
67B parameters, in a common order, so that early checkpoints and other sizes tell what comes. Here the ten classes of
handwritten digits are the skills, and MLPs of growing width are followed from the first step on.
"""

from __future__ import annotations

import numpy as np
import torch
from _networks import Weights, outputs, parameters, start, train
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, mean_interval, panels, plain_ticks, show, told
from torch import Tensor

from isoflop import Interval, Runs
from isoflop.lab.schedules import Schedule
from isoflop.lab.tasks import DigitsTask, digits
from isoflop.validation.score_curves import score_curves
from isoflop.validation.tracking import track

BATCH = 32
TASKS = tuple(f"digit {each}" for each in range(10))


def study(quick: bool, seed: int = 0) -> Outcome:
    """Follow the accuracy on every class along training at every width: onsets, their order, forecast finals."""
    torch.set_num_threads(1)
    widths = (2, 4, 8, 16, 64) if quick else (2, 3, 4, 6, 8, 16, 32, 64, 128)
    lanes, steps = (12, 200) if quick else (32, 600)
    task = digits()
    marks = np.unique(np.geomspace(4, steps, 12 if quick else 18).round().astype(int))
    rows = []
    for width in widths:
        for mark, scores in zip(marks, _followed(task, width, lanes, marks, seed), strict=True):
            row = {"run": f"width {width}", "N": float(parameters(_sizes(width))), "step": float(mark)}
            row |= dict(zip(TASKS, scores.mean(axis=0), strict=True))
            spread = np.maximum(scores.std(axis=0, ddof=1), 0.01) / np.sqrt(lanes)
            rows.append(row | {f"{name}_stderr": each for name, each in zip(TASKS, spread, strict=True)})
    runs = Runs.from_columns({name: [row[name] for row in rows] for name in rows[0]}, source="classes of digits")
    chance = dict.fromkeys(TASKS, 0.1)
    found = track(score_curves(runs, tasks=list(TASKS)), chance=chance, early=float(steps) / 10, level=LEVEL, seed=seed)
    common = [each.rank.low > 0 for each in found.agreements]
    error = mean_interval([each.error for each in found.foretold])
    stay = mean_interval([each.baseline for each in found.foretold])
    gain = mean_interval([each.baseline - each.error for each in found.foretold])
    foretold = gain.low > 0
    verdict = (
        "appears" if all(common) and foretold else "appears in part" if any(common) or foretold else "does not appear"
    )
    agree = sorted(found.agreements, key=lambda each: widths.index(int(each.model.split()[1])))
    says = (
        f"The order of onsets agrees with that of {found.reference}: "
        + ", ".join(f"{told(each.rank)} at {each.model}" for each in agree)
        + " (Spearman, over the classes that rise in both). From scores at a tenth of the training the final ones are "
        f"forecast with a mean error of {error.value:.3f}, where taking them as they are errs by {stay.value:.3f}: a "
        f"gain of {told(gain)}."
    )
    table = [[each.model, f"{each.tasks}", told(each.rank)] for each in agree]
    figure, (left, right) = panels(2)
    curves = {name: runs[name][np.array(runs.text("run")) == found.reference] for name in TASKS}
    for number, (name, values) in enumerate(curves.items()):
        style = "-" if number < len(COLOURS) else "--"
        left.plot(marks, values, color=COLOURS[number % len(COLOURS)], linestyle=style, linewidth=1.2, label=name)
    left.set(xscale="log", xlabel="steps", ylabel="accuracy on a class", title=found.reference)
    left.legend(frameon=False, fontsize=7, ncol=2)
    size = [parameters(_sizes(int(each.model.split()[1]))) for each in agree]
    ends = np.array([[each.rank.value - each.rank.low, each.rank.high - each.rank.value] for each in agree]).T
    right.errorbar(size, [e.rank.value for e in agree], yerr=np.maximum(ends, 0), fmt=MARKERS[0], color=COLOURS[0],
                   capsize=3, ms=5)  # fmt: skip
    right.axhline(0, color=COLOURS[6], linewidth=0.8, linestyle=":")
    right.set(xscale="log", xlabel="parameters N", ylabel=f"rank correlation with {found.reference}")
    plain_ticks(right, (200, 500, 1_000, 2_000, 5_000))
    numbers: dict[str, float | Interval] = {"gain of forecasts": gain, "error": error, "baseline": stay}
    numbers |= {"narrowest": agree[0].rank, "next widest": agree[-1].rank}
    return Outcome(verdict, says, ["model", "classes", "order, 90 %"], table, figure, numbers)


def _sizes(width: int) -> tuple[int, ...]:
    return 64, width, 10


def _followed(task: DigitsTask, width: int, lanes: int, marks: np.ndarray, seed: int) -> list[np.ndarray]:
    """Accuracy on each class at every mark, (lanes, classes)."""
    pixels, labels = torch.from_numpy(task.held), torch.from_numpy(task.held_labels)
    training, wanted = torch.from_numpy(task.training), torch.from_numpy(task.labels)
    draws = torch.Generator().manual_seed(10_000 * seed + width)
    found: list[np.ndarray] = []

    def batch(_: int) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(0, len(training), (lanes, BATCH), generator=draws)
        return training[chosen], wanted[chosen]

    def watch(step: int, weights: Weights) -> bool:
        if step in marks:
            with torch.no_grad():
                right = (outputs(weights, pixels).argmax(dim=-1) == labels).double()
            found.append(np.stack([right[:, labels == each].mean(dim=1).numpy() for each in range(10)], axis=1))
        return False

    begin = start(_sizes(width), lanes, seed=10_000 * seed + width + 1)
    schedule = Schedule("constant", warmup=0.02)
    train(begin, batch, steps=int(marks[-1]), rates=[0.003] * lanes, schedule=schedule, watch=watch)
    return found


if __name__ == "__main__":
    show(__doc__, "capability_order", study)
