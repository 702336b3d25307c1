"""IsoFLOP on trained models: at each budget one size is best, and the best size grows as a power of the budget.

Hoffmann et al. 2022 (arXiv 2203.15556), approaches 2 and 3, on softmax models of low rank trained online to predict a
source whose entropy is known, so that the fitted floor E can be held against the truth.
"""

from __future__ import annotations

import numpy as np
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, panels, plain_ticks, show, side, stream, told

from isoflop import bootstrap, fit, law
from isoflop.lab.worlds import QUICK_BUDGETS, low_rank, low_rank_source
from isoflop.planning import allocate
from isoflop.planning.parabolas import Profile, parabolas


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train the design; the best size of each budget by a parabola, and by a law fitted to all runs."""
    source = low_rank_source(seed=stream(0, seed))
    if quick:
        runs, truth = low_rank(budgets=QUICK_BUDGETS, seeds=(stream(0, seed),), source=source)
    else:
        runs, truth = low_rank(seeds=[stream(own, seed) for own in range(3)], source=source)
    method = parabolas(runs, seed=seed, level=LEVEL)
    joint = bootstrap(fit(law("chinchilla"), runs), seed=seed)
    plans = [allocate(joint, budget=profile.budget, level=LEVEL) for profile in method.profiles]
    by_parabolas, by_law = method.exponent_a, plans[0].exponent_a
    floor = joint.interval("E", level=LEVEL)

    inside = [profile.bracketed for profile in method.profiles]
    verdict = "appears" if all(inside) and by_parabolas.low > 0 else "appears in part"
    agree = by_parabolas.low <= by_law.high and by_law.low <= by_parabolas.high
    says = (
        f"{sum(inside)} of {len(inside)} budgets have their best size inside the sizes tried; it grows as C^a with a = "
        f"{told(by_parabolas)} by parabolas and {told(by_law)} by the law, intervals that "
        f"{'overlap' if agree else 'do not overlap'}. The fitted floor is {told(floor)} nats against an entropy of "
        f"{truth.entropy:.4f}: off by {floor.value - truth.entropy:+.3f}, the entropy {side(floor, truth.entropy)} the "
        "interval."
    )
    rows = [
        [f"{p.budget:.1e}", f"{len(p.n)}", f"{p.n_best:,.0f}", told(plan.n), f"{p.budget / 6 / p.n_best**2:.0f}"]
        for p, plan in zip(method.profiles, plans, strict=True)
    ]

    figure, (left, right) = panels(2)
    for number, profile in enumerate(method.profiles):
        color, marker = COLOURS[number], MARKERS[number]
        sizes = np.geomspace(profile.n.min(), profile.n.max(), 100)
        left.scatter(profile.n, profile.loss, s=16, marker=marker, color=color, label=f"{profile.budget:.0e} FLOPs")
        left.plot(sizes, _parabola(profile, sizes), color=color, linewidth=1)
        left.plot(profile.n_best, profile.loss_best, marker="*", markersize=11, color="black", zorder=3)
        right.plot(profile.budget, profile.n_best, marker=marker, color=color)
    left.axhline(truth.entropy, color="black", linestyle=":", linewidth=1)
    left.text(runs["N"].min(), truth.entropy - 0.01, "entropy of the source", va="top", fontsize=9)
    left.set_ylim(truth.entropy - 0.12, None)
    left.set(xscale="log", xlabel="parameters N", ylabel="loss (nats/token)")
    left.legend(frameon=False, fontsize=9)
    plain_ticks(left, (500, 1_000, 2_000, 5_000, 10_000))
    budgets = [profile.budget for profile in method.profiles]
    for color, line, label, sizes in (
        (COLOURS[6], "-", f"parabolas, a = {by_parabolas.value:.2f}", [method.n_at(budget) for budget in budgets]),
        (COLOURS[5], "--", f"law, a = {by_law.value:.2f}", [plan.n for plan in plans]),
    ):
        right.plot(budgets, [each.value for each in sizes], color=color, linewidth=1.2, linestyle=line, label=label)
        right.fill_between(
            budgets, [s.low for s in sizes], [s.high for s in sizes], color=color, alpha=0.15, linewidth=0
        )
    right.set(xscale="log", yscale="log", xlabel="budget C (FLOPs, 6ND)", ylabel="best size N* (parameters)")
    right.legend(frameon=False, fontsize=9)
    plain_ticks(right, (1_000, 2_000, 5_000, 10_000), axis="y")
    header = ["budget C", "runs", "N*, parabola", "N*, law, 90 %", "D*/N*"]
    numbers = {"a by parabolas": by_parabolas, "a by the law": by_law, "E": floor, "entropy": truth.entropy}
    return Outcome(verdict, says, header, rows, figure, numbers)


def _parabola(profile: Profile, sizes: np.ndarray) -> np.ndarray:
    return np.polyval(np.polyfit(np.log(profile.n), profile.loss, 2), np.log(sizes))


if __name__ == "__main__":
    show(__doc__, "isoflop_trained", study)
