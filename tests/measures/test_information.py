import numpy as np
import pytest

from isoflop.errors import DataError
from isoflop.measures import (
    kozachenko_leonenko_entropy,
    kozachenko_leonenko_information,
    kraskov_information,
    principal_components,
)
from isoflop.measures.neighbors import neighbor_distances

ESTIMATORS = [kozachenko_leonenko_information, kraskov_information]


def gaussian(samples=4000, dimensions=2, seed=0):
    return np.random.default_rng(seed).standard_normal((samples, dimensions))


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_entropy_of_a_gaussian(dimensions):
    exact = dimensions / 2 * np.log(2 * np.pi * np.e)
    assert kozachenko_leonenko_entropy(gaussian(20_000, dimensions)) == pytest.approx(exact, abs=0.04)


def test_entropy_of_the_unit_interval_is_zero():
    points = np.random.default_rng(1).random(20_000)
    assert kozachenko_leonenko_entropy(points) == pytest.approx(0, abs=0.02)


def test_entropy_moves_with_the_log_of_the_scale():
    points = gaussian(500, 3)
    shift = kozachenko_leonenko_entropy(7 * points) - kozachenko_leonenko_entropy(points)
    assert shift == pytest.approx(3 * np.log(7), abs=1e-9)


def test_distances_by_matrix_product_are_those_of_the_tree():
    points = gaussian(700, 30) + 100  # far from the origin, where |x|² + |y|² − 2xy could cancel
    nearest = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))
    assert neighbor_distances(points, 5) == pytest.approx(np.sort(nearest, axis=1)[:, 1:6], rel=1e-9)


@pytest.mark.parametrize("estimate", ESTIMATORS)
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_information_of_correlated_gaussians(estimate, correlation):
    x, z = gaussian(seed=1), gaussian(seed=2)
    y = correlation * x + np.sqrt(1 - correlation**2) * z
    assert estimate(x, y) == pytest.approx(-np.log(1 - correlation**2), abs=0.09)


def test_kraskov_does_not_depend_on_monotone_maps_of_one_side():
    x, z = gaussian(seed=1, dimensions=1), gaussian(seed=2, dimensions=1)
    y = 0.8 * x + 0.6 * z
    exact = -0.5 * np.log(1 - 0.64)
    assert kraskov_information(np.exp(x), y**3) == pytest.approx(exact, abs=0.06)


def test_copies_have_no_density():
    points = np.repeat(gaussian(20), 10, axis=0)
    with pytest.raises(DataError, match="200 points coincide with 5 others"):
        kozachenko_leonenko_entropy(points)
    wide = np.repeat(gaussian(20, 40), 10, axis=0)
    with pytest.raises(DataError, match="200 points coincide with 5 others"):
        kozachenko_leonenko_entropy(wide)


def test_bad_samples_are_named():
    with pytest.raises(DataError, match="4 samples have no 5-th neighbor"):
        kozachenko_leonenko_entropy(gaussian(4))
    with pytest.raises(DataError, match="X has 50 samples and Y 60"):
        kraskov_information(gaussian(50), gaussian(60))
    with pytest.raises(DataError, match=r"finite table"):
        kozachenko_leonenko_entropy(np.full((20, 2), np.nan))


def test_principal_components_are_uncorrelated_and_span_the_signal():
    signal = gaussian(1000, 2)
    wide = signal @ np.random.default_rng(5).standard_normal((2, 40)) + 3.0
    scores = principal_components(wide, 2)
    assert np.cov(scores.T, bias=True) == pytest.approx(np.eye(2), abs=1e-9)
    centered = signal - signal.mean(axis=0)
    missed = centered - scores @ np.linalg.lstsq(scores, centered, rcond=None)[0]
    assert np.abs(missed).max() < 1e-9


def test_components_that_do_not_exist_are_refused():
    with pytest.raises(DataError, match="3 principal components cannot be taken"):
        principal_components(gaussian(100, 2), 3)
    with pytest.raises(DataError, match="fewer than 3 directions"):
        principal_components(gaussian(100, 2) @ np.ones((2, 5)), 3)
