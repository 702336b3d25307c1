"""Batches of a linear problem, against brute force over every affordable batch and exact posterior variances."""

import itertools

import numpy as np
import pytest

from isoflop.planning.design.choose import Drift, View, choose, expected_error


@pytest.fixture
def problem():
    """A straight line in x with slope and level unknown; the target is its value at x = 3."""
    x = np.linspace(-1, 1, 7)
    features = np.column_stack([np.ones_like(x), x])
    prior = np.diag([1.0, 0.5])
    asked = np.array([1.0, 3.0])
    return {
        "cov": features @ prior @ features.T,
        "cross": (features @ prior @ asked)[:, None],
        "target_cov": np.array([[asked @ prior @ asked]]),
        "noise": np.full(7, 0.04),
        "features": features,
        "prior": prior,
        "asked": asked,
    }


def given(problem):
    return [problem[name] for name in ("cov", "cross", "target_cov", "noise")]


def exact(problem, rows):
    """The posterior variance of Bayesian linear regression, by the information matrix."""
    features = problem["features"][list(rows)]
    information = np.linalg.inv(problem["prior"]) + features.T @ features / 0.04
    return float(problem["asked"] @ np.linalg.inv(information) @ problem["asked"])


@pytest.mark.parametrize("rows", [(), (0,), (6,), (0, 6), (1, 1, 5)])
def test_the_expected_error_is_that_of_bayesian_regression(problem, rows):
    assert expected_error(*given(problem), rows) ** 2 == pytest.approx(exact(problem, rows), rel=1e-9)


@pytest.mark.parametrize("budget", [2.0, 5.0, 9.0])
def test_no_affordable_batch_is_better_by_more_than_a_few_per_cent(problem, budget):
    cost = np.array([4.0, 2.0, 1.0, 1.0, 1.0, 2.0, 4.0])
    found = choose(*given(problem), cost, budget)
    assert found.spent == pytest.approx(cost[list(found.rows)].sum()) and found.spent <= budget
    assert len(set(found.rows)) == len(found.rows)
    assert found.error[-1] == pytest.approx(exact(problem, found.rows) ** 0.5)
    batches = [each for count in range(8) for each in itertools.combinations(range(7), count)]
    best = min(exact(problem, each) for each in batches if cost[list(each)].sum() <= budget) ** 0.5
    assert found.error[-1] <= 1.03 * best


def test_with_seeds_the_most_telling_candidate_is_trained_again(problem):
    once = choose(*given(problem), np.ones(7), 4.0)
    again = choose(*given(problem), np.ones(7), 4.0, most=4)
    assert len(set(once.rows)) == 4 and len(set(again.rows)) < 4
    assert again.error[-1] < once.error[-1]


def test_it_stops_where_a_run_does_not_lower_the_error_for_its_cost(problem):
    whole = choose(*given(problem), np.ones(7), 7.0)
    part = choose(*given(problem), np.ones(7), 7.0, least_gain=0.5)
    assert len(whole.rows) == 7 and 0 < len(part.rows) < 7


def test_drift_pays_for_one_large_run_on_the_way(problem):
    cost = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 6.0])
    beyond = np.array([3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 0.5])
    problem["cross"][6] = 0.0  # it tells nothing of the line
    problem["cov"][6], problem["cov"][:, 6] = 0.0, 0.0
    without = choose(*given(problem), cost, 8.0)
    far = choose(*given(problem), cost, 8.0, drift=Drift(1.0, 0.1, beyond, 3.0))
    assert 6 not in without.rows and 6 in far.rows
    left = far.error[-1] ** 2 - expected_error(*given(problem), far.rows) ** 2
    assert left == pytest.approx(0.5**2 + 0.1**2)


def test_the_parameters_criterion_takes_both_ends(problem):
    found = choose(*given(problem), np.ones(7), 2.0, criterion="parameters")
    assert set(found.rows) == {0, 6}


def of_prior(problem, prior):
    """The same problem under another prior of level and slope."""
    features, asked = problem["features"], problem["asked"]
    return View(features @ prior @ features.T, (features @ prior @ asked)[:, None], np.array([[asked @ prior @ asked]]))


def test_with_another_distribution_beside_it_no_batch_has_a_lower_sum_of_squared_errors(problem):
    """One prior is unsure of the level, the other of the slope; brute force over all affordable batches."""
    cost = np.array([4.0, 2.0, 1.0, 1.0, 1.0, 2.0, 4.0])
    views = [of_prior(problem, np.diag([1.0, 1e-4])), of_prior(problem, np.diag([1e-4, 1.0]))]

    def together(rows):
        return sum(expected_error(v.cov, v.cross, v.target_cov, problem["noise"], rows) ** 2 for v in views)

    first, second = views
    found = choose(first.cov, first.cross, first.target_cov, problem["noise"], cost, 5.0, beside=second)
    alone = choose(first.cov, first.cross, first.target_cov, problem["noise"], cost, 5.0)
    batches = [each for count in range(1, 6) for each in itertools.combinations(range(7), count)]
    best = min(together(each) for each in batches if cost[list(each)].sum() <= 5.0)
    assert together(found.rows) <= 1.03 * best < together(alone.rows)
    assert found.error[-1] == pytest.approx(
        expected_error(first.cov, first.cross, first.target_cov, problem["noise"], found.rows)
    )


def test_what_is_left_after_some_runs_is_the_posterior(problem):
    own, toward = View(problem["cov"], problem["cross"], problem["target_cov"]).left(problem["noise"], [0, 4])
    features = problem["features"][[0, 4]]
    posterior = np.linalg.inv(np.linalg.inv(problem["prior"]) + features.T @ features / 0.04)
    assert own == pytest.approx(np.einsum("ij,jk,ik->i", problem["features"], posterior, problem["features"]))
    assert toward[:, 0] == pytest.approx(problem["features"] @ posterior @ problem["asked"])
