"""Estimates of pass rates: bias by exact sums and by counting paths, coverage, pass@k against another way."""

import itertools
import math

import numpy as np
import pytest
from scipy.special import betaln, comb

from isoflop.evals.measures import pass_rates
from isoflop.evals.pass_rate import bias_of_ratio, difficulty, pass_at_k, pass_interval

GOAL = np.array([2.0])


@pytest.mark.parametrize("rate", [0.1, 0.01, 0.001])
def test_the_share_of_passes_is_biased_and_one_pass_less_is_not(rate):
    # one pass: E[1/K] = -p ln p/(1 - p), by the series of the logarithm
    assert bias_of_ratio(1, rate) == pytest.approx(-math.log(rate) / (1 - rate), rel=1e-9)
    # two passes: E[2/K] = 2p/(1-p)·(1 + p·ln p/(1 - p)), from K·p²·(1-p)^(K-2) summed
    q = 1 - rate
    assert bias_of_ratio(2, rate) == pytest.approx(2 * (1 / q + rate * math.log(rate) / q**2), rel=1e-9)
    k = np.arange(2, 60_000 if rate < 0.01 else 6_000, dtype=float)
    chance = np.exp(np.log(k - 1) + 2 * math.log(rate) + (k - 2) * math.log(q))
    assert chance.sum() == pytest.approx(1, abs=1e-9)
    assert float(chance @ pass_rates(np.full_like(k, 2), k, np.full_like(k, 2))) == pytest.approx(rate, rel=1e-9)


def test_the_bias_of_the_card():
    # measured in simulation there: 2.57, 4.66, 6.81 and 1.66, 1.91, 2.00
    assert [round(bias_of_ratio(1, p), 2) for p in (0.1, 0.01, 0.001)] == [2.56, 4.65, 6.91]
    assert [round(bias_of_ratio(2, p), 2) for p in (0.1, 0.01, 0.001)] == [1.65, 1.93, 1.99]


@pytest.mark.parametrize("goal, cap, rate", [(2, 9, 0.3), (3, 8, 0.1), (1, 5, 0.2), (2, 2, 0.4)])
def test_every_way_to_end_tries_at_a_goal_or_a_cap_together_has_the_right_mean(goal, cap, rate):
    """By enumeration of all sequences of tries up to the cap."""
    mean = 0.0
    for outcome in itertools.product((0, 1), repeat=cap):
        told = np.cumsum(outcome)
        end = int(np.argmax(told >= goal)) if told[-1] >= goal else cap - 1
        chance = rate ** sum(outcome) * (1 - rate) ** (cap - sum(outcome))
        counts = (np.array([float(each)]) for each in (told[end], end + 1, goal))
        mean += chance * float(pass_rates(*counts)[0])
    assert mean == pytest.approx(rate, rel=1e-12)


@pytest.mark.parametrize("goal, cap, rate", [(2, 300, 0.01), (3, 40, 0.2), (2, 50, 0.002)])
def test_intervals_hold_the_rate_at_least_as_often_as_they_say(goal, cap, rate):
    """Exact coverage: the chance of every outcome, summed over those whose interval holds the rate."""
    k = np.arange(goal, cap + 1, dtype=float)
    reached = comb(k - 1, goal - 1) * rate**goal * (1 - rate) ** (k - goal)
    c = np.arange(goal, dtype=float)
    capped = comb(cap, c) * rate**c * (1 - rate) ** (cap - c)
    passes, tries = np.concatenate([np.full_like(k, goal), c]), np.concatenate([k, np.full_like(c, cap)])
    chance = np.concatenate([reached, capped])
    assert chance.sum() == pytest.approx(1, abs=1e-9)
    low, high = pass_interval(passes, tries, np.full_like(passes, goal), level=0.9)
    assert (low <= high).all() and (low >= 0).all() and (high <= 1).all()
    covered = chance[(low <= rate) & (rate <= high)].sum()
    assert 0.9 <= covered < (0.99 if rate > 0.005 else 1)  # of the last, 90 % of outcomes have no pass


def test_no_pass_and_no_failure_have_intervals_with_an_end_at_the_edge():
    none = np.array([np.nan])
    low, high = pass_interval(np.array([0.0]), np.array([59.0]), none, level=0.9)
    assert low[0] == 0 and high[0] == pytest.approx(1 - 0.05 ** (1 / 59))
    low, high = pass_interval(np.array([4.0]), np.array([4.0]), none, level=0.9)
    assert high[0] == 1 and low[0] == pytest.approx(0.05**0.25)


def test_pass_at_k_is_the_share_of_subsets_with_a_pass():
    for n, c, k in ((6, 2, 3), (5, 0, 2), (5, 5, 5), (7, 6, 2)):
        tries = [1] * c + [0] * (n - c)
        shares = [any(each) for each in itertools.combinations(tries, k)]
        assert pass_at_k(np.array([float(c)]), np.array([float(n)]), k)[0] == pytest.approx(np.mean(shares))
    assert np.isnan(pass_at_k(np.array([1.0]), np.array([3.0]), 4)[0])


def test_difficulty_is_the_maximum_of_the_likelihood_and_recovers_its_distribution():
    rng = np.random.default_rng(0)
    rate, tries = rng.beta(0.4, 3.0, 2_000), np.full(2_000, 50.0)
    passes = rng.binomial(50, rate).astype(float)
    found = difficulty(passes, tries, np.ones((1, 2_000)))
    a, b = float(found.a[0]), float(found.b[0])
    assert found.settled and a == pytest.approx(0.4, rel=0.08) and b == pytest.approx(3.0, rel=0.12)

    def value(a, b):
        return float(np.sum(betaln(a + passes, b + tries - passes) - betaln(a, b)))

    assert all(value(a, b) >= value(a * x, b * y) for x in (0.98, 1, 1.02) for y in (0.98, 1, 1.02))
    k = np.array([1.0, 10.0, 1000.0])
    assert found.short_of_one(k)[0] == pytest.approx([np.mean((1 - rate) ** each) for each in k], rel=0.1)
    # 1 - pass@k falls as k^(-a)
    far = found.short_of_one(np.array([1e6, 1e7]))[0]
    assert math.log10(far[0] / far[1]) == pytest.approx(a, rel=1e-3)


def test_items_that_are_all_alike_leave_difficulty_open():
    assert not difficulty(np.full(20, 1.0), np.full(20, 4.0), np.ones((1, 20))).settled
    assert not difficulty(np.zeros(20), np.full(20, 100.0), np.ones((1, 20))).settled
