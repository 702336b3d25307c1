"""Debiased Sinkhorn against exact assignment and closed forms; hardness scores against their definitions."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from isoflop.errors import DataError
from isoflop.measures.hardness import (
    error_norm,
    forgetting_events,
    kept_by_hardness,
    margin_hardness,
    prototype_distance,
)
from isoflop.measures.transport import label_distances, sinkhorn_divergence, sinkhorn_divergences, source_gradient


def divergence(x, y, **how):
    return sinkhorn_divergence(label_distances(x, y), label_distances(x, x), label_distances(y, y), **how)


def test_near_the_exact_assignment_and_zero_for_equal_samples():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), rng.normal(size=(60, 3)) + np.array([1.0, 0, 0])
    cost = label_distances(x, y)
    exact = cost[linear_sum_assignment(cost)].mean()
    near, nearer = (divergence(x, y, regularization=each).divergence for each in (0.1, 0.02))
    assert abs(nearer - exact) < abs(near - exact) and nearer == pytest.approx(exact, rel=0.2)
    assert divergence(x, x).divergence == pytest.approx(0, abs=1e-6)


def test_a_shift_costs_its_square_at_any_regularization():
    """The debiased divergence of samples and the same samples shifted is the squared shift (Feydy et al.)."""
    x = np.random.default_rng(1).normal(size=(80, 2))
    for regularization in (0.03, 1.0):
        found = divergence(x, x + np.array([2.0, 0.0]), regularization=regularization)
        assert found.divergence == pytest.approx(4, rel=0.02)


def test_the_gradient_of_shares_is_that_of_differences():
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.normal(size=(30, 2)), rng.normal(size=(30, 2)) + 2])
    y, sources = rng.normal(size=(40, 2)) + 0.5, np.repeat([0, 1], 30)

    def at(share):
        return divergence(
            x, y, weights=np.where(sources == 0, share, 1 - share) / 30, regularization=0.1, tolerance=1e-9
        )

    gradient = source_gradient(at(0.5).potentials, sources)
    numeric = (at(0.51).divergence - at(0.49).divergence) / 0.02
    assert gradient[0] - gradient[1] == pytest.approx(numeric, rel=0.02)


def test_many_mixtures_at_once_are_each_alone():
    rng = np.random.default_rng(4)
    x, y, weights = rng.normal(size=(40, 2)), rng.normal(size=(30, 2)), rng.dirichlet(np.ones(40), size=3)
    costs = label_distances(x, y), label_distances(x, x), label_distances(y, y)
    many = sinkhorn_divergences(*costs, weights, tolerance=1e-8)
    for each, mass in zip(many, weights, strict=True):
        assert each.divergence == pytest.approx(
            sinkhorn_divergence(*costs, weights=mass, tolerance=1e-8).divergence, rel=1e-6
        )
    with pytest.raises(DataError, match="regularization 1e-05 is too small"):
        divergence(x, y, regularization=1e-5)


def test_labels_and_bad_weights():
    x = np.zeros((2, 1))
    assert label_distances(x, x, (np.array([0, 1]), np.array([0, 0])), weight=4.0).tolist() == [[0, 0], [4, 4]]
    with pytest.raises(DataError, match="weights must be at least 0"):
        divergence(np.eye(3), np.eye(3), weights=[1.0, 1.0, 1.0])
    with pytest.raises(DataError, match="X has 2 dimensions and Y 3"):
        label_distances(np.eye(2), np.eye(3))


def test_hardness_scores():
    logits, labels = np.array([[3.0, 1.0, 0.0], [0.0, 2.0, 5.0]]), np.array([0, 1])
    assert margin_hardness(logits, labels).tolist() == [-2.0, 3.0]
    p = np.array([[0.8, 0.2], [0.4, 0.6]])
    assert error_norm(p, np.array([0, 0])) == pytest.approx([0.2 * 2**0.5, 0.6 * 2**0.5])
    assert error_norm(np.stack([p, p]), np.array([0, 0])) == pytest.approx([0.2 * 2**0.5, 0.6 * 2**0.5])
    assert forgetting_events([[1, 0, 1], [0, 0, 1], [1, 0, 1], [0, 0, 1]]).tolist() == [2, 3, 0]
    points = np.concatenate([np.random.default_rng(0).normal(0, 0.1, (50, 2)), [[0.0, 9.0]]])
    far = prototype_distance(points, clusters=1)
    assert far.argmax() == 50 and kept_by_hardness(far, 0.02).tolist() == [50]
    with pytest.raises(DataError, match="labels must be whole numbers below the 3 classes"):
        margin_hardness(logits, np.array([0, 3]))
