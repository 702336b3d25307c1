"""Refits that begin at a bound leave it where the resampled runs say so."""

import numpy as np
import pytest

from isoflop import Runs, fit, huber, law, squares
from isoflop.fitting.fit import SAME, problem
from isoflop.fitting.refit import floors, refit

LAW = law("chinchilla")
TRUTH = {"E": 0.02, "A": 60.0, "B": 60.0, "alpha": 0.2, "beta": 0.19}


def without_a_visible_floor(seed):
    """Five IsoFLOP curves of a law whose floor is 1 % of the loss, with noise of half a percent."""
    budget = np.repeat(6e18 * 4.0 ** np.arange(5), 7)
    n = 0.7 * (budget / 6) ** 0.46 * np.exp(np.tile(np.linspace(-1.2, 1.2, 7), 5))
    d = budget / 6 / n
    noise = np.random.default_rng(seed).normal(0, 0.005, len(n))
    return Runs.from_columns({"N": n, "D": d, "loss": LAW.value(TRUTH, {"N": n, "D": d}) * np.exp(noise)})


@pytest.mark.parametrize("objective", [huber(), squares()], ids=lambda each: each.name)
def test_draws_of_a_fit_at_its_bound_come_to_their_own_optima(objective):
    for seed in range(40):
        runs = without_a_visible_floor(seed)
        found = fit(LAW, runs, objective=objective, starts=24)
        if found.params["E"] < 1e-6:
            break
    else:
        pytest.fail("no fit ended at the bound")
    ready = problem(LAW, runs, objective=objective)
    weights = np.random.default_rng(0).multinomial(35, np.full(35, 1 / 35), size=40).astype(np.float64)
    start = np.repeat(found.theta[None], 40, axis=0)
    grid = ready.starts(count=48, seed=1)
    every = ready.solve(np.tile(grid, (40, 1)), weights=np.repeat(weights, 48, axis=0))
    best = np.where(np.isfinite(every.value), every.value, np.inf).reshape(40, 48).min(axis=1)
    stuck = ready.solve(start, weights=weights).value > best * (1 + SAME)
    assert stuck.mean() > 0.2  # else the case tests nothing
    refitted = refit(ready, start, weights=weights)
    assert (refitted.value > best * (1 + SAME)).mean() <= 0.05
    assert np.all(refitted.value <= ready.solve(start, weights=weights, near=True).value)
    assert refitted.converged.mean() > 0.9


def test_a_floor_is_a_positive_parameter_that_is_a_term_by_itself():
    runs = without_a_visible_floor(0)
    for text, expected in (
        ("E + A/N^alpha", ["E"]),
        ("E*F + A/N^alpha", []),
        ("A/N^alpha", []),
        ("(E + A/N^alpha)^b", []),
        ("log(1 + A/N^alpha) + E + G", ["E", "G"]),
    ):
        ready = problem(law(text), runs, objective=huber())
        assert [ready.coords.names[position] for position in floors(ready)] == expected


def test_a_floor_that_is_seen_costs_no_second_descent(known_runs):
    runs = known_runs(0.005)
    found = fit(LAW, runs)
    ready = problem(LAW, runs, objective=huber())
    weights = np.random.default_rng(0).multinomial(len(runs), np.full(len(runs), 1 / len(runs)), size=50).astype(float)
    start = np.repeat(found.theta[None], 50, axis=0)
    alone, again = ready.solve(start, weights=weights, near=True), refit(ready, start, weights=weights)
    assert np.array_equal(alone.theta, again.theta) and np.array_equal(alone.steps, again.steps)
