"""IsoFLOP on trained models: at each budget one size is best, and the best size grows as a power of the budget.

Hoffmann et al. 2022 (arXiv 2203.15556), approaches 2 and 3, on softmax models of low rank trained online to predict a
source whose entropy is known, so that the fitted floor E can be held against the truth.
"""

from __future__ import annotations

import numpy as np
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, draws_interval, panels, plain_ticks, show, told

from isoflop import Ensemble, Interval, Runs, bootstrap, fit, law, squares
from isoflop.lab.worlds import QUICK_BUDGETS, low_rank

PARABOLA = law("L_0 + A*log(N/N_0)^2")


def study(quick: bool) -> Outcome:
    """Train the design, find the best size of each budget by a parabola, and fit L(N, D) to all runs."""
    if quick:
        runs, truth = low_rank(budgets=QUICK_BUDGETS, seeds=(0, 1))
    else:
        runs, truth = low_rank(seeds=(0, 1, 2))
    budgets = np.unique(runs["budget"])
    parabolas = [_parabola(runs.take(runs["budget"] == budget)) for budget in budgets]
    best = [each.interval("N_0", level=LEVEL) for each in parabolas]
    interior = [_inside(each, runs, budget) for each, budget in zip(best, budgets, strict=True)]
    by_parabolas = _slope(budgets, best, parabolas)

    joint = bootstrap(fit(law("chinchilla"), runs))
    by_law = joint.interval(lambda p: p["beta"] / (p["alpha"] + p["beta"]), level=LEVEL)
    floor = joint.interval("E", level=LEVEL)

    grows = by_parabolas.low > 0
    agree = by_parabolas.low <= by_law.high and by_law.low <= by_parabolas.high
    verdict = "appears" if all(interior) and grows else "appears in part" if any(interior) else "does not appear"
    holds = floor.low <= truth.entropy <= floor.high
    says = (
        f"{sum(interior)} of {len(budgets)} budgets have their best size inside the sizes tried; it grows as C^a with "
        f"a = {told(by_parabolas)} by parabolas and {told(by_law)} by the law, intervals that "
        f"{'overlap' if agree else 'do not overlap'}. The fitted floor is {told(floor)} nats against an entropy of "
        f"{truth.entropy:.4f}: off by {floor.value - truth.entropy:+.3f}, and the interval "
        f"{'holds' if holds else 'does not hold'} it."
    )
    rows = [
        [f"{budget:.0e}", f"{(runs['budget'] == budget).sum()}", told(each), f"{budget / 6 / each.value**2:.0f}"]
        for budget, each in zip(budgets, best, strict=True)
    ]

    figure, (left, right) = panels(2)
    for number, (budget, parabola) in enumerate(zip(budgets, parabolas, strict=True)):
        here = runs.take(runs["budget"] == budget)
        sizes = np.geomspace(here["N"].min(), here["N"].max(), 100)
        colour = COLOURS[number]
        left.scatter(here["N"], here["loss"], s=16, marker=MARKERS[number], color=colour, label=f"{budget:.0e} FLOPs")
        left.plot(sizes, parabola.fit.predict({"N": sizes}), color=colour, linewidth=1)
        value = best[number]
        left.plot(value.value, parabola.fit.params["L_0"], marker="*", markersize=11, color="black", zorder=3)
        ends = [[value.value - value.low], [value.high - value.value]]
        right.errorbar(budget, value.value, yerr=ends, marker=MARKERS[number], color=colour, capsize=3)
    left.axhline(truth.entropy, color="black", linestyle=":", linewidth=1)
    left.text(runs["N"].max(), truth.entropy, "entropy of the source", ha="right", va="bottom", fontsize=9)
    left.set(xscale="log", xlabel="parameters N", ylabel="loss (nats/token)")
    left.legend(frameon=False, fontsize=9)
    span = np.geomspace(budgets[0], budgets[-1], 50)
    middle = np.exp(np.mean(np.log([each.value for each in best])))
    line = middle * (span / np.exp(np.log(budgets).mean())) ** by_parabolas.value
    right.plot(span, line, color="black", linewidth=1, label=f"parabolas, a = {by_parabolas.value:.2f}")
    right.plot(
        span, _optimum(joint, span), color="black", linestyle="--", linewidth=1, label=f"law, a = {by_law.value:.2f}"
    )
    right.set(xscale="log", yscale="log", xlabel="budget C (FLOPs, 6ND)", ylabel="best size N* (parameters)")
    right.legend(frameon=False, fontsize=9)
    plain_ticks(right, (500, 1000, 2000, 5000, 10_000), axis="y")
    numbers = {"parabolas": by_parabolas, "law": by_law, "E": floor, "entropy": truth.entropy}
    return Outcome(verdict, says, ["budget C", "runs", "N*, 90 %", "D*/N*"], rows, figure, numbers)


def _parabola(runs: Runs) -> Ensemble:
    return bootstrap(fit(PARABOLA, runs, objective=squares()))


def _inside(best: Interval, runs: Runs, budget: float) -> bool:
    sizes = runs.take(runs["budget"] == budget)["N"]
    return bool(sizes.min() < best.low and best.high < sizes.max())


def _slope(budgets: np.ndarray, best: list[Interval], parabolas: list[Ensemble]) -> Interval:
    """The exponent of N*(C) by a straight line, through the draws of budgets that are independent of each other."""
    x = np.log(budgets) - np.log(budgets).mean()
    draws = min(len(each) for each in parabolas)
    sizes = np.log([each.push("N_0")[:draws] for each in parabolas])
    at_fit = np.log([each.value for each in best])
    return draws_interval(float(x @ at_fit / (x @ x)), x @ sizes / (x @ x))


def _optimum(joint: Ensemble, budgets: np.ndarray) -> np.ndarray:
    """N* = G (C/6)^a with G = (αA/βB)^(1/(α+β))."""
    p = joint.fit.params
    total = p["alpha"] + p["beta"]
    gain = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / total)
    return gain * (budgets / 6) ** (p["beta"] / total)


if __name__ == "__main__":
    show(__doc__, "isoflop_trained", study)
