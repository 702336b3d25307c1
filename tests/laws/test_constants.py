"""Constants in words: of a publication, one by one, and one of a publication replaced."""

import pytest

from isoflop import law
from isoflop.errors import FormulaError
from isoflop.laws.constants import stated_constants
from isoflop.planning.published import published

CHINCHILLA = law("chinchilla")


def test_single_constants_of_a_publication_are_replaced():
    known = stated_constants(CHINCHILLA, ["epoch"])
    changed = stated_constants(CHINCHILLA, ["epoch, E=1.7", "alpha=0.33"])
    assert known.values | {"E": 1.7, "alpha": 0.33} == changed.values and changed.replaced == ("E", "alpha")
    assert published("chinchilla:epoch,E=1.7").estimate.params == known.values | {"E": 1.7}
    assert "but E=1.7" in published("chinchilla:epoch,E=1.7").estimate.data.source


def test_every_constant_may_be_stated():
    assert stated_constants(law("power-n"), ["A=1k,alpha=0.3"]).values == {"A": 1000.0, "alpha": 0.3}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["E=1"], "has no value for A, B, alpha, beta; state every constant; there are chinchilla:hoffmann"),
        ([], "has no value for E, A"),
        (["nobody"], "no published constants 'nobody'; there are chinchilla:hoffmann"),
        (["epoch", "gamma=2"], "no constant 'gamma'; it has E, A"),
        (["epoch", "E=much"], "E=much is no number"),
        (["epoch", "E=nan"], "E=nan is no number"),
        (["epoch", "hoffmann"], "choose one"),
        (["epoch", "E=1,E=2"], "E is stated twice, 1 and 2"),
        (["epoch", "A=-1"], "A"),
    ],
)
def test_constants_that_do_not_suit_are_refused(words, message):
    with pytest.raises(FormulaError, match=message):
        stated_constants(CHINCHILLA, words)


def test_of_a_formula_every_name_without_a_value_is_an_input():
    stated = published("E + A/N^alpha + G/D_store^g:E=1.8,A=400,alpha=0.34,G=3,g=0.2").estimate
    assert stated.law.input_names == ("N", "D_store")
    value = stated.predict({"N": [1e9], "D_store": [1e12]})[0]
    assert value == pytest.approx(1.8 + 400 / 1e9**0.34 + 3 / 1e12**0.2)
    with pytest.raises(FormulaError, match="it ends too early"):
        published("E + A/:E=1.8,A=400")
