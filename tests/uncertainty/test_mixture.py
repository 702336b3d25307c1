"""Quantiles of a mixture of Student-t distributions invert its distribution function."""

import numpy as np
import pytest
from scipy.stats import t as student

from isoflop.uncertainty.mixture import Mixture


def mixture(components, points, spread, seed=0):
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.full(components, 0.3))
    mean = rng.normal(0, spread, (components, points))
    return Mixture(weights, mean, np.exp(rng.normal(-5, 2, mean.shape)), None, np.full(mean.shape, 1e-4), 5.0)


@pytest.mark.parametrize("probability", [1e-6, 0.05, 0.5, 0.95, 0.999])
@pytest.mark.parametrize("spread", [1e-3, 1.0, 100.0])
def test_a_quantile_has_its_probability_below_it(probability, spread):
    for scatter in (True, False):
        said = mixture(8, 40, spread)
        below = said.cdf(said.quantile(probability, scatter=scatter), scatter=scatter)
        assert below == pytest.approx(np.full(40, probability), rel=1e-9)


def test_the_quantile_of_one_component_is_students():
    said = mixture(1, 5, 1.0)
    assert said.quantile(0.9) == pytest.approx(said.mean[0] + said.scale()[0] * student.ppf(0.9, 5.0), rel=1e-12)


def test_a_component_without_weight_has_no_say():
    said = mixture(2, 5, 1.0)
    alone = Mixture(np.array([1.0, 0.0]), said.mean, said.variance, None, said.own, said.freedom)
    assert alone.quantile(0.3) == pytest.approx(said.mean[0] + said.scale()[0] * student.ppf(0.3, 5.0), rel=1e-12)
