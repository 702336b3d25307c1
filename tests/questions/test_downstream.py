"""Scores of tasks as an answer: both stages to the bit, one finding told once, and what is refused."""

import numpy as np
import polars as pl
import pytest
from tests.planning.test_downstream import ladder

from isoflop import bootstrap, fit, law, squares
from isoflop.answers.wording import told
from isoflop.planning.downstream import downstream, stages
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.base.specs import FitSpec
from isoflop.questions.downstream import Downstream
from isoflop.render.notebook import answer_of

AT = {"N": 1e10, "D": 1e12}
QUIZ = {"quiz": "task_loss,hits"}


def engine(runs, *, draws, seed=0, **how):
    """Both stages by the functions of the library."""
    tables = stages(runs, law("chinchilla"), loss="task_loss", score="hits", **how)
    first = bootstrap(fit(law("chinchilla"), tables.finals, seed=seed), draws=draws, seed=seed)
    second = fit(law("task-accuracy-to-one"), tables.points, objective=squares(space="raw"), seed=seed)
    return downstream(first, bootstrap(second, draws=draws, seed=seed), AT)


@pytest.fixture(scope="module")
def runs():
    return ladder(0.01)


@pytest.fixture(scope="module")
def table(runs, tmp_path_factory):
    path = tmp_path_factory.mktemp("scores") / "runs.csv"
    frame = pl.DataFrame({name: runs[name] for name in ("N", "D", "task_loss", "hits")})
    frame.with_columns(blunders=1 - pl.col("hits")).write_csv(path)
    return path


def test_the_score_is_the_engines_to_the_bit(runs, same):
    answer = ask(Downstream(tasks=QUIZ, at=AT), Context(given_runs=runs, fit_spec=FitSpec(draws=60)))
    found = engine(runs, draws=60)
    ((task, loss, score, mean, law, beyond, below),) = answer.table("tasks").rows
    assert task == "quiz" and same(loss, found.loss.loss) and same(score, found.score) and same(mean, found.expected)
    assert same(law, found.law_score)
    assert (beyond, below) == (found.loss.reach_decades, found.beyond)
    assert (loss.interval, score.interval, mean.interval) == ("PI", "PI", "CI")
    assert same(answer["score"], found.score) and answer["extrapolation"].value == found.loss.reach_decades
    assert {name: answer[name].value for name in AT} == AT
    assert set(found.findings) <= set(answer.findings)
    assert (answer.provenance["law"], answer.provenance["then"]) == ("chinchilla", "task-accuracy-to-one")
    # a notebook shows the result of the library as the same numbers
    shown = answer_of(found)
    assert same(shown["score"], found.score) and same(shown.table("tasks").rows[0][1], found.loss.loss)


def test_the_headline_names_task_score_and_distance(runs):
    answer = ask(
        Downstream(tasks={"a{b}": "task_loss,hits"}, at=AT), Context(given_runs=runs, fit_spec=FitSpec(draws=40))
    )
    said = answer.sentence(told)
    assert said.startswith("Expected a{b} accuracy: 0.") and "(90% PI 0." in said
    assert said.endswith(f"through the task's loss, {told(answer['extrapolation'])} beyond the runs.")
    assert said.count("decades") == 1
    assert answer.title == "accuracy at N = 10B, D = 1T"


def test_a_table_with_two_losses_of_its_own_is_not_asked_which(table, asked, tmp_path):
    frame = pl.read_csv(table)
    frame.with_columns(c4_loss=pl.col("task_loss"), wiki_loss=pl.col("task_loss")).write_csv(tmp_path / "two.csv")
    words = ("--at", "N=10B", "--at", "D=1T", "--draws", "20")
    answer = asked("downstream", tmp_path / "two.csv", "--task", "quiz=c4_loss,hits", *words)
    assert "column-rivals" not in {each["code"] for each in answer["findings"]}
    checked = asked("check", tmp_path / "two.csv")
    assert "column-rivals" in {each["code"] for each in checked["findings"]}


def test_several_tasks_are_rows_and_a_shared_finding_is_told_once(table, asked):
    words = ("downstream", table, "--at", "N=10B", "--at", "D=1T", "--draws", "40")
    answer = asked(*words, "--task", "quiz=task_loss,hits", "--task", "again=task_loss,hits", "--alone")
    rows = answer["tables"]["tasks"]["rows"]
    assert [row["task"] for row in rows] == ["quiz", "again"]
    assert rows[0]["score"] == rows[1]["score"]  # the same columns and the same draws
    assert answer["headline"].startswith("2 tasks, through the task's loss") and "score" not in answer["quantities"]
    one = asked(*words, "--task", "quiz=task_loss,hits")
    both = {each["code"] for each in answer["findings"] if each["message"].startswith("quiz (likewise again): ")}
    own = [
        each for each in one["findings"] if f"quiz (likewise again): {each['message']}" not in str(answer["findings"])
    ]
    assert "score-extrapolated" in both
    assert all(each in answer["findings"] for each in own)  # of the table, which is no task's
    messages = [each["message"] for each in answer["findings"]]
    assert len(messages) == len(set(messages))


def test_two_findings_of_one_code_are_both_told(runs):
    """Far beyond the runs in N and in D, each has a finding of its own."""
    far = {"N": 1e14, "D": 1e15}
    question = Downstream(tasks=QUIZ | {"again": "task_loss,hits"}, at=far, alone=True)
    answer = ask(question, Context(given_runs=runs, fit_spec=FitSpec(draws=40)))
    told_ = [each.message for each in answer.findings if each.code == "far-extrapolation"]
    own = [each.message for each in answer.result.tasks["quiz"].findings if each.code == "far-extrapolation"]
    assert len(own) == 2 and told_ == [f"quiz (likewise again): {message}" for message in own]


def test_sums_of_headers_and_the_settings_of_the_stages_count(table, asked):
    words = ("downstream", table, "--at", "N=10B", "--at", "D=1T", "--draws", "40")
    plain = asked(*words, "--task", "quiz=task_loss,hits")["quantities"]["score"]
    for more in (("--law", "kaplan"), ("--objective", "lsq"), ("--fix", "E=0.4")):
        assert asked(*words, "--task", "quiz=task_loss,hits", *more)["quantities"]["score"]["value"] != plain["value"]
    half = asked(*words, "--task", "quiz=task_loss,0.5*hits + 0.5*hits")["quantities"]["score"]
    assert half["value"] == pytest.approx(plain["value"])


def test_a_law_of_a_further_column_knows_it_as_an_input(table, tmp_path, asked):
    path = tmp_path / "wide.csv"
    frame = pl.read_csv(table)
    frame.with_columns(width=pl.Series(np.resize([512.0, 1024.0, 2048.0], frame.height))).write_csv(path)
    words = ("downstream", path, "--law", "E + A/N^alpha + B/D^beta + c/width", "--task", "quiz=task_loss,hits")
    answer = asked(*words, "--at", "N=10B", "--at", "D=1T", "--at", "width=4096", "--draws", "40")
    assert answer["quantities"]["width"]["value"] == 4096


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--at", "N=10B"), "--task is needed"),
        (("--task", "quiz=task_loss,hits"), "--at is needed"),
        (("--task", "quiz=task_loss", "--at", "N=10B", "--at", "D=1T"), "--task quiz takes LOSS,SCORE"),
        (("--task", "quiz", "--at", "N=10B"), "--task takes NAME=LOSS,SCORE, not 'quiz'"),
        (("--task", "quiz=nothing,hits", "--at", "N=10B", "--at", "D=1T"), "nothing"),
        (("--task", "quiz=task_loss,hits", "--at", "N=many", "--at", "D=1T"), "--at N is a finite number"),
        (("--task", "quiz=task_loss,hits", "--at", "N=10B"), "D"),
        (("--task", "quiz=task_loss,hits", "--at", "N=10B", "--at", "D=1T", "--then", "kaplan"), "must have that"),
        (
            ("--task", "quiz=task_loss,hits", "--at", "N=10B", "--at", "D=1T", "--skip", "2"),
            "--skip is a number from 0",
        ),
        (("--task", "quiz=task_loss,hits", "--at", "N=10B", "--at", "D=1T", "--average", "0"), "--average is a whole"),
        (
            ("--task", "quiz=task_loss,hits", "--task", "quiz=task_loss,blunders", "--at", "N=10B", "--at", "D=1T"),
            "quiz is given twice",
        ),
    ],
)
def test_bad_input_is_one_sentence(table, refused, words, says):
    assert says in refused("downstream", table, *words)


def test_tasks_that_are_fitted_together_tell_what_they_share(runs, same):
    from isoflop.planning.suite import suite

    tasks = {**QUIZ, "blunt": "task_loss,0.9*hits"}
    asked = Downstream(tasks=tasks, at=AT, chance={"quiz": 0.25}, ceiling={"blunt": 0.9})
    answer = ask(asked, Context(given_runs=runs, fit_spec=FitSpec(draws=40)))
    first = law("chinchilla")
    tables = {
        name: stages(runs, first, loss="task_loss", score=score)
        for name, score in (("quiz", "hits"), ("blunt", "0.9*hits"))
    }
    thens = {name: asked.laws_of(name) for name in tables}
    assert [each.param_names for each in thens["quiz"]] == [("k", "L_0"), ("a", "k", "L_0")]
    assert [each.tied for each in thens["blunt"]] == [{"a": "0.9 - b"}]
    found = suite(tables, first, thens, AT, draws=40)
    for row, each in zip(answer.table("tasks").rows, found.tasks.values(), strict=True):
        assert same(row[1], each.loss.loss) and same(row[2], each.score) and same(row[4], each.law_score)
    weights = [row[2] for row in answer.table("sharing").rows]
    assert len(weights) == 4 and sum(weights) == pytest.approx(1)
    assert same(answer_of(found).table("tasks").rows[0][2], found.tasks["quiz"].score)


def test_scores_that_are_no_shares_and_ends_that_are_none_are_refused(table, refused):
    where = [str(table), *(word for name, value in AT.items() for word in ("--at", f"{name}={value:g}"))]
    quiz = ["--task", "quiz=task_loss,hits"]
    percent = refused("downstream", *where, "--task", "quiz=task_loss,100*hits")
    assert "a law of accuracy takes shares from 0 to 1; scale them in --task, as 0.01*100*hits" in percent
    assert "all scores of quiz (0*hits) are 0" in refused("downstream", *where, "--task", "quiz=task_loss,0*hits")
    assert "--alone is for several tasks, and there is one" in refused("downstream", *where, *quiz, "--alone")
    two = (*where, *quiz, "--task", "again=task_loss,hits", "--resample-by", "N")
    assert "several are fitted at once; add --alone" in refused("downstream", *two)
    assert "--chance exam is no task; there are quiz" in refused("downstream", *where, *quiz, "--chance", "exam=0.2")
    assert "share above 0 and up to 1, not 25" in refused("downstream", *where, *quiz, "--chance", "quiz=25")
    ends = ["--chance", "quiz=0.5", "--ceiling", "quiz=0.4"]
    assert "must lie above its --chance, 0.5, not at 0.4" in refused("downstream", *where, *quiz, *ends)
    assert "--chance is for the laws" in refused(
        "downstream", *where, *quiz, "--chance", "quiz=0.5", "--then", "gadre-error"
    )


def test_a_gain_over_no_pretraining_is_told_and_one_that_is_none_is_warned_of(table, asked, refused):
    words = (
        "downstream",
        str(table),
        "--task",
        "quiz=task_loss,hits",
        "--at",
        "N=1e10",
        "--at",
        "D=1e12",
        "--draws",
        "40",
    )
    clear, none = (asked(*words, "--without", f"quiz={value}") for value in (0.3, 0.99))
    (row,) = clear["tables"]["baseline"]["rows"]
    score = clear["quantities"]["score"]
    assert row["gain"]["value"] == pytest.approx(score["value"] - 0.3)
    assert row["gain"]["low"] == pytest.approx(score["low"] - 0.3) and 0 < row["better"] <= row["runs"]
    assert not {each["code"] for each in clear["findings"]} & {"no-gain-from-pretraining"}
    (row,) = none["tables"]["baseline"]["rows"]
    assert row["gain"]["low"] < 0 and row["better"] == 0
    assert "no-gain-from-pretraining" in {each["code"] for each in none["findings"]}
    assert "--without exam is no task; there are quiz" in refused(*words, "--without", "exam=0.3")


def test_of_an_error_less_is_better(table, asked):
    answer = asked(
        *("downstream", str(table), "--task", "quiz=task_loss,blunders", "--then", "gadre-error", "--draws", "40"),
        *("--at", "N=1e10", "--at", "D=1e12", "--without", "quiz=0.9"),
    )
    (row,) = answer["tables"]["baseline"]["rows"]
    assert row["gain"]["value"] == pytest.approx(0.9 - answer["quantities"]["score"]["value"])
    assert row["gain"]["low"] <= row["gain"]["value"] <= row["gain"]["high"] and row["better"] > row["runs"] / 2
