"""The gate: an estimate is within the tolerance of the truth, or refused; and what it is refused for."""

import numpy as np
import pytest

from isoflop.errors import DataError
from isoflop.measures.calibrated_geometry import calibrated_dimension, calibrated_spectrum
from isoflop.measures.calibrated_kernels import (
    calibrated_conditional_information,
    calibrated_diffusion_entropy,
    half_median_distance,
)
from isoflop.measures.calibration import ESTIMATORS, calibrated_information, calibrated_label_information
from isoflop.measures.conditional import conditional_information
from isoflop.measures.worlds import gaussian_world, label_world, margins_world, symmetric_world, tail_index


@pytest.mark.parametrize("nats", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("dimensions", [1, 2, 8])
@pytest.mark.parametrize("method", ["kraskov", "kozachenko-leonenko", "gaussian", "binned"])
def test_gaussian_pairs_are_within_a_tenth_or_refused(method, dimensions, nats):
    x, y, truth = gaussian_world(600 if dimensions > 2 else 1500, (dimensions, dimensions)).draw(nats, 11)
    found = calibrated_information(x, y, method=method)
    assert found.refused or found.value == pytest.approx(truth, rel=0.1, abs=0.025)
    if method == "kraskov" and dimensions == 1:
        assert found.usable
    assert all(np.isfinite(each.error) for each in found.trials)


@pytest.mark.parametrize("method", list(ESTIMATORS))
def test_a_hundred_dimensions_are_refused(method):
    x, y, _ = gaussian_world(210, (100, 100)).draw(1.0, 3)
    assert calibrated_information(x, y, method=method).refused


def test_compressed_pairs_behind_a_hundred_dimensions_are_measured_and_marked_as_a_bound():
    rng = np.random.default_rng(5)
    x, y, truth = gaussian_world(1500, (2, 2)).draw(1.0, 4)
    wide = [each @ rng.normal(size=(2, 100)) + 0.01 * rng.normal(size=(1500, 100)) for each in (x, y)]
    found = calibrated_information(*wide, components=2)
    assert found.usable and found.value == pytest.approx(truth, rel=0.1)
    assert found.marked.startswith("a lower bound: 2 of 100 components")


def test_dependence_without_correlation_is_seen_or_refused():
    x, y, truth = symmetric_world(1500, (1, 1)).draw(1.0, 2)
    assert truth == pytest.approx(1.0, abs=1e-6)
    assert calibrated_information(x, y).value == pytest.approx(truth, rel=0.1)
    assert calibrated_information(x, y, method="gaussian").refused


def test_the_information_without_correlation_is_that_of_a_sum_over_a_grid():
    """Against the joint density on a grid, for ρ = 0.9: I(ρ) less what the sign costs."""
    x, y, truth = symmetric_world(50, (1, 1)).draw(0.5, 0)
    grid = np.linspace(-6, 6, 401)
    one, other = grid[:, None], grid[None, :]
    low, high = 0.0, 0.999999

    def density(rho):
        return np.exp(-(one**2 - 2 * rho * one * other + other**2) / (2 * (1 - rho**2))) / np.sqrt(1 - rho**2)

    def information(rho):
        joint = density(rho) + density(-rho)
        joint /= joint.sum()
        margins = joint.sum(axis=1)[:, None] * joint.sum(axis=0)[None, :]
        keep = joint > 1e-300
        return (joint[keep] * np.log(joint[keep] / margins[keep])).sum()

    for _ in range(10):
        middle = (low + high) / 2
        low, high = (middle, high) if information(middle) < truth else (low, middle)
    drawn, _, _ = gaussian_world(50, (1, 1)).draw(-0.5 * np.log(1 - low**2), 0)
    assert information(low) == pytest.approx(truth, abs=2e-3) and len(drawn) == len(x) == len(y)


def test_heavy_tails_ties_and_copies_are_refused():
    rng = np.random.default_rng(0)
    x = rng.standard_cauchy((600, 1))
    found = calibrated_information(x, x + rng.standard_cauchy((600, 1)))
    assert found.refused.startswith("heavy tails (Hill index") and tail_index(rng.normal(size=(600, 1))) > 3
    off = np.stack([np.maximum(rng.normal(size=400), 0), rng.normal(size=400)], axis=1)
    assert "same value in one dimension" in calibrated_information(off, rng.normal(size=(400, 2))).refused
    copied = np.repeat(rng.normal(size=(100, 2)), 4, axis=0)
    assert "400 of 400 samples are copies" in calibrated_information(copied, rng.normal(size=(400, 2))).refused


def test_too_few_samples_are_refused():
    x, y, _ = gaussian_world(30, (3, 3)).draw(3.0, 0)
    assert calibrated_information(x, y).refused
    with pytest.raises(DataError, match="X has 12 samples; at least 20 are needed"):
        calibrated_information(x[:12], y[:12])


def test_margins_keep_the_information_and_are_those_of_the_samples():
    rng = np.random.default_rng(0)
    x, y = rng.exponential(size=(3000, 2)), rng.normal(size=(3000, 1))
    first, second, truth = margins_world(x, y).draw(1.0, 1)
    assert truth == 1.0
    assert np.quantile(first, [0.1, 0.5, 0.9]) == pytest.approx(np.quantile(x, [0.1, 0.5, 0.9]), rel=0.1)
    assert calibrated_information(first, second).value == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize("nats", [0.3, 1.0])
def test_labels_of_gaussian_classes(nats):
    points, codes, truth = label_world(np.array([700, 500, 600]), 2).draw(nats, 8)
    found = calibrated_label_information(points, codes.astype(int))
    assert found.usable and found.value == pytest.approx(truth, rel=0.1, abs=0.025)


def test_diffusion_entropy_at_a_wrong_width_is_refused():
    points = np.random.default_rng(0).normal(size=(400, 4))
    usual = half_median_distance(points)
    assert calibrated_diffusion_entropy(points, sigma=2 * usual).usable
    assert "too small" in calibrated_diffusion_entropy(points, sigma=usual / 20).refused
    assert "too large" in calibrated_diffusion_entropy(points, sigma=usual * 20).refused
    found = calibrated_diffusion_entropy(points[:40], sigma=0.5 * usual)
    assert found.refused  # 40 points in 4 dimensions have hardly a neighbor


def test_conditional_information_is_exact_for_gaussian_classes_and_refused_without_noise():
    rng = np.random.default_rng(1)
    labels = np.arange(900) % 3
    points = rng.normal(size=(900, 2)) + 9 * labels[:, None]
    found = calibrated_conditional_information(points, labels, noise=1.0)
    assert found.usable and found.value == pytest.approx(np.log(2), rel=0.1)  # ½ · 2 · log(1 + 1)
    bounds = conditional_information(points, labels, noise=1.0)
    assert bounds.lower < bounds.value < bounds.upper < bounds.ceiling == pytest.approx(np.log(300))
    assert calibrated_conditional_information(points, labels, noise=1e-3).refused


def test_dimension_and_spectrum():
    rng = np.random.default_rng(2)
    found = calibrated_dimension(rng.random((500, 5)) @ rng.normal(size=(5, 20)))
    assert found.usable and found.value == pytest.approx(5, rel=0.1) and found.low <= 5 <= found.high
    deviations = np.arange(1, 91.0) ** -0.75
    spectrum = calibrated_spectrum(rng.normal(size=(600, 90)) * deviations)
    assert spectrum.usable and spectrum.value == pytest.approx(0.5, abs=0.1)
    flat = calibrated_spectrum(rng.normal(size=(600, 90)) * np.where(np.arange(90) < 15, 1.0, deviations))
    assert "no power law" in flat.refused


@pytest.mark.slow
@pytest.mark.parametrize("dimensions", [5, 13, 50])
def test_dimension_from_three_thousand_points(dimensions):
    points = np.random.default_rng(3).random((3000, dimensions))
    found = calibrated_dimension(points)
    assert found.value == pytest.approx(dimensions, rel=0.1) and found.low <= dimensions <= found.high


@pytest.mark.slow
@pytest.mark.parametrize(("surface", "dimensions"), [("tanh", 50), ("sines", 50), ("circles", 13)])
def test_a_curved_surface_is_told_to_be_uncertain_and_inside_the_interval(surface, dimensions):
    """Where no neighbor is near, a bent surface cannot be told from more dimensions; the interval says so."""
    rng = np.random.default_rng(0)
    places = rng.random((3000, dimensions))
    angles = 2 * np.pi * places
    points = {
        "tanh": lambda: np.tanh(rng.normal(size=(3000, 50)) @ rng.normal(size=(50, 100)) * 1.5 / np.sqrt(50)),
        "sines": lambda: np.hstack((places, np.sin(angles))),
        "circles": lambda: np.hstack((np.cos(angles), np.sin(angles))),
    }[surface]()
    found = calibrated_dimension(points)
    assert (found.marked or found.refused) and found.low <= dimensions <= found.high
