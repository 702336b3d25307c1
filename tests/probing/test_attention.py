"""Entropy of attention over files of queries and keys: known logits, the factors, and bad arrays."""

import numpy as np
import pytest

from isoflop.errors import DataError
from isoflop.measures import attention_entropy
from isoflop.probing.attention import attention_drift


def _write(place, tokens, *, sharp=1.0, heads=6, seed=0, **more):
    rng = np.random.default_rng(seed)
    q, k = sharp * rng.normal(size=(heads, 40, 16)), rng.normal(size=(heads, tokens, 16))
    path = place / f"n{tokens}.npz"
    np.savez(path, **({"queries": q, "keys": k} | more))
    return path


def test_drift_is_the_difference_of_entropies_and_normal_logits_are_held(tmp_path):
    paths = [_write(tmp_path, n, sharp=0.8) for n in (64, 512)]
    found = attention_drift(paths, trained=64)
    near, far = found.lengths
    with np.load(paths[1]) as held:
        own = [attention_entropy(q, k).entropy for q, k in zip(held["queries"], held["keys"], strict=True)]
    assert far.entropy.value == pytest.approx(np.mean(own))
    assert far.drift["plain"].value == pytest.approx(far.entropy.value - near.entropy.value)
    assert near.drift["plain"].value == 0 and set(near.drift) == {"plain"}
    # logits of random vectors are nearly normal: their factor holds more than the logarithm's does
    assert abs(far.drift["normal"].value) < 0.5 * abs(far.drift["log"].value)
    assert abs(far.drift["log"].value) < abs(far.drift["plain"].value)
    assert abs(near.error) < 0.1


def test_attention_as_sharp_as_one_key_is_marked(tmp_path):
    found = attention_drift([_write(tmp_path, n, sharp=6.0) for n in (64, 256)])
    assert found.trained == 64 and abs(found.lengths[0].error) > found.tolerance


def test_bad_arrays_are_refused_in_one_sentence(tmp_path):
    good = _write(tmp_path, 64)
    with pytest.raises(DataError, match=r"one number of tokens \(64\) has no drift"):
        attention_drift([good])
    with pytest.raises(DataError, match="two files have 64 keys"):
        attention_drift([good, good])
    with pytest.raises(DataError, match=r"no file has 32 keys, the tokens of training; there are 64, 128"):
        attention_drift([good, _write(tmp_path, 128)], trained=32)
    with pytest.raises(DataError, match="files differ in heads and windows"):
        attention_drift([good, _write(tmp_path, 128, heads=3)])
    with pytest.raises(DataError, match="hold NaN or infinity"):
        attention_drift([good, _write(tmp_path, 128, keys=np.full((6, 128, 16), np.nan))])
    with pytest.raises(DataError, match="too large for their entropy"):
        attention_drift([good, _write(tmp_path, 128, keys=np.full((6, 128, 16), 1e300))])
    with pytest.raises(DataError, match="differ in heads or dimensions"):
        attention_drift([good, _write(tmp_path, 128, keys=np.ones((6, 128, 8)))])
    with pytest.raises(DataError, match=r"none of the arrays keys, key, k; it has 'queries', 'other': name one with"):
        np.savez(tmp_path / "x.npz", queries=np.ones((2, 3, 4)), other=np.ones(3))
        attention_drift([good, tmp_path / "x.npz"])
