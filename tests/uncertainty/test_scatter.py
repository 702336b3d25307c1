"""The scatter of a new run: by size where residuals show it, and with the runs that parameters used up."""

import numpy as np
import pytest

from isoflop import Runs, bootstrap, fit, forecast, law, load_fit, save_fit
from isoflop.uncertainty.scatter import new_runs, run_scatter
from isoflop.uncertainty.size_scatter import size_scatter

CHINCHILLA = law("chinchilla")
TRUTH = {"E": 1.8, "A": 400.0, "B": 1000.0, "alpha": 0.34, "beta": 0.3}
N, D = (each.ravel() for each in np.meshgrid(np.logspace(7.5, 10, 9), np.logspace(9.5, 11.5, 6)))


def runs(sd, *, seed=0):
    noise = np.random.default_rng(seed).normal(size=len(N)) * sd
    return Runs.from_columns({"N": N, "D": D, "loss": CHINCHILLA.value(TRUTH, {"N": N, "D": D}) * np.exp(noise)})


def test_a_slope_of_the_scatter_is_found_where_there_is_one():
    rng = np.random.default_rng(4)
    size = np.tile(np.geomspace(1e7, 1e10, 12), 5)
    alarms = [size_scatter(rng.normal(size=60), size, free=5) is not None for _ in range(200)]
    assert np.mean(alarms) < 0.1
    found = [size_scatter(rng.normal(size=60) * size**-0.3, size, free=5) for _ in range(50)]
    # the smallest residuals, which are left out, are more of those that scatter least
    assert all(found) and -0.3 < np.mean([each.slope for each in found]) < -0.2
    assert size_scatter(rng.normal(size=11), np.geomspace(1, 9, 11), free=0) is None  # too few to tell


def test_beyond_the_runs_the_scatter_is_that_of_the_nearest_size():
    found = size_scatter(
        np.random.default_rng(0).normal(size=80) * np.geomspace(1, 1e-2, 80), np.geomspace(1e6, 1e9, 80), free=3
    )
    assert found.share(np.array([1e12])) == found.share(np.array([1e9])) < 0.3 < 3 < found.share(np.array([1e6]))


def test_a_large_run_scatters_as_large_runs_did(tmp_path):
    """Noise of 2 % that falls as N^-1/2: the largest of these sizes has .11 %, all together 1 %."""
    fitted = fit(CHINCHILLA, runs(0.02 * (N / N.min()) ** -0.5))
    drawn = bootstrap(fitted, draws=400)
    scatter = run_scatter(fitted)
    assert scatter.by_size is not None and scatter.spent == 5
    large, small = ({"N": size, "D": 1e11} for size in (N.max(), N.min()))
    for at, sd in ((large, 0.02 * (N.max() / N.min()) ** -0.5), (small, 0.02)):
        again = new_runs(drawn, np.full(len(drawn), 2.0), at=at)
        assert np.std(np.log(again)) == pytest.approx(sd, rel=0.5)
    said = {name: forecast(drawn, at).law_loss for name, at in (("large", large), ("small", small))}
    width = {name: np.log(each.high / each.low) for name, each in said.items()}
    assert width["small"] > 5 * width["large"]
    save_fit(drawn, tmp_path / "fit.json")
    kept = load_fit(tmp_path / "fit.json")
    assert forecast(kept, large).law_loss == forecast(drawn, large).law_loss


def test_equal_noise_scatters_alike_at_every_size():
    fitted = fit(CHINCHILLA, runs(0.005))
    assert run_scatter(fitted).by_size is None
    drawn = bootstrap(fitted, draws=50)
    plain = np.full((len(drawn), 2), 2.0)
    assert np.array_equal(new_runs(drawn, plain, at={"N": np.array([1e7, 1e12])}), new_runs(drawn, plain))


def test_checkpoints_use_up_fewer_runs_than_there_are_parameters():
    size = np.repeat(np.logspace(8, 10, 8), 20)
    tokens = 20 * size * np.tile(np.logspace(-1, 0, 20), 8)
    rng = np.random.default_rng(1)
    noise = np.repeat(rng.normal(0, 0.005, 8), 20) + rng.normal(0, 0.002, 160)
    columns = {"N": size, "D": tokens, "loss": CHINCHILLA.value(TRUTH, {"N": size, "D": tokens}) * np.exp(noise)}
    table = Runs.from_columns(columns).with_column("run", np.repeat([f"r{place}" for place in range(8)], 20))
    spent = run_scatter(fit(CHINCHILLA, table)).spent
    assert 1.5 < spent < 4.5  # E, A and alpha are of whole runs; what falls within a run tells B and beta
