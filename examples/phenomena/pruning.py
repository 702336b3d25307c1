"""Pruning hard or easy: with few examples keep the easy ones, with many the hard ones.

Sorscher et al. 2022 (arXiv 2206.14486), section 2: a perceptron learns a teacher's sign from the share of its examples
that is hardest, easiest or random, by the teacher's own margin. Test errors are exact. Examples kept at random follow
A/D^alpha with alpha = 1; where examples abound, the hardest hold all the support vectors and nothing is lost with the
others, and where they are scarce the hardest alone are the worst choice.
"""

from __future__ import annotations

import numpy as np
from _scaffold import (
    COLOURS,
    LEVEL,
    MARKERS,
    Outcome,
    draws_interval,
    mean_interval,
    panels,
    plain_ticks,
    show,
    stream,
    told,
)

from isoflop import Runs, bootstrap, fit, law, squares
from isoflop.lab.worlds import perceptron

KEEP = 0.25


def study(quick: bool, seed: int = 0) -> Outcome:
    """Prune to a quarter at every load, compare in pairs, and find where hard and easy change places."""
    loads = (1, 2, 4, 8, 16) if quick else (1, 2, 4, 8, 16, 32, 64)
    repetitions = 6 if quick else 24
    runs, _ = perceptron(loads=loads, keeps=(1.0, KEEP), repetitions=repetitions, seed=stream(0, seed))
    errors = {
        rule: np.array([_errors(runs, rule, KEEP, load) for load in loads]) for rule in ("hard", "easy", "random")
    }
    whole = np.array([_errors(runs, "random", 1.0, load) for load in loads])

    gaps = np.log(errors["hard"] / errors["easy"])  # (loads, repetitions), in pairs
    differences = [mean_interval(each) for each in gaps]
    rng = np.random.default_rng(stream(0, seed))
    chosen = rng.integers(0, repetitions, (1_000, len(loads), repetitions))
    resampled = np.take_along_axis(gaps[None], chosen, axis=2).mean(axis=2)
    crossing = draws_interval(_crossing(loads, gaps.mean(axis=1)), np.array([_crossing(loads, r) for r in resampled]))

    abundant = runs.take((runs["keep"] == 1) & (np.array(runs.text("family")) == "random") & (runs["load"] >= 4))
    exponent = bootstrap(fit(law("A/D^alpha"), abundant, objective=squares()), seed=seed).interval("alpha", level=LEVEL)
    saved = mean_interval(np.log(errors["hard"][-1] / whole[-1]))

    easy_wins = [load for load, each in zip(loads, differences, strict=True) if each.low > 0]
    hard_wins = [load for load, each in zip(loads, differences, strict=True) if each.high < 0]
    appears = bool(easy_wins and hard_wins and max(easy_wins) < min(hard_wins))
    says = (
        f"Keeping a quarter, easy examples win at loads {_listed(easy_wins)}, hard ones at {_listed(hard_wins)} (90 % "
        f"intervals clear of zero); they change places at a load of {told(crossing)} examples a dimension. At load "
        f"{loads[-1]} the hardest quarter has {np.exp(saved.value):.2f} [{np.exp(saved.low):.2f}, "
        f"{np.exp(saved.high):.2f}] times the error of all examples. All examples, from load 4: exponent "
        f"{told(exponent)} (theory 1)."
    )
    rows = [
        [f"{load}", *(f"{each[i].mean():.4f}" for each in (whole, *errors.values())), told(differences[i])]
        for i, load in enumerate(loads)
    ]
    header = ["examples a dimension", "all", "hardest ¼", "easiest ¼", "random ¼", "log(hard/easy), 90 %"]

    figure, (left, right) = panels(2)
    for number, (name, values) in enumerate(
        (("all examples", whole), *((f"{r} quarter", e) for r, e in errors.items()))
    ):
        low, high = np.quantile(values, [0.05, 0.95], axis=1)
        left.fill_between(loads, low, high, color=COLOURS[number], alpha=0.15, linewidth=0)
        left.loglog(loads, values.mean(axis=1), marker=MARKERS[number], color=COLOURS[number], label=name)
    left.set(xlabel="examples before pruning, per dimension", ylabel="error rate on new examples")
    left.legend(frameon=False, fontsize=9)
    plain_ticks(left, loads)
    plain_ticks(left, (0.01, 0.02, 0.05, 0.1, 0.2, 0.5), axis="y")
    ends = np.array([[each.value - each.low, each.high - each.value] for each in differences]).T
    right.errorbar(loads, [each.value for each in differences], yerr=ends, marker="o", capsize=3, color=COLOURS[0])
    right.axhline(0, color="black", linewidth=0.8)
    right.axvspan(crossing.low, crossing.high, color=COLOURS[4], alpha=0.35, linewidth=0)
    right.set(xscale="log", xlabel="examples before pruning, per dimension", ylabel="log(error hard / error easy)")
    right.text(0.97, 0.93, "easy is better", transform=right.transAxes, ha="right")
    right.text(0.03, 0.05, "hard is better", transform=right.transAxes)
    plain_ticks(right, loads)
    numbers = {"crossing": crossing, "exponent": exponent, "scarce": differences[0], "abundant": differences[-1]}
    return Outcome("appears" if appears else "does not appear", says, header, rows, figure, numbers)


def _errors(runs: Runs, rule: str, keep: float, load: float) -> np.ndarray:
    """Errors by repetition."""
    rows = (np.array(runs.text("family")) == rule) & (runs["keep"] == keep) & (runs["load"] == load)
    return runs["loss"][rows]


def _crossing(loads: tuple[int, ...], gaps: np.ndarray) -> float:
    """The load at which the gap falls through zero, by a straight line in log load; NaN where it does not."""
    falls = np.flatnonzero((gaps[:-1] > 0) & (gaps[1:] <= 0))
    if not len(falls):
        return float("nan")
    i = falls[-1]
    share = gaps[i] / (gaps[i] - gaps[i + 1])
    return float(loads[i] * (loads[i + 1] / loads[i]) ** share)


def _listed(values: list[int]) -> str:
    return ", ".join(map(str, values)) or "none"


if __name__ == "__main__":
    show(__doc__, "pruning", study)
