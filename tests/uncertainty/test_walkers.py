"""Draws by walkers, against densities whose moments are known."""

from __future__ import annotations

import numpy as np
import pytest

from isoflop.uncertainty.walkers import WALKERS, walk


def test_moments_of_a_narrow_slanted_gaussian() -> None:
    covariance = np.array([[1.0, 0.99], [0.99, 1.0]])
    inverse = np.linalg.inv(covariance)

    def height(theta):
        return -0.5 * np.einsum("pi,ij,pj->p", theta - 3, inverse, theta - 3)

    begin = 3 + 0.1 * np.random.default_rng(0).standard_normal((WALKERS, 2))
    draws, taken = walk(height, begin, draws=4_000, seed=1)
    assert draws.mean(axis=0) == pytest.approx([3, 3], abs=0.1)
    assert np.cov(draws.T) == pytest.approx(covariance, abs=0.12)
    assert 0.3 < taken < 0.9


def test_a_skewed_density_on_half_a_line() -> None:
    def height(theta):
        return np.where(theta[:, 0] > 0, -theta[:, 0], -np.inf)

    begin = np.random.default_rng(0).exponential(size=(WALKERS, 1))
    draws, _ = walk(height, begin, draws=4_000, seed=2)
    assert (draws > 0).all()
    assert draws.mean() == pytest.approx(1.0, abs=0.08)
    assert np.quantile(draws, 0.9) == pytest.approx(np.log(10), abs=0.2)


def test_a_seed_gives_the_same_draws() -> None:
    begin = np.random.default_rng(0).standard_normal((WALKERS, 3))
    one, two = (walk(lambda t: -0.5 * (t**2).sum(axis=1), begin, draws=50, steps=20, seed=5)[0] for _ in range(2))
    assert np.array_equal(one, two)
