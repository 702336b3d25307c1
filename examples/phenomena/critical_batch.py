"""Critical batch size: past it, larger batches save hardly any steps; it grows as the loss falls.

McCandlish et al. 2018 (arXiv 1812.06162): to reach a loss, S = S_min (1 + B_crit/B) steps of B examples are needed, so
at B_crit twice the fewest steps and twice the fewest examples. Kaplan et al. 2020 (arXiv 2001.08361): B_crit ∝ L^-4.8
in language models. Networks learn a teacher's function with Adam; for every batch and loss the best learning rate
counts.
"""

from __future__ import annotations

import numpy as np
import torch
from _networks import Weights, losses, outputs, start, train
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, draws_interval, panels, plain_ticks, show, side, stream, told
from torch import Tensor

from isoflop import Ensemble, Runs, bootstrap, fit, law, squares
from isoflop.lab.schedules import Schedule

INPUTS, WIDTH = 16, 32
RATES = (0.001, 0.003, 0.01, 0.03, 0.1)
HYPERBOLA = law("S_min*(1 + B_crit/batch)", inputs=("batch",))


def study(quick: bool, seed: int = 0) -> Outcome:
    """Steps to each loss at each batch, a hyperbola for each loss, and the growth of B_crit."""
    torch.set_num_threads(1)
    batches = (4, 16, 64, 256) if quick else (4, 8, 16, 32, 64, 128, 256, 512, 1024)
    goals = (0.4, 0.2) if quick else (0.4, 0.2, 0.1, 0.06)
    seeds = 2 if quick else 4
    needed = np.array([_steps(size, goals, seeds, seed, most=700 if quick else 8_000) for size in batches])
    # needed: (batches, goals, seeds), not a number where the loss was not reached
    hyperbolas = {goal: _hyperbola(batches, needed[:, i], seed) for i, goal in enumerate(goals)}
    critical = {goal: each.interval("B_crit", level=LEVEL) for goal, each in hyperbolas.items()}
    growth = _growth(goals, hyperbolas)
    worst = max(each.fit.scale for each in hyperbolas.values())

    # a hyperbola rather than a plateau or a straight line: the batches reach both sides of every B_crit
    spanned = all(batches[0] < each.low and each.high < batches[-1] for each in critical.values())
    grows = growth.low > 0
    verdict = "appears" if spanned and grows else "appears in part" if spanned else "does not appear"
    says = (
        f"Steps follow the hyperbola within {100 * (np.exp(worst) - 1):.0f} % (largest root mean square over the "
        f"losses); B_crit is {told(critical[goals[0]])} examples at a loss of {goals[0]:g} and "
        f"{told(critical[goals[-1]])} at {goals[-1]:g}, growing as L^-g with g = {told(growth)} (4.8 in language "
        f"models, {side(growth, 4.8)})."
    )
    rows = []
    for i, goal in enumerate(goals):
        fewest = hyperbolas[goal].interval("S_min", level=LEVEL)
        shown = [
            f"{needed[j, i].mean():.0f}" if np.isfinite(needed[j, i]).all() else "–" for j in (0, len(batches) // 2, -1)
        ]
        rows.append([f"{goal:g}", *shown, told(fewest), told(critical[goal])])

    figure, (left, right) = panels(2)
    span = np.geomspace(batches[0], batches[-1], 100)
    for i, goal in enumerate(goals):
        color = COLOURS[i]
        left.scatter(batches, needed[:, i].mean(axis=1), s=22, color=color, marker=MARKERS[i], label=f"loss {goal:g}")
        left.plot(span, hyperbolas[goal].fit.predict({"batch": span}), color=color, linewidth=1)
        value = critical[goal]
        ends = [[value.value - value.low], [value.high - value.value]]
        right.errorbar(goal, value.value, yerr=ends, color=color, marker=MARKERS[i], capsize=3)
    left.set(
        xscale="log", yscale="log", xlabel="batch B (examples a step)", ylabel="steps to the loss, best learning rate"
    )
    left.legend(frameon=False, fontsize=9)
    plain_ticks(left, batches[:: 1 if quick else 2])
    middle = np.exp(np.mean(np.log(goals)))
    center = np.exp(np.mean(np.log([each.value for each in critical.values()])))
    along = np.geomspace(goals[-1], goals[0], 20)
    right.plot(along, center * (along / middle) ** -growth.value, color="black", linewidth=1)
    right.set(xscale="log", yscale="log", xlabel="loss reached (squared error)", ylabel="critical batch (examples)")
    right.invert_xaxis()
    plain_ticks(right, goals)
    plain_ticks(right, (10, 20, 50, 100, 200), axis="y")
    header = [
        "loss",
        *(f"steps at B = {batches[j]}" for j in (0, len(batches) // 2, -1)),
        "S_min, 90 %",
        "B_crit, 90 %",
    ]
    return Outcome(
        verdict, says, header, rows, figure, {"g in L^-g": growth, **{f"at {g:g}": c for g, c in critical.items()}}
    )


def _steps(size: int, goals: tuple[float, ...], seeds: int, seed: int, *, most: int) -> np.ndarray:
    """Steps of ``size`` examples until the test loss falls below each goal, at the best rate: (goals, seeds)."""
    teacher = start((INPUTS, 16, 16, 1), 1, seed=stream(3, seed))
    probe = torch.randn(20_000, INPUTS, generator=torch.Generator().manual_seed(stream(7, seed)))
    seen = outputs(teacher, probe)[0]
    middle, spread = seen.mean(), seen.std()
    draws = torch.Generator().manual_seed(stream(size, seed))
    begin = [each.repeat(len(RATES), 1, 1) for each in start((INPUTS, WIDTH, WIDTH, 1), seeds, seed=stream(0, seed))]
    looks = set(np.unique(np.geomspace(4, most, 250).round().astype(int)).tolist())
    reached = np.full((len(goals), len(RATES), seeds), np.nan)

    def batch(step: int) -> tuple[Tensor, Tensor]:
        x = torch.randn(size, INPUTS, generator=draws)
        return x, (outputs(teacher, x)[0] - middle) / spread

    def watch(step: int, weights: Weights) -> bool:
        if step in looks:
            now = (
                losses(outputs(weights, probe[:2_000]), (seen[:2_000] - middle) / spread)
                .view(len(RATES), seeds)
                .numpy()
            )
            for i, goal in enumerate(goals):
                reached[i][(now < goal) & np.isnan(reached[i])] = step
        # No rate that is still on its way can beat one whose seeds have all arrived, on average, in half the steps.
        last = reached[-1].mean(axis=1)
        return bool(np.isfinite(last).any() and step > 2 * np.nanmin(last))

    rates = np.repeat(RATES, seeds).tolist()
    train(begin, batch, steps=most, rates=rates, schedule=Schedule("constant", warmup=0.0), watch=watch)
    means = np.where(np.isfinite(reached).all(axis=2), reached.mean(axis=2), np.inf)
    return np.array([row[best] for row, best in zip(reached, means.argmin(axis=1), strict=True)])


def _hyperbola(batches: tuple[int, ...], needed: np.ndarray, seed: int) -> Ensemble:
    """S_min and B_crit from steps (batches, seeds); batches that did not arrive are left out."""
    seeds = needed.shape[1]
    columns = {
        "batch": np.repeat(batches, seeds).astype(float),
        "loss": needed.ravel(),  # the quantity of this law is steps, not a loss
        "seed": np.tile(np.arange(seeds), len(batches)),
    }
    runs = Runs.from_columns(columns, source="steps to a loss")
    arrived = runs.take(np.isfinite(needed).all(axis=1).repeat(seeds))
    return bootstrap(fit(HYPERBOLA, arrived, objective=squares()), seed=seed)


def _growth(goals: tuple[float, ...], hyperbolas: dict[float, Ensemble]):
    """g in B_crit ∝ L^-g by a straight line, through the draws of each loss."""
    x = np.log(goals) - np.log(goals).mean()
    count = min(len(each) for each in hyperbolas.values())
    draws = np.log([each.evaluate("B_crit")[:count] for each in hyperbolas.values()])
    at_fit = np.log([each.fit.params["B_crit"] for each in hyperbolas.values()])
    return draws_interval(float(-x @ at_fit / (x @ x)), -x @ draws / (x @ x))


if __name__ == "__main__":
    show(__doc__, "critical_batch", study)
