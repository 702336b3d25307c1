"""Two laws have one form where renaming parameters makes them equal, and then only."""

from dataclasses import replace

import pytest

from isoflop import catalogue, fix, law
from isoflop.laws.same_form import form


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("E + A/N^alpha", "K*N^(-b) + L_inf"),
        ("E + A/N^alpha + B/D^beta", "E + B/D^beta + A/N^alpha"),
        ("(N_c/N)^alpha", "(K/N)^beta"),
    ],
)
def test_other_names_and_another_order_are_one_form(one, other):
    assert form(law(one)) == form(law(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A/N^alpha", "A/D^alpha"),  # another input
        ("E + A/N^alpha + B/D^beta", "E + A/N^alpha + B/D^alpha"),  # one exponent is not two
        ("A/N^alpha", "(N_c/N)^alpha"),  # one curve, but another parameter
        ("E + A/N^0.5", "E + A/N^0.4"),
    ],
)
def test_a_difference_that_names_do_not_explain_is_another_form(one, other):
    assert form(law(one)) != form(law(other))


def test_a_domain_and_a_fixed_value_are_part_of_the_form():
    chinchilla = law("chinchilla")
    assert form(fix(chinchilla, {"E": 1.69})) != form(fix(chinchilla, {"E": 1.8})) != form(chinchilla)
    positive = replace(chinchilla, params=tuple(replace(each, domain="positive") for each in chinchilla.params))
    assert form(positive) != form(chinchilla)


def test_the_catalogue_has_the_forms_that_papers_share():
    groups = {}
    for each in catalogue().values():
        groups.setdefault(form(each), set()).add(each.name)
    shared = [names for names in groups.values() if len(names) > 1]
    assert {"kaplan-n", "timeseries-n"} in shared and {"m2", "power-d-floor", "recommendation"} in shared
    assert not any({"chinchilla", "kaplan"} & names for names in shared)
