"""A held-out test as an answer: the engine's scores to the bit, by window and row; and the Hitchhiker's protocol."""

import inspect

import numpy as np
import pytest

from isoflop import Runs, law
from isoflop.answers.wording import told
from isoflop.errors import IsoflopError
from isoflop.questions.backtest import Backtest
from isoflop.questions.base.context import Context
from isoflop.questions.base.hold_out import HOLD_OUT_DRAWS
from isoflop.questions.base.question import ask, word
from isoflop.questions.base.specs import FitSpec, LawSpec, LevelSpec
from isoflop.questions.rank import Rank
from isoflop.study import parse_study
from isoflop.validation.backtest import backtest, backtest_findings
from isoflop.validation.choices import compare_choices
from isoflop.validation.hitchhiker import error_grid, hitchhiker, iso_error
from isoflop.validation.rank import rank
from isoflop.validation.split import hold_out


@pytest.fixture(scope="module")
def runs():
    rng = np.random.default_rng(5)
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(7, 9.5, 8), np.logspace(9, 11, 5)))
    loss = (1.8 + 400 / n**0.34 + 2000 / d**0.36) * np.exp(rng.normal(0, 0.003, 40))
    return Runs.from_columns({"N": n, "D": d, "loss": loss})


@pytest.fixture(scope="module")
def two(runs):
    """A context, the question's answer, and the engine's own result: two laws over two windows."""
    context = Context(given_runs=runs)
    answer = ask(Backtest(laws=("chinchilla", "kaplan"), hold_out="N", windows=2, draws=60), context)
    held = hold_out("N")
    return context, answer, backtest([law("chinchilla"), law("kaplan")], runs, hold_out=held, windows=2, draws=60)


def test_scores_are_those_of_the_engine(two, same):
    _, answer, result = two
    forecasters = (*result.laws, *result.baselines)
    rows = answer.to_frame("scores").iter_rows(named=True)
    for row, cells, each in zip(rows, answer.table("scores").rows, forecasters, strict=True):
        scores = result.scores(each)
        assert row["forecaster"] == each.name and same(cells[1], scores.are)
        assert (row["worst"], row["covered"], row["rows"], row["runs"]) == (
            scores.worst, scores.covered, scores.rows, scores.runs,
        )  # fmt: skip
        assert (row["bias"], row["bias_low"]) == (scores.bias.value, scores.bias.low)
        if scores.coverage is not None:
            assert row["coverage"] == scores.coverage.value and row["log_score"] == scores.log_score.value
    assert [each.name for each in result.baselines] == [row[0] for row in answer.table("scores").rows[2:]]


def test_the_headline_is_of_the_best_law(two, same):
    _, answer, result = two
    best = min(result.laws, key=lambda each: result.scores(each).are.value)
    scores = result.scores(best)
    assert same(answer["mre"], scores.are) and answer["covered"].value == scores.covered
    assert answer.sentence(told).startswith(
        "Over 2 windows (N ≥ 3.16B the first), chinchilla has a mean relative error"
    )
    assert f"cover {scores.covered} of {scores.rows} rows." in answer.sentence(told)


def test_windows_and_their_scores_stand_one_by_one(two, same):
    _, answer, result = two
    windows = answer.to_frame("windows")
    assert windows["held_out"].to_list() == [each.says for each in result.windows]
    assert windows["held_out_rows"].to_list() == [int(each.held.sum()) for each in result.windows]
    for row in answer.table("scores_by_window").rows:
        each = next(one for one in result.laws if one.name == row[0])
        assert same(row[2], result.scores(each, window=row[1]).are)


def test_every_held_out_row_has_what_was_measured_and_forecast(two):
    context, answer, result = two
    frame = answer.to_frame("held_out")
    assert frame["measured"].to_list() == result.held.truth.tolist()
    assert frame["row"].to_list() == context.runs.rows[result.held.row].tolist()
    for each in result.laws:
        assert (
            frame[each.name].to_list() == each.value.tolist()
            and frame[f"{each.name}_low"].to_list() == each.low.tolist()
        )
    assert answer.table("held_out").detail  # rows by the hundred are for JSON and data frames


def test_findings_are_those_of_the_engine(two):
    _, answer, result = two
    assert {*backtest_findings(result)} <= {*answer.findings}


def test_a_result_of_the_library_is_worded_alike(two):
    _, answer, result = two
    shown = word(Backtest(), result, Context(given_runs=two[0].runs))
    assert shown.quantities == answer.quantities and shown.table("scores") == answer.table("scores")


def test_level_objective_and_seed_are_those_of_the_context(runs, same):
    context = Context(given_runs=runs, fit_spec=FitSpec(objective="lsq", seed=3), level_spec=LevelSpec(0.5))
    answer = ask(Backtest(hold_out="N", draws=40), context)
    from isoflop.fitting import objective

    result = backtest(
        [law("chinchilla")], runs, hold_out=hold_out("N"), draws=40, objective=objective("lsq"), seed=3, level=0.5
    )
    assert same(answer["mre"], result.scores(result.laws[0]).are)
    assert "50% prediction intervals" in answer.headline and "seed 3" in answer.method


def test_the_law_of_the_context_is_tested_where_none_is_named(runs):
    answer = ask(Backtest(draws=20), Context(given_runs=runs, law_spec=LawSpec(law="kaplan")))
    assert answer.table("scores").rows[0][0] == "kaplan"


def test_draws_have_one_default_everywhere(tmp_path):
    from isoflop.app.requests import menu
    from isoflop.cli.commands import command_of

    assert HOLD_OUT_DRAWS == 300 == Backtest().draws == Rank().draws
    listed = {each["name"]: {one["name"]: one["default"] for one in each["options"]} for each in menu()}
    for cls, engine in ((Backtest, backtest), (Rank, rank)):
        assert inspect.signature(engine).parameters["draws"].default == HOLD_OUT_DRAWS
        (tmp_path / "x.csv").touch()
        (asked,) = parse_study(f'[runs]\nsource = "x.csv"\n[{cls.name}]\n', folder=tmp_path).questions
        assert asked.draws == HOLD_OUT_DRAWS == listed[cls.name]["draws"]
        (option,) = (each for each in command_of(cls).params if each.name == "draws")
        assert "[default: 300]" in option.help


@pytest.mark.parametrize(
    ("question", "says"),
    [
        (Backtest(cut="10%"), "--cut is an option of --protocol hitchhiker; add it, or leave --cut out"),
        (Backtest(jobs=2), "--jobs is an option of --protocol hitchhiker"),
        (Backtest(protocol="hitchhiker", hold_out="N"), "--protocol holds out by its own rules; leave out --hold-out"),
        (Backtest(protocol="hitchhiker", windows=2), "by its own rules"),
        (Backtest(protocol="hitchhiker", laws=("kaplan", "chinchilla")), "--protocol hitchhiker takes one --law"),
    ],
)
def test_options_that_do_not_mix(question, says):
    with pytest.raises(IsoflopError, match=says):
        question.check()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--windows", "0"), "--windows is a whole number from 1 to 1,000, not '0'"),
        (("--draws", "19"), "--draws is a whole number from 20 to 100,000, not '19'"),
        (("--protocol", "other"), "--protocol is one of hitchhiker, not 'other'"),
        (("--protocol", "hitchhiker", "--cut", "0%"), "--cut takes a share between 0% and 100%, or tokens such as 10B"),
        (("--protocol", "hitchhiker", "--cut", "x%"), "--cut is a finite number"),
        (("--protocol", "hitchhiker", "--cut", "0.5"), "--cut takes tokens such as 10B, or a share such as 10%"),
        (("--starts", "3"), "No such option '--starts'"),  # its searches have their own number of starts
        (("--fix", "E=1"), "No such option '--fix'"),
        (("--hold-out", ""), "--hold-out takes a text (N:20%), not ''"),
    ],
)
def test_bad_options_are_one_sentence(refused, words, says):
    assert says in refused("backtest", *words)


@pytest.fixture(scope="module")
def checkpoints():
    rng = np.random.default_rng(0)
    share = np.linspace(0.05, 1, 20)
    parts = {"family": [], "run": [], "N": [], "D": [], "loss": []}
    for family in ("f", "g"):
        for size in (1e8, 3e8, 1e9, 3e9):
            tokens = 3e10 * share * (size / 1e9) ** 0.5
            loss = (1.7 + 400 / size**0.34 + 410 / tokens**0.28) * np.exp(0.005 * rng.standard_normal(20))
            for name, values in (("family", [family] * 20), ("run", [f"{family} {size:g}"] * 20), ("N", [size] * 20)):
                parts[name] += values
            parts["D"] += tokens.tolist()
            parts["loss"] += loss.tolist()
    return Runs.from_columns({name: np.array(values) for name, values in parts.items()})


def test_the_protocol_says_what_each_choice_does(checkpoints, same):
    answer = ask(Backtest(protocol="hitchhiker"), Context(given_runs=checkpoints))
    study = hitchhiker(law("chinchilla"), checkpoints, cut=0.1)
    assert answer["trials"].value == study.trials.height and answer["families"].value == 2
    assert answer["typical"].value == float(np.nanmedian(study.trials["are"].to_numpy()))
    for row, each in zip(answer.table("comparisons").rows, compare_choices(study), strict=True):
        assert row[:2] == (each.choice, each.against) and same(row[2], each.ratio)
        assert row[3:] == (each.helped, each.pairs, each.families, each.collections, each.verdict)
    grid = error_grid(study)
    assert answer.to_frame("grid").equals(grid) and answer.to_frame("iso_error").rows() == iso_error(grid).rows()
    assert answer.to_frame("trials")["are"].to_list() == study.trials["are"].to_list()
    assert answer.sentence(told).endswith(f"the median error on the largest model is {told(answer['typical'])}.")


def test_the_braces_of_a_family_are_its_own(runs):
    columns = {name: runs[name] for name in ("N", "D", "loss")}
    families = Runs.from_columns({**columns, "family": np.array(["{mre}", "~"] * 20)})
    answer = ask(Backtest(per_family=True, draws=20, hold_out="N"), Context(given_runs=families))
    assert {row[-1] for row in answer.table("windows").rows} == {"{mre}", "~"}
    assert answer.result.windows[0].says in answer.sentence(told) and "{mre}" in answer.result.windows[0].says
