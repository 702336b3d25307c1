"""The array program: value and Jacobian against independent evaluation, in every tile layout."""

import numpy as np
import pytest
import sympy

from isoflop import law
from isoflop.fitting import kernel as kernel_module
from isoflop.fitting.coordinates import coordinates
from isoflop.fitting.kernel import Kernel
from isoflop.laws.typeset import to_sympy

LAWS = {
    "chinchilla": law("chinchilla"),
    "kaplan": law("kaplan"),
    "over-training": law("E + (a*M^eta + b/M^eta)/C^eta"),
    "logarithm": law("a*log(N) + b", domains={"a": "real", "b": "real"}),
    "saturating": law("A*exp(-D/tau) + E*(N/(N + q))^p"),
    "interval": law("E + A/N^alpha", domains={"alpha": (0.0, 1.0)}),
    "kinks": law("max(E, A/N^alpha) + min(B, abs(D - b))"),
    "crossed": law("exp(Q - a*log(N) + d*log(N)*log(D))", domains={"Q": "real", "a": "real", "d": "real"}),
    "root": law("E + sqrt(A/N + B^2/D)"),
}


def case(each, problems=3, rows=11):
    rng = np.random.default_rng(5)
    inputs = {given: np.exp(rng.uniform(2, 4, rows)) for given in each.input_names}
    params = np.exp(rng.normal(-0.5, 0.3, (problems, len(each.params))))
    return inputs, params


@pytest.mark.parametrize("label", sorted(LAWS))
@pytest.mark.parametrize("space", ["log", "raw"])
def test_value_and_jacobian_agree_with_sympy(label, space):
    each = LAWS[label]
    inputs, params = case(each)
    coords = coordinates(each)
    kernel = Kernel(coords, inputs, space=space)
    value, jacobian = kernel.value_and_jacobian(coords.from_params(params, kernel.centres), 0, 11)
    exact = to_sympy(each.expression)
    exact = sympy.log(exact) if space == "log" else exact
    symbols = {symbol.name: symbol for symbol in exact.free_symbols}
    arguments = [symbols[key] for key in (*each.param_names, *each.input_names)]
    functions = [sympy.lambdify(arguments, exact, "mpmath")]
    functions += [sympy.lambdify(arguments, exact.diff(symbols[key]), "mpmath") for key in each.param_names]
    for problem in range(3):
        for row in range(11):
            at = [*params[problem], *(inputs[given][row] for given in each.input_names)]
            assert value[problem, row] == pytest.approx(float(functions[0](*at)), rel=1e-10, abs=1e-12)
            by_param = np.array([float(function(*at)) for function in functions[1:]])
            # chain rule: the kernel differentiates by centred coordinates, of which the parameters are functions
            theta = coords.from_params(params[problem : problem + 1], kernel.centres)
            chain = np.empty((len(by_param), len(by_param)))
            for column in range(len(by_param)):
                step = np.zeros_like(theta)
                step[0, column] = 1e-6
                up, down = (coords.to_params(theta + sign * step, kernel.centres)[0] for sign in (1, -1))
                chain[:, column] = (up - down) / 2e-6
            assert jacobian[problem, :, row] == pytest.approx(by_param @ chain, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("label", sorted(LAWS))
def test_jacobian_agrees_with_complex_free_high_precision_differences(label):
    each = LAWS[label]
    inputs, params = case(each)
    coords = coordinates(each)
    kernel = Kernel(coords, inputs, space="log")
    theta = coords.from_params(params, kernel.centres)
    _, jacobian = kernel.value_and_jacobian(theta, 0, 11)
    jacobian = jacobian.copy()
    for column in range(theta.shape[1]):
        step = np.zeros_like(theta)
        step[:, column] = 1e-3
        # fourth-order central differences
        points = [kernel.value(theta + shift * step, 0, 11).copy() for shift in (-2, -1, 1, 2)]
        slope = (points[0] - 8 * points[1] + 8 * points[2] - points[3]) / (12 * 1e-3)
        assert jacobian[:, column] == pytest.approx(slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("label", sorted(LAWS))
def test_tiles_and_batches_change_nothing(label):
    each = LAWS[label]
    inputs, params = case(each)
    coords = coordinates(each)
    kernel = Kernel(coords, inputs, space="raw")
    theta = coords.from_params(params, kernel.centres)
    whole_value, whole_jacobian = (part.copy() for part in kernel.value_and_jacobian(theta, 0, 11))
    for start, stop in ((0, 4), (4, 11)):
        value, jacobian = kernel.value_and_jacobian(theta[1:2], start, stop)
        assert value[0] == pytest.approx(whole_value[1, start:stop], rel=1e-14)
        assert jacobian[0] == pytest.approx(whole_jacobian[1][:, start:stop], rel=1e-13, abs=1e-300)
    assert kernel.value(theta, 0, 11) == pytest.approx(whole_value, rel=1e-15)


@pytest.mark.parametrize("label", sorted(LAWS))
def test_parameters_survive_the_way_to_coordinates_and_back(label):
    each = LAWS[label]
    _, params = case(each)
    centres = dict.fromkeys(each.input_names, 21.5)
    coords = coordinates(each)
    assert coords.to_params(coords.from_params(params, centres), centres) == pytest.approx(params, rel=1e-12)


def test_centring_absorbs_the_scale_of_the_inputs():
    coords = coordinates(law("chinchilla"))
    assert "c:" not in str(coords.log_value)
    assert "c:" not in str(coordinates(law("kaplan")).log_value)


def test_a_tile_has_at_most_the_rows_that_fit_the_cache(monkeypatch):
    monkeypatch.setattr(kernel_module, "TILE", 100)
    each = LAWS["chinchilla"]
    inputs, _ = case(each, rows=90)
    kernel = Kernel(coordinates(each), inputs, space="log")
    assert kernel.tile_rows(1) == 90 and kernel.tile_rows(10) == 10 and kernel.tile_rows(1000) == 1
