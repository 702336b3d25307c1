"""exp(x) − 1 and log(1 + x) as operations of their own: recognized, exact, and written as people write them."""

import json
import shutil
import subprocess

import pytest
from mpmath import mp

from isoflop.laws.derivative import gradient
from isoflop.laws.evaluate import array_value, evaluate
from isoflop.laws.expression import Expr, add, exp, expm1, log, log1p, mul, name, num
from isoflop.laws.formula import parse
from isoflop.laws.javascript import javascript
from isoflop.laws.text import write
from isoflop.laws.unicode import unicode

X, Y = name("x"), name("y")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exp(x) - 1", expm1(X)),
        ("1 - exp(x)", mul(num(-1), expm1(X))),
        ("3 - 3*exp(x)", mul(num(-3), expm1(X))),
        ("1 - exp(x) + y", add(mul(num(-1), expm1(X)), Y)),
        ("2 - exp(x) - exp(y)", add(mul(num(-1), expm1(X)), mul(num(-1), expm1(Y)))),
        ("(1 - exp(x)) + (1 - exp(y))", add(mul(num(-1), expm1(X)), mul(num(-1), expm1(Y)))),
        ("2 - exp(x)", add(num(2), mul(num(-1), exp(X)))),  # nothing cancels
        ("(exp(x) - 1) + 1", exp(X)),
        ("1 + exp(x)", add(exp(X), num(1))),
        ("log(1 + x)", log1p(X)),
        ("log(x + y + 1)", log1p(add(X, Y))),
        ("log(2 + x)", log(add(X, num(2)))),
        ("log(1 + (exp(x) - 1))", X),
        ("exp(log(1 + x)) - 1", X),
        ("log(1 - exp(x))", log(mul(num(-1), expm1(X)))),
    ],
)
def test_what_cancels_is_recognised_and_nothing_else(text, expected):
    assert parse(text) == expected
    assert parse(write(expected)) == expected


@pytest.mark.parametrize(
    ("text", "written", "set_as"),
    [
        ("U*r*(1 - exp(-D/r))", "U*r*(1 - exp(-D/r))", "U·r·(1 − exp(−D/r))"),
        ("N*(1 - exp(-a))*(1 - exp(-b))*(1 - exp(-c))", "N*(1 - exp(-a))*(1 - exp(-b))*(1 - exp(-c))", None),
        ("a*(exp(b) - 1)", "a*(exp(b) - 1)", "a·(exp(b) − 1)"),
        ("-a*(1 - exp(-b))", "a*(exp(-b) - 1)", None),
        ("E + log(1 + a/N)", "E + log(1 + a/N)", "E + log(1 + a/N)"),
        ("log(1 + a + N)", "log(1 + a + N)", None),
        ("E + 1 - exp(-a*N)", "E + 1 - exp(-a*N)", None),
    ],
)
def test_texts_are_as_people_write_them(text, written, set_as):
    assert write(parse(text)) == written
    assert parse(written) == parse(text)
    if set_as is not None:
        assert unicode(parse(text)) == set_as


@pytest.mark.parametrize("x", [1e-18, -1e-12, 3e-9, 0.3, -2.0, -40.0])
@pytest.mark.parametrize("text", ["1 - exp(x)", "log(1 + exp(3)*(exp(x/9) - 1)/20)", "(exp(x) - 1)/x"])
def test_values_and_derivatives_have_all_their_digits(text, x):
    expression = parse(text)
    (slope,) = gradient(expression, (X,))
    with mp.workdps(60):
        exact = mp.mpf(x)
        function = {
            "1 - exp(x)": lambda at: 1 - mp.exp(at),
            "log(1 + exp(3)*(exp(x/9) - 1)/20)": lambda at: mp.log(1 + mp.exp(3) * (mp.exp(at / 9) - 1) / 20),
            "(exp(x) - 1)/x": lambda at: (mp.exp(at) - 1) / at,
        }[text]
        value, derivative = float(function(exact)), float(mp.diff(function, exact, h=mp.mpf("1e-22")))
    for got in (evaluate(expression, {"x": x}), float(array_value(expression, {"x": x}))):
        assert got == pytest.approx(value, rel=1e-14)
    if "/x" not in text or abs(x) > 1e-2:
        assert evaluate(slope, {"x": x}) == pytest.approx(derivative, rel=1e-9)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node, which runs JavaScript outside a browser")
def test_javascript_has_them_too():
    expression = parse("1 - exp(-x) + log(1 + y)")
    assert "Math.expm1" in javascript(expression) and "Math.log1p" in javascript(expression)
    at = {"x": 1e-17, "y": -2e-18}
    script = f"const v = {json.dumps(at)}; console.log({javascript(expression)})"
    said = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True, timeout=60)
    assert float(said.stdout) == pytest.approx(8e-18, rel=1e-12)


def test_a_raw_sum_of_a_gradient_is_left_as_it_is():
    (slope,) = gradient(parse("x*(exp(x) - 1)"), (X,))
    assert isinstance(slope, Expr)
    assert evaluate(slope, {"x": 0.5}) == pytest.approx(1.4730819060501923, rel=1e-14)
