"""G theory against the values of an independent computation, its identities, and closed forms."""

import numpy as np
import pytest

from isoflop.errors import DataError
from isoflop.measures import confirmation, fit_mixture, optimal_truth, rate_fidelity, semantic_information

GRID = np.linspace(0, 100, 401)
SOURCE = np.exp(-((GRID - 50) ** 2) / (2 * 15**2))
SOURCE /= SOURCE.sum()
TRUTH = np.exp(-((GRID[:, None] - np.array([25.0, 50.0, 75.0])) ** 2) / (2 * 8**2))


def test_rate_fidelity_of_three_truth_functions():
    """P(x) = N(50, 15), truth functions at 25, 50, 75 of width 8; values in bits, computed by another program."""
    assert pytest.approx([0.160, 0.471, 0.160], abs=5e-4) == SOURCE @ TRUTH
    points = rate_fidelity(SOURCE, TRUTH, [0.5, 1, 2, 4, 8])
    assert [each.information for each in points] == pytest.approx([0.345, 0.928, 1.119, 1.171, 1.185], abs=6e-4)
    assert [each.rate for each in points] == pytest.approx([0.577, 0.973, 1.230, 1.370, 1.442], abs=6e-4)
    assert [each.efficiency for each in points[1:]] == pytest.approx([0.953, 0.910, 0.855, 0.821], abs=1e-3)
    # the slope is dR/dG
    near = rate_fidelity(SOURCE, TRUTH, [1.99, 2.01])
    assert (near[1].rate - near[0].rate) / (near[1].information - near[0].information) == pytest.approx(2, rel=0.01)


def test_a_collapsed_channel_has_no_efficiency():
    (point,) = rate_fidelity(SOURCE, TRUTH, [0.1])
    assert point.rate == pytest.approx(0, abs=1e-6) and point.information < 0 and point.efficiency is None


def test_optimal_truth_reaches_shannons_information():
    joint = np.random.default_rng(0).dirichlet(np.ones(12)).reshape(4, 3)
    information = (joint * np.log2(joint / joint.sum(axis=1)[:, None] / joint.sum(axis=0))).sum()
    best = semantic_information(joint, optimal_truth(joint))
    assert best.information == pytest.approx(information, abs=1e-12)
    assert best.information == pytest.approx(best.entropy - best.fuzzy)
    assert semantic_information(joint, optimal_truth(joint) ** 1.5).information < information


def test_every_step_of_a_mixture_has_its_certificate():
    draws = np.random.default_rng(1)
    data = np.concatenate([draws.normal(35, 8, 700), draws.normal(65, 12, 300)])
    counts, _ = np.histogram(data, bins=np.linspace(-0.125, 100.125, 402))
    observed = (counts + 1e-9) / (counts + 1e-9).sum()
    found = fit_mixture(GRID, observed, [30.0, 80.0], [15.0, 15.0])
    assert found.steps[0].divergence == pytest.approx(0.859, abs=1e-3)
    assert found.steps[-1].divergence == pytest.approx(0.248, abs=1e-3)
    assert max(abs(each.residual) for each in found.steps) < 1e-9
    falls = np.diff([each.divergence for each in found.steps])
    assert (falls <= 1e-12).all() and found.means == pytest.approx([35, 65], abs=1.5)


def test_confirmation():
    assert confirmation(0.9, 0.1) == pytest.approx(8 / 9) and confirmation(0.1, 0.9) == pytest.approx(-8 / 9)
    assert confirmation(0.5, 0.5) == 0 and confirmation(0.5, 0) == 1 and confirmation(0.0, 0.0) == 0
    with pytest.raises(DataError, match=r"1.2 is no probability"):
        confirmation(1.2, 0.5)


def test_what_is_no_distribution_is_refused():
    with pytest.raises(DataError, match="these sum to 2"):
        rate_fidelity([1.0, 1.0], [[1.0], [0.5]], [1.0])
    with pytest.raises(DataError, match="truth functions must lie between 0 and 1"):
        semantic_information([[0.5], [0.5]], [[2.0], [0.5]])
    with pytest.raises(DataError, match="has truth 0"):
        semantic_information([[0.5], [0.5]], [[0.0], [1.0]])
