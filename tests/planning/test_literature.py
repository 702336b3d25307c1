"""A fit's constants beside those that the literature has for its law."""

import numpy as np
import pytest

from isoflop import bootstrap, fit, fix, law, tie
from isoflop.errors import FormulaError
from isoflop.planning.literature import compare_constants
from isoflop.runs import Runs

EPOCH = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}


@pytest.fixture(scope="module")
def epoch(epoch240):
    return compare_constants(bootstrap(fit(law("chinchilla"), epoch240), draws=100))


def source(found, key):
    return next(each for each in found.sources if each.published.key == key)


def test_the_authors_constants_agree_with_their_runs_and_hoffmanns_do_not(epoch, epoch240):
    theirs = source(epoch, "epoch")
    assert epoch.sources[0] == theirs and (theirs.agreeing, theirs.judged) == (5, 5)
    told = law("chinchilla").value(EPOCH, {"N": epoch240["N"], "D": epoch240["D"]})
    assert theirs.error == pytest.approx(np.mean(np.abs(told / epoch240["loss"] - 1)), rel=1e-9)
    other = source(epoch, "hoffmann")
    assert other.agreeing < other.judged and other.error > 3 * theirs.error and other.offset > 0.01
    # the parameters are those that Epoch's intervals exclude: beta and B
    assert {each.name for each in other.constants if not each.agrees} >= {"beta", "B"}


def test_a_formula_of_ones_own_is_found_under_its_name(epoch240):
    drawn = bootstrap(fit(law("B/D^b + A/N^a + E"), epoch240), draws=40)
    found = compare_constants(drawn)
    assert found.law == "chinchilla"
    own = {each.name: each.own.value for each in source(found, "epoch").constants}
    assert own["alpha"] == drawn.estimate.params["a"] and own["B"] == drawn.estimate.params["B"]


def test_fixed_constants_are_shown_and_not_judged_and_tied_ones_follow(known_runs):
    runs = known_runs(0.003)
    fixed = compare_constants(bootstrap(fit(fix(law("chinchilla"), {"E": 1.8172}), runs), draws=40))
    given = {each.name: each for each in source(fixed, "epoch").constants}
    assert given["E"].own.value == 1.8172 and given["E"].agrees is None and given["A"].agrees is not None
    tied = compare_constants(bootstrap(fit(tie(law("chinchilla"), {"beta": "2*alpha"}), runs), draws=40))
    given = {each.name: each.own for each in source(tied, "epoch").constants}
    assert given["beta"].value == pytest.approx(2 * given["alpha"].value)
    assert given["beta"].low == pytest.approx(2 * given["alpha"].low)


def test_another_unit_is_told_and_its_curve_is_not_judged(known_runs):
    runs = known_runs(0.003)
    drawn = bootstrap(fit(law("skaling"), runs), draws=20)
    found = compare_constants(drawn)
    assert "published-in-another-unit" in {each.code for each in found.findings}
    assert source(found, "farseer").error is None


def test_another_count_of_parameters_is_told(known_runs):
    plain = known_runs(0.003)
    columns = {name: plain[name] for name in ("N", "D", "loss")}
    runs = Runs.from_columns(columns, conventions={"N": "non-embedding"})
    found = compare_constants(bootstrap(fit(law("chinchilla"), runs), draws=20))
    (told,) = [each for each in found.findings if each.code == "published-in-another-count"]
    assert "non-embedding" in told.message and "hoffmann" in told.message


@pytest.mark.parametrize(
    ("text", "says"),
    [("power-n", "no constants of power-n are on record"), ("A/N^a + B/D^b + E/(N*D)^g", "no law of the catalogue")],
)
def test_a_law_without_a_literature_is_refused(known_runs, text, says):
    with pytest.raises(FormulaError, match=says):
        compare_constants(bootstrap(fit(law(text), known_runs(0.003)), draws=20))
