"""The bootstrap: published standard errors, the unit of resampling, seeds, and when it doubts itself."""

import sys
from dataclasses import replace

import joblib
import numpy as np
import pytest
from scipy import optimize

from isoflop import Runs, bootstrap, fit, law, squares
from isoflop.errors import IsoflopError
from isoflop.fitting.fit import problem
from isoflop.fitting.objective import huber
from isoflop.uncertainty.bootstrap import _Plan, strata
from isoflop.uncertainty.ensemble import tail_findings

CHINCHILLA = law("chinchilla")


def test_standard_errors_on_240_runs_are_the_published_ones(epoch240):
    ensemble = bootstrap(fit(CHINCHILLA, epoch240), draws=4000)
    assert 115 < ensemble.standard_error("A") < 130
    assert 1250 < ensemble.standard_error("B") < 1480
    assert ensemble.standard_error("E") == pytest.approx(0.026, abs=0.0015)
    assert ensemble.standard_error("alpha") == pytest.approx(0.015, abs=0.0008)
    assert ensemble.standard_error("beta") == pytest.approx(0.021, abs=0.0012)
    exponent = ensemble.interval(lambda p: p["beta"] / (p["alpha"] + p["beta"]))
    draws = ensemble.evaluate(lambda p: p["beta"] / (p["alpha"] + p["beta"]))
    assert 0.512 < exponent.value < 0.517 and 0.512 < draws.mean() < 0.518
    assert draws.std() == pytest.approx(0.020, abs=0.0015)
    assert (ensemble.failed, ensemble.improved, ensemble.restarted) == (0, 0, 16)


def test_each_draw_of_many_runs_is_the_fit_of_its_own_sample(known_runs):
    runs = known_runs(0.01, sizes=15, durations=7)
    found = fit(CHINCHILLA, runs)
    ensemble = bootstrap(found, draws=20, seed=7, restarted=0)
    ready = problem(CHINCHILLA, runs, objective=huber())
    plan = _Plan(ready, strata(runs, runs.run_codes()), found.theta, found.scale, 7, 20, runs.run_codes())
    for draw in (0, 17):
        rows = np.repeat(np.arange(len(runs)), plan.weights(0)[draw].astype(int))
        copies = Runs.from_columns({name: runs[name][rows] for name in ("N", "D", "loss")})
        alone = fit(CHINCHILLA, copies).params
        assert ensemble.draws["alpha"][draw] == pytest.approx(alone["alpha"], abs=2e-4)
        assert ensemble.draws["E"][draw] == pytest.approx(alone["E"], rel=2e-4)


def test_each_draw_of_few_runs_has_the_least_weighted_objective(known_runs):
    runs = known_runs(0.01)
    found = fit(CHINCHILLA, runs)
    ensemble = bootstrap(found, draws=20, seed=7, restarted=0)
    ready = problem(CHINCHILLA, runs, objective=huber())
    plan = _Plan(ready, strata(runs, runs.run_codes()), found.theta, found.scale, 7, 20, runs.run_codes())
    inputs = {name: runs[name] for name in ("N", "D")}
    for draw in (0, 17):
        begin = np.array([values[draw] for values in ensemble.draws.values()])

        def objective(scaled, draw=draw, begin=begin):
            rest = np.log(
                CHINCHILLA.value(dict(zip(ensemble.draws, begin * scaled, strict=True)), inputs) / runs["loss"]
            )
            small = np.abs(rest) <= 1e-3
            loss = np.where(small, rest**2 / 2, 1e-3 * (np.abs(rest) - 5e-4))
            return float(plan.weights(0)[draw] @ loss)

        here = objective(np.ones(5))
        around = 1 + 1e-3 * np.random.default_rng(0).normal(size=(200, 5))
        assert min(objective(each) for each in around) > here
        assert objective(optimize.minimize(objective, np.ones(5), method="Nelder-Mead").x) > here * (1 - 1e-6)


def test_checkpoints_of_one_run_come_and_go_together(known_runs):
    runs = known_runs(0.01)
    names = np.repeat([f"r{i}" for i in range(10)], 3)
    grouped = runs.with_column("run", names)
    found = fit(CHINCHILLA, grouped)
    ready = problem(CHINCHILLA, grouped, objective=huber())
    plan = _Plan(ready, strata(grouped, grouped.run_codes()), found.theta, found.scale, 0, 200, grouped.run_codes())
    weights = plan.weights(0).reshape(200, 10, 3)
    assert np.all(weights == weights[:, :, :1])
    assert weights[:, :, 0].sum(axis=1) == pytest.approx(10)
    assert found.data.n_runs == 10 and found.data.n_rows == 30


def test_correlated_checkpoints_widen_the_interval(known_runs):
    # ten checkpoints a run that share the run's luck: as single rows they look like ten times the evidence
    truth = {"E": 1.8, "A": 400.0, "B": 1000.0, "alpha": 0.34, "beta": 0.34}
    rng = np.random.default_rng(3)
    n = np.repeat(np.logspace(7.5, 10, 20), 10)
    d = np.tile(np.logspace(9, 11.5, 10), 20)
    luck = np.repeat(rng.normal(0, 0.01, 20), 10)
    loss = CHINCHILLA.value(truth, {"N": n, "D": d}) * np.exp(luck)
    names = np.repeat([f"r{i}" for i in range(20)], 10)
    rows = Runs.from_columns({"N": n, "D": d, "loss": loss})
    apart = bootstrap(fit(CHINCHILLA, rows, objective=squares()), draws=300, resample_by="run")
    together = bootstrap(fit(CHINCHILLA, rows.with_column("run", names), objective=squares()), draws=300)
    assert together.standard_error("E") > 1.5 * apart.standard_error("E")


def test_each_seed_keeps_its_number_of_runs(known_runs):
    runs = known_runs(0.01).with_column("seed", np.repeat(["0", "1", "2"], [20, 8, 2]))
    groups = strata(runs, runs.run_codes())
    assert sorted(map(len, groups)) == [2, 8, 20]
    found = fit(CHINCHILLA, runs)
    ready = problem(CHINCHILLA, runs, objective=huber())
    plan = _Plan(ready, groups, found.theta, found.scale, 0, 50, runs.run_codes())
    weights = plan.weights(0)
    assert weights[:, :20].sum(axis=1) == pytest.approx(20) and weights[:, 20:28].sum(axis=1) == pytest.approx(8)


def test_the_same_seed_gives_the_same_bytes_on_every_backend(known_runs, monkeypatch):
    found = fit(CHINCHILLA, known_runs(0.01))
    serial = bootstrap(found, draws=600, seed=11).params.tobytes()
    assert bootstrap(found, draws=600, seed=11).params.tobytes() == serial
    assert bootstrap(found, draws=600, seed=11, jobs=2).params.tobytes() == serial
    with joblib.parallel_config(backend="threading"):
        assert bootstrap(found, draws=600, seed=11, jobs=2).params.tobytes() == serial
    monkeypatch.setattr(sys.modules[bootstrap.__module__], "engine_of", lambda objective: "numpy")  # processes
    assert bootstrap(found, draws=600, seed=11, jobs=2).params.tobytes() == serial
    assert bootstrap(found, draws=600, seed=12).params.tobytes() != serial


def test_more_draws_begin_with_the_same_draws(known_runs):
    found = fit(CHINCHILLA, known_runs(0.01))
    assert np.array_equal(bootstrap(found, draws=500).params[:250], bootstrap(found, draws=750).params[:250])


def test_few_independent_runs_are_doubted(known_runs):
    runs = known_runs(0.01).with_column("run", np.repeat(["a", "b", "c", "d", "e", "f"], 5))
    ensemble = bootstrap(fit(CHINCHILLA, runs), draws=50)
    said = next(finding.message for finding in ensemble.findings if finding.code == "few-independent-runs")
    assert "6 independent runs" in said and "30 rows" in said


def test_a_flat_valley_is_doubted_and_not_cut_off():
    # six close sizes leave E, A and alpha open: their draws creep along a valley
    rng = np.random.default_rng(0)
    n, d = np.meshgrid(np.logspace(8, 8.3, 4), np.logspace(9, 11, 4))
    loss = CHINCHILLA.value({"E": 1.8, "A": 400, "B": 1000, "alpha": 0.3, "beta": 0.34}, {"N": n, "D": d}).ravel()
    runs = Runs.from_columns({"N": n.ravel(), "D": d.ravel(), "loss": loss * np.exp(rng.normal(0, 0.003, 16))})
    ensemble = bootstrap(fit(CHINCHILLA, runs), draws=200)
    assert ensemble.unsettled > 2
    assert "draws-not-converged" in {finding.code for finding in ensemble.findings}
    assert len(ensemble) == 200


def test_too_few_draws_are_refused(known_runs):
    with pytest.raises(IsoflopError, match="5 draws make no interval"):
        bootstrap(fit(CHINCHILLA, known_runs(0.01)), draws=5)


@pytest.mark.parametrize("level", [0.0, 1.0, 90])
def test_a_level_outside_zero_and_one_is_refused(known_runs, level):
    ensemble = bootstrap(fit(CHINCHILLA, known_runs(0.01)), draws=20)
    with pytest.raises(IsoflopError, match="level lies between 0 and 1"):
        ensemble.interval("E", level=level)


def test_a_quantity_that_is_no_parameter_is_refused(known_runs):
    ensemble = bootstrap(fit(CHINCHILLA, known_runs(0.01)), draws=20)
    with pytest.raises(IsoflopError, match="'gamma' is no free parameter"):
        ensemble.interval("gamma")


def test_an_interval_whose_ends_are_the_outermost_draws_is_doubted(known_runs):
    ensemble = bootstrap(fit(CHINCHILLA, known_runs(0.01)), draws=100)
    assert tail_findings(ensemble, level=0.9) == ()
    (finding,) = tail_findings(ensemble, level=0.999999)
    assert finding.code == "few-draws" and finding.level == "warning"
    assert finding.message.startswith("100 draws have 5e-05 beyond each end of a 0.999999 interval")


@pytest.mark.parametrize("rows", [200, 6_000])
def test_draws_caught_at_a_poor_optimum_are_found_out_whatever_the_size_of_the_table(rows):
    # a table above 4,096 rows is searched again on a sample; the draws are begun where the term has vanished
    rng = np.random.default_rng(3)
    n = 10 ** rng.uniform(7, 10, rows)
    runs = Runs.from_columns({"N": n, "loss": (1.7 + 400 / n**0.35) * np.exp(rng.normal(0, 0.01, rows))})
    found = fit(law("E + A/N^alpha"), runs, starts=24)
    assert bootstrap(found, draws=20).improved == 0
    theta = found.theta.copy()
    theta[found.law.param_names.index("A")] = -70
    ensemble = bootstrap(replace(found, theta=theta), draws=20)
    assert (ensemble.restarted, ensemble.improved) == (16, 16)
