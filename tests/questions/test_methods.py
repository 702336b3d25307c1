"""Chinchilla's three methods as one answer: each with its interval, or why it has none."""

import numpy as np
import polars as pl
import pytest

from isoflop import Runs, bootstrap, fit, law
from isoflop.answers.wording import number, told
from isoflop.planning.methods import compare_methods
from isoflop.planning.parabolas import parabolas
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.methods import Methods
from isoflop.render.notebook import answer_of

BUDGET = 1e21


def iso_flop(noise=1e-3, *, edge=False):
    """Nine sizes at each of three budgets; edge: the sizes of the last lie all below its optimum."""
    n, c = (each.ravel() for each in np.meshgrid(np.logspace(7, 9, 9), [1e18, 3e18, 1e19]))
    n = np.where(edge & (c == 1e19), n / 100, n * (c / 1e18) ** 0.1)  # no size twice, so that there are no curves
    loss = 1.7 + 400 / n**0.34 + 1000 / (c / (6 * n)) ** 0.3
    loss = loss * np.exp(np.random.default_rng(0).normal(0, noise, len(n)))
    return Runs.from_columns({"N": n, "D": c / (6 * n), "C": c, "loss": loss})


@pytest.fixture(scope="module")
def context():
    return Context(given=bootstrap(fit(law("chinchilla"), iso_flop()), draws=80))


def test_each_method_is_the_engines_to_the_bit(context, same):
    answer = ask(Methods(budget=BUDGET), context)
    found = compare_methods(context.ensemble, context.runs, budget=BUDGET)
    for row, each in zip(answer.table("methods").rows, found.methods, strict=True):
        name, n, d, exponent, why_not = row
        assert (name, why_not) == (each.name, each.why_not)
        if each.n is None:
            assert (n, d, exponent) == (None, None, None) and why_not
        else:
            assert same(n, each.n) and same(d, each.tokens(BUDGET)) and same(exponent, each.exponent_a)
    assert [row[1] is not None for row in answer.table("methods").rows] == [False, True, True, True]  # no curves here
    assert answer["apart"].value == found.apart > 1 and answer["bias"].value == found.bias
    assert answer["budget"].value == BUDGET
    assert set(found.findings) <= set(answer.findings)


def test_the_headline_says_how_far_they_are_apart(context):
    answer = ask(Methods(budget=BUDGET), context)
    overlap = "their intervals overlap" if answer.result.agree else "their intervals do not all overlap"
    apart = number(answer.result.apart, "number")
    assert answer.sentence(told) == f"Chinchilla's methods differ by a factor of {apart}; {overlap}."
    assert ("methods-disagree" in {each.code for each in answer.findings}) == (not answer.result.agree)


def test_what_has_no_answer_says_why_below_the_table(context):
    table = ask(Methods(budget=BUDGET), context).table("methods")
    assert table.note.startswith("envelope of curves: the table has training curves of fewer than three sizes")


def scattered():
    rng = np.random.default_rng(2)
    n, d = 10 ** rng.uniform(7, 9, 30), 10 ** rng.uniform(9, 11, 30)
    loss = (1.7 + 400 / n**0.34 + 1000 / d**0.3) * np.exp(rng.normal(0, 1e-3, 30))
    return Runs.from_columns({"N": n, "D": d, "loss": loss})


def test_one_method_alone_is_compared_with_nothing():
    context = Context(given=bootstrap(fit(law("chinchilla"), scattered()), draws=60))
    answer = ask(Methods(budget=BUDGET), context)
    assert answer.sentence(told) == (
        "Only the parametric fit has an answer here, so there is nothing to compare it with."
    )
    assert [each.name for each in answer.quantities] == ["budget"]
    assert [each.name for each in answer.tables] == ["methods"]


def test_each_budget_has_its_own_minimum(context, same):
    table = ask(Methods(budget=BUDGET), context).table("budgets")
    profiles = parabolas(context.runs).profiles
    assert len(profiles) == 3
    for (budget, runs, fitted, n, loss, bracketed), each in zip(table.rows, profiles, strict=True):
        assert (budget, runs, fitted) == (each.budget, len(each.n), len(each.fitted))
        assert (loss, bracketed) == (each.loss_best, True)
        assert same(n, each.minimum())


def test_a_budget_without_a_minimum_is_told_as_such():
    found = parabolas(iso_flop(edge=True))
    answer = answer_of(found)
    assert answer.sentence(told).startswith("2 of 3 budgets bracket a minimum; N* grows as C to the power 0.")
    *_, last = answer.table("budgets").rows
    assert last[1:] == (9, 6, None, None, False)
    assert answer["exponent"].value == found.exponent_a.value


def test_without_a_budget_it_is_ten_times_the_largest_run(context):
    assert ask(Methods(), context)["budget"].value == pytest.approx(1e20, rel=0.06)


def test_the_command_says_the_same(tmp_path, asked):
    path = tmp_path / "runs.csv"
    columns = {name: iso_flop()[name] for name in ("N", "D", "C", "loss")}
    pl.DataFrame(columns).write_csv(path)
    answer = asked("methods", path, "--budget", BUDGET, "--draws", "40")
    assert answer["tables"]["methods"]["rows"][1]["N"]["value"] == pytest.approx(
        parabolas(iso_flop()).n_at(BUDGET).value
    )
    assert [each["name"] for each in answer["pictures"]] == ["methods", "isoflop-curves"]
    assert "parametric fit" in answer["pictures"][0]["alt"] and "1e21 FLOPs" in answer["pictures"][0]["alt"]


def test_bad_input_is_one_sentence(tmp_path, refused):
    assert refused("methods", "--budget", "0").startswith("--budget is a number above 0")
    assert refused("methods", "--budget", "lots").endswith("not 'lots'")
    assert "there is no file 'none.csv'" in refused("methods", "none.csv")
    path = tmp_path / "other.csv"
    path.write_text("D,loss\n1e9,3\n1e10,2.5\n1e11,2.2\n1e12,2.1\n")
    assert "N" in refused("methods", path)
