"""Simulated runs: the law without noise, the noise that was asked for, outliers and drift, and refusals."""

import numpy as np
import pytest

from isoflop import fit, law, read_runs
from isoflop.errors import IsoflopError
from isoflop.laws.constants import stated_constants
from isoflop.planning.design import candidate_grid
from isoflop.planning.simulate import simulate

CHINCHILLA = law("chinchilla")
EPOCH = stated_constants(CHINCHILLA, ["epoch"]).values
GRID = candidate_grid(["N=10M:10B:8", "D=200M:200B:8"], ["N", "D"])


def test_without_noise_a_fit_finds_the_constants():
    found = simulate(CHINCHILLA, EPOCH, GRID, noise=0.0)
    fitted = fit(CHINCHILLA, read_runs(found.frame))
    assert fitted.params == pytest.approx(EPOCH, rel=1e-4)


def test_the_noise_is_that_of_the_logarithm_and_the_seed_decides_it():
    found = simulate(CHINCHILLA, EPOCH, GRID, noise=0.02, seeds=20, seed=3)
    exact = CHINCHILLA.value(EPOCH, {name: found.frame[name].to_numpy() for name in ("N", "D")})
    off = np.log(found.frame["loss"].to_numpy() / exact)
    assert np.std(off) == pytest.approx(0.02, rel=0.06) and abs(off.mean()) < 0.002
    assert simulate(CHINCHILLA, EPOCH, GRID, noise=0.02, seeds=20, seed=3).frame.equals(found.frame)
    assert not simulate(CHINCHILLA, EPOCH, GRID, noise=0.02, seeds=20, seed=4).frame.equals(found.frame)
    assert sorted(set(found.frame["seed"])) == list(range(20))


def test_outliers_lie_above_and_drift_grows_with_cost():
    exact = simulate(CHINCHILLA, EPOCH, GRID, noise=0.0).frame["loss"].to_numpy()
    raised = simulate(CHINCHILLA, EPOCH, GRID, noise=0.0, outliers=0.2)
    above = raised.frame["loss"].to_numpy() / exact
    assert raised.raised == (above > 1.0001).sum() > 0 and above.max() <= 1.5
    moved = simulate(CHINCHILLA, EPOCH, GRID, noise=0.0, drift=0.01).frame["loss"].to_numpy() / exact
    assert np.log(moved) == pytest.approx(0.01 * np.log10(GRID.cost / GRID.cost.min()))


@pytest.mark.parametrize("options", [{"noise": float("nan")}, {"outliers": 2.0}, {"drift": 1e300}, {"seeds": 0}])
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(IsoflopError):
        simulate(CHINCHILLA, EPOCH, GRID, **options)


def test_constants_with_which_the_law_has_no_value_are_refused():
    with pytest.raises(IsoflopError, match="no finite value at run 1"):
        simulate(CHINCHILLA, {**EPOCH, "alpha": -1e300}, GRID)
