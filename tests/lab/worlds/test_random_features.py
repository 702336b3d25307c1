import numpy as np
import pytest
from scipy.optimize import brentq

from isoflop.errors import SpecError
from isoflop.lab.worlds import random_features, random_features_data, random_features_loss, random_features_width


def slope(x, y):
    return np.polyfit(np.log(x), np.log(y), 1)[0]


def mean_by(runs, name):
    values = np.unique(runs[name])
    return values, np.array([runs["loss"][runs[name] == value].mean() for value in values])


@pytest.mark.parametrize("alpha", [1.0, 2.0])
@pytest.mark.parametrize(("world", "axis"), [(random_features_data, "D"), (random_features_width, "N")])
def test_exponent_of_data_and_of_width(world, axis, alpha):
    runs, truth = world(alpha=alpha)
    assert slope(runs[axis], runs["loss"]) == pytest.approx(-truth.alpha, abs=0.1)


def test_a_shallow_spectrum_needs_more_features():
    # 800 features cut the tail of alpha .5 short: −.60 has been reported; ten times as many mend most of it
    few, _ = random_features_data(alpha=0.5)
    many, _ = random_features_data(alpha=0.5, features=8000, repetitions=2)
    assert slope(few["D"], few["loss"]) < -0.57
    assert slope(many["D"], many["loss"]) == pytest.approx(-0.5, abs=0.04)


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_loss_is_the_deterministic_equivalent(alpha):
    # κ D / 2S where Σ λ / (λ + κ) = D: another road to the average over examples
    runs, truth = random_features_data(alpha=alpha, tokens=(32, 128), repetitions=12)
    for count, loss in zip(*mean_by(runs, "D"), strict=True):
        kappa = brentq(lambda k, d=count: (truth.spectrum / (truth.spectrum + k)).sum() - d, 1e-12, 1.0)
        assert loss == pytest.approx(kappa * count / (2 * len(truth.spectrum)), rel=0.04)


def test_loss_is_bahris_kernel_formula():
    rng = np.random.default_rng(3)
    spectrum = np.arange(1, 41) ** -2.0
    examples = rng.standard_normal((6, 40)) * np.sqrt(spectrum)
    kernel = examples @ examples.T / 40
    test = rng.standard_normal((400_000, 40)) * np.sqrt(spectrum)
    across = test @ examples.T / 40
    pointwise = (test**2).sum(axis=1) / 40 - (across * np.linalg.solve(kernel, across.T).T).sum(axis=1)
    found = random_features_loss(spectrum, mixtures=None, examples=examples)
    assert found == pytest.approx(0.5 * pointwise.mean(), rel=0.01)
    mixtures = rng.standard_normal((6, 40))
    covariance = np.diag(spectrum)
    gram = mixtures @ covariance @ mixtures.T
    left = covariance - covariance @ mixtures.T @ np.linalg.solve(gram, mixtures @ covariance)
    assert random_features_loss(spectrum, mixtures=mixtures, examples=None) == pytest.approx(np.trace(left) / 80)


def test_the_grid_ends_in_its_limits():
    spectrum = np.arange(1, 31) ** -2.0
    rng = np.random.default_rng(4)
    mixtures, examples = rng.standard_normal((5, 30)), rng.standard_normal((20_000, 30)) * np.sqrt(spectrum)
    endless = random_features_loss(spectrum, mixtures=mixtures, examples=None)
    assert random_features_loss(spectrum, mixtures=mixtures, examples=examples) == pytest.approx(endless, rel=2e-3)
    everything = rng.standard_normal((30, 30))  # as many mixtures as features lose nothing
    few = examples[:8]
    wide = random_features_loss(spectrum, mixtures=None, examples=few)
    # least norm in the mixed coordinates is another interpolant, unless the mixture is a rotation
    rotation, _ = np.linalg.qr(everything)
    assert random_features_loss(spectrum, mixtures=rotation, examples=few) == pytest.approx(wide, rel=1e-8)
    assert random_features_loss(spectrum, mixtures=None, examples=None) == 0.0


def test_variance_limited_exponent_is_one():
    # the published draws: −1.10 over tokens 64 … 1,024 at size 16
    tokens = (64, 128, 256, 512, 1024)
    runs, truth = random_features(sizes=(16,), tokens=tokens, features=400, repetitions=20)
    limit, _ = random_features_width(sizes=(16,), features=400, repetitions=20)
    excess = mean_by(runs, "D")[1] - limit["loss"].mean()
    assert slope(tokens, excess) == pytest.approx(-truth.variance_exponent, abs=0.15)


def test_impossible_counts_are_refused():
    with pytest.raises(SpecError, match=r"counts \[0\] cannot be drawn"):
        random_features_data(tokens=(0,))
