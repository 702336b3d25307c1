"""Text to image: a bounded score rises with compute, and depth buys more of it than width does.

Li et al. 2024 (arXiv 2404.02883): on the frontier of text-to-image diffusion models the alignment with the prompt
(TIFA, at most 1) is 0.47·C^0.02, and more transformer blocks are a better use of parameters than more channels. Here
residual networks draw handwritten digits of a class from pure noise in 20 steps; the score is coverage (Naeem et al.
2020, arXiv 2002.09797), the share of held-out digits that have a drawing of their class near. It is measured along
every training, and the power law of the frontier is held against a law that knows of the bound.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from _digits import digits_parts
from _networks import Weights, train
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, mean_interval, panels, plain_ticks, show, told
from torch import Tensor

from isoflop import Interval, Runs, bootstrap, fit, law, squares
from isoflop.lab.schedules import Schedule
from isoflop.planning.comparison import compare_groups, groups_by
from isoflop.runs.reduce import frontier_of
from isoflop.units import format_quantity
from isoflop.validation.rank import rank
from isoflop.validation.split import HoldOut

PIXELS, CLASSES = 64, 10
LEVELS, BATCH = 20, 64  # of noise, and images a step
NEIGHBORS = 5  # of a real image: what lies nearer than the fifth is near
NARROW = 24  # units of the networks that grow in depth
POWER = law("text-to-image-c")
BOUNDED = law("tifa = 1 - A/C^alpha", domains={"A": "positive", "alpha": "positive"})
SIZE = law("error = E + A/N^alpha", domains={"E": "positive", "A": "positive", "alpha": "positive"})


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train wider and deeper denoisers, score their drawings along the way, and fit the frontier."""
    torch.set_num_threads(1)
    shapes = {"wider": ((12, 1), (24, 1), (64, 1)), "deeper": ((24, 1), (24, 4), (24, 11))}
    if not quick:
        shapes = {
            "wider": ((8, 1), (16, 1), (NARROW, 1), (40, 1), (64, 1), (96, 1)),
            "deeper": ((NARROW, 1), (NARROW, 3), (NARROW, 5), (NARROW, 11), (NARROW, 22)),
        }
    lanes, steps, points = (2, 160, 3) if quick else (4, 1_600, 6)
    x, y, *held = digits_parts(1_437, seed=seed)
    sure = covered(*held, x[: len(held[0])], y[: len(held[0])])
    at = np.unique(np.geomspace(steps / 2 ** (points - 1), steps, points).round().astype(int))
    rows: list[tuple[str, float, float, int, float]] = []
    for family, grown in shapes.items():
        for width, blocks in grown:
            size, scores = _scores(x, y, held, width, blocks, lanes, at, seed)
            rows += [
                (family, size, 6 * size * float(step) * BATCH, lane, score)
                for step, each in zip(at, scores, strict=True)
                for lane, score in enumerate(each)
            ]
    family, size, compute, lane, score = (np.array(each) for each in zip(*rows, strict=True))
    last = compute == 6 * size * float(at[-1]) * BATCH
    ends = Runs.from_columns(
        {"family": family[last].tolist(), "N": size[last], "seed": lane[last], "error": 1 - score[last]},
        source="drawn digits",
    )
    groups, _ = groups_by(ends, "family")
    found = compare_groups(
        groups, law=SIZE, objective=squares(), reference="wider", paired=False, draws=400, level=LEVEL, starts=16,
        at={"N": [float(size[family == "deeper"].max())]},
    )  # fmt: skip
    apart = found.gaps[0].difference
    measured = {each: score[last & (family == each) & (size == size[family == each].max())] for each in shapes}

    means = [
        (name, n, c, float(score[(family == name) & (size == n) & (compute == c)].mean()))
        for name, n, c in sorted({*zip(family.tolist(), size.tolist(), compute.tolist(), strict=True)})
    ]
    name, n, c, mean = (np.array(each) for each in zip(*means, strict=True))
    every = Runs.from_columns({"N": n, "C": c, "tifa": mean, "error": 1 - mean}, source="checkpoints")
    best = frontier_of(every, "C", of="error")
    hold = HoldOut("C", "largest", 2)
    ranking = rank(best, laws=[POWER, BOUNDED], hold_out=hold, windows=1, level=LEVEL, seed=seed)
    error = {each.law.name: each.scores.are for each in ranking.ranked}
    fitted = fit(POWER, best, objective=squares())
    exponent = bootstrap(fitted, draws=400).interval("alpha", level=LEVEL)
    full = float((1 / fitted.params["A"]) ** (1 / fitted.params["alpha"])) / best["C"].max()

    fits = error[POWER.name].value < 0.05
    deeper = apart.high < 0
    bounded = error[BOUNDED.name].value < error[POWER.name].value
    verdict = (
        "appears" if fits and deeper else "appears in part" if fits or deeper else "does not appear"
    )  # fmt: skip
    says = (
        f"On the frontier of {len(best)} checkpoints the score is ∝ C^{told(exponent)}; without the two of most "
        f"compute this misses them by {100 * error[POWER.name].value:.1f} %, 1 − A/C^α by "
        f"{100 * error[BOUNDED.name].value:.1f} % ({'the bounded law is nearer' if bounded else 'no worse'}), and it "
        f"would pass 1 at {format_quantity(full)} times the largest compute. At equal parameters "
        f"({found.gaps[0].x:,.0f}) the deeper networks' errors are {told(apart)} above the wider ones'. The largest "
        f"have scores of {told(mean_interval(measured['deeper']))} (deeper) and "
        f"{told(mean_interval(measured['wider']))} (wider); other real digits have {sure:.3f}."
    )
    table = [
        [each, f"{m:,.0f}", format_quantity(k), f"{value:.3f}"] for each, m, k, value in means
    ]  # fmt: skip
    figure, (left, right) = panels(2)
    for number, each in enumerate(shapes):
        here = name == each
        left.scatter(c[here], mean[here], s=14, color=COLOURS[number], marker=MARKERS[number], label=each)
        sizes = np.unique(size[family == each])
        told_ends = [mean_interval(score[last & (family == each) & (size == m)]) for m in sizes]
        bars = np.array([[e.value - e.low, e.high - e.value] for e in told_ends]).T
        right.errorbar(sizes, [e.value for e in told_ends], yerr=bars, fmt=f"{MARKERS[number]}-", ms=5, linewidth=1,
                       color=COLOURS[number], capsize=3, label=each)  # fmt: skip
    span = np.geomspace(best["C"].min(), 30 * best["C"].max(), 80)
    bound = fit(BOUNDED, best, objective=squares())
    for number, (label, law_fit) in enumerate({"A·C^α": fitted, "1 − A/C^α": bound}.items()):
        left.plot(span, law_fit.predict({"C": span}), color=COLOURS[number + 2], linewidth=1, label=label)
    left.axhline(1, color=COLOURS[6], linestyle=":", linewidth=1)
    left.set(xscale="log", ylim=(0, 1.35), xlabel="training FLOPs C", ylabel="coverage of held-out digits")
    left.legend(frameon=False, fontsize=8)
    right.set(xscale="log", xlabel="parameters N", ylabel="the same, after all steps")
    plain_ticks(right, (2_000, 5_000, 10_000, 30_000))
    right.legend(frameon=False, fontsize=9)
    numbers: dict[str, float | Interval] = {"deeper less wider, error": apart, "exponent of C": exponent}
    numbers |= {"held out, power": error[POWER.name], "held out, bounded": error[BOUNDED.name], "real": sure}
    numbers |= {
        "largest, deeper": mean_interval(measured["deeper"]),
        "smallest": float(score[size == size.min()].mean()),
    }
    return Outcome(verdict, says, ["family", "N", "FLOPs", "score"], table, figure, numbers)


def _scores(
    x: Tensor, y: Tensor, held: Sequence[Tensor], width: int, blocks: int, lanes: int, at: np.ndarray, seed: int
) -> tuple[float, list[np.ndarray]]:  # fmt: skip
    """Parameters, and at every step asked the coverage by each lane's drawings."""
    name = 1_000_000 * seed + 1_000 * width + blocks
    draws = torch.Generator().manual_seed(name)
    kept = _kept()

    def batch(_: int) -> tuple[Tensor, Tensor]:
        rows = torch.randint(0, len(x), (lanes, BATCH), generator=draws)
        level = torch.randint(0, LEVELS, (lanes, BATCH), generator=draws)
        noise = torch.randn(lanes, BATCH, PIXELS, generator=draws)
        share = kept[level][..., None]
        clean = 2 * x[rows] - 1
        return _inputs(share.sqrt() * clean + (1 - share).sqrt() * noise, level, y[rows]), clean

    found: list[np.ndarray] = []

    def watch(step: int, weights: Weights) -> bool:
        if step in at:
            label = held[1].expand(lanes, -1)
            with torch.no_grad():
                images = drawn(weights, label, torch.Generator().manual_seed(name + step))
            found.append(np.array([covered(*held, (each + 1) / 2, held[1]) for each in images]))
        return False

    begin = _start(width, blocks, lanes, name + 1)
    schedule = Schedule("constant", warmup=0.05)
    train(begin, batch, steps=int(at[-1]), rates=[0.004] * lanes, schedule=schedule, forward=denoised, watch=watch)
    return float(sum(each[0].numel() for each in begin)), found


def _start(width: int, blocks: int, lanes: int, seed: int) -> Weights:
    draws = torch.Generator().manual_seed(seed)

    def matrix(fan_in: int, fan_out: int, by: float = 1.0) -> Tensor:
        return by / math.sqrt(fan_in) * torch.randn(lanes, fan_in, fan_out, generator=draws)

    weights = [matrix(PIXELS + CLASSES + LEVELS, width), torch.zeros(lanes, 1, width)]
    for _ in range(blocks):
        weights += [matrix(width, width, math.sqrt(2)), torch.zeros(lanes, 1, width)]
        weights.append(matrix(width, width, 1 / math.sqrt(blocks)))
    return [*weights, matrix(width, PIXELS, 0.3), torch.zeros(lanes, 1, PIXELS)]


def denoised(weights: Weights, inputs: Tensor) -> Tensor:
    """The image without its noise, by residual blocks h + W₂ relu(W₁ norm h), norm by the root mean square."""
    h = torch.baddbmm(weights[1], inputs, weights[0])
    for first in range(2, len(weights) - 2, 3):
        up, bias, down = weights[first : first + 3]
        normed = h * torch.rsqrt(h.square().mean(dim=-1, keepdim=True) + 1e-6)
        h = h + torch.bmm(F.relu(torch.baddbmm(bias, normed, up)), down)
    return torch.baddbmm(weights[-1], h, weights[-2])


def _kept() -> Tensor:
    """The share of the image's variance that is left at each level, by a cosine."""
    level = torch.arange(1, LEVELS + 1) / LEVELS
    return torch.cos(level * math.pi / 2 * 0.98).square()


def _inputs(image: Tensor, level: Tensor, label: Tensor) -> Tensor:
    return torch.cat((image, F.one_hot(label, CLASSES).float(), F.one_hot(level, LEVELS).float()), dim=-1)


def covered(real: Tensor, label: Tensor, images: Tensor, labels: Tensor) -> float:
    """The share of real images that have a drawing of their class nearer than their fifth neighbor."""
    hits = 0
    for digit in range(CLASSES):
        ours, theirs = real[label == digit], images[labels == digit]
        radius = torch.cdist(ours, ours).kthvalue(NEIGHBORS + 1, dim=1).values  # the nearest is the image itself
        hits += int((torch.cdist(ours, theirs).amin(dim=1) < radius).sum())
    return hits / len(real)


def drawn(weights: Weights, label: Tensor, draws: torch.Generator) -> Tensor:
    """Images between −1 and 1 of the labels (lanes, images), from noise by ancestral sampling."""
    kept = _kept()
    image = torch.randn(*label.shape, PIXELS, generator=draws)
    for level in range(LEVELS - 1, -1, -1):
        share, before = kept[level], kept[level - 1] if level else torch.tensor(1.0)
        clean = denoised(weights, _inputs(image, torch.full(label.shape, level), label)).clamp(-1, 1)
        step = share / before
        mean = before.sqrt() * (1 - step) / (1 - share) * clean + step.sqrt() * (1 - before) / (1 - share) * image
        spread = ((1 - before) / (1 - share) * (1 - step)).sqrt()
        image = mean + spread * torch.randn(image.shape, generator=draws)
    return image.clamp(-1, 1)


if __name__ == "__main__":
    show(__doc__, "text_to_image", study)
