"""MathML: well-formed for every law, with nothing from a name left unescaped."""

import xml.etree.ElementTree as ET

import pytest

from isoflop import catalogue, law
from isoflop.laws.mathml import mathml

SPACE = "{http://www.w3.org/1998/Math/MathML}"


def shape(element):
    """The element as nested text: fractions as (a)/(b), powers as a^(b)."""
    parts = [shape(child) for child in element]
    match element.tag.removeprefix(SPACE):
        case "mfrac":
            return f"({parts[0]})/({parts[1]})"
        case "msup":
            return f"{parts[0]}^({parts[1]})"
        case "msub":
            return f"{parts[0]}_{parts[1]}"
        case "msqrt":
            return f"sqrt({''.join(parts)})"
    return "".join([element.text or "", *parts]).replace("\u2062", "").replace("\u2061", "")


@pytest.mark.parametrize("name", list(catalogue()))
def test_every_law_of_the_catalogue_is_well_formed(name):
    each = catalogue()[name]
    text = shape(ET.fromstring(mathml(each)))
    assert text.startswith("L=" if each.response == "loss" else "")
    assert text.count("(") == text.count(")")


@pytest.mark.parametrize(
    ("formula", "set_as"),
    [
        ("E + A/N^alpha + B/D^beta", "L=E+(A)/(N^(α))+(B)/(D^(β))"),
        ("E_0 + (A/N + B/D)^gamma", "L=E_0+((A)/(N)+(B)/(D))^(γ)"),
        ("E - A*N^0.5", "L=E−Asqrt(N)"),
        ("E + A*exp(-(N + D)/b)", "L=E+Ae^(−(N+D)/(b))"),
        ("E - (A - B)*N", "L=E−(A−B)N"),
        ("E + 1e21*A/D", "L=E+(10^(21)A)/(D)"),
    ],
)
def test_formulas_are_set_as_people_write_them(formula, set_as):
    assert shape(ET.fromstring(mathml(law(formula)))) == set_as
