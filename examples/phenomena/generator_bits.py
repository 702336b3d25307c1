"""Bits of generators: at equal total bits one that writes pixel by pixel beats one that removes noise.

Ding et al. 2025 (arXiv 2501.06218): quality against total bits of weights falls more steeply for generators like
language models (VAR) than for diffusion transformers (DiT), which suffer more from few bits. Here both learn the same
handwritten digits: a network that removes noise in 20 steps, and one that writes 64 pixels of 17 levels one after the
other. After training their weights are rounded, coverage of held-out digits is measured (Naeem et al. 2020), and the
law of each family plans size and precision for a budget of total bits.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from _digits import digits_parts
from _networks import Weights, outputs, start, train
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, mean_interval, panels, plain_ticks, show, told
from text_to_image import BATCH, CLASSES, LEVELS, PIXELS, _inputs, _kept, _start, covered, denoised, drawn
from torch import Tensor

from isoflop import Interval, Runs, bootstrap, fit, law, squares
from isoflop.lab.schedules import Schedule
from isoflop.planning import PlanWords, optimized_plan, plan_problem
from isoflop.units import format_quantity

GRAYS = 17
LONGER = 2.5  # times the steps for what learns single pixels, four of a batch's size, not whole images
FULL = 32  # bits of a weight as trained
FEW = 4  # bits at which the families are compared
FAMILIES = ("removes noise", "pixel by pixel")
LAW = law(
    "error = E + A/N^alpha + B*exp(-k*bits)/N^delta",
    inputs=("bits",),
    domains=dict.fromkeys(("E", "A", "alpha", "B", "k"), "positive"),
)


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train both families in several sizes, round them, and compare them at equal total bits."""
    torch.set_num_threads(1)
    widths = {FAMILIES[0]: (12, 48), FAMILIES[1]: (8, 32)}
    if not quick:
        widths = {FAMILIES[0]: (12, 24, 48, 96), FAMILIES[1]: (8, 18, 40, 88)}
    precisions = (8, 4, 3) if quick else (8, 6, 5, 4, 3)
    lanes, steps = (2, 200) if quick else (3, 1_600)
    x, y, held_x, held_y = digits_parts(1_437, seed=seed)
    held = (held_x[:120], held_y[:120]) if quick else (held_x, held_y)
    error: dict[tuple[str, float, int], np.ndarray] = {}
    for family, sizes in widths.items():
        for width in sizes:
            weights = (_denoiser if family == FAMILIES[0] else _writer)(x, y, width, lanes, steps, seed)
            size = float(sum(each[0].numel() for each in weights if each.shape[1] > 1))
            for bits in (FULL, *precisions):
                draws = torch.Generator().manual_seed(1_000_000 * seed + width)
                cut = weights if bits == FULL else _rounded(weights, bits)
                label = held[1].expand(lanes, -1)
                with torch.no_grad():
                    images = (
                        (drawn(cut, label, draws) + 1) / 2 if family == FAMILIES[0] else _written(cut, label, draws)
                    )
                error[family, size, bits] = 1 - np.array([covered(*held, each, held[1]) for each in images])
    harm = {
        family: {
            size: mean_interval(error[family, size, FEW] - error[family, size, FULL])
            for name, size, bits in error
            if name == family and bits == FULL
        }
        for family in FAMILIES
    }
    largest = {family: max(harm[family]) for family in FAMILIES}
    suffers = mean_interval(
        [
            error[FAMILIES[0], size, FEW][lane] - error[FAMILIES[0], size, FULL][lane]
            - error[FAMILIES[1], other, FEW][lane] + error[FAMILIES[1], other, FULL][lane]
            for size, other in zip(sorted(harm[FAMILIES[0]]), sorted(harm[FAMILIES[1]]), strict=True)
            for lane in range(lanes)
        ]
    )  # fmt: skip
    low = max(min(size * min(precisions) for size in harm[family]) for family in FAMILIES)
    high = min(max(size * max(precisions) for size in harm[family]) for family in FAMILIES)
    budgets = np.geomspace(2 * low, high, 3)
    at = {family: [_best(error, family, budget) for budget in budgets] for family in FAMILIES}
    ahead = [mean_interval(a[1] - b[1]) for a, b in zip(at[FAMILIES[0]], at[FAMILIES[1]], strict=True)]
    plans = {}
    for family in FAMILIES:
        ensemble = bootstrap(fit(LAW, _runs(error, family), objective=squares()), draws=100)
        words = PlanWords(
            over="N,bits", subject_to=(f"N*bits <= {budgets[1]:g}", f"bits <= {max(precisions)}"),
        )  # fmt: skip
        plans[family] = optimized_plan(ensemble, plan_problem(LAW, words), level=LEVEL)

    better = [each.low > 0 for each in ahead]
    verdict = (
        "appears" if all(better) and suffers.low > 0
        else "appears in part" if any(better) or suffers.low > 0
        else "does not appear"
    )  # fmt: skip
    says = (
        f"Where {FAMILIES[0]} is the first family and {FAMILIES[1]} the second, the first misses more held-out digits "
        f"at the same total bits by {', '.join(told(each) for each in ahead)} (at "
        f"{', '.join(format_quantity(each) for each in budgets)} bits; best measured precisions "
        + " and ".join(", ".join(f"{pick[0][1]}" for pick in at[family]) for family in FAMILIES)
        + f"). Rounded to {FEW} bits the largest networks miss {told(harm[FAMILIES[0]][largest[FAMILIES[0]]])} and "
        f"{told(harm[FAMILIES[1]][largest[FAMILIES[1]]])} more; over all sizes the first suffers {told(suffers)} more. "
        f"For {format_quantity(budgets[1])} bits the laws plan "
        + " and ".join(
            f"{told(plans[family].of('N').interval)} weights of {told(plans[family].of('bits').interval)} bits"
            for family in FAMILIES
        )
        + "."
    )
    rows = [
        [family, f"{size:,.0f}", f"{bits}", format_quantity(size * bits), told(mean_interval(each))]
        for (family, size, bits), each in error.items()
    ]
    figure, both = panels(2)
    for axes, family in zip(both, FAMILIES, strict=True):
        for number, bits in enumerate((FULL, *precisions)):
            sizes = sorted(harm[family])
            ends = [mean_interval(error[family, size, bits]) for size in sizes]
            totals = [size * bits for size in sizes]
            axes.plot(totals, [e.value for e in ends], f"{MARKERS[number]}-", ms=5, linewidth=1,
                      color=COLOURS[number], label=f"{bits} bits")  # fmt: skip
        axes.set(xscale="log", yscale="log", xlabel="total bits of all weights", title=family, ylim=(0.006, 1.1))
        plain_ticks(axes, (0.01, 0.03, 0.1, 0.3, 1), axis="y")
    both[0].set(ylabel="share of held-out digits missed")
    both[1].legend(frameon=False, fontsize=8)
    numbers: dict[str, float | Interval] = {f"first above second, budget {k + 1}": each for k, each in enumerate(ahead)}
    numbers |= {"suffers more": suffers}
    numbers |= {f"planned bits, {family}": plans[family].of("bits").interval for family in FAMILIES}
    numbers |= {
        f"least, {family}": float(min(each.mean() for key, each in error.items() if key[0] == family))
        for family in FAMILIES
    }
    return Outcome(
        verdict, says, ["generator", "weights", "bits", "total bits", "missed, 90 %"], rows, figure, numbers
    )  # fmt: skip


def _best(
    error: dict[tuple[str, float, int], np.ndarray], family: str, budget: float
) -> tuple[tuple[float, int], np.ndarray]:  # fmt: skip
    """Size and bits with the least mean error within the budget, and the error of each lane."""
    within = {
        (size, bits): each for (name, size, bits), each in error.items()
        if name == family and bits != FULL and size * bits <= budget * (1 + 1e-9)
    }  # fmt: skip
    best = min(within, key=lambda key: within[key].mean())
    return best, within[best]


def _runs(error: dict[tuple[str, float, int], np.ndarray], family: str) -> Runs:
    """A row a size, precision and lane; the precisions of one network are one run."""
    rows = [
        (size, float(bits), f"{size:.0f}, {lane}", max(one, 1e-3))
        for (name, size, bits), each in error.items()
        if name == family and bits != FULL
        for lane, one in enumerate(each)
    ]
    size, bits, run, missed = zip(*rows, strict=True)
    return Runs.from_columns(
        {"N": list(size), "bits": list(bits), "run": list(run), "error": list(missed)}, source=family
    )  # fmt: skip


def _rounded(weights: Weights, bits: int) -> Weights:
    """Each matrix to 2·levels + 1 even steps between ± the largest weight of its column; biases stay."""
    levels = 2 ** (bits - 1) - 1
    steps = [each.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / levels for each in weights]
    return [
        each if each.shape[1] == 1 else (each / step).round() * step
        for each, step in zip(weights, steps, strict=True)
    ]  # fmt: skip


def _denoiser(x: Tensor, y: Tensor, width: int, lanes: int, steps: int, seed: int) -> Weights:
    draws = torch.Generator().manual_seed(1_000_000 * seed + width)
    kept = _kept()

    def batch(_: int) -> tuple[Tensor, Tensor]:
        rows = torch.randint(0, len(x), (lanes, BATCH), generator=draws)
        level = torch.randint(0, LEVELS, (lanes, BATCH), generator=draws)
        share, clean = kept[level][..., None], 2 * x[rows] - 1
        noise = torch.randn(lanes, BATCH, PIXELS, generator=draws)
        return _inputs(share.sqrt() * clean + (1 - share).sqrt() * noise, level, y[rows]), clean

    return train(
        _start(width, 1, lanes, 1_000 * seed + width), batch, steps=steps, rates=[0.004] * lanes,
        schedule=Schedule("cosine", final=0.0), forward=denoised,
    )  # fmt: skip


def _writer(x: Tensor, y: Tensor, width: int, lanes: int, steps: int, seed: int) -> Weights:
    draws = torch.Generator().manual_seed(1_000_000 * seed + width + 1)
    grays = (x * (GRAYS - 1)).round().long()

    def batch(_: int) -> tuple[Tensor, Tensor]:
        rows = torch.randint(0, len(x), (lanes, 4 * BATCH), generator=draws)
        place = torch.randint(0, PIXELS, (lanes, 4 * BATCH), generator=draws)
        wanted = grays[rows].gather(2, place[..., None])[..., 0]
        return _asked(x[rows], place, y[rows]), wanted

    begin = start((2 * PIXELS + CLASSES, width, width, GRAYS), lanes, seed=1_000 * seed + width)
    schedule = Schedule("cosine", final=0.0)
    return train(begin, batch, steps=round(LONGER * steps), rates=[0.006] * lanes, schedule=schedule)


def _asked(image: Tensor, place: Tensor, label: Tensor) -> Tensor:
    """The pixels before the place between −1 and 1 (zero from there on), the place, and the class."""
    before = torch.arange(PIXELS) < place[..., None]
    return torch.cat(
        ((2 * image - 1) * before, F.one_hot(place, PIXELS).float(), F.one_hot(label, CLASSES).float()), dim=-1
    )


def _written(weights: Weights, label: Tensor, draws: torch.Generator) -> Tensor:
    """Images between 0 and 1 of the labels (lanes, images), each pixel drawn after those before it."""
    image = torch.zeros(*label.shape, PIXELS)
    for place in range(PIXELS):
        logits = outputs(weights, _asked(image, torch.full(label.shape, place), label))
        p = F.softmax(logits, dim=-1).flatten(0, 1)
        drawn_gray = torch.multinomial(p, 1, generator=draws).view(label.shape)
        image[..., place] = drawn_gray / (GRAYS - 1)
    return image


if __name__ == "__main__":
    show(__doc__, "generator_bits", study)
