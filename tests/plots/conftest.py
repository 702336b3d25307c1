"""What the tests of pictures share: axes of their own."""

import numpy as np
import pytest
from tests.conftest import EPOCH

from isoflop import Runs, bootstrap, fit, law
from isoflop.plots import new_axes


@pytest.fixture
def axes():
    """Axes of the size of a report's picture."""
    return new_axes()


@pytest.fixture(scope="session")
def known():
    """Runs of a known law with a little noise, fitted, with draws."""
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(7.5, 10, 6), np.logspace(9, 11.5, 5)))
    loss = law("chinchilla").value(EPOCH, {"N": n, "D": d}) * np.exp(np.random.default_rng(0).normal(0, 0.005, 30))
    return bootstrap(fit(law("chinchilla"), Runs.from_columns({"N": n, "D": d, "loss": loss})), draws=60)


@pytest.fixture(scope="session")
def ugly():
    """Eight runs over odd sizes, one of them far off."""
    n = np.array([1e6, 3e6, 1e7, 3e7, 1e8, 1e8, 3e8, 2e6])
    d = np.array([1e9, 2e8, 5e9, 1e9, 2e9, 9e9, 1e10, 4e9])
    loss = (1.7 + 400 / n**0.34 + 1000 / d**0.36) * np.exp(np.random.default_rng(3).normal(0, 0.03, 8))
    return bootstrap(fit(law("chinchilla"), Runs.from_columns({"N": n, "D": d, "loss": loss})), draws=60)
