"""Laws that are one formula under other names."""

import pytest

from isoflop import law
from isoflop.laws.correspondence import correspondence


@pytest.mark.parametrize(
    ("text", "other", "expected"),
    [
        ("B/D^b + A/N^a + E", "chinchilla", {"E": "E", "A": "A", "alpha": "a", "B": "B", "beta": "b"}),
        ("e + (b*D^(-q) + a*N^(-p))^k", "skaling", {"E": "e", "A": "a", "alpha": "p", "B": "b", "beta": "q", "k": "k"}),
        ("E + A/N^alpha + B/D^alpha", "chinchilla-tied", {"E": "E", "A": "A", "B": "B", "alpha": "alpha"}),
        ("E + A/N^alpha + B/D^alpha", "chinchilla", None),
        ("E + A/N^alpha + B/N^beta", "chinchilla", None),
        ("E + A/N^alpha + 2*B/D^beta", "chinchilla", None),
        ("A/N^alpha + B/D^beta", "densing-loss", {"a": "A", "alpha": "alpha", "b": "B", "beta": "beta"}),
    ],
)
def test_formulas_correspond_up_to_names_and_order(text, other, expected):
    assert correspondence(law(text), law(other)) == expected


def test_a_correspondence_gives_equal_values():
    mine, theirs = law("B/D^b + A/N^a + E"), law("chinchilla")
    values = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.37}
    renamed = {mine_name: values[name] for name, mine_name in correspondence(mine, theirs).items()}
    at = {"N": 1e9, "D": 2e10}
    assert float(mine.value(renamed, at)) == pytest.approx(float(theirs.value(values, at)), rel=1e-15)
