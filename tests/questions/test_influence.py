"""Which runs decide an answer, as an answer: refits, removals and outliers of the engine to the bit."""

import json

import numpy as np
import pytest

from isoflop import Runs, fit, law
from isoflop.answers.wording import told
from isoflop.files import plain_json
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask, word
from isoflop.questions.influence import Influence
from isoflop.validation.influence import influence

BUDGET = 1e22


@pytest.fixture(scope="module")
def runs():
    """Thirty runs of a known law, the seventh a fifth too high."""
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(7, 9.5, 6), np.logspace(9.5, 11, 5)))
    loss = (1.8 + 400 / n**0.34 + 2000 / d**0.36) * np.exp(np.random.default_rng(3).normal(0, 0.003, 30))
    loss[6] *= 1.2
    return Runs.from_columns({"N": n, "D": d, "loss": loss})


@pytest.fixture(scope="module")
def found(runs):
    return ask(Influence(budget=BUDGET), Context(given_runs=runs)), influence(
        fit(law("chinchilla"), runs), budget=BUDGET
    )


def test_the_answer_with_and_without_the_strongest_run(found, same):
    answer, result = found
    effect = result.effect("N*")
    strongest = int(result.strongest("N*", count=1)[0])
    assert same(answer["value"], effect.value) and answer["moved"].value == effect.without[strongest]
    assert answer["jackknife"].value == effect.standard_error
    assert (answer["runs"].value, answer["by_chance"].value, answer["fewest"].value) == (
        30,
        result.usual,
        result.fewest,
    )
    assert answer["curvature"].value == effect.agreement
    assert f"left out alone, {result.labels[strongest]} moves it most" in answer.sentence(told)


def test_every_answer_has_its_row(found, same):
    answer, result = found
    for row, each in zip(answer.table("answers").rows, result.effects, strict=True):
        assert row[0] == each.answer.name and same(row[1], each.value) and row[3] == each.answer.meaning
        assert row[2] == each.standard_error and row[4] == (each.agreement if np.isfinite(each.agreement) else None)


def test_every_run_has_its_row(found):
    answer, result = found
    frame = answer.to_frame("runs")
    assert frame["run"].to_list() == list(result.labels)
    for each in result.effects:
        key = {"N*": "N", "exponent a": "exponent_a"}.get(each.answer.name, each.answer.name)
        assert frame[key].to_list() == each.without.tolist()
        assert frame[f"{key}_curvature"].to_list() == each.curvature.tolist()
    assert answer.table("runs").detail and not answer.table("strongest").detail


def test_as_many_runs_are_listed_as_were_asked(runs):
    answer = ask(Influence(budget=BUDGET, show=3, draws=50), Context(given_runs=runs))
    assert len(answer.table("strongest").rows) == 3 and len(answer.table("runs").rows) == 30


def test_removals_tell_when_the_interval_is_left(found):
    answer, result = found
    paths = [each for each in result.removals if each.runs]
    assert [f"removals_{each.how}" for each in paths] == [
        each.name for each in answer.tables if each.name.startswith("removals_")
    ]
    for path in paths:
        rows = answer.table(f"removals_{path.how}").rows
        assert [row[3] for row in rows] == [float(each) for each in path.values]
        assert [row[0] for row in rows if row[4]] == ([path.left_interval] if path.left_interval else [])


def test_outliers_have_their_reasons(found):
    answer, result = found
    rows = answer.table("outliers").rows
    assert [row[0] for row in rows] == [each.row for each in result.outliers.found] == [7]
    assert rows[0][1] == result.outliers.found[0].away


def test_another_number_may_decide(runs, same):
    answer = ask(Influence(decide="alpha", draws=50), Context(given_runs=runs))
    assert answer["value"].label == "alpha" and answer["value"].kind == "number"
    assert {*answer.provenance["at"]} == {"N", "D"} and answer.provenance["budget"] > 0
    json.dumps(plain_json(answer.to_dict()), allow_nan=False)


def test_a_result_of_the_library_is_worded_alike(found, runs):
    answer, result = found
    shown = word(Influence(), result, Context(given_runs=runs))
    assert shown.quantities == answer.quantities and shown.tables == answer.tables


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--budget", "0"), "--budget is a number above 0"),
        (("--show", "0"), "--show is a whole number from 1 to 10,000, not '0'"),
        (("--answer", "gamma"), "'gamma' is no answer of this law; there are N*, exponent a, forecast"),
        (("--draws", "3"), "--draws is a whole number from 20 to 100,000"),
        (("--jobs", "2"), "No such option '--jobs'"),
        (("--at", "N=1", "--at", "N=2"), "--at N is given twice, '1' and '2'; choose one"),
    ],
)
def test_bad_options_are_one_sentence(refused, words, says):
    assert says in refused("influence", *words)
