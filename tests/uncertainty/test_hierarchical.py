"""Partial pooling: exact answers where there are some, the likelihood's own maximum elsewhere."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from isoflop.uncertainty.hierarchical import pooled

RNG = np.random.default_rng(0)
MEAN, SPREAD = np.array([1.0, -2.0]), np.array([[0.5, 0.2], [0.2, 0.3]])


def made(groups, size=0.05, seed=0):
    rng = np.random.default_rng(seed)
    noise = np.array([np.diag(size * rng.uniform(0.2, 2, 2)) for _ in range(groups)])
    theta = rng.multivariate_normal(MEAN, SPREAD, groups)
    return theta + np.array([rng.multivariate_normal([0, 0], each) for each in noise]), noise


def log_likelihood(theta, noise, mean, spread):
    return sum(multivariate_normal.logpdf(t, mean, spread + v) for t, v in zip(theta, noise, strict=True))


def test_with_equal_covariances_the_answer_is_that_of_moments():
    theta, _ = made(40)
    noise = np.broadcast_to(0.02 * np.eye(2), (40, 2, 2))
    mean, spread = pooled(theta, noise)
    assert mean == pytest.approx(theta.mean(axis=0), abs=1e-6)
    moments = np.cov(theta.T, bias=True) - 0.02 * np.eye(2)
    assert spread / (1 + 1 / 40) == pytest.approx(moments, abs=1e-6)


def test_no_neighbor_is_more_likely():
    theta, noise = made(25)
    mean, spread = pooled(theta, noise)
    spread = spread / (1 + 1 / 25)
    best = log_likelihood(theta, noise, mean, spread)
    for _ in range(40):
        step, turn = 0.02 * RNG.standard_normal(2), 0.02 * RNG.standard_normal((2, 2))
        grow = np.eye(2) + turn
        assert log_likelihood(theta, noise, mean + step, grow @ spread @ grow.T) < best


def test_groups_that_share_one_vote_count_as_one():
    theta, noise = made(12)
    twice, share = np.concatenate([theta, theta[:6]]), np.r_[np.full(6, 0.5), np.ones(6), np.full(6, 0.5)]
    one = pooled(theta, noise)
    again = pooled(twice, np.concatenate([noise, noise[:6]]), share=share)
    assert again[0] == pytest.approx(one[0], abs=1e-9) and again[1] == pytest.approx(one[1], abs=1e-9)


def test_an_expected_spread_weighs_as_the_groups_that_it_is_worth():
    theta, noise = made(3)
    usual = 4.0 * np.eye(2)
    alone, drawn, held = (pooled(theta, noise, usual=usual, worth=worth)[1] for worth in (0.0, 2.0, 1e6))
    assert held / (1 + 1 / 3) == pytest.approx(usual, rel=1e-3, abs=1e-5)
    assert np.linalg.eigvalsh(drawn - alone).min() > 0 and np.linalg.eigvalsh(held - drawn).min() > 0
    # groups that do not differ at all are told apart by what is expected alone
    same = pooled(np.zeros((4, 2)), np.broadcast_to(1e-6 * np.eye(2), (4, 2, 2)), usual=usual, worth=2.0)[1]
    assert same / (1 + 1 / 4) == pytest.approx(usual * 2 / 6, rel=1e-3, abs=1e-5)
