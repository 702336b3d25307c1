"""Data of known dimension: the exponent of N falls as 4/d.

Sharma and Kaplan 2020 (2004.10802) and Bahri et al. 2021 (2102.06701): where resolution limits a network of ReLUs,
loss ∝ N^−4/d or smaller, d the dimension of the data. Students of several widths learn a random teacher on data of d
dimensions that are bent into 32, of which N counts d; d is also estimated from the data, as ``isoflop probe`` does.
"""

from __future__ import annotations

import numpy as np
import torch
from _networks import losses, outputs, parameters, start, train
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, draws_interval, panels, plain_ticks, show, stream, told

from isoflop import Interval, Runs, bootstrap, fit, law, squares
from isoflop.lab.schedules import Schedule
from isoflop.measures import calibrated_dimension

OUTSIDE, WAVES = 32, 12


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train the ladder of widths at each dimension, fit loss = A/N^alpha, and set it beside 4/d."""
    torch.set_num_threads(1)
    dimensions = (2, 6) if quick else (2, 3, 4, 6, 8, 10)
    widths = (4, 8, 16) if quick else (4, 6, 9, 13, 19, 28)
    seeds, steps = (2, 700) if quick else (3, 2_500)
    fitted, measured, curves = {}, {}, {}
    for d in dimensions:
        surface = _Surface(d, seed)
        points, _ = surface.draw(1, 2_000, torch.Generator().manual_seed(stream(5, seed)))
        measured[d] = calibrated_dimension(points[0].double().numpy(), seed=seed)
        curves[d] = np.array([_students(surface, width, seeds, steps, seed) for width in widths])
        counts = [parameters((OUTSIDE, width, width, 1)) - OUTSIDE * width + d * width for width in widths]
        runs = Runs.from_columns(
            {"N": np.repeat(np.array(counts, dtype=float), seeds), "loss": curves[d].ravel(),
             "seed": np.tile(np.arange(seeds), len(widths))}
        )  # fmt: skip
        drawn = bootstrap(fit(law("A/N^alpha"), runs, objective=squares()), draws=300, seed=seed)
        fitted[d] = drawn.interval("alpha", level=LEVEL)
    d = np.array(dimensions, dtype=float)
    alpha = np.array([fitted[each].value for each in dimensions])
    inside = [each for each in dimensions if fitted[each].low <= 4 / each <= fitted[each].high]
    at_least = [each for each in dimensions if fitted[each].high >= 4 / each]
    slope = _slope(d, alpha, fitted, seed)
    falls = slope.high < 0
    verdict = (
        "appears" if falls and slope.low <= -1 <= slope.high and len(inside) >= len(dimensions) / 2
        else "appears in part" if falls else "does not appear"
    )  # fmt: skip
    off = [f"{each.value:.1f}" for each in measured.values()]
    says = (
        f"Fitted exponents of N are {', '.join(f'{a:.2f}' for a in alpha)} at d = "
        f"{', '.join(map(str, dimensions))}, where "
        f"4/d is {', '.join(f'{4 / each:.2f}' for each in dimensions)}: 4/d is inside the interval at "
        f"{_listed(inside)}, and the exponent is not below it at {_listed(at_least)}. The exponent falls as d to the "
        f"power {told(slope)} (theory −1). The dimension estimated from the data is {', '.join(off)}."
    )
    rows = [
        [f"{each}", told(Interval(measured[each].value, measured[each].low, measured[each].high, LEVEL)),
         f"{4 / each:.3f}", f"{4 / measured[each].value:.3f}", told(fitted[each]), f"{curves[each][-1].mean():.2e}"]
        for each in dimensions
    ]  # fmt: skip
    figure, (left, right) = panels(2)
    for number, each in enumerate(dimensions):
        left.loglog(
            widths,
            curves[each].mean(axis=1),
            marker=MARKERS[number % 7],
            color=COLOURS[number % 7],
            label=f"d = {each}",
        )
    left.set(xlabel="width of both hidden layers", ylabel="squared error, variance 1")
    plain_ticks(left, widths)
    left.legend(frameon=False, fontsize=9)
    ends = np.array(
        [[fitted[each].value - fitted[each].low, fitted[each].high - fitted[each].value] for each in dimensions]
    ).T
    right.errorbar(d, alpha, yerr=ends, marker="o", capsize=3, color=COLOURS[0], linestyle="none", label="fitted")
    span = np.geomspace(d[0], d[-1], 50)
    right.plot(span, 4 / span, color="black", linewidth=1, label="4/d")
    right.plot(span, 2 / span, color="black", linewidth=1, linestyle=":", label="2/d")
    right.set(xscale="log", yscale="log", xlabel="dimension of the data", ylabel="exponent of N")
    plain_ticks(right, dimensions)
    plain_ticks(right, (0.2, 0.5, 1, 2), axis="y")
    right.legend(frameon=False, fontsize=9)
    header = ["d", "estimated", "4/d", "4/estimated", "fitted exponent", "least loss"]
    numbers: dict[str, float | Interval] = {
        "power of d": slope,
        "low": fitted[dimensions[0]],
        "high": fitted[dimensions[-1]],
    }
    numbers |= {f"estimated {each}": measured[each].value for each in dimensions}
    return Outcome(verdict, says, header, rows, figure, numbers)


class _Surface:
    """d normal coordinates bent into 32 dimensions, and a teacher of a dozen random waves of variance 1."""

    def __init__(self, d: int, seed: int) -> None:
        draws = torch.Generator().manual_seed(stream(100 + d, seed))
        self.d = d
        self.into = torch.linalg.qr(torch.randn(OUTSIDE, OUTSIDE, generator=draws))[0]
        self.waves = torch.randn(d, WAVES, generator=draws) * 1.2 / d**0.5
        self.phases = 2 * torch.pi * torch.rand(WAVES, generator=draws)
        self.heights = torch.randn(WAVES, generator=draws)
        self.heights *= (2 / self.heights.square().sum()).sqrt()

    def draw(self, lanes: int, count: int, draws: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        z = torch.rand(lanes, count, self.d, generator=draws) * 3.46 - 1.73
        bent = 0.3 * torch.sin(1.5 * z)
        padded = torch.zeros(lanes, count, OUTSIDE)
        padded[..., : self.d], padded[..., self.d : 2 * self.d] = z, bent
        target = (torch.cos(z @ self.waves + self.phases) * self.heights).sum(dim=2, keepdim=True)
        return padded @ self.into, target


def _students(surface: _Surface, width: int, seeds: int, steps: int, seed: int) -> np.ndarray:
    """The error of each student on fresh data after training on fresh data."""
    draws = torch.Generator().manual_seed(stream(7, seed))
    weights = train(
        start((OUTSIDE, width, width, 1), seeds, seed=stream(width, seed)),
        lambda step: surface.draw(seeds, 128, draws),
        steps=steps,
        rates=[1e-2] * seeds,
        schedule=Schedule("cosine"),
    )
    x, y = surface.draw(1, 4_000, torch.Generator().manual_seed(stream(8, seed)))
    with torch.no_grad():
        return losses(outputs(weights, x[0]), y[0].expand(seeds, -1, -1)).numpy()


def _slope(d: np.ndarray, alpha: np.ndarray, fitted: dict[int, Interval], seed: int) -> Interval:
    """d log alpha / d log d with its interval from those of the exponents, taken for normal."""
    sd = np.array([(each.high - each.low) / 3.29 for each in fitted.values()])
    draws = np.maximum(alpha + sd * np.random.default_rng(stream(0, seed)).standard_normal((2_000, len(d))), 1e-3)
    x = np.log(d) - np.log(d).mean()
    weight = x / (x**2).sum()
    return draws_interval(float(np.log(np.maximum(alpha, 1e-3)) @ weight), np.log(draws) @ weight)


def _listed(values: list[int]) -> str:
    return "d = " + ", ".join(map(str, values)) if values else "none"


if __name__ == "__main__":
    show(__doc__, "known_dimension", study)
