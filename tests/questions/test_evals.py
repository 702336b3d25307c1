"""``isoflop evals``: what it says of items, the table that it writes, and other commands on that table."""

import json

import numpy as np
import polars as pl
import pytest
from docs_build.runner import write_attempts, write_choices
from scipy.stats import binom
from tests.evals.test_lm_eval import choice, write

from isoflop.app.requests import checked
from isoflop.app.session import Task, new_session, read, save
from isoflop.app.work import perform as perform_task
from isoflop.evals import evaluate, read_items
from isoflop.files import plain_json
from isoflop.questions.base.specs import FitSpec, RunsSpec
from isoflop.questions.evals import Evals
from isoflop.render.notebook import answer_of
from isoflop.study import Study, parse_study, perform, study_toml


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("evals")
    write_attempts(place / "attempts.csv")
    write_choices(place / "choices.csv")
    return place


def rows(answer, table):
    return answer["tables"][table]["rows"]


def test_pass_rates_their_law_and_what_fixed_tries_would_have_seen(asked, folder):
    answer = asked("evals", str(folder / "attempts.csv"), "--at", "N=10B", "--draws", "20")
    alpha, ahead = answer["quantities"]["alpha"], answer["quantities"]["pass_rate"]
    assert alpha["low"] < 0.2 < alpha["high"] and ahead["interval"] == "PI"
    assert ahead["low"] < np.exp(-300 * 1e10**-0.2) < ahead["high"]
    assert "no curvature is seen" in answer["headline"]
    (law,) = rows(answer, "pass_laws")
    assert law["shape"] == "straight" and law["fixed_alpha"]["high"] - law["fixed_alpha"]["low"] > 0
    unseen = [each["unseen"] for each in rows(answer, "pass_rates")]
    assert unseen[0] > 0.3 and sorted(unseen, reverse=True) == unseen
    assert [each["name"] for each in answer["pictures"]] == ["scores", "passes"]


def test_single_items_have_exact_intervals(asked, tmp_path):
    path = tmp_path / "items.csv"
    data = [("a", 1, 0, 100, None), ("a", 2, 2, 11, 2), ("a", 3, 1, 50, 2), ("b", 1, 9, 10, None)]
    pl.DataFrame(data, schema=["model", "item", "passes", "tries", "goal"], orient="row").write_csv(path)
    found = rows(asked("evals", str(path), "--draws", "20"), "items")
    zero, goal, cap, most = (each["rate"] for each in found)
    assert [each["ended"] for each in found] == ["fixed", "goal", "cap", "fixed"]
    assert (zero["value"], zero["low"]) == (0, 0) and zero["high"] == pytest.approx(1 - 0.05 ** (1 / 100))
    assert goal["value"] == pytest.approx(0.1) and cap["value"] == pytest.approx(0.02)
    # P(two passes or more in 11 tries) at the lower end, P(fewer than two in ten) at the upper one
    assert binom.sf(1, 11, goal["low"]) == pytest.approx(0.05) and binom.cdf(1, 10, goal["high"]) == pytest.approx(0.05)
    assert binom.cdf(9, 10, most["high"]) == pytest.approx(0.05) and binom.sf(8, 10, most["low"]) == pytest.approx(0.05)


def test_a_chain_says_where_it_loses_and_which_score_to_take(asked, folder):
    answer = asked("evals", str(folder / "choices.csv"), "--draws", "50", "--hold-out", "2", "--baseline", "model-0")
    chain = {each["score"]: each for each in rows(answer, "chain")}
    assert list(chain) == ["log p", "p", "p among options", "Brier score", "accuracy"]
    assert [name for name, each in chain.items() if each["recommended"]] == ["log p"]
    assert chain["log p"]["pearson"]["value"] > chain["accuracy"]["pearson"]["value"] + 0.1
    held = rows(answer, "forecasts")
    assert [each["model"] for each in held] == ["model-5", "model-6"]
    assert all(each["measured"]["low"] <= each["options"] <= each["measured"]["high"] for each in held)
    assert (
        len(rows(answer, "differences")) == 6 and answer["tables"]["differences"]["title"] == "Differences to model-0"
    )
    assert [each["name"] for each in answer["pictures"]] == ["scores", "chain"]


def test_its_table_is_one_of_runs_for_every_other_command(asked, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked("evals", str(folder / "choices.csv"), "--draws", "20", "--table", "quiz.csv")
    frame = pl.read_csv("quiz.csv")
    assert frame.columns[:4] == ["run", "N", "D", "C"] and {"quiz/acc", "quiz/acc_stderr", "quiz/loss"} <= set(
        frame.columns
    )
    law = ["--law", "E + A/N^alpha"]
    scores = asked(
        "downstream", "quiz.csv", "--task", "quiz=quiz/loss,quiz/acc", *law, "--at", "N=3B", "--draws", "20"
    )  # fmt: skip
    assert 0.7 < scores["quantities"]["score"]["value"] < 1.05
    assert "weighed" in {each["code"] for each in scores["findings"]}  # by acc_stderr
    fitted = asked("fit", "quiz.csv", "--column", "loss=quiz/loss", *law, "--draws", "20")
    assert fitted["quantities"]["runs"]["value"] == 7
    plan = asked(
        "plan", "quiz.csv", "--column", "loss=quiz/loss", *law, "--minimize", "N", "--loss", "5", "--draws", "20"
    )  # fmt: skip
    assert 1e8 < plan["quantities"]["N"]["value"] < 1e10
    for recipe in ("a", "b"):
        made = pl.read_csv("quiz.csv").with_columns(pl.lit(recipe).alias("recipe"))
        made.with_columns(pl.col("quiz/loss") * (1 if recipe == "a" else 0.95)).write_csv(f"{recipe}.csv")
    pl.concat([pl.read_csv("a.csv"), pl.read_csv("b.csv")]).drop("run").write_csv("both.csv")
    compared = asked("compare", "both.csv", "--by", "recipe", "--column", "loss=quiz/loss", *law, "--draws", "20")
    assert compared["question"] == "compare" and compared["tables"]


def test_a_law_of_the_pass_rate_is_a_power_law_of_its_column(asked, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rates = asked("evals", str(folder / "attempts.csv"), "--draws", "20", "--table", "rates.csv")
    fitted = asked(
        "fit", "rates.csv", "--law", "pass = c*N^(-alpha)", "--column", "pass=score/neg_log_pass", "--objective", "lsq",
        "--draws", "20",
    )  # fmt: skip
    assert fitted["quantities"]["alpha"]["value"] == pytest.approx(rates["quantities"]["alpha"]["value"], rel=0.05)


def test_a_result_shows_itself_as_the_command_does(folder, asked):
    found = evaluate(read_items(folder / "choices.csv"), draws=50)
    shown = answer_of(found)
    told = asked("evals", str(folder / "choices.csv"), "--draws", "50")
    assert shown is not None and json.loads(json.dumps(shown.to_dict()["tables"])) == told["tables"]
    assert shown.to_frame("chain").height == 5


@pytest.mark.parametrize(
    "words, says",
    [
        ([], "--at names N, D; scores are followed along one scale"),
        (["--x", "C"], "--at names N; scores are followed along one scale: give N, D or C, here C"),
    ],
)
def test_contradictions_are_refused(refused, folder, words, says):
    at = ["--at", "N=1B"] + ([] if words else ["--at", "D=1B"])
    assert says in refused("evals", str(folder / "choices.csv"), *at, *words)


def test_what_is_not_there_is_named(refused, folder, tmp_path):
    choices = str(folder / "choices.csv")
    assert "there is no file" in refused("evals", "nowhere.csv")
    assert "--table writes .csv" in refused("evals", choices, "--table", str(tmp_path / "t.json"))
    assert "D is not known for two models" in refused("evals", str(folder / "attempts.csv"), "--x", "D")
    assert "--baseline names 'gpt'" in refused("evals", choices, "--baseline", "gpt")
    assert "nothing to read" in refused("evals", str(tmp_path))


def test_a_study_and_the_page_ask_it_of_their_own_table(asked, folder, tmp_path):
    whole = asked("evals", str(folder / "choices.csv"), "--baseline", "model-0", "--draws", "20")
    study = Study(
        runs=RunsSpec(source="choices.csv", folder=folder),
        fit=FitSpec(draws=20),
        questions=(Evals(baseline="model-0"),),
    )
    done = perform(parse_study(study_toml(study), folder=folder))
    assert not done.refused and done.ensembles == ()
    by_study = plain_json(done.answers["evals"].to_dict())
    session = new_session(tmp_path, kind="file", source="choices.csv")
    (session.folder / "choices.csv").write_bytes((folder / "choices.csv").read_bytes())
    session = save(session)
    options = {"options": {"baseline": "model-0"}, "draws": 20}
    kind, settings = checked(session, {"kind": "evals", **options}, read(session))
    task = Task("r1", kind, settings)
    perform_task(save(session.with_task(task)), task, lambda share, doing: None)
    by_page = json.loads(session.place("r1", "answer.json").read_text())
    for each in ("tables", "headline", "quantities", "findings"):
        assert by_study[each] == whole[each] == by_page[each]


def logs_of(folder):
    """Samples of three models of different size on one task, as lm-evaluation-harness writes them."""
    draws = np.random.default_rng(0)
    for model, size in (("small", 1e8), ("middle", 1e9), ("large", 1e10)):
        right = draws.normal(np.log10(size) - 9, 1, 40)
        lines = [
            choice(
                doc,
                0,
                [min(-0.01, -2.0 + float(above)), -2.0, -2.1, -2.2],
                [" a", " bb", " c", " d"],
                acc=float(above > 0),
            )
            for doc, above in enumerate(right)
        ]
        write(folder, model, "quiz", lines)
    sizes = {"model": ["small", "middle", "large"], "N": [1e8, 1e9, 1e10]}
    pl.DataFrame(sizes).write_csv(folder / "sizes.csv")


def test_a_folder_of_logs_is_one_table_for_a_study_and_the_page(asked, refused, tmp_path):
    logs, table = tmp_path / "logs", tmp_path / "items.csv"
    logs.mkdir()
    logs_of(logs)
    words = ("--draws", "20", "--models", str(logs / "sizes.csv"))
    whole = asked(
        "evals", str(logs / "small"), str(logs / "middle"), str(logs / "large"), *words, "--items", str(table)
    )
    again = asked("evals", str(table), "--draws", "20")
    for each in ("quantities", "tables"):
        assert again[each] == whole[each]
    study = Study(runs=RunsSpec(source="items.csv", folder=tmp_path), fit=FitSpec(draws=20), questions=(Evals(),))
    done = perform(parse_study(study_toml(study), folder=tmp_path))
    assert plain_json(done.answers["evals"].to_dict())["tables"] == again["tables"]
    assert "--items writes .csv" in refused("evals", str(table), "--items", str(tmp_path / "t.json"))
