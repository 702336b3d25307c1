"""Laws: names, domains, restrictions, other notations, and the catalogue's own table of properties."""

import math
import re
import shutil
import subprocess

import numpy as np
import pytest
import sympy

from isoflop import catalogue, fit, fix, law, squares, tie
from isoflop.errors import FormulaError
from isoflop.laws.expression import evaluate, gradient, name
from isoflop.laws.typeset import javascript, latex, to_sympy
from isoflop.runs import Runs

# Parameters at which each law of the catalogue is tested, with inputs drawn from usual ranges.
TRUTHS = {
    "chinchilla": {"E": 1.7, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.37},
    "kaplan": {"N_c": 8.9e12, "D_c": 3.1e13, "alpha_N": 0.095, "alpha_D": 0.114},
    "power-n": {"A": 20.0, "alpha": 0.1},
    "power-d": {"A": 30.0, "alpha": 0.1},
    "power-c": {"A": 40.0, "alpha": 0.06},
    "power-n-floor": {"E": 1.8, "A": 100.0, "alpha": 0.25},
    "power-d-floor": {"E": 1.8, "A": 300.0, "alpha": 0.25},
    "power-c-floor": {"E": 1.7, "A": 1600.0, "alpha": 0.16},
}
RANGES = {"N": (7.5, 10.0), "D": (9.0, 11.5), "C": (18.0, 22.0)}


def runs_of(each, truth, *, rows=40):
    rng = np.random.default_rng(1)
    inputs = {given: 10 ** rng.uniform(*RANGES[given], rows) for given in each.input_names}
    return Runs.from_columns({**inputs, "loss": each.value(truth, inputs)})


def test_every_law_of_the_catalogue_is_tested_here():
    assert set(TRUTHS) == set(catalogue())


@pytest.mark.parametrize("label", sorted(TRUTHS))
def test_noiseless_runs_give_the_parameters_back(label):
    each, truth = law(label), TRUTHS[label]
    found = fit(each, runs_of(each, truth), objective=squares()).params
    assert found == pytest.approx(truth, rel=1e-6)


@pytest.mark.parametrize("label", sorted(TRUTHS))
def test_other_units_of_an_input_change_no_prediction(label):
    each, truth = law(label), TRUTHS[label]
    runs = runs_of(each, truth)
    runs = runs.with_column("loss", runs["loss"] * np.exp(np.random.default_rng(0).normal(0, 0.01, len(runs))))
    first = each.input_names[0]
    other = runs.with_column(first, runs[first] / 1000)
    one, two = fit(each, runs), fit(each, other)
    assert two.value == pytest.approx(one.value, rel=1e-9)
    at = {given: runs[given] for given in each.input_names}
    assert two.predict({**at, first: at[first] / 1000}) == pytest.approx(one.predict(at), rel=1e-9)


@pytest.mark.parametrize("label", sorted(TRUTHS))
def test_loss_falls_with_every_input_towards_its_floor(label):
    each, truth = law(label), TRUTHS[label]
    at = {given: 10.0 ** RANGES[given][0] for given in each.input_names}
    for given in each.input_names:
        path = each.value(truth, {**at, given: np.logspace(*RANGES[given], 20)})
        assert np.all(np.diff(path) < 0)
    limit = float(each.value(truth, dict.fromkeys(at, 1e300)))
    assert limit == pytest.approx(truth.get("E", 0.0), abs=1e-3)


@pytest.mark.parametrize("label", sorted(TRUTHS))
def test_gradient_agrees_with_sympy(label):
    each, truth = law(label), TRUTHS[label]
    at = {**truth, **{given: 10.0 ** RANGES[given][0] for given in each.input_names}}
    ours = gradient(each.expression, tuple(name(param) for param in each.param_names))
    theirs = to_sympy(each.expression)
    symbols = {symbol.name: symbol for symbol in theirs.free_symbols}
    for param, derivative in zip(each.param_names, ours, strict=True):
        exact = float(theirs.diff(symbols[param]).subs({symbols[key]: value for key, value in at.items()}).evalf(30))
        assert evaluate(derivative, at) == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize("label", sorted(TRUTHS))
def test_javascript_gives_the_same_number(label):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no JavaScript engine (node) on this machine")
    each, truth = law(label), TRUTHS[label]
    at = {**truth, **{given: 10.0 ** RANGES[given][1] for given in each.input_names}}
    script = f"const v = {str(at).replace(chr(39), chr(34))}; console.log({javascript(each.expression)})"
    said = subprocess.run([node, "-e", script], capture_output=True, text=True, check=True, timeout=60)
    assert float(said.stdout) == pytest.approx(evaluate(each.expression, at), rel=1e-12)


@pytest.mark.parametrize("label", sorted(TRUTHS))
def test_a_published_constant_names_every_parameter_and_its_source(label):
    for entry in law(label).published:
        assert set(entry.values) == set(law(label).param_names)
        assert entry.label in {"primary", "secondary", "recomputed"}
        assert entry.source and entry.data and entry.convention and entry.unit


def test_published_chinchilla_constants_give_the_published_loss():
    # Besiroglu's constants at the compute-optimal point of 5.76e23 FLOPs
    epoch = next(entry for entry in law("chinchilla").published if entry.key == "epoch")
    assert float(law("chinchilla").value(epoch.values, {"N": 7.225e10, "D": 1.329e12})) == pytest.approx(
        1.9744, abs=1e-4
    )


def test_a_formula_sorts_names_into_inputs_and_parameters():
    typed = law("E + A/params^alpha + B/tokens^beta")
    assert typed.input_names == ("N", "D")
    assert {param.name: param.domain for param in typed.params} == {
        "E": "positive",
        "A": "positive",
        "alpha": "real",
        "B": "positive",
        "beta": "real",
    }
    assert typed.linear == ("E", "A", "B")


def test_a_column_becomes_an_input_when_it_is_declared_or_in_the_table():
    assert law("E + A/width^alpha", inputs=["width"]).input_names == ("width",)
    assert law("E + A/width^alpha", columns=["width", "depth"]).input_names == ("width",)
    with pytest.raises(FormulaError, match="unknown name 'width'"):
        law("E + A/width^alpha")


def test_domains_can_be_given():
    typed = law("E + A/N^alpha", domains={"E": "real", "alpha": (0.0, 1.0)})
    assert {param.name: param.domain for param in typed.params} == {"E": "real", "A": "positive", "alpha": (0.0, 1.0)}
    with pytest.raises(FormulaError, match="empty domain"):
        law("E + A/N^alpha", domains={"alpha": (1.0, 1.0)})


def test_fix_and_tie_leave_fewer_parameters_and_remember():
    fixed = fix(law("chinchilla"), {"E": 1.69})
    assert fixed.param_names == ("A", "B", "alpha", "beta") and fixed.fixed == {"E": 1.69}
    tied = tie(law("chinchilla"), {"beta": "alpha"})
    assert tied.formula == "E + A/N^alpha + B/D^alpha" and tied.tied == {"beta": "alpha"}
    assert tie(law("chinchilla"), {"beta": "2*alpha"}).param_names == ("E", "A", "B", "alpha")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"e": 1.0}, "no free parameter 'e'"),
        ({"E": -1.0}, "outside its domain"),
        ({"E": math.nan}, "outside its domain"),
    ],
)
def test_fix_refuses_what_it_cannot(values, says):
    with pytest.raises(FormulaError, match=says):
        fix(law("chinchilla"), values)


def test_tie_refuses_names_that_are_no_parameters():
    with pytest.raises(FormulaError, match=re.escape("'gamma' is not a free parameter")):
        tie(law("chinchilla"), {"beta": "gamma"})


def test_latex_is_readable():
    assert latex(law("chinchilla")) == r"L = E + A N^{- \alpha} + B D^{- \beta}"


def test_sympy_sees_the_same_law():
    expression = to_sympy(law("kaplan").expression)
    value = expression.subs({sympy.Symbol(key, positive=True): val for key, val in TRUTHS["kaplan"].items()})
    value = value.subs({sympy.Symbol("N", positive=True): 1e9, sympy.Symbol("D", positive=True): 2e10})
    assert float(value) == pytest.approx(float(law("kaplan").value(TRUTHS["kaplan"], {"N": 1e9, "D": 2e10})), rel=1e-12)
