"""Three regions of one learning curve: near guessing, a power law, and a floor of wrong labels.

Hestness et al. 2017 (arXiv 1712.00409) draw them for every task; most measured curves show one or two. A linear
classifier in 50 dimensions learns a teacher's sign from D examples, a fifth of whose labels are wrong, as are as many
of those that test it: half of its answers are wrong before it has seen anything, a fifth when it knows all. Errors are
exact. The regions are looked for on the curve, and on the same curve cut off on either side.
"""

from __future__ import annotations

import numpy as np
from _scaffold import COLOURS, LEVEL, Outcome, panels, show, stream, told

from isoflop import Interval, Runs, bootstrap, fit, law, squares
from isoflop.validation.regions import regions

DIMENSION, WRONG = 50, 0.2


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train at every size, find the regions of the mean curve, and fit the law with a floor beyond the plateau."""
    counts = np.unique(np.geomspace(1, 2e4 if quick else 2e5, 25 if quick else 33).round().astype(int))
    seeds = 12 if quick else 40
    errors = np.array([[_error(count, stream(own, seed)) for own in range(seeds)] for count in counts])
    mean = errors.mean(axis=1)
    whole = _regions(counts, mean, seed)
    early = counts <= 300
    late = counts >= 20
    cut_early, cut_late = (_regions(counts[part], mean[part], seed) for part in (early, late))

    rises, settles = whole.rises, whole.settles
    power = counts >= (rises.value if rises is not None else 1)
    runs = Runs.from_columns(
        {"D": np.repeat(counts[power], seeds).astype(float), "loss": errors[power].ravel(),
         "seed": np.tile(np.arange(seeds), int(power.sum()))}
    )  # fmt: skip
    drawn = bootstrap(fit(law("E + B/D^beta"), runs, objective=squares()), draws=200, seed=seed)
    floor, beta = drawn.interval("E", level=LEVEL), drawn.interval("beta", level=LEVEL)

    all_three = rises is not None and settles is not None
    either = rises is not None or settles is not None
    verdict = "appears" if all_three else "appears in part" if either else "does not appear"
    leaves, reaches = _interval(rises), _interval(settles)
    told_rise, told_floor = told(leaves), told(reaches)
    says = (
        f"The curve of {len(counts)} sizes has the regions {whole.shape}: it leaves guessing at {told_rise} "
        f"examples and "
        f"reaches its floor at {told_floor}, with exponent {whole.exponent:.2f} [{whole.low:.2f}, {whole.high:.2f}] "
        f"between. Up to 300 examples alone: {cut_early.shape}; from 20 on: {cut_late.shape}. The law with a floor, "
        f"fitted beyond guessing, has E = {told(floor)} (wrong labels {WRONG:g}) and beta = {told(beta)}."
    )
    rows = [
        ["whole", whole.shape, told_rise, told_floor, f"{whole.exponent:.2f}"],
        ["up to 300", cut_early.shape, _place(cut_early.rises), _place(cut_early.settles), f"{cut_early.exponent:.2f}"],
        ["from 20", cut_late.shape, _place(cut_late.rises), _place(cut_late.settles), f"{cut_late.exponent:.2f}"],
    ]

    figure, (axes,) = panels(1)
    low, high = np.quantile(errors, [0.05, 0.95], axis=1)
    axes.fill_between(counts, low, high, color=COLOURS[0], alpha=0.15, linewidth=0)
    axes.loglog(counts, mean, marker="o", markersize=4, color=COLOURS[0], label="mean of the seeds, 90 % of them")
    span = counts[power]
    fitted = drawn.estimate.predict({"D": span.astype(float)})
    axes.plot(span, fitted, color="black", linewidth=1, label="law with a floor")
    for change, color, label in ((rises, COLOURS[1], "leaves guessing"), (settles, COLOURS[2], "reaches the floor")):
        if change is not None:
            axes.axvspan(change.low, change.high, color=color, alpha=0.3, linewidth=0, label=f"{label}, 90 %")
    axes.set(xlabel="training examples", ylabel="error rate on labels of which a fifth are wrong")
    axes.legend(frameon=False, fontsize=9)
    numbers = {"examples at the floor": reaches, "examples at leaving guessing": leaves, "floor": floor}
    return Outcome(
        verdict, says, ["curve", "regions", "leaves guessing", "floor from", "exponent"], rows, figure, numbers
    )


def _regions(counts: np.ndarray, errors: np.ndarray, seed: int):
    table = Runs.from_columns({"D": counts.astype(float), "loss": errors})
    return regions(table, over="D", level=LEVEL, seed=seed).curves[0]


def _interval(change) -> Interval:
    """Where a region begins, not a number where none does."""
    if change is None:
        return Interval(float("nan"), float("nan"), float("nan"), LEVEL)
    return Interval(change.value, change.low, change.high, LEVEL)


def _place(change) -> str:
    return "none" if change is None else f"{change.value:.3g}"


def _error(count: int, seed: int) -> float:
    """Exact error of ridge regression to ±1 labels: the angle to the teacher, and the wrong labels on top."""
    rng = np.random.default_rng([seed, count])
    gram, moment = np.zeros((DIMENSION, DIMENSION)), np.zeros(DIMENSION)
    for begin in range(0, count, 20_000):
        x = rng.standard_normal((min(20_000, count - begin), DIMENSION))
        y = np.where((x[:, 0] >= 0) ^ (rng.random(len(x)) < WRONG), 1.0, -1.0)
        gram += x.T @ x
        moment += x.T @ y
    weights = np.linalg.solve(gram + np.eye(DIMENSION), moment)
    angle = np.arccos(np.clip(weights[0] / np.linalg.norm(weights), -1, 1)) / np.pi
    return float(WRONG + (1 - 2 * WRONG) * angle)


if __name__ == "__main__":
    show(__doc__, "three_regions", study)
