"""A scale that is known by a power of it alone, N_0 in (N_0/N)^alpha, is found however flat the law is."""

import numpy as np
import pytest

from isoflop import Runs, fit, law, squares
from isoflop.fitting.coordinates import coordinates
from isoflop.fitting.panel import fit_panel


@pytest.mark.parametrize(
    "name, params",
    [
        ("timeseries-n", {"N_0": 1.5e48, "alpha": 0.017}),  # published, a decoder on Monash
        ("timeseries-n", {"N_0": 3e121, "alpha": 0.0046}),
        ("kaplan-d", {"D_c": 5.4e13, "alpha_D": 0.095}),
        ("henighan-n", {"E": 3.12, "N_0": 80.0, "alpha": 0.24}),
    ],
)
def test_a_flat_power_is_recovered(name, params):
    chosen = law(name)
    x = np.geomspace(1e3, 1e9, 8)
    runs = Runs.from_columns({chosen.input_names[0]: x})
    runs = runs.with_column("loss", chosen.value(params, {chosen.input_names[0]: x}))
    found = fit(chosen, runs, objective=squares(), starts=16).params
    assert {label: np.log(value) for label, value in found.items()} == pytest.approx(
        {label: np.log(value) for label, value in params.items()}, rel=1e-6
    )


def test_coordinates_and_parameters_are_each_others_inverse():
    coords = coordinates(law("kaplan-steps"))
    known = {"N_c": 8.8e13, "alpha_N": 0.076, "S_c": 2.1e3, "alpha_S": 0.76}
    params = np.array([[known[label] for label in coords.names]])
    assert coords.powers == ("N_c", "S_c")
    centers = {"N": 17.0, "S_min": 9.0}
    theta = coords.from_params(params, centers)
    assert theta[0, coords.names.index("N_c")] == pytest.approx(0.076 * (np.log(8.8e13) - 17.0))
    assert coords.to_params(theta, centers) == pytest.approx(params)


@pytest.mark.parametrize("name", ["chinchilla", "bnsl-1", "kaplan-critical-batch", "rl-posttraining"])
def test_other_scales_keep_their_coordinate(name):
    assert coordinates(law(name)).powers == ()


def test_a_shared_scale_is_shared_itself_where_groups_have_exponents_of_their_own():
    x = np.tile(np.geomspace(1e3, 1e6, 6), 2)
    alpha = np.repeat([0.1, 0.3], 6)
    runs = Runs.from_columns({"N": x, "loss": (5e7 / x) ** alpha, "family": np.repeat(["a", "b"], 6).tolist()})
    panel = fit_panel(law("timeseries-n"), runs, share=["N_0"], objective=squares())
    assert panel.shared["N_0"] == pytest.approx(5e7, rel=1e-6)
    assert panel.of("b")["alpha"] == pytest.approx(0.3)
