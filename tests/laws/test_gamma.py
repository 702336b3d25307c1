"""ln Γ in formulas: values and derivatives against an oracle, card numbers, texts, and where it is not defined."""

import math

import numpy as np
import pytest
from mpmath import mp

from isoflop import law
from isoflop.laws.derivative import gradient
from isoflop.laws.evaluate import array_value, evaluate
from isoflop.laws.expression import name
from isoflop.laws.formula import parse
from isoflop.laws.gamma import digamma, lgamma, trigamma
from isoflop.laws.latex import latex
from isoflop.laws.mathml import mathml
from isoflop.laws.text import write
from isoflop.laws.unicode import unicode

X = name("x")


@pytest.mark.parametrize("x", [1e-6, 0.3, 1.0, 1.5, 9.99, 47.0, 1e6])
def test_values_and_two_derivatives_are_those_of_the_oracle(x):
    expression = parse("lgamma(x)")
    (slope,) = gradient(expression, (X,))
    (bend,) = gradient(slope, (X,))
    exact = (mp.loggamma(x), mp.digamma(x), mp.polygamma(1, x))
    for node, want in zip((expression, slope, bend), exact, strict=True):
        assert evaluate(node, {"x": x}) == pytest.approx(float(want), rel=1e-13, abs=1e-15)
        assert float(array_value(node, {"x": np.array([x])})[0]) == evaluate(node, {"x": x})


@pytest.mark.parametrize("function", [lgamma, digamma, trigamma])
def test_negative_numbers_have_none(function):
    found = function(np.array([-0.5, -3.0, np.nan, 2.0]))
    assert np.isnan(found[:3]).all() and np.isfinite(found[3])


@pytest.mark.parametrize(("samples", "passed"), [(1, 0.1000), (10, 0.3401), (100, 0.5738), (1000, 0.7304)])
def test_pass_at_k_of_a_known_difficulty(samples, passed):
    failed = float(law("pass-at-k").value({"a": 0.2, "b": 1.8}, {"samples": samples}))
    assert 1 - failed == pytest.approx(passed, abs=5e-5)


def test_the_tail_of_hard_problems_is_the_exponent():
    each = law("pass-at-k")
    failed = [float(each.value({"a": 0.2, "b": 1.8}, {"samples": k})) for k in (1e3, 1e4)]
    assert -math.log10(failed[1] / failed[0]) == pytest.approx(0.1999, abs=5e-5)


def test_texts_are_as_people_write_them():
    each = law("1 - exp(lgamma(b + N) - lgamma(b))")
    assert parse(write(each.expression)) == each.expression
    assert unicode(each.expression) == "1 − exp(ln Γ(b + N) − ln Γ(b))"
    assert r"\ln\Gamma\left(b\right)" in latex(each)
    assert "<mi>Γ</mi>" in mathml(each)


@pytest.mark.parametrize(("n", "d"), [(277e12, 53e3), (1e9, 1e5), (1.0, 1.0), (1e300, 1e300), (185.0, 4e16)])
def test_a_share_of_problems_stays_one_wherever_a_search_may_look(n, d):
    params = {"A": 50.0, "B": 256.0, "alpha": 0.208, "beta": 0.241, "h": 1.1, "g": 1.26}
    for j in (-0.178, 0.588):
        failed = float(law("train-to-test-accuracy").value({**params, "j": j}, {"N": n, "D": d, "samples": 16.0}))
        assert 0 <= failed <= 1 + 1e-12  # what cancels is rounding
