"""Formulas in plain letters."""

import pytest

from isoflop import catalogue, law
from isoflop.laws.unicode import symbol, typeset


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("chinchilla", ["L = E + A·N^−α + B·D^−β"]),
        ("annealing", ["L = L₀ + A·S₁^−α − C·S₂"]),
        ("multi-power", ["L = L₀ + A·S₁^−α − B·Σₖ dropₖ·(1 − (1 + C·rateₖ^−γ·areaₖ)^−β)"]),
        ("m4", ["(L − E)·(ε₀ − L)^−α = β·D^−c,  E < L < ε₀"]),
        ("kaplan", None),
        (
            "kaplan-trajectory",
            [
                "L = (N_c/N)^α_N + (S_c/Sₘᵢₙ)^α_S,  0 < L",
                "B_crit = Bₛₜₐᵣ·L^(−1/α_B)",
                "Sₘᵢₙ = step/(1 + B_crit/batch)",
            ],
        ),
    ],
)
def test_laws_look_as_papers_set_them(name, lines):
    shown = typeset(law(name))
    if lines is None:
        assert shown[0].startswith("L = ((N_c/N)^(α_N/α_D) + ")
    else:
        assert list(shown) == lines


@pytest.mark.parametrize(
    ("label", "shown"),
    [("alpha", "α"), ("L_0", "L₀"), ("S1", "S₁"), ("alpha_N", "α_N"), ("r_D", "r_D"), ("Omega", "Ω"), ("lambda", "λ")],
)
def test_names_become_letters_and_indices(label, shown):
    assert symbol(label) == shown


def test_every_law_of_the_catalogue_can_be_typeset():
    for each in catalogue().values():
        for line in typeset(each):
            assert line.count("(") == line.count(")") and "*" not in line and " + -" not in line
