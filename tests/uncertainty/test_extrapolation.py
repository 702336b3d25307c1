"""One rule for the distance from the runs, one for the budget that is asked where none is given."""

import numpy as np
import pytest

from isoflop import Runs, allocate, bootstrap, fit, forecast, law
from isoflop.fitting import Estimate
from isoflop.fitting.estimate import DataSummary
from isoflop.uncertainty.extrapolation import (
    compute_distance,
    decades_beyond,
    distances,
    largest_compute,
    usual_budget,
)
from isoflop.validation.answers import question


@pytest.mark.parametrize(
    ("value", "low", "high", "decades"),
    [
        (1e9, 1e7, 1e10, 0),
        (1e12, 1e7, 1e10, 2),
        (1e6, 1e7, 1e10, 1),
        (30.0, 0.0, 10.0, np.log10(3)),
        (5.0, 0.0, 10.0, 0),
    ],
)
def test_decades_are_counted_from_the_nearer_end(value, low, high, decades):
    assert decades_beyond(value, low, high) == pytest.approx(decades)
    assert decades_beyond([value, value], low, high) == pytest.approx([decades, decades])


def test_the_usual_budget_is_one_rule_for_every_question(known_runs):
    runs = known_runs(0.01)
    whole = fit(law("chinchilla"), runs)
    assert largest_compute(runs) == largest_compute(whole) == pytest.approx(6 * 1e10 * 10**11.5)
    assert usual_budget(runs) == usual_budget(whole) == question(whole).budget == 2e23
    assert compute_distance(runs, 10 * largest_compute(runs)) == pytest.approx(1)
    assert compute_distance(runs, largest_compute(runs) / 3) == 0


def test_the_largest_run_and_not_the_product_of_the_largest_inputs_counts():
    runs = Runs.from_columns({"N": [1e6, 1e9], "D": [1e11, 1e9], "loss": [3.0, 3.0]})
    assert largest_compute(runs) == 6e18
    known = DataSummary("made", "nats/token", ranges={"N": (1e6, 1e9), "D": (1e9, 1e11)})
    assert largest_compute(Estimate(law("chinchilla"), {}, known)) == 6e20


def test_plans_and_forecasts_measure_alike(known_runs):
    ensemble = bootstrap(fit(law("chinchilla"), known_runs(0.01)), draws=40)
    plan = allocate(ensemble, budget=1e27)
    at = {"N": plan.n.value, "D": plan.d.value}
    assert forecast(ensemble, at).reach == distances(ensemble.estimate, at)
    assert f"{distances(ensemble.estimate, at)['N']:.1f} decades" in next(
        each.message for each in plan.findings if each.code == "far-extrapolation"
    )
