"""Structured residuals: a term that the law lacks is found in noise, and noise alone is not a term."""

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.simulated_designs import DESIGNS, MISFIT, MODEL_ERROR

from isoflop import Runs, fit, law
from isoflop.fitting.lack_of_fit import second_order
from isoflop.fitting.score_test import Slopes, score_test, score_test_in_groups
from isoflop.fitting.table import Table

CHINCHILLA = law("chinchilla")
NAMED = {each.name: each for each in (*DESIGNS, *MODEL_ERROR, *MISFIT)}


def structured(design, simulations):
    """In how many simulations a fit has the finding."""
    count = 0
    for seed in range(simulations):
        runs, _, _ = design.draw(np.random.default_rng([31, seed]))
        fitted = fit(CHINCHILLA, runs, starts=12, seed=seed)
        count += any(each.code == "structured-residuals" for each in fitted.findings)
    return count


def test_an_interaction_that_the_law_lacks_is_found():
    # measured with 60 tables: .95; the correlation of neighbors finds none
    assert structured(NAMED["an interaction"], 20) >= 15


def test_errors_that_a_size_shares_are_no_lack_of_fit_and_an_interaction_on_such_a_grid_is():
    # measured with 100 tables: .04 and 1.00; .09 and 1.00 where runs count as independent
    assert structured(NAMED["shared by size"], 20) <= 2
    assert structured(NAMED["an interaction on a grid"], 5) == 5


def test_terms_hold_against_what_groups_share_beyond_them():
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(12), 4)
    x = np.linspace(-1, 1, 12)[codes]
    own = Slopes(np.zeros(48), x[:, None])
    found = {"plain": 0, "groups": 0, "bent": 0}
    for _ in range(200):
        noise = rng.normal(0, 1, 48)
        shared = replace(own, residual=noise + rng.normal(0, 1.5, 12)[codes])
        bent = replace(own, residual=noise + 3 * x**2)
        found["plain"] += score_test(shared, x[:, None] ** 2).chance < 0.05
        found["groups"] += score_test_in_groups(shared, x[:, None] ** 2, codes).chance < 0.05
        found["bent"] += score_test_in_groups(bent, x[:, None] ** 2, codes).chance < 0.05
    # of groups of four that share more than their runs have, a count of runs as independent
    # sees a bend in 57 of 200 tables, at a chance of 5 %
    assert found["plain"] > 40 and found["groups"] < 20 and found["bent"] > 180


def test_noise_alone_is_seldom_structure():
    assert structured(NAMED["independent"], 20) <= 1


def test_the_finding_names_the_terms_and_the_chance():
    runs, _, _ = NAMED["an interaction"].draw(np.random.default_rng([31, 0]))
    (said,) = [each for each in fit(CHINCHILLA, runs).findings if each.code == "structured-residuals"]
    assert "(log N)², log N · log D, (log D)²" in said.message and "by chance" in said.message


def test_terms_are_of_inputs_that_vary():
    n = np.array([1e8, 1e9, 1e10, 1e8, 1e9, 1e10])
    table = Table({"N": n, "P": np.array([1.0, 1, 1, 2, 2, 2])}, np.ones(6), np.arange(6))
    words, terms = second_order(table)
    assert words == ("(log N)²",) and terms.shape == (6, 1)
    assert terms[:, 0] == pytest.approx([1.5, 0, 1.5, 1.5, 0, 1.5], abs=1e-12)
    signed = Table({"x": np.array([-1.0, 0, 1, -1, 0, 1])}, np.ones(6), np.arange(6))
    assert second_order(signed)[0] == ("(x)²",)


@pytest.mark.slow
@pytest.mark.parametrize("name", [each.name for each in DESIGNS])
def test_false_alarms_over_designs(name):
    # a chance of .5 % for each of two tests, which unequal noise raises
    assert structured(NAMED[name], 100) <= 6


def test_runs_too_few_to_tell_are_not_tested():
    n = np.logspace(8, 10, 11)
    runs = Runs.from_columns({"N": n, "loss": 2 + 400 / n**0.3 + 0.05 * np.log10(n / 1e9) ** 2})
    assert "structured-residuals" not in {each.code for each in fit(law("E + A/N^alpha"), runs).findings}
