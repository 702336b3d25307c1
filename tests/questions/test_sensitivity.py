"""What small choices do, as an answer: every choice of the engine to the bit; and the toy surface."""

import math

import numpy as np
import pytest

import isoflop.validation.sensitivity as engine
from isoflop import Runs, law
from isoflop.answers.wording import told
from isoflop.errors import IsoflopError
from isoflop.fitting import objective
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask, word
from isoflop.questions.base.specs import FitSpec, LevelSpec, RunsSpec
from isoflop.questions.sensitivity import Sensitivity
from isoflop.validation.sensitivity import sensitivity


@pytest.fixture(scope="module")
def runs():
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(7, 9.5, 5), np.logspace(9.5, 11, 5)))
    loss = (1.8 + 400 / n**0.34 + 2000 / d**0.36) * np.exp(np.random.default_rng(3).normal(0, 0.003, 25))
    return Runs.from_columns({"N": n, "D": d, "loss": loss})


@pytest.fixture(scope="module")
def found(runs):
    """The answer, and what the engine was given and gave."""
    calls = []

    def recorded(*args, **settings):
        calls.append((args, settings, sensitivity(*args, **settings)))
        return calls[-1][-1]

    spec = FitSpec(objective="lsq", starts=16, seed=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "sensitivity", recorded)
        answer = ask(
            Sensitivity(draws=20, budget=1e22), Context(given_runs=runs, fit_spec=spec, level_spec=LevelSpec(0.8))
        )
    ((args, settings, result),) = calls
    assert args == (law("chinchilla"), runs) and settings.pop("progress") is not None
    assert settings == {
        "resample_by": None,
        "objective": objective("lsq"), "budget": 1e22, "at": None, "level": 0.8, "draws": 20, "starts": 16, "seed": 2,
    }  # fmt: skip
    return answer, result


def test_every_choice_is_that_of_the_engine(found, same):
    answer, result = found
    names = [column.name for column in answer.table("choices").columns]
    base, *rows = (dict(zip(names, row, strict=True)) for row in answer.table("choices").rows)
    assert same(base["N"], result.base["N*"]) and base["runs"] == 25
    for row, choice in zip(rows, result.choices, strict=True):
        assert (row["group"], row["setting"], row["runs"]) == (choice.group, choice.setting, choice.n_runs)
        assert (row["remark"], row["why_not"]) == (choice.note, choice.why_not)
        assert row["outside"] == result.outside(choice, "N*")
        for key, name in (("N", "N*"), ("exponent_a", "exponent a"), ("forecast", "forecast")):
            assert same(row[key], choice.answers[name]) if name in choice.answers else row[key] is None


def test_the_headline_is_the_span_of_the_choices(found, same):
    answer, result = found
    values = [each.answers["N*"].value for each in result.choices if "N*" in each.answers]
    known = [each for each in values if math.isfinite(each)]
    assert same(answer["value"], result.base["N*"])
    assert (answer["lowest"].value, answer["highest"].value) == (min(known), max(known))
    assert f"over {len(known)} choices it goes from" in answer.sentence(told)
    assert answer.provenance["budget"] == 1e22 and {*result.findings} <= {*answer.findings}


def test_a_result_of_the_library_is_worded_alike(found, runs):
    answer, result = found
    shown = word(Sensitivity(draws=20), result, Context(given_runs=runs))
    assert shown.quantities == answer.quantities and shown.tables == answer.tables and shown.method == answer.method


def test_the_toy_surface_needs_no_table():
    answer = ask(Sensitivity(example="toy"), Context())
    rows = answer.result.rows
    frame = answer.to_frame("settings")
    assert frame.height == 2 * len(rows) and frame["by"].to_list() == ["grid", "optimum"] * len(rows)
    assert frame["error"].to_list()[1::2] == [each.optimum.error for each in rows]
    assert frame["alpha"].to_list()[::2] == [each.by_grid.params["alpha"] for each in rows]
    assert answer["lowest"].value == min(each.optimum.error for each in rows)
    assert answer.findings == () and answer.pictures == () and "source" not in answer.provenance


def test_the_toy_surface_takes_no_table(tmp_path):
    context = Context(RunsSpec(source=str(tmp_path / "runs.csv")))
    with pytest.raises(IsoflopError, match="--example toy has its own runs; leave out the table, or the example"):
        ask(Sensitivity(example="toy"), context)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--example", "game"), "--example is one of toy, not 'game'"),
        (("--draws", "3"), "--draws is a whole number from 20 to 100,000, not '3'"),
        (("--jobs", "2"), "No such option '--jobs'"),
        (("--budget", "nan"), "--budget is a number above 0"),
        (("--example", "toy", "--picture", "a.svg"), "this answer has no picture; leave the option out"),
    ],
)
def test_bad_options_are_one_sentence(refused, words, says):
    assert says in refused("sensitivity", *words)
