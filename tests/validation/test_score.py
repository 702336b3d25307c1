import numpy as np
import pytest
from scipy import stats

from isoflop.validation.score import log_density, score, share_interval


def test_each_run_counts_once():
    # run 0 has three checkpoints 10 % too high, run 1 a single row 2 % too low
    truth = np.array([2.0, 2.0, 2.0, 4.0])
    value = truth * np.array([1.1, 1.1, 1.1, 0.98])
    scores = score(value, truth, np.array([0, 0, 0, 1]), low=truth - 0.3, high=truth + 0.1)
    assert scores.are.value == pytest.approx(0.06)
    assert scores.bias.value == pytest.approx(0.04)
    assert (scores.worst, scores.rows, scores.runs) == (pytest.approx(0.1), 4, 2)
    assert scores.covered == 4


def test_the_interval_of_a_mean_is_students():
    rng = np.random.default_rng(0)
    truth, value = np.ones(12), 1 + rng.normal(0, 0.01, 12)
    bias = score(value, truth, np.arange(12), level=0.9).bias
    wanted = stats.ttest_1samp(value - 1, 0).confidence_interval(0.9)
    assert (bias.low, bias.high) == pytest.approx(tuple(wanted))


def test_coverage_counts_what_lies_inside():
    truth = np.array([1.0, 2.0, 3.0, 4.0])
    below, above = np.array([1, -0.1, 1, 1]), np.array([1, 1, -0.1, 1])
    scores = score(truth, truth, np.arange(4), low=truth - below, high=truth + above)
    assert scores.covered == 2 and scores.coverage.value == 0.5
    assert scores.coverage.low < 0.5 < scores.coverage.high
    assert share_interval(np.ones(50), level=0.9).low > 0.95
    assert score(truth, truth, np.arange(4)).coverage is None


def test_log_density_is_that_of_the_draws():
    rng = np.random.default_rng(1)
    draws = 3 * np.exp(rng.normal(0, 0.02, (20_000, 1)))
    for away in (-0.02, 0.0, 0.03):
        truth = 3 * np.exp(np.array([away]))
        exact = stats.norm.logpdf(away, 0, 0.02)
        assert log_density(draws, truth)[0] == pytest.approx(exact, abs=0.06)
    # the same in other units, and without end far out
    assert log_density(draws * 1e6, np.array([3e6])) == pytest.approx(log_density(draws, np.array([3.0])))
    assert -40 < log_density(draws, np.array([6.0]))[0] < -10


def test_draws_that_are_not_finite_have_no_density():
    draws = np.full((100, 2), 2.0) + np.random.default_rng(2).normal(0, 0.01, (100, 2))
    half = draws.copy()
    half[::2, 0] = np.inf
    half[:, 1] = np.nan
    whole, lost = log_density(draws, np.array([2.0, 2.0])), log_density(half, np.array([2.0, 2.0]))
    assert lost[0] == pytest.approx(whole[0] - np.log(2), abs=0.25)
    assert lost[1] == -np.inf
