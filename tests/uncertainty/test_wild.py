"""The wild bootstrap of squares: for a law that is linear, it is the delete-one jackknife with Student's t."""

import numpy as np
import pytest
from scipy import stats

from isoflop import Runs, bootstrap, fit, huber, law, squares
from isoflop.fitting.fit import problem
from isoflop.fitting.objective import Squares
from isoflop.uncertainty.resampling_unit import unit_by
from isoflop.uncertainty.wild import wild_of

LINE = law("a + b*x", inputs=("x",), domains={"a": "real", "b": "real"})


def line(groups=None):
    rng = np.random.default_rng(2)
    x = np.sort(rng.exponential(1.0, 14))
    columns = {"x": x, "loss": 3 + 0.5 * x + rng.normal(0, 0.05, 14) * (1 + x)}
    runs = Runs.from_columns(columns)
    return runs if groups is None else runs.with_column("batch", np.asarray(groups, dtype=float))


def jackknife(runs, groups):
    """Standard errors of both parameters, by ordinary regressions without each group."""
    x, y = runs["x"], runs["loss"]
    design = np.column_stack([np.ones_like(x), x])
    left_out = np.array(
        [np.linalg.lstsq(design[groups != each], y[groups != each], rcond=None)[0] for each in np.unique(groups)]
    )
    count = len(left_out)
    # about the fit to all runs, as the refits are
    whole = np.linalg.lstsq(design, y, rcond=None)[0]
    return np.sqrt((count - 1) / count * np.sum((left_out - whole) ** 2, axis=0))


@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(7), 2)], ids=["runs", "groups"])
def test_a_line_has_the_jackknifes_interval(groups):
    runs = line(groups)
    by = np.arange(14) if groups is None else groups
    freedom = 14 - 2 if groups is None else 7 - 1
    fitted = fit(LINE, runs, objective=Squares(space="raw"))
    ensemble = bootstrap(fitted, draws=8000, resample_by="run" if groups is None else "batch")
    for name, error in zip(("a", "b"), jackknife(runs, by), strict=True):
        half = stats.t.ppf(0.95, freedom) * error
        found = ensemble.interval(name)
        assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.05)
        assert (found.high + found.low) / 2 == pytest.approx(fitted.params[name], abs=0.05 * half)


def test_it_is_the_default_of_squares_alone(known_runs):
    runs = known_runs(0.01)
    chinchilla = law("chinchilla")
    assert bootstrap(fit(chinchilla, runs, objective=squares()), draws=20).method == "wild bootstrap over runs"
    assert bootstrap(fit(chinchilla, runs), draws=20).method == "bootstrap over runs"


def test_an_absolute_objective_is_drawn_with_signs_and_as_wide_as_medians_are():
    """The level of a line through 60 numbers about x = 0 spreads as their median, 1.2533·σ/√n."""
    rng = np.random.default_rng(3)
    x = np.tile([-1.0, 1.0], 30)
    found = []
    for _ in range(20):
        runs = Runs.from_columns({"x": x, "loss": 3 + rng.normal(0, 0.1, 60)})
        drawn = bootstrap(fit(LINE, runs, objective=huber(1e-4, space="raw"), starts=4), draws=200, resampling="wild")
        assert drawn.method == "wild bootstrap over runs"
        found.append(drawn.standard_error("a"))
    # .56 of it with normal numbers
    assert np.mean(found) == pytest.approx(1.2533 * 0.1 / np.sqrt(60), rel=0.15)
    ready = problem(LINE, runs, objective=drawn.fit.objective)
    wild = wild_of(ready, unit_by(runs, runs.run_codes(), "run"), drawn.fit.theta)
    moved = np.abs((wild.targets(rng, 4) - wild.curve) / wild.away)
    assert moved == pytest.approx(np.repeat(moved[:, :1], 60, axis=1))  # one factor of Student's t a draw, signs apart


def test_jobs_and_more_draws_change_no_byte(known_runs):
    fitted = fit(law("chinchilla"), known_runs(0.01), objective=squares())
    serial = bootstrap(fitted, draws=600, seed=3).params
    assert bootstrap(fitted, draws=600, seed=3, jobs=2).params.tobytes() == serial.tobytes()
    assert np.array_equal(bootstrap(fitted, draws=300, seed=3).params[:250], serial[:250])


def test_checkpoints_of_a_run_move_together(known_runs):
    runs = known_runs(0.01).with_column("run", np.repeat([f"r{each}" for each in range(10)], 3))
    fitted = fit(law("chinchilla"), runs, objective=squares())
    ready = problem(fitted.law, runs, objective=squares())
    wild = wild_of(ready, unit_by(runs, runs.run_codes(), "run"), fitted.theta)
    moved = (wild.targets(np.random.default_rng(0), 50) - wild.curve) / wild.away
    assert np.allclose(moved.reshape(50, 10, 3), moved.reshape(50, 10, 3)[:, :, :1])


def test_unequal_noise_leaves_fewer_degrees_of_freedom(known_runs):
    """A scatter that falls with size: the few small runs decide the variance, and Student's t has their freedom."""
    runs = known_runs(0.0, sizes=9, durations=5)
    noise = np.random.default_rng(0).normal(size=len(runs))
    found = []
    for sd in (0.005 * np.ones(len(runs)), 0.03 * (runs["N"] / runs["N"].min()) ** -0.5):
        table = runs.with_column("loss", runs["loss"] * np.exp(sd * noise))
        fitted = fit(law("chinchilla"), table, objective=squares())
        ready = problem(fitted.law, table, objective=fitted.objective)
        found.append(wild_of(ready, unit_by(table, ready.table.run_codes, "run"), fitted.theta).freedom)
    assert found[0] == len(runs) - 5 and 3 <= found[1] < 20
