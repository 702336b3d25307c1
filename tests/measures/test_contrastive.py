"""A trained critic's bound and an autoencoder's code, on samples whose truth is known."""

import builtins

import numpy as np
import pytest

from isoflop.errors import DataError, IsoflopError
from isoflop.measures import (
    autoencoded,
    calibrated_information,
    gaussian_information,
    infonce_information,
    principal_components,
)

RNG = np.random.default_rng(0)


@pytest.fixture
def torch():
    module = pytest.importorskip("torch")
    threads = module.get_num_threads()
    module.set_num_threads(1)
    yield module
    module.set_num_threads(threads)


def _pairs(nats, samples=800, dimensions=2):
    rho = np.sqrt(-np.expm1(-2 * nats / dimensions))
    x = RNG.normal(size=(samples, dimensions))
    return x, rho * x + np.sqrt(1 - rho**2) * RNG.normal(size=x.shape)


def test_the_bound_is_near_and_follows_the_truth(torch):
    weak, strong = (infonce_information(*_pairs(nats), steps=200) for nats in (0.5, 2.0))
    assert 0.2 < weak < 0.65 and 1.3 < strong < 2.1


def test_dependence_without_correlation_is_seen(torch):
    x, y = _pairs(2.0)
    y = y * RNG.choice([-1.0, 1.0], y.shape)
    assert gaussian_information(x, y) < 0.1 < 0.5 < infonce_information(x, y, steps=200)


def test_no_more_than_the_samples_can_show(torch):
    x, _ = _pairs(1.0, samples=200)
    assert infonce_information(x, x, steps=100) <= np.log(100)


def test_a_curve_is_one_dimension_to_an_autoencoder_and_not_to_principal_components(torch):
    angle = RNG.uniform(0, 1.5 * np.pi, (400, 1))
    points = np.hstack([np.cos(angle), np.sin(angle)]) @ RNG.normal(size=(2, 12)) + 0.01 * RNG.normal(size=(400, 12))
    code, kept = autoencoded(points, 1, steps=400)
    order = np.argsort(np.argsort(angle[:, 0]))
    by_code, by_component = (
        abs(np.corrcoef(np.argsort(np.argsort(each[:, 0])), order)[0, 1])
        for each in (code, principal_components(points, 1))
    )
    assert kept > 0.9 and by_code > 0.98 > by_component
    assert code.std() == pytest.approx(1) and code.shape == (400, 1)


def test_bad_samples_and_a_missing_library_are_told(monkeypatch):
    pytest.importorskip("torch")
    with pytest.raises(DataError, match="do not train a critic"):
        infonce_information(*_pairs(1.0, samples=50))
    with pytest.raises(DataError, match="do not compress points of 2"):
        autoencoded(_pairs(1.0)[0], 2)
    real = builtins.__import__

    def without(name, *rest, **named):
        if name == "torch":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(IsoflopError, match=r"InfoNCE needs PyTorch; install it with pip install \"isoflop\[lab\]\""):
        infonce_information(*_pairs(1.0))


@pytest.mark.slow
@pytest.mark.parametrize(("nats", "says"), [(0.5, "independent samples give"), (2.0, "on Gaussian pairs")])
def test_the_gate_refuses_a_critic_of_too_few_pairs(nats, says):
    """300 pairs train no critic: the bound is far below the truth, which the trials tell."""
    pytest.importorskip("torch")
    found = calibrated_information(*_pairs(nats, samples=300), method="infonce")
    assert says in found.refused
    assert any(abs(trial.estimate - trial.truth) > 0.1 for trial in found.trials)
