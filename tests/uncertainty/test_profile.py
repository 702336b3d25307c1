"""Profile-likelihood intervals: exact where theory is exact, and beside the bootstrap elsewhere."""

import numpy as np
import pytest
from scipy.stats import t

from isoflop import Runs, bootstrap, fit, huber, law, profile, squares, student_t
from isoflop.errors import FitError


def test_a_straight_line_gives_the_textbook_interval():
    # log L = log A − alpha log N with Gaussian residuals is linear regression: Student's interval is exact
    rng = np.random.default_rng(2)
    n = np.logspace(7, 10, 15)
    loss = 20 * n**-0.1 * np.exp(rng.normal(0, 0.02, 15))
    found = profile(fit(law("power-n"), Runs.from_columns({"N": n, "loss": loss}), objective=squares()), level=0.9)
    x, y = np.log(n), np.log(loss)
    slope, intercept = np.polyfit(x, y, 1)
    spread = ((y - intercept - slope * x) ** 2).sum() / 13
    error = np.sqrt(spread / ((x - x.mean()) ** 2).sum())
    assert found.intervals["alpha"].low == pytest.approx(-slope - t.ppf(0.95, 13) * error, abs=1e-6)
    assert found.intervals["alpha"].high == pytest.approx(-slope + t.ppf(0.95, 13) * error, abs=1e-6)
    error = np.sqrt(spread * (1 / 15 + x.mean() ** 2 / ((x - x.mean()) ** 2).sum()))
    assert np.log(found.intervals["A"].high) == pytest.approx(intercept + t.ppf(0.95, 13) * error, abs=1e-5)


@pytest.mark.parametrize("objective", [squares(), student_t(), squares(space="raw")], ids=lambda each: each.name)
def test_profile_and_bootstrap_agree_where_the_law_holds(known_runs, objective):
    runs = known_runs(0.005, sizes=10, durations=8)
    found = fit(law("chinchilla"), runs, objective=objective)
    one, two = profile(found), bootstrap(found, draws=800)
    for name in found.params:
        a, b = one.intervals[name], two.interval(name)
        assert a.low < found.params[name] < a.high
        assert (b.high - b.low) == pytest.approx(a.high - a.low, rel=0.4)
        assert abs((a.low + a.high) / 2 - (b.low + b.high) / 2) < 0.35 * (a.high - a.low)


def test_the_others_do_their_best_at_the_ends(known_runs):
    # at an end of the interval for E, refitting with E fixed there gives the threshold's deviance
    from isoflop import fix

    runs = known_runs(0.01)
    chosen = squares()
    found = fit(law("chinchilla"), runs, objective=chosen)
    ends = profile(found, params=["E", "A"])
    for name in ("E", "A"):
        for end in (ends.intervals[name].low, ends.intervals[name].high):
            there = fit(fix(law("chinchilla"), {name: end}), runs, objective=chosen)
            assert len(runs) * np.log(there.value / found.value) == pytest.approx(ends.threshold, rel=1e-3)


def test_a_parameter_that_the_runs_leave_open_has_no_end(known_runs):
    runs = known_runs(0.01, truth={"E": 1e-9, "A": 480.0, "B": 2000.0, "alpha": 0.1, "beta": 0.1})
    found = profile(fit(law("chinchilla"), runs, objective=squares()), params=["E"])
    assert found.intervals["E"].low == 0.0
    assert any(finding.code == "open-interval" for finding in found.findings)


def test_an_objective_that_is_no_likelihood_is_refused(known_runs):
    with pytest.raises(FitError, match="huber:0.001 is not a likelihood"):
        profile(fit(law("chinchilla"), known_runs(0.01), objective=huber()))


def test_rows_of_one_run_are_doubted(known_runs):
    runs = known_runs(0.01).with_column("run", np.repeat([f"r{i}" for i in range(10)], 3))
    found = profile(fit(law("chinchilla"), runs, objective=squares()), params=["E"])
    assert any(finding.code == "rows-as-independent" for finding in found.findings)
