"""Tables of recipes whose laws are known."""

import numpy as np
import pytest

from isoflop import Runs

LOW = 1e18


def power(floor, amplitude, exponent):
    return lambda c: floor + amplitude * (np.asarray(c) / LOW) ** -exponent


# a and b cross at C = 1e20; c is a with two thirds of the compute; d is worse than a everywhere
LAWS = {
    "a": power(1.8, 1.2, 0.2),
    "b": power(1.72, 1.2 + 0.08 * 100**0.2, 0.2),
    "c": power(1.8, 1.2 * 1.5**-0.2, 0.2),
    "d": power(2.2, 1.2, 0.2),
}


@pytest.fixture
def recipes():
    """A function that makes one table of recipes on a shared grid of C; common: share of noise that they share."""

    def make(names="ab", *, runs=16, noise=0.003, common=0.0, seed=0, high=1e22):
        rng = np.random.default_rng(seed)
        compute = np.geomspace(LOW, high, runs)
        shared = rng.standard_normal(runs)
        loss = [
            LAWS[name](compute)
            * np.exp(noise * (np.sqrt(common) * shared + np.sqrt(1 - common) * rng.standard_normal(runs)))
            for name in names
        ]
        return Runs.from_columns(
            {
                "C": np.tile(compute, len(names)),
                "loss": np.concatenate(loss),
                "recipe": [name for name in names for _ in range(runs)],
            },
            source="recipes",
        )

    return make
