"""Laws: names, domains, restrictions, and other notations."""

import math
import re

import pytest
import sympy
from tests.laws.cases import CASES
from tests.laws.sympy_bridge import to_sympy

from isoflop import fix, law, tie
from isoflop.errors import FormulaError
from isoflop.laws.latex import latex


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
    assert latex(law("chinchilla")) == r"L = E + \frac{A}{N^{\alpha}} + \frac{B}{D^{\beta}}"
    assert latex(law("gadre-error")) == r"\mathrm{error} = \epsilon - k e^{-\gamma \mathrm{loss}}"
    assert latex(law("m4")).startswith(r"\frac{L - E}{\left(\epsilon_{0} - L\right)^{\alpha}} = \frac{\beta}{D^{c}}")
    small = r"U r \left(1 - e^{-\frac{D}{r}}\right) + \log\left(1 + \frac{q}{\sqrt{D}}\right)"
    assert latex(law("U*r*(1 - exp(-D/r)) + log(1 + q/sqrt(D))")) == f"L = {small}"


def test_sympy_sees_the_same_law():
    expression = to_sympy(law("kaplan").expression)
    truth = CASES["kaplan"].truth
    value = expression.subs({sympy.Symbol(key, positive=True): val for key, val in truth.items()})
    value = value.subs({sympy.Symbol("N", positive=True): 1e9, sympy.Symbol("D", positive=True): 2e10})
    assert float(value) == pytest.approx(float(law("kaplan").value(truth, {"N": 1e9, "D": 2e10})), rel=1e-12)
