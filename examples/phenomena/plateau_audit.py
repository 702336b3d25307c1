"""Plateaus: most tasks gain from the smallest to a middle size class, and some gain nothing from there on.

Heim et al. 2025 (arXiv 2505.16276): scores of 26 language models on tasks of knowledge graphs differ between four
classes of size, yet the two largest classes do not on several tasks, and within a family a larger model can be worse.
Here three families of networks (trained on more and more digits) in twelve widths are tested on held-out digits as
they are, under noise, moved by a pixel and half hidden; the classes are compared by Kruskal and Wallis' and Dunn's
tests, and what a larger class would have gained is measured.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from _digits import digit_tasks, digits_parts, epochs
from _networks import outputs, parameters
from _scaffold import COLOURS, MARKERS, Outcome, mean_interval, panels, show, told

from isoflop import Interval, Runs
from isoflop.validation.shape_audit import shapes
from isoflop.validation.size_classes import SizeClasses

PIXELS, DIGITS = 64, 10
EDGES = (2, 6, 24)  # the largest widths of all classes but the last
NAMES = ("tiny", "small", "medium", "large")
MATTERS = 0.02  # a difference in the share that is right


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train three families, test them on four tasks, and ask from which class of size on nothing is gained."""
    torch.set_num_threads(1)
    widths = (1, 2, 4, 6, 12, 24, 48, 96) if quick else (1, 2, 3, 4, 5, 6, 8, 12, 24, 32, 64, 128)
    families = (300, 1_400) if quick else (150, 450, 1_400)
    lanes, count = (3, 12) if quick else (6, 40)
    tasks = digit_tasks(seed)
    x, y, held, labels = digits_parts(1_400, seed=seed)
    asked = {name: change(held) for name, change in tasks.items()}
    rows, right = [], {}
    for family in families:
        for width in widths:
            sizes = (PIXELS, width, DIGITS)
            weights = epochs(
                x[:family], y[:family].expand(lanes, -1), sizes, count=count * (1_400 // family) // 2 + count // 2,
                seed=1_000 * seed + width + family,
            )  # fmt: skip
            for name, images in asked.items():
                with torch.no_grad():
                    hit = (outputs(weights, images).argmax(dim=2) == labels).double().mean(dim=1).numpy()
                right[name, family, width] = hit
            size = parameters(sizes)
            rows += [
                (f"{family} digits", size, lane, *(float(right[name, family, width][lane]) for name in tasks))
                for lane in range(lanes)
            ]
    columns = dict(zip(("family", "N", "seed", *tasks), map(list, zip(*rows, strict=True)), strict=True))
    edges = [float(parameters((PIXELS, width, DIGITS))) for width in EDGES]
    audit = shapes(
        Runs.from_columns(columns, source="digits"), tuple(tasks), x="N", by=("family",), better="higher",
        delta=MATTERS, classes=edges,
    )  # fmt: skip
    of = {each.response: each for each in audit.classes}
    ends = {name: each.plateau(alpha=0.05, delta=MATTERS) for name, each in of.items()}
    inside = [width for width in widths if EDGES[1] < width <= EDGES[2]], [w for w in widths if w > EDGES[2]]
    gains = {
        name: mean_interval(
            [
                np.mean([right[name, family, width][lane] for width in inside[1]])
                - np.mean([right[name, family, width][lane] for width in inside[0]])
                for family in families
                for lane in range(lanes)
            ]
        )
        for name in tasks
    }
    worse = [
        (name, family, small)
        for name in tasks
        for family in families
        for small, large in pairwise(widths)
        if mean_interval(right[name, family, large] - right[name, family, small]).high < 0
    ]
    silent = [name for name in tasks if _pair(of[name]) > 0.05 and gains[name].low > 0]
    differ = all(each.p < 0.05 for each in of.values())
    flat = [name for name in tasks if ends[name] is not None]
    verdict = (
        "appears" if differ and 0 < len(flat) < len(tasks)
        else "appears in part" if differ or flat
        else "does not appear"
    )  # fmt: skip
    said = "; ".join(
        f"{name}: "
        + (
            f"by the medians no more than {MATTERS} is gained beyond {NAMES[ends[name]]}"
            if ends[name] is not None
            else "no plateau is shown"
        )
        + f", large above medium by {told(gains[name])} (p = {_pair(of[name]):.2g})"
        for name in tasks
    )
    says = (
        f"The classes differ on {sum(each.p < 0.05 for each in of.values())} of {len(tasks)} tasks (largest p = "
        f"{max(each.p for each in of.values()):.2g}). {said[0].upper()}{said[1:]}. Dunn's test of the two largest "
        f"classes, taken alone, finds no difference on {len(silent)} tasks on which networks and seeds show a gain. "
        f"Within a family the next larger network is surely worse in {len(worse)} of "
        f"{len(tasks) * len(families) * (len(widths) - 1)} steps."
    )
    table = [
        [name, NAMES[place], f"{of[name].count[place]}", f"{of[name].median[place]:.3f}"]
        for name in tasks
        for place in range(len(NAMES))
    ]
    figure, (axes,) = panels(1)
    for number, name in enumerate(tasks):
        x_axis = [parameters((PIXELS, width, DIGITS)) for width in widths]
        each = [mean_interval(np.concatenate([right[name, f, width] for f in families])) for width in widths]
        bars = np.array([[e.value - e.low, e.high - e.value] for e in each]).T
        axes.errorbar(x_axis, [e.value for e in each], yerr=bars, fmt=f"{MARKERS[number]}-", color=COLOURS[number],
                      ms=5, linewidth=1, capsize=3, label=name)  # fmt: skip
    for edge in edges:
        axes.axvline(edge * 1.1, color=COLOURS[6], linestyle=":", linewidth=1)
    axes.set(xscale="log", xlabel="parameters N (dotted: classes of size)", ylabel="share right")
    axes.legend(frameon=False, fontsize=9)
    numbers: dict[str, float | Interval] = {f"large above medium, {name}": each for name, each in gains.items()}
    numbers |= {f"p, {name}": each.p for name, each in of.items()} | {"plateaus": float(len(flat))}
    numbers["silent"] = float(len(silent))
    numbers["worse steps"] = float(len(worse))
    return Outcome(verdict, says, ["task", "class", "models", "median"], table, figure, numbers)


def _pair(each: SizeClasses) -> float:
    """Dunn's corrected p-value of the two largest classes."""
    return next(one.adjusted for one in each.pairs if (one.first, one.second) == (len(NAMES) - 2, len(NAMES) - 1))


if __name__ == "__main__":
    show(__doc__, "plateau_audit", study)
