"""The battery that every law of the catalogue passes by joining the table in ``cases.py``."""

import itertools
import json
import math
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import sympy
from tests.laws.cases import CASES, middle, runs_of
from tests.laws.sympy_bridge import to_sympy

from isoflop import catalogue, fit, fix, huber, law, read_runs, squares, tie
from isoflop.laws.abbreviated import abbreviated
from isoflop.laws.derivative import gradient
from isoflop.laws.evaluate import evaluate
from isoflop.laws.expression import add, name, names, rebuild, runs_over_k, substitute
from isoflop.laws.formula import parse
from isoflop.laws.javascript import javascript

LAWS = sorted(CASES)


def test_every_law_of_the_catalogue_is_in_the_table():
    assert set(CASES) == set(catalogue())


@pytest.mark.parametrize("label", LAWS)
def test_noiseless_runs_give_the_parameters_back(label):
    case = CASES[label]
    given = {key: case.truth[key] for key in case.given}
    found = given | fit(to_fit(label), runs_of(label), objective=squares(space=case.space)).params
    arrangements = [_exchanged(found, case.swaps, order) for order in itertools.permutations(case.swaps)]
    assert any(each == pytest.approx(case.truth, rel=1e-6) for each in arrangements), found


def to_fit(label):
    """The law with what is given to it fixed."""
    case = CASES[label]
    return fix(law(label), {key: case.truth[key] for key in case.given}) if case.given else law(label)


def _exchanged(found, places, order):
    """The parameters with those of ``order`` put into ``places``: two breaks of a curve have no order of their own."""
    changed = dict(found)
    for new, old in zip(places, order, strict=True):
        changed |= {to: found[of] for to, of in zip(new, old, strict=True)}
    return changed


def column(table, given):
    """An input of the runs; lists as a matrix."""
    return np.array(table.frame[given].to_list()) if runs_over_k(given) else table[given]


@pytest.mark.parametrize("label", [label for label in LAWS if CASES[label].scaled is not None])
def test_other_units_of_an_input_change_no_prediction(label):
    each, case = to_fit(label), CASES[label]
    objective = huber(space=case.space)
    runs = other = runs_of(label, noise=case.noise)
    for given in case.scaled or each.input_names[:1]:
        other = other.with_column(given, other[given] / 1000)
    one, two = fit(each, runs, objective=objective), fit(each, other, objective=objective)
    assert two.value == pytest.approx(one.value, rel=1e-9)
    at, there = ({given: column(table, given) for given in each.input_names} for table in (runs, other))
    assert two.predict(there) == pytest.approx(one.predict(at), rel=1e-6)


def along(label, given):
    """The response along an input's range; lists are stretched as a whole."""
    each, at, case = law(label), middle(label), CASES[label]
    if runs_over_k(given):
        return np.array(
            [float(each.value(case.truth, {**at, given: at[given] * by})) for by in np.logspace(-0.5, 0.5, 40)]
        )
    if any(map(runs_over_k, at)):
        return np.array(
            [float(each.value(case.truth, {**at, given: x})) for x in np.logspace(*case.range_of(given), 40)]
        )
    return each.value(case.truth, {**at, given: np.logspace(*case.range_of(given), 40)})


@pytest.mark.parametrize("label", LAWS)
def test_the_response_moves_with_each_input_as_it_must(label):
    each, case = law(label), CASES[label]
    for given in each.input_names:
        path = along(label, given)
        direction = case.slopes.get(given, -1)
        steps = np.diff(path)
        rounding = 1e-14 * np.abs(path).max()
        if direction:
            assert np.all(direction * steps >= -rounding) and direction * (path[-1] - path[0]) > 1e3 * rounding
        else:
            assert np.abs(steps).max() > 1e3 * rounding


@pytest.mark.parametrize("label", LAWS)
def test_the_response_has_its_limits(label):
    each, case = law(label), CASES[label]
    assert case.limits
    for at, expected in case.limits:
        with np.errstate(over="ignore", divide="ignore"):
            assert float(each.value(case.truth, at)) == pytest.approx(expected, rel=1e-9, abs=1e-9), at


def implicit_slopes(each, at):
    """dL/dp = −g_p/g_L for every parameter, by SymPy, at the root that it finds to 30 digits."""
    unknown = sympy.Symbol(each.expression.label, positive=True)
    equation = to_sympy(each.expression.args[0])
    exact = {symbol: sympy.Float(at[symbol.name], 40) for symbol in equation.free_symbols - {unknown}}
    guess = float(each.value({key: at[key] for key in each.param_names}, {key: at[key] for key in each.input_names}))
    solved = {**exact, unknown: sympy.nsolve(equation.subs(exact), unknown, guess, prec=30)}
    assert float(solved[unknown]) == pytest.approx(guess, rel=1e-10)
    slopes = [equation.diff(sympy.Symbol(param, positive=True)) for param in each.param_names]
    return [float(-(slope / equation.diff(unknown)).subs(solved).evalf(30)) for slope in slopes]


def written_out(expression, at):
    """Sums over lists term by term: drop_k becomes drop_k0, drop_k1, …, whose values are added to ``at``."""
    if expression.op == "total":
        lists = [label for label in names(expression) if runs_over_k(label)]
        terms = []
        for k in range(len(at[lists[0]])):
            at.update({f"{label}{k}": float(at[label][k]) for label in lists})
            terms.append(substitute(expression.args[0], {name(label): name(f"{label}{k}") for label in lists}))
        return add(*terms)
    args = tuple(written_out(arg, at) for arg in expression.args)
    return rebuild(expression, args) if args else expression


@pytest.mark.parametrize("label", LAWS)
def test_gradient_agrees_with_sympy(label):
    each, case = law(label), CASES[label]
    at = {**case.truth, **middle(label)}
    ours = gradient(each.expression, tuple(name(param) for param in each.param_names))
    if each.expression.op == "root":
        theirs = implicit_slopes(each, at)
        assert [evaluate(slope, at) for slope in ours] == pytest.approx(theirs, rel=1e-10)
        return
    theirs = to_sympy(written_out(each.expression, at))
    symbols = {symbol.name: symbol for symbol in theirs.free_symbols}
    exact = {symbols[key]: sympy.Float(value, 40) for key, value in at.items() if key in symbols}
    for param, derivative in zip(each.param_names, ours, strict=True):
        others = {symbol: value for symbol, value in exact.items() if symbol.name != param}
        slope = theirs.subs(others).diff(symbols[param]).subs(exact).evalf(30)
        assert evaluate(derivative, at) == pytest.approx(float(slope), rel=1e-10)


@pytest.mark.parametrize("label", LAWS)
def test_javascript_gives_the_same_number(label):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no JavaScript engine (node) on this machine")
    each = law(label)
    at = {**CASES[label].truth, **middle(label)}
    script = f"const v = {json.dumps(at, default=list)}; console.log({javascript(each.expression)})"
    said = subprocess.run([node, "-e", script], capture_output=True, text=True, check=True, timeout=60)
    assert float(said.stdout) == pytest.approx(evaluate(each.expression, at), rel=1e-12)


@pytest.mark.parametrize("label", LAWS)
def test_a_law_says_what_it_is(label):
    each = law(label)
    assert each.name == label and each.reference and each.notes and each.stated
    assert all(given.meaning for given in each.inputs) and all(param.meaning for param in each.params)
    assert set(CASES[label].truth) == set(each.param_names)
    # what the formula writes is what it names: inputs, parameters and abbreviations, none of them idle
    from_text = {label for text in (each.stated, *each.where.values()) for label in names(parse(text))}
    from_text -= {each.expression.label}  # the unknown of an implicit law, which its abbreviations may name
    assert from_text == {*each.input_names, *each.param_names, *each.where}
    assert parse(each.formula) == each.expression


@pytest.mark.parametrize(
    ("label", "headers"),
    [
        ("ghorbani", {"N_encoder": "encoder_params", "N_decoder": "params_decoder"}),
        ("vocabulary", {"N_nonvocab": "Non_vocab_parameters", "N_vocab": "vocab_params", "D": "tokens"}),
        ("retrieval", {"D_store": "datastore size"}),
        ("routed", {"N": "params", "experts": "num_experts"}),
        ("total-bits", {"N": "params", "bits": "bits_per_param"}),
        ("superposition", {"width": "d_model"}),
        ("patch-size", {"patch": "patch_size"}),
        ("muennighoff", {"N": "params", "D": "tokens", "U": "unique_tokens"}),
    ],
)
def test_inputs_are_found_under_the_headers_of_the_wild(label, headers):
    assert set(headers) == set(law(label).input_names)
    runs = read_runs(pl.DataFrame({**{header: [1e7, 2e7] for header in headers.values()}, "loss": [3.0, 2.9]}))
    assert {symbol: runs.columns[symbol].header for symbol in headers} == headers


@pytest.mark.parametrize("label", LAWS)
def test_published_constants_say_where_they_come_from(label):
    each = law(label)
    domains = {param.name: param.domain for param in each.params}
    assert len({entry.key for entry in each.published}) == len(each.published)
    for entry in each.published:
        assert entry.values and set(entry.values) <= set(each.param_names)
        assert entry.label in {"primary", "secondary", "recomputed"}
        assert entry.source and entry.data and entry.convention and entry.unit
        for key, value in entry.values.items():
            assert math.isfinite(value) and (domains[key] != "positive" or value >= 0)


def test_an_abbreviated_formula_has_the_law_s_values_with_what_is_fixed_and_tied():
    each = tie(fix(law("train-to-test-accuracy"), {"h": -1.5}), {"alpha": "2*beta"})
    stated, _, behind = abbreviated(each).partition("; where ")
    at = {"N": 1e9, "D": 3e10, "samples": 16.0, "A": 120.0, "B": 300.0, "beta": 0.14, "g": 0.4, "j": 0.3}
    for part in behind.split(", nu = "):
        label, _, text = part.rpartition(" = ")
        at[label or "nu"] = evaluate(parse(text), at)
    told = {name: value for name, value in at.items() if name in each.param_names}
    assert evaluate(parse(stated), at) == pytest.approx(float(each.value(told, at)), rel=1e-12)
    assert len(abbreviated(each)) < len(each.formula)
    assert abbreviated(law("chinchilla")) == law("chinchilla").formula
    assert abbreviated(replace(each, expression=parse("E + A/N^alpha"))) == "E + A/N^alpha"  # another law's formula
