"""The array program: value and Jacobian against independent evaluation, in every tile layout."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import sympy
from tests.laws.cases import CASES, inputs_of, table_of
from tests.laws.sympy_bridge import to_sympy

from isoflop import fix, law
from isoflop.fitting import kernel as kernel_module
from isoflop.fitting.coordinates import coordinate, coordinates
from isoflop.fitting.kernel import Kernel
from isoflop.fitting.table import fit_table
from isoflop.laws.derivative import gradient
from isoflop.laws.evaluate import evaluate
from isoflop.laws.expression import Leaf, leaves, name
from isoflop.runs import Runs

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
    value, jacobian = kernel.value_and_jacobian(coords.from_params(params, kernel.centers), 0, 11)
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
            # chain rule: the kernel differentiates by centered coordinates, of which the parameters are functions
            theta = coords.from_params(params[problem : problem + 1], kernel.centers)
            chain = np.empty((len(by_param), len(by_param)))
            for column in range(len(by_param)):
                step = np.zeros_like(theta)
                step[0, column] = 1e-6
                up, down = (coords.to_params(theta + sign * step, kernel.centers)[0] for sign in (1, -1))
                chain[:, column] = (up - down) / 2e-6
            assert jacobian[problem, :, row] == pytest.approx(by_param @ chain, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("label", sorted(LAWS))
def test_jacobian_agrees_with_complex_free_high_precision_differences(label):
    each = LAWS[label]
    inputs, params = case(each)
    coords = coordinates(each)
    kernel = Kernel(coords, inputs, space="log")
    theta = coords.from_params(params, kernel.centers)
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
    theta = coords.from_params(params, kernel.centers)
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
    centers = dict.fromkeys(each.input_names, 21.5)
    coords = coordinates(each)
    assert coords.to_params(coords.from_params(params, centers), centers) == pytest.approx(params, rel=1e-12)


def test_centering_absorbs_the_scale_of_the_inputs():
    coords = coordinates(law("chinchilla"))
    for each in (coords, coordinates(law("kaplan"))):
        assert {leaf.role for leaf in leaves(each.log_value)} == {"coordinate", "centered"}


def test_a_tile_has_at_most_the_rows_that_fit_the_cache(monkeypatch):
    monkeypatch.setattr(kernel_module, "TILE", 100)
    each = LAWS["chinchilla"]
    inputs, _ = case(each, rows=90)
    kernel = Kernel(coordinates(each), inputs, space="log")
    assert kernel.tile_rows(1) == 90 and kernel.tile_rows(10) == 10 and kernel.tile_rows(1000) == 1


BINDING = ("m4", "kaplan-trajectory", "multi-power", "annealing")


@pytest.mark.parametrize("label", BINDING)
@pytest.mark.parametrize("space", ["log", "raw"])
def test_what_is_solved_for_or_summed_agrees_with_point_by_point_evaluation(label, space):
    each, case = law(label), CASES[label]
    table = fit_table(each, table_of({**inputs_of(label, 9, 3), each.response: np.ones(9)}), space="raw")
    coords = coordinates(each)
    kernel = Kernel(coords, table.inputs, space=space)
    params = np.array([case.truth[key] for key in each.param_names]) * [[1.0], [1.02], [0.97]]
    theta = coords.from_params(params, kernel.centers)
    value, jacobian = (part.copy() for part in kernel.value_and_jacobian(theta, 0, 9))
    slopes = gradient(each.expression, tuple(name(param) for param in each.param_names))
    rows = inputs_of(label, 9, 3)
    for problem in range(3):
        chain = derivative_of_params(coords, theta[problem : problem + 1], kernel.centers)
        for row in (0, 4, 8):
            at = dict(zip(each.param_names, params[problem], strict=True)) | {key: rows[key][row] for key in rows}
            level = evaluate(each.expression, at)
            assert value[problem, row] == pytest.approx(
                np.log(level) if space == "log" else level, rel=1e-10, abs=1e-12
            )
            by_param = np.array([evaluate(slope, at) for slope in slopes]) / (level if space == "log" else 1)
            assert jacobian[problem, :, row] == pytest.approx(by_param @ chain, rel=1e-10, abs=1e-12)
    # any tile gives the same
    part, slope = kernel.value_and_jacobian(theta[1:2], 4, 9)
    assert part[0] == pytest.approx(value[1, 4:], rel=1e-13)
    assert slope[0] == pytest.approx(jacobian[1][:, 4:], rel=1e-12, abs=1e-300)


def derivative_of_params(coords, theta, centers):
    """∂param/∂coordinate, exactly, from the expressions that turn coordinates into parameters."""
    at = {Leaf("coordinate", key): theta[0, column] for column, key in enumerate(coords.names)}
    at |= {Leaf("center", key): center for key, center in centers.items()}
    wanted = tuple(coordinate(key) for key in coords.names)
    return np.array([[evaluate(slope, at) for slope in gradient(param, wanted)] for param in coords.params])


def test_rows_without_a_fall_and_rows_with_many_stand_side_by_side():
    falls = {
        "drop_k": [[1e-5], [], [1e-5, 2e-5, -1e-5], []],
        "rate_k": [[2e-4], [], [2e-4, 1e-4, 3e-4], []],
        "area_k": [[0.1], [], [0.3, 0.2, 0.1], []],
    }
    given = {"L_0": 3.0, "alpha": 0.5, "beta": 0.6, "gamma": 0.65}
    each, truth = fix(law("multi-power"), given), CASES["multi-power"].truth
    runs = Runs.from_columns({"S1": [0.5, 1.0, 1.5, 2.0], "loss": np.ones(4)})
    runs = replace(runs, frame=runs.frame.with_columns(pl.Series(key, rows) for key, rows in falls.items()))
    table, coords = fit_table(each, runs, space="log"), coordinates(each)
    kernel = Kernel(coords, table.inputs, space="raw")
    theta = coords.from_params(np.array([[truth[key] for key in each.param_names]]), kernel.centers)
    value = kernel.value(theta, 0, 4)[0].copy()
    exact = [
        float(each.value(truth, {"S1": area, **{key: rows[row] for key, rows in falls.items()}}))
        for row, area in enumerate(runs["S1"])
    ]
    assert value == pytest.approx(exact, rel=1e-13) and value[1] == pytest.approx(3.5, rel=1e-13)
    assert kernel.value(theta, 1, 2)[0] == pytest.approx(value[1:2], rel=1e-13)
    few = table.take(np.array([3, 2]))
    assert (
        few.inputs["drop_k"].offsets.tolist() == [0, 0, 3]
        and few.inputs["drop_k"].values.tolist() == falls["drop_k"][2]
    )
