"""The published protocol of curve extrapolation, on the curves of language models and of translation."""

import numpy as np
import pytest
from benchmarks.extrapolation import read_curves, scores

from isoflop import law


@pytest.mark.slow
@pytest.mark.parametrize(
    ("domain", "means"),
    [
        ("LM", {"m1": 0.01397, "m2": 0.00113, "m3": 0.00331, "m4": 0.00099}),
        ("NMT", {"m1": 0.22173, "m2": 0.04816, "m3": 0.01326, "m4": 0.02695}),
    ],
)
def test_each_laws_error_beyond_the_rows_it_was_fitted_to(tables, domain, means):
    curves = read_curves(tables / "revisiting-benchmark", domain=domain)
    found = scores(curves, tuple(means))
    assert len(found) == 5 * len(means)
    for name, mean in means.items():
        assert np.mean([each.rmse for each in found if each.law == name]) == pytest.approx(mean, abs=2e-5)


def test_the_benchmark_has_92_curves_whose_losses_stay_below_the_random_guess(tables):
    curves = read_curves(tables / "revisiting-benchmark")
    assert curves.select("Domain", "Task", "Model").n_unique() == 92
    assert curves["Loss"].max() == pytest.approx(0.999, abs=1e-12) and curves["Seen Examples"].min() > 0


def test_m4_without_its_saturation_is_m2():
    at = np.logspace(4, 9, 7)
    values = {"E": 0.1, "beta": 20.0, "c": 0.4}
    flat = law("m4").value({**values, "epsilon_0": 1e6, "alpha": 1e-12}, {"D": at})
    assert flat == pytest.approx(law("m2").value(values, {"D": at}), rel=1e-9)
