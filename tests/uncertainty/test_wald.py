"""Intervals from the sandwich: inside the domain, symmetric in its coordinates, calibrated."""

import numpy as np
import pytest

from isoflop import fit, law, squares, student_t
from isoflop.errors import FitError
from isoflop.uncertainty.wald import wald


def test_intervals_stay_within_the_domain_and_widen_with_the_level(known_runs):
    form = law("E + A/N^alpha + B/D^beta", domains={"alpha": (0.2, 0.5)})
    found = fit(form, known_runs(0.02), objective=squares())
    narrow, wide = wald(found, level=0.5), wald(found, level=0.99)
    for name in form.param_names:
        assert wide[name].low < narrow[name].low < narrow[name].value < narrow[name].high < wide[name].high
    assert wide["alpha"].low > 0.2 and wide["alpha"].high < 0.5 and wide["A"].low > 0
    assert np.isclose(wide["A"].low * wide["A"].high, found.params["A"] ** 2)
    assert np.isclose(wide["beta"].low + wide["beta"].high, 2 * found.params["beta"])


@pytest.mark.parametrize("objective", [squares(), student_t()], ids=lambda each: each.word)
def test_nine_of_ten_intervals_hold_the_truth(known_runs, objective):
    """Sixty simulations: 90 % ± 2.6 standard errors of a share is 80 to 100 %."""
    from tests.conftest import EPOCH

    hits = []
    for seed in range(60):
        found = wald(fit(law("chinchilla"), known_runs(0.01, sizes=8, durations=8, seed=seed), objective=objective))
        hits.append([each.low <= EPOCH[name] <= each.high for name, each in found.items()])
    share = np.mean(hits, axis=0)
    assert ((share >= 0.8) & (share <= 1)).all(), share


def test_without_runs_there_is_no_interval(known_runs):
    from dataclasses import replace

    with pytest.raises(FitError, match="without its runs"):
        wald(replace(fit(law("chinchilla"), known_runs(0.01)), runs=None))
