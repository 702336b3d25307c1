"""Crossover of two recipes: the one that wins on small models loses on large ones.

Xiao 2024 (arXiv 2409.15156) compares pairs of learning-rate rules whose scaling laws cross. Here networks of growing
width learn a teacher's function in a fixed number of steps at a high or a low peak learning rate. Both laws are fitted
to the small half of the widths, asked where they cross, and held against the widths that were left out.
"""

from __future__ import annotations

import numpy as np
import torch
from _networks import Weights, losses, outputs, parameters, start, train
from _scaffold import COLOURS, MARKERS, Outcome, draws_interval, mean_interval, panels, plain_ticks, show, stream, told
from torch import Tensor

from isoflop import Ensemble, Interval, Runs, bootstrap, fit, law, squares
from isoflop.lab.schedules import Schedule

INPUTS = 16
RATES = (0.1, 0.01)  # the two recipes: peak learning rates of Adam
NAMES = tuple(f"peak rate {rate:g}" for rate in RATES)
POWER = law("E + A/N^alpha")


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train both recipes at all widths; where do they cross, and would the small half have told?"""
    torch.set_num_threads(1)
    widths = (8, 16, 32, 64, 128) if quick else (6, 8, 11, 16, 23, 32, 45, 64, 91, 128)
    small = widths.index(32) + 1  # 6 to 32: one decade of parameters
    seeds, steps = (3, 500) if quick else (8, 600)
    sizes = np.array([parameters((INPUTS, width, width, 1)) for width in widths], dtype=np.float64)
    teacher = start((INPUTS, 64, 64, 1), 1, seed=stream(3, seed))
    loss = np.array([_trained(teacher, width, seeds, steps, seed) for width in widths])  # (widths, recipes, seeds)
    gaps = np.log(loss[:, 0] / loss[:, 1])
    differences = [mean_interval(each) for each in gaps]

    rng = np.random.default_rng(stream(0, seed))
    draws = [_measured(sizes, gaps[:, rng.integers(0, seeds, seeds)].mean(axis=1)) for _ in range(1_000)]
    measured = draws_interval(_measured(sizes, gaps.mean(axis=1)), np.array(draws))
    from_small = [_fitted(sizes[:small], loss[:small, recipe], NAMES[recipe], seed) for recipe in range(2)]
    forecast, chance = _crossing(from_small, sizes[0], 1_000 * sizes[small - 1])
    missed = [
        100 * float(each.fit.predict({"N": sizes[-1]}) / loss[-1, recipe].mean() - 1)
        for recipe, each in enumerate(from_small)
    ]

    crosses = differences[0].high < 0 < differences[-1].low
    verdict = "appears" if crosses else "does not appear"
    where = f"they cross at {told(measured)} parameters" if np.isfinite(measured.value) else "they do not cross"
    said = (
        f"Fitted to widths up to {widths[small - 1]} alone, {chance:.0%} of draws cross within a thousand times their "
        f"size, at {told(forecast)} parameters"
        + (
            f", an interval that {'holds' if forecast.low <= measured.value <= forecast.high else 'does not hold'} the "
            "measured one"
            if np.isfinite([forecast.low, measured.value]).all()
            else ""
        )
        + f"; the forecast for width {widths[-1]} is off by {missed[0]:+.0f} % and {missed[1]:+.0f} %."
    )
    says = (
        f"The high rate has {np.exp(differences[0].value):.2f} times the low rate's loss at width {widths[0]} and "
        f"{np.exp(differences[-1].value):.2f} times at width {widths[-1]}; {where}. " + said
    )
    rows = [
        [f"{width}", f"{size:,.0f}", *(f"{each.mean():.4f}" for each in row), told(gap)]
        for width, size, row, gap in zip(widths, sizes, loss, differences, strict=True)
    ]

    figure, (axes,) = panels(1)
    span = np.geomspace(sizes[0], sizes[-1], 100)
    for recipe, name in enumerate(NAMES):
        color = COLOURS[recipe]
        ends = np.array([[e.value - e.low, e.high - e.value] for e in map(mean_interval, loss[:, recipe])]).T
        mean = loss[:, recipe].mean(axis=1)
        axes.errorbar(sizes, mean, yerr=ends, fmt=MARKERS[recipe], color=color, capsize=3, ms=5, label=name)
        axes.plot(span, from_small[recipe].fit.predict({"N": span}), color=color, linewidth=1)
    axes.plot([], [], color="#777777", linewidth=1, label="laws fitted left of the dotted line")
    axes.axvline(sizes[small - 1] * 1.1, color="black", linewidth=0.8, linestyle=":")
    if np.isfinite(measured.low):
        axes.axvspan(
            measured.low, measured.high, color=COLOURS[4], alpha=0.35, linewidth=0, label="measured crossing, 90 %"
        )
    axes.set(xscale="log", yscale="log", xlabel="parameters N", ylabel="squared error (of the variance)")
    plain_ticks(axes, (100, 300, 1_000, 3_000, 10_000))
    plain_ticks(axes, (0.1, 0.15, 0.2, 0.3), axis="y")
    axes.legend(frameon=False, fontsize=9)
    header = ["width", "N", *NAMES, "log(high/low), 90 %"]
    numbers = {"parameters at the crossing": measured, "forecast": forecast}
    numbers |= {"narrowest": differences[0], "widest": differences[-1]}
    return Outcome(verdict, says, header, rows, figure, numbers)


def _trained(teacher: Weights, width: int, seeds: int, steps: int, seed: int) -> np.ndarray:
    """Test losses (recipes, seeds); both recipes start alike and see the same examples."""
    draws = torch.Generator().manual_seed(stream(width, seed))
    probe = torch.randn(20_000, INPUTS, generator=torch.Generator().manual_seed(stream(7, seed)))
    seen = outputs(teacher, probe)[0]
    middle, spread = seen.mean(), seen.std()

    def batch(step: int) -> tuple[Tensor, Tensor]:
        x = torch.randn(64, INPUTS, generator=draws)
        return x, (outputs(teacher, x)[0] - middle) / spread

    begin = [
        each.repeat(len(RATES), 1, 1) for each in start((INPUTS, width, width, 1), seeds, seed=stream(width, seed))
    ]
    rates = np.repeat(RATES, seeds).tolist()
    weights = train(begin, batch, steps=steps, rates=rates, schedule=Schedule("cosine", final=0.01))
    found = losses(outputs(weights, probe[:4_000]), (seen[:4_000] - middle) / spread)
    return found.view(len(RATES), seeds).numpy()


def _fitted(sizes: np.ndarray, loss: np.ndarray, name: str, seed: int) -> Ensemble:
    seeds = loss.shape[1]
    columns = {"N": np.repeat(sizes, seeds), "loss": loss.ravel(), "seed": np.tile(np.arange(seeds), len(sizes))}
    runs = Runs.from_columns(columns, source=name, conventions={"N": "total"})
    return bootstrap(fit(POWER, runs, objective=squares()), seed=seed)


def _crossing(laws: list[Ensemble], low: float, high: float) -> tuple[Interval, float]:
    """Where the first law, lower at first, rises above the second, and the share of draws in which it does."""
    sizes = np.geomspace(low, high, 2_000)

    def first(gap: np.ndarray) -> float:
        rises = np.flatnonzero((gap[:-1] < 0) & (gap[1:] >= 0))
        return float(sizes[rises[0]]) if len(rises) else float("nan")

    count = min(len(each) for each in laws)
    a, b = (
        each.evaluate(lambda p: POWER.value({k: v[:, None] for k, v in p.items()}, {"N": sizes}))[:count]
        for each in laws
    )
    draws = np.array([first(gap) for gap in a - b])
    at_fit = first(laws[0].fit.predict({"N": sizes}) - laws[1].fit.predict({"N": sizes}))
    return draws_interval(at_fit, draws), float(np.isfinite(draws).mean())


def _measured(sizes: np.ndarray, gaps: np.ndarray) -> float:
    """The size at which the mean log gap last rises through zero, by a line in log size."""
    rises = np.flatnonzero((gaps[:-1] < 0) & (gaps[1:] >= 0))
    if not len(rises):
        return float("nan")
    i = rises[-1]
    return float(sizes[i] * (sizes[i + 1] / sizes[i]) ** (gaps[i] / (gaps[i] - gaps[i + 1])))


if __name__ == "__main__":
    show(__doc__, "crossover", study)
