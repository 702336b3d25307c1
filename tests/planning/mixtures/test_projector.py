"""Stage 1 recovers what made it, chooses its features by what is left out; stage 2 is exact in ln N."""

import numpy as np
import pytest

from isoflop.errors import DataError
from isoflop.planning.mixtures.projector import columns, fit_stage, project

SHARES = np.array([(i / 6, j / 6, 1 - (i + j) / 6) for i in range(7) for j in range(7 - i)])
TRANSPORT = np.random.default_rng(0).uniform(1, 3, len(SHARES))


@pytest.mark.parametrize("features", ["linear", "quadratic", "transport", "transport and shares"])
def test_the_set_that_made_the_performance_is_chosen(features):
    rng = np.random.default_rng(1)
    design = columns(features, SHARES, TRANSPORT)
    truth = rng.normal(size=design.shape[1])
    stage = fit_stage(SHARES, TRANSPORT, design @ truth + 0.01 * rng.normal(size=len(SHARES)))
    assert stage.errors[features] < 1.3 * min(stage.errors.values()) < 0.05
    assert stage.predict(SHARES, TRANSPORT) == pytest.approx(design @ truth, abs=0.03)


def test_projection_is_exact_in_the_logarithm_and_its_check_finds_saturation():
    a, b = np.array([0.2, 0.3]), np.array([0.05, 0.08])

    def line(n):
        return a + b * np.log(n)

    found = project((100, line(100)), (150, line(150)), 1000, check=(400, line(400)))
    assert found.values == pytest.approx(line(1000)) and found.check == pytest.approx(0, abs=1e-12)
    bent = project((100, line(100)), (150, line(150)), 1000, check=(400, line(400) - 0.03), limit=0.9)
    assert bent.bias == pytest.approx(0.03) and bent.check == pytest.approx(0.03)
    assert project((100, line(100)), (150, line(150)), 1000, limit=0.6).values.max() == 0.6
    with pytest.raises(DataError, match="sizes must grow"):
        project((100, a), (100, a), 1000)
    with pytest.raises(DataError, match="8 mixtures are too few"):
        fit_stage(SHARES[:8], TRANSPORT[:8], TRANSPORT[:8])
