"""Attention entropy and its scale factors; overlap of weight rows."""

import numpy as np
import pytest

from isoflop.errors import DataError
from isoflop.measures import attention_entropy, gaussian_scale, log_scale, row_overlap


def drift(sigma, tokens, scale=None):
    rng = np.random.default_rng(0)

    def entropy(count, factor):
        q, k = sigma * rng.normal(size=(64, 64)), sigma * rng.normal(size=(count, 64))
        return attention_entropy(q, k, scale=factor).entropy

    return entropy(tokens, scale) - entropy(1024, None)


def test_the_factor_of_the_logarithm():
    assert log_scale(4096, 1024, 64) / log_scale(1024, 1024, 64) == pytest.approx(1.0954, abs=1e-4)
    assert log_scale(256, 1024, 64) / log_scale(1024, 1024, 64) == pytest.approx(0.8944, abs=1e-4)


def test_it_holds_the_entropy_only_of_peaked_attention():
    """Random queries and keys, T = 1024, N = 16384; the drifts are those of an independent computation."""
    scale = log_scale(16384, 1024, 64)
    assert drift(1.0, 16384) == pytest.approx(2.78, abs=0.05)
    assert drift(1.0, 16384, scale) == pytest.approx(2.58, abs=0.06)
    assert drift(2.0, 16384) == pytest.approx(1.45, abs=0.4)
    assert abs(drift(2.0, 16384, scale)) < 0.6


def test_normal_logits_have_the_entropy_of_the_approximation_and_its_factor_holds_it():
    rng = np.random.default_rng(3)
    q, few, many = (rng.normal(size=(each, 64)) * 1.2 for each in (64, 1024, 4096))
    base = attention_entropy(q, few)
    assert base.entropy == pytest.approx(np.log(1024) - base.variance / 2, abs=0.25)
    plain = attention_entropy(q, many).entropy - base.entropy
    held = attention_entropy(q, many, scale=gaussian_scale(4096, 1024, 64, base.variance)).entropy - base.entropy
    logged = attention_entropy(q, many, scale=log_scale(4096, 1024, 64)).entropy - base.entropy
    assert abs(held) < abs(logged) < abs(plain)
    with pytest.raises(DataError, match="no scale holds the entropy"):
        gaussian_scale(16, 1024, 64, 1.0)


def test_rows_of_random_directions_overlap_by_one_over_the_dimension():
    rng = np.random.default_rng(0)
    found = row_overlap(rng.normal(size=(3000, 25)))
    assert found.times_m == pytest.approx(1, abs=0.02) and found.mean > found.welch
    unit = rng.normal(size=(40, 6))
    cosines = (unit / np.linalg.norm(unit, axis=1)[:, None]) @ (unit / np.linalg.norm(unit, axis=1)[:, None]).T
    assert row_overlap(unit).mean == pytest.approx((cosines[~np.eye(40, dtype=bool)] ** 2).mean())
    alone = np.zeros((50, 10))
    alone[:10] = np.eye(10)
    assert row_overlap(alone).mean == pytest.approx(0, abs=1e-12) and row_overlap(alone).represented == 0.2
    with pytest.raises(DataError, match="fewer than two rows"):
        row_overlap(np.zeros((5, 3)))
