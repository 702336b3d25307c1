"""Do the intervals hold the truth as often as they say?"""

import numpy as np
import pytest
from tests.conftest import EPOCH

from isoflop import Runs, bootstrap, fit, forecast, huber, law, profile, squares
from isoflop.uncertainty.coverage import coverage

CHINCHILLA = law("chinchilla")


def grid(sizes, durations):
    n, d = np.meshgrid(np.logspace(7.5, 10, sizes), np.logspace(9, 11.5, durations))
    return Runs.from_columns({"N": n.ravel(), "D": d.ravel(), "loss": np.ones(n.size)})


def gaussian(rng, rows):
    return rng.normal(0, 0.003, rows)


def heavy(rng, rows):
    return 0.003 * rng.standard_t(3, rows)


def test_coverage_counts_truths_inside(known_runs):
    found = coverage(CHINCHILLA, EPOCH, grid(6, 5), noise=gaussian, simulations=10, draws=50)
    assert found.simulations == 10 and set(found.held) == set(EPOCH)
    assert all(0.4 <= share <= 1 for share in found.held.values())
    assert found.error == pytest.approx(np.sqrt(0.09 / 10))


@pytest.mark.slow
@pytest.mark.parametrize("noise", [gaussian, heavy], ids=["gaussian", "student"])
@pytest.mark.parametrize("objective", [huber(), squares()], ids=["huber", "squares"])
@pytest.mark.parametrize("shape", [(4, 4), (8, 8)], ids=["16 runs", "64 runs"])
def test_90_percent_intervals_hold_the_truth(noise, objective, shape):
    at = {"far": {"N": 7e10, "D": 1.4e12}}
    found = coverage(
        CHINCHILLA, EPOCH, grid(*shape), noise=noise, at=at, objective=objective, simulations=100, draws=150
    )
    for share in found.held.values():
        assert 0.9 - 3.2 * found.error < share <= 1.0


@pytest.mark.slow
def test_profile_intervals_hold_the_truth():
    held = 0
    for simulation in range(100):
        rng = np.random.default_rng([4, simulation])
        design = grid(5, 4)
        curve = CHINCHILLA.value(EPOCH, {"N": design["N"], "D": design["D"]})
        runs = design.with_column("loss", curve * np.exp(gaussian(rng, len(curve))))
        interval = profile(fit(CHINCHILLA, runs, objective=squares(), starts=24), params=["alpha"]).intervals["alpha"]
        held += interval.low <= EPOCH["alpha"] <= interval.high
    assert 0.9 - 3.2 * 0.03 < held / 100 <= 0.99


@pytest.mark.slow
def test_the_interval_of_a_forecast_holds_a_new_run():
    held = 0
    for simulation in range(150):
        rng = np.random.default_rng([5, simulation])
        design = grid(6, 5)
        curve = CHINCHILLA.value(EPOCH, {"N": design["N"], "D": design["D"]})
        runs = design.with_column("loss", curve * np.exp(gaussian(rng, len(curve))))
        ensemble = bootstrap(fit(CHINCHILLA, runs, starts=24), draws=200, restarted=0)
        at = {"N": 3e10, "D": 6e11}
        new = float(CHINCHILLA.value(EPOCH, at)) * np.exp(gaussian(rng, 1)[0])
        loss = forecast(ensemble, at).loss
        held += loss.low <= new <= loss.high
    assert 0.9 - 3.2 * np.sqrt(0.09 / 150) < held / 150 < 0.995
