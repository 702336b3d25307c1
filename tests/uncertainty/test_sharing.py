"""Whether groups share what they are fitted to share: the test finds what differs, and seldom what does not."""

import numpy as np
import pytest
from scipy import stats
from tests.fitting.test_panel import LAW, panel_runs

import isoflop
from isoflop.errors import FitError, IsoflopError
from isoflop.fitting import objective
from isoflop.fitting.panel import fit_panel
from isoflop.uncertainty.sharing import sharing_test

SHARE = ("alpha", "beta")


@pytest.mark.parametrize("word", ["huber:1e-3", "lsq", "student-t"])
def test_an_exponent_that_differs_in_one_group_is_named_with_its_group(word):
    runs = panel_runs(4, 40, noise=0.003, steeper=0.06)
    panel = fit_panel(LAW, runs, share=SHARE, objective=objective(word))
    test = sharing_test(panel, draws=59)
    assert test.rejected and test.p_value < 0.05
    assert test.own == ("alpha",)
    assert test.differing("alpha") == ("g3",)
    assert test.rest.p_value > 0.1
    (finding,) = test.findings
    assert finding.code == "sharing-rejected" and "alpha (0.3" in finding.message and "in g3" in finding.message
    assert "beta may be shared" in finding.message


@pytest.mark.parametrize("word", ["huber:1e-3", "lsq", "student-t"])
def test_what_is_shared_is_not_rejected(word):
    panel = fit_panel(LAW, panel_runs(3, 40), share=SHARE, objective=objective(word))
    test = sharing_test(panel, draws=39)
    assert test.p_value > 0.1 and not test.findings and test.own == () and test.rest is None
    assert test.freedom == 4


def test_the_likelihood_ratio_of_squares_is_fishers_f():
    panel = fit_panel(LAW, panel_runs(3, 40), share=SHARE, objective=isoflop.squares())
    own = fit_panel(LAW, panel_runs(3, 40), objective=isoflop.squares())
    wanted = stats.f.sf((panel.value - own.value) / 4 / (own.value / (120 - 15)), 4, 105)
    assert sharing_test(panel, draws=19, parameters=False).p_value == pytest.approx(wanted, rel=1e-4)


def test_the_ratio_of_a_student_t_is_twice_the_difference_of_log_likelihoods():
    student = isoflop.student_t()
    panel, own = (fit_panel(LAW, panel_runs(), share=share, objective=student) for share in (SHARE, ()))
    test = sharing_test(panel, draws=19, parameters=False)
    assert test.statistic == pytest.approx(panel.value - own.value, rel=1e-4)
    assert test.p_value == pytest.approx(stats.chi2.sf(2 * test.statistic * 105 / 120, 4), rel=1e-6)


def test_both_methods_agree_on_squares():
    panel = fit_panel(LAW, panel_runs(3, 40, seed=4), share=SHARE, objective=isoflop.squares())
    ratio = sharing_test(panel, draws=19, parameters=False)
    drawn = sharing_test(panel, draws=199, method="bootstrap", parameters=False)
    assert (ratio.method, drawn.method) == ("likelihood-ratio", "bootstrap")
    assert drawn.p_value == pytest.approx(ratio.p_value, abs=0.12)


def test_checkpoints_of_one_run_are_moved_together():
    runs = panel_runs(3, 40)
    named = runs.with_column("run", [f"r{each // 4}" for each in range(len(runs))])
    panel = fit_panel(LAW, named, share=SHARE, objective=isoflop.squares())
    assert sharing_test(panel, draws=19, parameters=False).method == "bootstrap"


def test_nothing_to_test_says_so():
    runs = panel_runs(2)
    with pytest.raises(FitError, match="shares nothing"):
        sharing_test(fit_panel(LAW, runs))
    one = runs.take(np.arange(len(runs)) < 40)
    with pytest.raises(FitError, match="one group shares with no other"):
        sharing_test(fit_panel(LAW, one, share=SHARE))
    panel = fit_panel(LAW, runs, share=SHARE)
    with pytest.raises(IsoflopError, match="18 draws make no p-value"):
        sharing_test(panel, draws=18)
    with pytest.raises(FitError, match="no likelihood"):
        sharing_test(panel, draws=19, method="likelihood-ratio")
    with pytest.raises(IsoflopError, match="'E' is not shared; there are alpha, beta"):
        sharing_test(panel, draws=19).differing("E")


@pytest.mark.slow
@pytest.mark.parametrize("word", ["huber:1e-3", "lsq"])
def test_equal_exponents_are_rejected_about_as_often_as_the_level_says(word):
    """150 tables of three groups of 30 runs at a level of 10 %: 5 to 15 %, two standard deviations of chance."""
    rejected = 0
    for seed in range(150):
        runs = panel_runs(3, 30, noise=0.005, seed=seed)
        panel = fit_panel(LAW, runs, share=SHARE, objective=objective(word))
        rejected += sharing_test(panel, draws=39, seed=seed, parameters=False).p_value <= 0.1
    assert 0.05 <= rejected / 150 <= 0.15
