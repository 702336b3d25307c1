"""Quantised bits: at equal total bits a wider network of fewer bits a weight wins, down to four to six bits.

After Ding et al. 2025 (arXiv 2501.06218), who draw quality against total bits, and Kumar et al. 2024 (arXiv
2411.04330), who add a term for quantization after training. Networks learn a teacher's function from endless examples;
then every weight matrix is rounded, column by column, to an even grid of ± levels, levels = 2^(bits − 1) − 1. The
rounding's noise has a variance of 1/levels^2, so the added loss should fall as 1/levels^zeta with zeta = 2.
"""

from __future__ import annotations

import numpy as np
import torch
from _networks import Weights, losses, outputs, start, train
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, mean_interval, panels, plain_ticks, show, side, stream, told
from torch import Tensor

from isoflop import Interval, Runs, bootstrap, fit, law, squares
from isoflop.lab.schedules import Schedule

INPUTS = 16
FULL = 32  # bits of the networks as they were trained
LAW = law("E + A/N^alpha + B/(levels^zeta*N^delta)", inputs=("levels",))


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train all widths, round them to all precisions, compare at equal total bits, and fit the law."""
    torch.set_num_threads(1)
    widths = (4, 8, 16, 32) if quick else (4, 6, 8, 12, 16, 24, 32, 48, 64)
    precisions = (2, 3, 4, 5, 6, 8)
    seeds = 3 if quick else 6
    steps = 300 if quick else 3_000
    teacher = start((INPUTS, 32, 32, 1), 1, seed=stream(99, seed))
    weights_of = np.array([(INPUTS + width + 1) * width for width in widths])  # biases stay as they are
    loss = np.empty((len(widths), len(precisions) + 1, seeds))
    for i, width in enumerate(widths):
        trained, test = _trained(teacher, width, seeds, steps, seed)
        precise = [trained, *(rounded(trained, bits) for bits in precisions)]
        loss[i] = [losses(outputs(each, test[0]), test[1]).numpy() for each in precise]

    budgets = np.geomspace(weights_of[0] * 8, weights_of[-1] * 4 * 0.8, 4 if quick else 6)
    curves = {b: _at_budgets(weights_of * b, loss[:, k + 1], budgets) for k, b in enumerate(precisions)}
    winners, margins = [], []
    for b in range(len(budgets)):
        means = {bits: curve[b].mean() for bits, curve in curves.items() if np.isfinite(curve[b]).all()}
        winners.append(min(means, key=means.__getitem__))
        against = np.log(curves[winners[-1]][b] / curves[8][b])
        margins.append(mean_interval(against) if winners[-1] != 8 else None)

    fitted = [k for k, bits in enumerate((FULL, *precisions)) if 3 <= bits < FULL]
    runs = _runs(weights_of, np.array((FULL, *precisions))[fitted], loss[:, fitted])
    joint = bootstrap(fit(LAW, runs, objective=squares()), seed=seed)
    zeta = joint.interval("zeta", level=LEVEL)
    collapse = loss[-1, 1].mean() / loss[-1, 0].mean()

    # Where 8 bits are best themselves, they are no better than they are.
    least = max(
        (Interval(0.0, 0.0, 0.0, LEVEL) if margin is None else margin for margin in margins), key=lambda each: each.high
    )
    clear = sum(margin is not None and margin.high < 0 for margin in margins)
    fewer = all(winner <= 6 for winner in winners)
    verdict = "does not appear" if not clear else "appears" if fewer and clear == len(budgets) else "appears in part"
    says = (
        f"From the smallest budget of total bits to the largest, the best precision is {', '.join(map(str, winners))} "
        f"bits; it beats 8 bits, with a 90 % interval clear of zero, at {clear} of {len(budgets)} budgets. At 2 bits "
        f"the largest network has {collapse:.0f} times its unrounded loss. The loss added by rounding (3 to 8 bits) "
        f"falls as 1/levels^zeta with zeta = {told(zeta)}; 2 lies {side(zeta, 2)}."
    )
    table = [
        [f"{budget:,.0f}", *(_cell(curves[bits][b]) for bits in precisions), f"{winners[b]}", _shown(margins[b])]
        for b, budget in enumerate(budgets)
    ]
    header = ["total bits", *(f"{bits} bits" for bits in precisions), "best", "log(best/8 bits), 90 %"]

    figure, (left, right) = panels(2)
    for number, bits in enumerate(precisions):
        mean = loss[:, number + 1].mean(axis=1)
        color, marker = COLOURS[number], MARKERS[number]
        left.plot(weights_of * bits, mean, marker=marker, color=color, label=f"{bits} bits a weight", ms=4)
    left.set(xscale="log", yscale="log", xlabel="total bits of all weights", ylabel="squared error (of the variance)")
    plain_ticks(left, (0.02, 0.05, 0.1, 0.2, 0.5, 1), axis="y")
    left.legend(frameon=False, fontsize=9)
    for number, i in enumerate((0, len(widths) // 2, len(widths) - 1)):
        mean = loss[i, 1:].mean(axis=1)
        color, n = COLOURS[number], float(weights_of[i])
        right.plot(precisions, mean, MARKERS[number], color=color, label=f"{weights_of[i]:,} weights")
        span = np.linspace(3, 8, 50)
        right.plot(span, joint.fit.predict({"N": n, "levels": _levels(span)}), color=color, linewidth=1)
        right.axhline(loss[i, 0].mean(), color=color, linewidth=0.8, linestyle=":")
    right.set(yscale="log", xlabel="bits a weight", ylabel="squared error (of the variance)")
    plain_ticks(right, (0.02, 0.05, 0.1, 0.2, 0.5, 1), axis="y")
    right.legend(frameon=False, fontsize=9, title="solid: the law · dotted: unrounded", title_fontsize=8)
    numbers: dict[str, float | Interval] = {"log(best/8 bits), least clear budget": least, "zeta": zeta}
    numbers |= {"collapse": float(collapse), "clear": float(clear), "lowest": float(min(winners))}
    return Outcome(verdict, says, header, table, figure, numbers)


def _trained(teacher: Weights, width: int, seeds: int, steps: int, seed: int) -> tuple[Weights, tuple[Tensor, Tensor]]:
    """Networks 16 → width → width → 1 after training on fresh examples, and a test set; targets have variance 1."""
    draws = torch.Generator().manual_seed(stream(width, seed))
    probe = torch.randn(20_000, INPUTS, generator=torch.Generator().manual_seed(stream(7, seed)))
    seen = outputs(teacher, probe)[0]
    middle, spread = seen.mean(), seen.std()

    def batch(step: int) -> tuple[Tensor, Tensor]:
        x = torch.randn(128, INPUTS, generator=draws)
        return x, (outputs(teacher, x)[0] - middle) / spread

    weights = train(
        start((INPUTS, width, width, 1), seeds, seed=stream(width, seed)),
        batch,
        steps=steps,
        rates=[0.01] * seeds,
        schedule=Schedule("cosine", final=0.01),
    )
    test = probe[:8_000]
    return weights, (test, (seen[:8_000] - middle) / spread)


def _runs(sizes: np.ndarray, precisions: np.ndarray, loss: np.ndarray) -> Runs:
    """One row a size, precision and seed; the precisions of one network are one run."""
    size, bits, seed = (each.ravel() for each in np.indices(loss.shape))
    return Runs.from_columns(
        {
            "N": sizes[size],
            "levels": _levels(precisions[bits]),
            "loss": loss.ravel(),
            "seed": seed,
            "run": [f"{sizes[i]} weights, seed {s}" for i, s in zip(size, seed, strict=True)],
        },
        source="networks rounded after training",
        conventions={"N": "total"},
    )


def _levels(bits: np.ndarray) -> np.ndarray:
    return 2.0 ** (bits - 1) - 1


def rounded(weights: Weights, bits: int) -> Weights:
    """Each matrix to 2·levels + 1 even steps between ± the largest weight of its column."""
    grid = [each.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / (2 ** (bits - 1) - 1) for each in weights[::2]]
    matrices = [(each / step).round() * step for each, step in zip(weights[::2], grid, strict=True)]
    return [part for pair in zip(matrices, weights[1::2], strict=True) for part in pair]


def _at_budgets(bits: np.ndarray, loss: np.ndarray, budgets: np.ndarray) -> np.ndarray:
    """log-log interpolation of (sizes, seeds) losses at total bits, NaN outside: (budgets, seeds)."""
    inside = (budgets >= bits[0]) & (budgets <= bits[-1])
    at = np.stack([np.exp(np.interp(np.log(budgets), np.log(bits), np.log(column))) for column in loss.T], axis=1)
    return np.where(inside[:, None], at, np.nan)


def _cell(values: np.ndarray) -> str:
    return f"{values.mean():.4f}" if np.isfinite(values).all() else "–"


def _shown(margin: Interval | None) -> str:
    return "–" if margin is None else told(margin)


if __name__ == "__main__":
    show(__doc__, "quantised_bits", study)
