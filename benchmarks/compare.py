"""Coverage of what ``isoflop compare`` says of groups: recipes of known laws on a shared grid, simulated.

Three recipes with E + A/C^α: the second has the exponent and the floor of the first (they never cross, and its
multiplier is constant), the third crosses the first at C = 1e20. Noise of log loss is normal; a share of its variance
is common to the runs of one configuration. ``touch`` is the least favorable case of no crossing: two laws that meet at
the largest run. ``same`` are two recipes with one law.

    python -m benchmarks.compare --simulations 500 --runs 16
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from isoflop import Runs, law
from isoflop.fitting import fit, objective
from isoflop.planning.comparison import along, curves
from isoflop.planning.comparison.crossing import crossing
from isoflop.planning.comparison.gap import AtScales, gap
from isoflop.planning.comparison.multiplier import multiplier
from isoflop.planning.comparison.parameters import parameter_differences
from isoflop.uncertainty.joint_bootstrap import joint_bootstrap

Floats = NDArray[np.float64]
Curve = Callable[[Floats], Floats]

LOW, HIGH = 1e18, 1e22
CROSSING = 1e20
AT = np.array([1e18, 1e20, 1e22, 1e23])
LAW = "E + A/C^alpha"


def power(floor: float, amplitude: float, exponent: float) -> Curve:
    """E + A·(C/1e18)^−α."""
    return lambda c: floor + amplitude * (np.asarray(c) / LOW) ** -exponent


FIRST = power(1.8, 1.2, 0.2)
FACTOR = 1.5  # the second recipe needs 1/1.5 of the compute of the first at every scale
SECOND = power(1.8, 1.2 * FACTOR**-0.2, 0.2)
# a smaller floor that the first overtakes below C = 1e20, with the same exponent
THIRD = power(1.72, 1.2 + 0.08 / (CROSSING / LOW) ** -0.2, 0.2)
# meets the first at the largest run, from above
TOUCH = power(1.8 - 0.05 * (HIGH / LOW) ** -0.2, 1.25, 0.2)


def simulate(
    recipes: tuple[Curve, ...], *, runs: int, common: float, noise: float, rng: np.random.Generator
) -> tuple[Runs, ...]:
    """A table for each recipe on one grid of C; common: share of the noise's variance that a configuration has."""
    compute = np.geomspace(LOW, HIGH, runs)
    shared = rng.standard_normal(runs)
    tables = []
    for recipe in recipes:
        off = math.sqrt(common) * shared + math.sqrt(1 - common) * rng.standard_normal(runs)
        tables.append(Runs.from_columns({"C": compute, "loss": recipe(compute) * np.exp(noise * off)}))
    return tuple(tables)


def true_multiplier(group: Curve, reference: Curve, x: float) -> float:
    """m with reference(m·x) = group(x), by bisection on a falling curve."""
    goal, low, high = float(group(np.array(x))), -12.0, 12.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if float(reference(np.array(x * 10**middle))) > goal else (low, middle)
    return float(10**low)


def measure(
    *, simulations: int, runs: int, common: float, paired: bool | None, draws: int, noise: float, by: str, seed: int
) -> dict[str, float]:
    """Shares of simulations in which intervals hold the truth, and in which what is not there is found."""
    rng = np.random.default_rng(seed)
    recipes = (FIRST, SECOND, THIRD, TOUCH, FIRST)
    chosen, way, level = law(LAW), along.Along("C"), 0.9
    hits: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        hits.setdefault(name, []).append(float(value))

    for number in range(simulations):
        tables = simulate(recipes, runs=runs, common=common, noise=noise, rng=rng)
        fits = tuple(fit(chosen, each, objective=objective(by), starts=16) for each in tables)
        joint = joint_bootstrap(fits, draws=draws, seed=number, paired=paired)
        both = curves.Curves(("first", "second", "third", "touch", "same"), joint, way, "lower")
        everyone = range(len(recipes))
        there = AtScales(
            both,
            AT,
            np.stack([both.value(each, AT) for each in everyone]),
            np.stack([both.draws(each, AT) for each in everyone]),
            None,
        )
        for group, name in ((1, "equal exponents"), (2, "crossing")):
            for place, x in enumerate(AT):
                found = gap(there, place, group, 0, level=level).difference
                truth = float(recipes[group](np.array(x)) - FIRST(np.array(x)))
                note(f"gap, {name}, C = {x:.0e}", found.low <= truth <= found.high)
            factors = multiplier(both, group, 0, AT[1:], level=level)
            for place, x in enumerate(AT[1:]):
                value = factors.at(place)
                note(
                    f"multiplier, {name}, C = {x:.0e}",
                    value.low <= true_multiplier(recipes[group], FIRST, x) <= value.high,
                )
            if name == "equal exponents":
                change = factors.change
                note("false: multiplier not constant", change is not None and not change.low <= 1 <= change.high)
        cross = crossing(both, 0, 2, level=level)
        note("crossing is found among the runs", (cross.evidence_inside or 0) >= level)
        if cross.places:
            nearest = min(cross.places, key=lambda each: abs(math.log(each.x / CROSSING)))
            low, high = nearest.low or 0.0, nearest.high or math.inf
            note("crossing's interval", low <= CROSSING <= high)
            note("crossing's interval is bounded", low > 0 and high < math.inf)
        else:
            note("crossing's interval", 0)
        for other, what in ((3, "laws that touch at the largest run"), (1, "equal exponents"), (4, "one law")):
            note(f"false: cross ({what})", (crossing(both, 0, other, level=level).evidence_inside or 0) >= level)
        same = gap(there, 2, 4, 0, level=level).difference
        note("false: differ (one law, largest run)", not same.low <= 0 <= same.high)
        for each in parameter_differences(both, 1, 0, level=level):
            if each.name in ("alpha", "E"):
                note(f"false: differ ({each.name}, equal in truth)", each.differs)
        note("sd of the gap, one law, largest run", float(np.std(there.drawn[4, :, 2] - there.drawn[0, :, 2])))
    return {name: float(np.median(each) if name.startswith("sd") else np.mean(each)) for name, each in hits.items()}


def main() -> None:
    """Print a table of shares for paired and independent draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=500)
    parser.add_argument("--runs", type=int, default=16)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--noise", type=float, default=0.005)
    parser.add_argument("--common", type=float, default=0.95, help="share of the noise's variance in common")
    parser.add_argument("--objective", default="lsq")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=["paired", "independent", "auto", "shared-grid", "wide"], default=None)
    asked = parser.parse_args()
    cases = {
        "paired": (asked.common, None),  # the residuals show that they go together  # noise in common, draws paired
        "independent": (0.0, False),
        "auto": (0.0, None),  # a shared grid whose noise is independent, as the residuals show
        "shared-grid": (0.0, True),  # a shared grid whose noise is independent, draws paired all the same
        "wide": (asked.common, False),  # noise in common that the draws do not know of
    }
    for name, (common, paired) in cases.items():
        if asked.only is not None and name != asked.only:
            continue
        found = measure(
            simulations=asked.simulations,
            runs=asked.runs,
            common=common,
            paired=paired,
            draws=asked.draws,
            noise=asked.noise,
            by=asked.objective,
            seed=asked.seed,
        )
        print(json.dumps({"case": name, "runs": asked.runs, "simulations": asked.simulations, **found}, indent=1))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
