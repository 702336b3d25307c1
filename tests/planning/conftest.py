"""Runs of a known law for fixtures that live as long as a module."""

import numpy as np
import pytest
from tests.conftest import EPOCH

from isoflop import Runs, law


@pytest.fixture(scope="session")
def make_known_runs():
    """A function that makes 30 runs of Epoch's surface with Gaussian noise on log loss."""

    def make(noise: float) -> Runs:
        n, d = (each.ravel() for each in np.meshgrid(np.logspace(7.5, 10, 6), np.logspace(9, 11.5, 5)))
        curve = law("chinchilla").value(EPOCH, {"N": n, "D": d})
        scatter = np.random.default_rng(0).normal(0, noise, 30)
        return Runs.from_columns({"N": n, "D": d, "loss": curve * np.exp(scatter)})

    return make
