"""Density: better recipes do with fewer parameters, and the effective size that is read off the scores is real.

Xiao et al. 2024 (arXiv 2412.04315): a model's density is the size that a reference recipe would need for its scores,
over its own; the highest density of open language models doubles in about three and a half months. Here networks of
eleven widths are the reference, releases are recipes that get better step by step (learning rate, epochs, data, moved
copies), one step a year, and four tasks on held-out digits are the benchmarks. The reference recipe is then trained at
the effective sizes, and its scores are compared with those of the releases.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from _digits import SIDE, digit_tasks, digits_parts, epochs
from _networks import outputs, parameters
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, mean_interval, panels, plain_ticks, show, told
from torch import Tensor

from isoflop import Interval, Runs
from isoflop.planning.capability.index import capability
from isoflop.planning.capability.scores import model_scores

PIXELS, DIGITS = 64, 10
FIRST_YEAR, DAYS = 2020, 365.25
NEAR = 0.03  # a difference of the mean score up to which an effective size counts as found


@dataclass(frozen=True)
class Recipe:
    """How a network is trained."""

    rate: float = 7e-4
    epochs: int = 16
    examples: int = 300
    moved: bool = False  # copies moved by a pixel to every side join the examples


def study(quick: bool, seed: int = 0) -> Outcome:
    """Score reference and releases, find densities and their doubling time, and train the reference anew there."""
    torch.set_num_threads(1)
    widths = (2, 4, 8, 16, 48) if quick else (2, 3, 4, 6, 8, 12, 20, 32, 64, 128, 256)
    sizes = (3, 6) if quick else (3, 5, 8)  # widths of the releases
    lanes = 2 if quick else 6
    recipes = [Recipe()]
    for step in ({"rate": 1e-3}, {"epochs": 24}, {"examples": 600}, {"rate": 2e-3}, {"examples": 1_400}):
        recipes.append(replace(recipes[-1], **step))
    if not quick:
        recipes += [replace(recipes[-1], epochs=40), replace(recipes[-1], epochs=40, moved=True)]
    world = _World(seed)
    rows = [
        ("reference", f"reference {width}", FIRST_YEAR, width, _mean(world.scores(recipes[0], width, lanes)))
        for width in widths
    ]
    scored = {}
    for number, recipe in enumerate(recipes[1:], 1):
        for width in sizes:
            scored[number, width] = world.scores(recipe, width, lanes)
            name = f"release {number}, {width}"
            rows.append((f"release {number}", name, FIRST_YEAR + number, width, _mean(scored[number, width])))
    tasks = list(world.tasks)
    family, model, year, width_of, means = zip(*rows, strict=True)
    columns: dict[str, object] = {
        "family": list(family), "model": list(model), "date": [str(each) for each in year],
        "N": [float(_size(each)) for each in width_of],
        **{task: [float(each[k]) for each in means] for k, task in enumerate(tasks)},
    }  # fmt: skip
    table = model_scores(
        Runs.from_columns(columns, source="digits"), tasks=tasks, model="model", date="date", by="N", family="family",
        reference="family == 'reference'",
    )  # fmt: skip
    found = capability(table, chance=dict.fromkeys(tasks, 1 / DIGITS), level=LEVEL, seed=seed)
    density = found.density
    assert density is not None and density.trend is not None
    place = {name: k for k, name in enumerate(table.models)}
    inside, gaps = [], []
    for (number, width), ours in scored.items():
        k = place[f"release {number}, {width}"]
        if density.outside[k] or not np.isfinite(density.effective[k].value):
            continue
        equal = max(1, round((density.effective[k].value - DIGITS) / (PIXELS + 1 + DIGITS)))
        again = world.scores(recipes[0], equal, lanes, again=True)
        inside.append((number, width, k, equal))
        gaps.append(mean_interval(ours.mean(axis=1) - again.mean(axis=1)))
    off = float(np.mean([abs(each.value) for each in gaps])) if gaps else float("nan")
    slope = density.trend.slope
    doubling = density.trend.doubling
    per_release = None if doubling is None else Interval(*(each / DAYS for each in _ends(doubling)), doubling.level)
    best = max(inside, key=lambda one: density.ratio[one[2]].value) if inside else None

    rises, real = slope.low > 0, off < NEAR
    verdict = (
        "appears" if rises and real else "appears in part" if rises or real else "does not appear"
    )  # fmt: skip
    says = (
        f"The logarithm of the highest density rises by {told(slope)} a release"
        + (f", so that it doubles in {told(per_release)} releases" if per_release is not None else "")
        + f"; of {len(scored)} releases {len(scored) - len(inside)} lie beyond the reference models, so that their "
        "density is not defined. "
        + (
            f"The densest of the others does with {_size(best[1]):,} parameters what the reference recipe needs "
            f"{told(density.effective[best[2]])} for. "
            if best is not None
            else ""
        )
        + f"The reference recipe was trained at the {len(gaps)} effective sizes: the releases' scores less its own are "
        f"{told(mean_interval([each.value for each in gaps]))} ({off:.3f} apart on average, "
        f"{sum(each.low <= 0 <= each.high for each in gaps)} of {len(gaps)} within chance)."
    )
    shown = [
        [name, f"{table.scale[k]:,.0f}", *(f"{each:.3f}" for each in table.scores[k]),
         "beyond the reference" if density.outside[k] else told(density.ratio[k])]
        for name, k in place.items()
    ]  # fmt: skip
    figure, (left, right) = panels(2)
    reference = np.array([name.startswith("reference") for name in table.models])
    index = np.array([each.value for each in found.index])
    left.plot(table.scale[reference], index[reference], f"{MARKERS[0]}-", color=COLOURS[6], ms=5, linewidth=1,
              label="reference recipe")  # fmt: skip
    for number, width in enumerate(sizes):
        rows_of = [place[f"release {one}, {width}"] for one in range(1, len(recipes))]
        color, marker = COLOURS[number], MARKERS[number + 1]
        left.plot(table.scale[rows_of], index[rows_of], marker, color=color, ms=5, label=f"releases, {_size(width)}")
        known = [k for k in rows_of if not density.outside[k]]
        bars = np.array(
            [[e.value - e.low, e.high - e.value] for e in (density.ratio[k] for k in known)]
        ).T.clip(min=0)  # fmt: skip
        right.errorbar(table.year[known] - FIRST_YEAR + 0.06 * number, [density.ratio[k].value for k in known],
                       yerr=bars, fmt=marker, color=color, capsize=3, ms=5)  # fmt: skip
    left.set(xscale="log", xlabel="parameters N", ylabel="capability index of four tasks")
    plain_ticks(left, (200, 1_000, 5_000, 20_000))
    left.legend(frameon=False, fontsize=8)
    right.set(yscale="log", xlabel="release", ylabel="density")
    plain_ticks(right, (0.5, 1, 2, 4, 8, 16, 32), axis="y")
    numbers: dict[str, float | Interval] = {"ln density a release": slope, "off": off, "inside": float(len(inside))}
    if per_release is not None:
        numbers["releases to double"] = per_release
    return Outcome(verdict, says, ["model", "N", *tasks, "density, 90 %"], shown, figure, numbers)


def _ends(each: Interval) -> tuple[float, float, float]:
    return each.value, each.low, each.high


def _mean(scores: np.ndarray) -> np.ndarray:
    return scores.mean(axis=0)


def _size(width: float) -> int:
    return parameters((PIXELS, int(width), DIGITS))


class _World:
    """Digits to learn from, and tasks on those that are held out."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.x, self.y, held, self.labels = digits_parts(1_400, seed=seed)
        self.tasks = {name: change(held) for name, change in digit_tasks(seed).items()}

    def scores(self, recipe: Recipe, width: int, lanes: int, *, again: bool = False) -> np.ndarray:
        """(lanes, tasks): the share that is right."""
        x, y = self.x[: recipe.examples], self.y[: recipe.examples]
        if recipe.moved:
            x, y = _with_moved(x), y.repeat(5)
        weights = epochs(
            x, y.expand(lanes, -1), (PIXELS, width, DIGITS), count=recipe.epochs // (5 if recipe.moved else 1),
            rate=recipe.rate, seed=1_000 * self.seed + width + 500 * again,
        )  # fmt: skip
        with torch.no_grad():
            right = [
                (outputs(weights, images).argmax(dim=2) == self.labels).double().mean(dim=1)
                for images in self.tasks.values()
            ]
        return torch.stack(right, dim=1).numpy()


def _with_moved(images: Tensor) -> Tensor:
    square = images.view(-1, SIDE, SIDE)
    moves = [square, *(square.roll(by, dims=axis) for axis in (1, 2) for by in (-1, 1))]
    return torch.cat(moves).flatten(1)


if __name__ == "__main__":
    show(__doc__, "density", study)
