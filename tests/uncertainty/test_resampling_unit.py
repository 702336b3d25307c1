"""What is resampled together: a column that is asked for, or one by which runs err together."""

import json

import numpy as np
import pytest

from isoflop import Runs, bootstrap, fit, huber, law, load_fit, save_fit, squares
from isoflop.errors import DataError, IsoflopError
from isoflop.uncertainty.resampling_unit import groups_of

CHINCHILLA = law("chinchilla")
TRUTH = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}


def grid(seed, *, shared=0.0, own=0.003, sizes=7, durations=5):
    """Seven sizes by five durations, with an error that each size shares."""
    rng = np.random.default_rng(seed)
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(8, 10, sizes), np.logspace(9.6, 11.6, durations)))
    errors = np.tile(rng.normal(0, shared, sizes), durations) + rng.normal(0, own, n.size)
    return Runs.from_columns({"N": n, "D": d, "loss": CHINCHILLA.value(TRUTH, {"N": n, "D": d}) * np.exp(errors)})


@pytest.mark.parametrize("objective", [huber(), squares()], ids=["huber", "squares"])
def test_errors_that_sizes_share_are_found_and_widen_the_intervals(objective):
    runs = grid(3, shared=0.01)
    fitted = fit(CHINCHILLA, runs, objective=objective)
    found, apart = bootstrap(fitted, draws=200), bootstrap(fitted, draws=200, resample_by="run")
    assert found.resampled_by == "N" and found.method.endswith("bootstrap over N (7 groups)")
    (said,) = [each for each in found.findings if each.code == "errors-shared"]
    assert said.level == "note" and "7 groups" in said.message and "--resample-by run" in said.remedy
    assert found.standard_error("E") > 1.5 * apart.standard_error("E")
    assert apart.resampled_by == "run" and "errors-shared" not in {each.code for each in apart.findings}
    # what was found is what can be asked for
    assert np.array_equal(bootstrap(fitted, draws=200, resample_by="N").params, found.params)


def test_independent_errors_leave_single_runs():
    false = 0
    for seed in range(40):
        ensemble = bootstrap(fit(CHINCHILLA, grid(seed), starts=12), draws=20, restarted=0)
        false += ensemble.resampled_by != "run"
    assert false <= 6  # at 3 % more than six of 40 come once in 4,000


def test_too_few_groups_are_said_and_not_resampled():
    runs = grid(1, shared=0.03, sizes=4, durations=8)
    ensemble = bootstrap(fit(CHINCHILLA, runs), draws=40)
    (said,) = [each for each in ensemble.findings if each.code == "errors-shared"]
    assert said.level == "warning" and "too narrow" in said.message and ensemble.resampled_by == "run"


def test_sizes_that_hardly_repeat_are_no_groups():
    runs = grid(0, shared=0.02)
    apart = runs.with_column("N", runs["N"] * (1 + 1e-3 * np.arange(len(runs))))
    assert bootstrap(fit(CHINCHILLA, apart), draws=20, restarted=0).resampled_by == "run"


def test_runs_of_a_group_come_and_go_together():
    runs = grid(0).with_column("batch", np.repeat([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 5))
    ensemble = bootstrap(fit(CHINCHILLA, runs), draws=30, resample_by="batch")
    assert ensemble.method == "bootstrap over batch (7 groups)"
    few = [each.message for each in ensemble.findings if each.code == "few-independent-runs"]
    assert few == ["the intervals rest on 7 groups of batch; from so few a bootstrap is too narrow."]


def test_a_run_without_a_value_is_a_group_of_its_own():
    runs = grid(0).with_column("family", np.array([""] * 3 + ["a"] * 16 + ["b"] * 16))
    unit = groups_of(runs, runs.run_codes(), "family")
    assert unit.count == 5 and len(set(unit.codes[:3])) == 3 and len(set(unit.codes[3:19])) == 1


def test_a_column_that_groups_no_runs_is_refused():
    runs = grid(0).with_column("run", np.repeat([f"r{each}" for each in range(7)], 5))
    with pytest.raises(IsoflopError, match="rows of one run have several values of D"):
        bootstrap(fit(CHINCHILLA, runs), draws=20, resample_by="D")
    with pytest.raises(DataError, match="no column 'bacth'"):
        bootstrap(fit(CHINCHILLA, runs.with_column("batch", np.ones(35))), draws=20, resample_by="bacth")
    two = grid(0).with_column("family", np.repeat(["a", "b"], [17, 18]))
    with pytest.raises(IsoflopError, match=r"needs 3 groups, and made in memory has 2.*leave --resample-by out"):
        bootstrap(fit(CHINCHILLA, two), draws=20, resample_by="family")


def test_a_saved_fit_keeps_how_it_was_resampled(tmp_path):
    save_fit(bootstrap(fit(CHINCHILLA, grid(0)), draws=40, resample_by="N"), tmp_path / "fit.json")
    back = load_fit(tmp_path / "fit.json")
    assert (back.resampled_by, back.method) == ("N", "bootstrap over N (7 groups)")
    content = json.loads((tmp_path / "fit.json").read_text())
    assert content["ensemble"]["resampled_by"] == "N"


@pytest.mark.slow
def test_shared_errors_are_found_at_a_known_rate():
    # measured on 200 tables each: shared .004 against .003 of each run's own
    found = [
        bootstrap(fit(CHINCHILLA, grid(seed, shared=0.004), starts=12), draws=20, restarted=0).resampled_by == "N"
        for seed in range(100)
    ]
    assert np.mean(found) > 0.7
