"""Random weights of runs: what they add up to, how they spread, and when they are counts."""

import numpy as np
import pytest

from isoflop.uncertainty.unit_weights import MOST_GAMMA, unit_weights


def test_a_stratum_weighs_as_much_as_it_has_units_and_others_nothing():
    weights = unit_weights(np.random.default_rng(0), (np.arange(4), np.array([6, 8, 9])), 11, 500)
    assert weights[:, :4].sum(axis=1) == pytest.approx(4) and weights[:, [6, 8, 9]].sum(axis=1) == pytest.approx(3)
    assert not weights[:, [4, 5, 7, 10]].any() and (weights >= 0).all()


@pytest.mark.parametrize("units", [7, 12, 35, 100])
def test_few_units_spread_more_than_counts_do(units):
    """Of Gamma variables of shape a divided by their mean of G: (G − 1)/(G·a + 1), against 1 − 1/G."""
    weights = unit_weights(np.random.default_rng(1), (np.arange(units),), units, 40_000)
    shape = 1 - 3.5 / units
    assert weights.var() == pytest.approx((units - 1) / (units * shape + 1), rel=0.02)


def test_many_units_are_counted():
    units = MOST_GAMMA + 1
    weights = unit_weights(np.random.default_rng(2), (np.arange(units),), units, 50)
    assert np.array_equal(weights, np.round(weights)) and np.all(weights.sum(axis=1) == units)
    # strata count together: what is few is the units that a fit has, not those of one seed
    halves = unit_weights(np.random.default_rng(2), (np.arange(60), np.arange(60, 120)), 120, 50)
    assert np.array_equal(halves, np.round(halves))
