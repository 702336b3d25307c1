"""Correlation of ranks, and its p-value against SciPy's."""

import numpy as np
import pytest
from scipy import stats

from isoflop.uncertainty.ranks import p_positive, spearman


def test_ranks_count_ties_at_their_mean():
    assert spearman(np.array([1.0, 2, 3]), np.array([30.0, 20, 10])) == pytest.approx(-1)
    assert spearman(np.array([1.0, 1, 2, 3]), np.array([1.0, 2, 3, 4])) == pytest.approx(0.9486833)
    assert np.isnan(spearman(np.ones(3), np.arange(3.0)))


def test_p_values_are_those_of_scipy():
    rng = np.random.default_rng(0)
    for count in (6, 12, 30):
        x = rng.normal(size=count)
        y = x + rng.normal(size=count)
        known = stats.spearmanr(x, y, alternative="greater")
        assert spearman(x, y) == pytest.approx(known.statistic)
        assert p_positive(spearman(x, y), count) == pytest.approx(known.pvalue)
    assert p_positive(1.0, 6) == pytest.approx(1 / 720) and p_positive(-1.0, 6) == 1.0
    assert np.isnan(p_positive(0.9, 3))
