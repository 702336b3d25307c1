"""Weights of a mixture: the optimum of a concave problem, told from any other point by its slopes."""

import numpy as np
import pytest

from isoflop.validation.mixing import mixing_weights


def slopes(density, counts, weights):
    """∂/∂w_k of the mean log density, (weightings, components)."""
    share = counts / counts.sum(axis=1, keepdims=True)
    return (share / (weights @ density.T)) @ density


@pytest.mark.parametrize("seed", range(3))
def test_no_component_would_gain_and_those_with_weight_are_level(seed):
    rng = np.random.default_rng(seed)
    density = np.exp(rng.normal(0, 3, (60, 7)))
    density[:, 3] = density[:, 2] * (1 + 1e-3 * rng.normal(size=60))  # two components that hardly differ
    counts = rng.dirichlet(np.ones(60), size=40)
    weights = mixing_weights(density, counts)
    assert weights.min() >= 0 and weights.sum(axis=1) == pytest.approx(np.ones(40), abs=1e-12)
    gain = slopes(density, counts, weights) - 1
    assert gain.max() < 1e-8  # which bounds what any other mixture could gain
    assert np.abs(gain[weights > 0.01]).max() < 1e-6


def test_shares_of_disjoint_components_are_those_of_the_counts():
    counts = np.array([[1.0, 2.0, 5.0], [0.0, 1.0, 1.0]])
    assert mixing_weights(np.eye(3), counts) == pytest.approx(counts / counts.sum(axis=1, keepdims=True), abs=1e-6)


def test_a_component_that_is_ahead_everywhere_has_all():
    density = np.column_stack([np.full(20, 1.0), np.full(20, 0.5), np.full(20, np.exp(-690.0))])
    assert mixing_weights(density, np.ones((2, 20)))[:, 0] == pytest.approx(np.ones(2), abs=1e-6)
    assert mixing_weights(density[:, :1], np.ones((2, 20))) == pytest.approx(np.ones((2, 1)))
