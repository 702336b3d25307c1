"""A prior of a user's own: every forecast of a fit is judged by it, and its answer says so."""

import json
from dataclasses import replace

import numpy as np
import pytest

from isoflop import load_fit
from isoflop.questions.downstream import Downstream
from isoflop.render.explore_data import page_data
from isoflop.uncertainty.prior import Hypothesis, digest_of, read_prior, save_prior, shipped_prior

AT = ("--at", "N=700B", "--at", "D=14T", "--draws", 30)


@pytest.fixture
def place(known_runs, tmp_path, monkeypatch):
    """A folder with a table, and a prior that takes every law to be far off."""
    known_runs(0.003).to_polars().write_csv(tmp_path / "runs.csv")
    own = replace(
        shipped_prior(),
        hypotheses=(Hypothesis(1.0, 0.3, 1.0, 1.0),),
        farthest=0.75,
        date="2026-02-03",
        source="our sweeps",
        tables=("a.csv", "b.csv", "c.csv"),
    )
    save_prior(own, tmp_path / "own.toml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def width(quantity):
    return quantity["high"] - quantity["low"]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("forecast", "runs.csv", *AT), "loss"),
        (("plan", "runs.csv", "--budget", 1e26, "--draws", 30), "prediction"),
    ],
)
def test_another_prior_gives_another_interval_and_says_so(asked, place, words, name):
    usual, learned = asked(*words), asked(*words, "--prior", "own.toml")
    assert width(learned["quantities"][name]) > 2 * width(usual["quantities"][name])
    assert "prior" not in usual["provenance"] and "the prior of" not in usual["method"]
    own = read_prior("own.toml")
    assert learned["provenance"]["prior"] == {
        "file": "own.toml",
        "date": "2026-02-03",
        "source": "our sweeps",
        "script": own.script,
        "tables": 3,
        "digest": digest_of(own),
    }
    assert learned["method"].endswith("model error by the prior of 2026-02-03: our sweeps")
    # how far model error was learned is the prior's own number
    far = [each["message"] for each in learned["findings"] if each["code"] == "far-extrapolation"]
    assert far and all("up to 0.75 decades" in each for each in far)
    # what the law alone says is the same
    assert learned["quantities"]["law_loss"] == usual["quantities"]["law_loss"]


def test_the_hold_out_is_judged_by_it_too(asked, place):
    usual = asked("backtest", "runs.csv", "--draws", 30)
    learned = asked("backtest", "runs.csv", "--draws", 30, "--prior", "own.toml")
    # the same forecasts, with intervals so wide that they hold every run; without model error nothing changes
    assert learned["quantities"]["covered"]["value"] == learned["quantities"]["rows"]["value"]
    assert learned["tables"]["scores"] != usual["tables"]["scores"]
    for name in ("mre", "law_covered"):
        assert learned["quantities"][name] == usual["quantities"][name]
    assert learned["provenance"]["prior"]["tables"] == 3 and "prior" not in usual["provenance"]


def test_a_ranking_and_its_weighted_forecast_take_it(asked, place):
    words = ("rank", "runs.csv", "--law", "chinchilla", "--draws", 20, *AT[:4])
    usual, learned = asked(*words), asked(*words, "--prior", "own.toml")
    assert width(learned["quantities"]["stacked"]) > 2 * width(usual["quantities"]["stacked"])
    assert learned["quantities"]["mre"] == usual["quantities"]["mre"]
    assert learned["provenance"]["prior"]["tables"] == 3 and "prior" not in usual["provenance"]
    (laws, other) = (each["tables"]["laws"] for each in (learned, usual))
    assert laws != other  # log scores and coverage are those of the wider intervals


@pytest.mark.parametrize("prior", ["own.toml", "own"])
def test_a_saved_fit_keeps_it(asked, place, prior):
    (place / "own").write_bytes((place / "own.toml").read_bytes())
    direct = asked("forecast", "runs.csv", *AT, "--prior", "own.toml")
    made = asked("fit", "runs.csv", "--draws", 30, "--prior", prior, "--save", "fit.json")
    assert made["provenance"]["prior"]["tables"] == 3
    for each in ("own", "own.toml"):  # the fit holds the prior itself
        (place / each).unlink()
    assert load_fit("fit.json").prior.source == "our sweeps"
    kept = asked("forecast", "fit.json", *AT[:4])
    assert kept["quantities"]["loss"] == direct["quantities"]["loss"]
    assert kept["provenance"]["prior"] == {**direct["provenance"]["prior"], "file": None}
    # and another that is named comes before it
    save_prior(shipped_prior(), "shipped.toml")
    usual = asked("forecast", "runs.csv", *AT)
    back = asked("forecast", "fit.json", *AT[:4], "--prior", "shipped.toml")
    assert back["quantities"]["loss"] == usual["quantities"]["loss"] and "prior" not in back["provenance"]


def test_a_comparison_and_a_registered_prediction_say_it(asked, place):
    for name, words in (("own", ("--prior", "own.toml")), ("usual", ())):
        asked("fit", "runs.csv", "--draws", 30, *words, "--save", f"{name}.json")
    compared = asked("compare", "own.json", "usual.json", "--budget", 1e23)
    assert compared["provenance"]["first_prior"]["digest"] == digest_of(read_prior("own.toml"))
    assert "second_prior" not in compared["provenance"]
    for name in ("own", "usual"):
        asked("register", f"{name}.json", *AT[:4], "-o", f"{name}-prediction.json")
    own, usual = (json.loads((place / f"{name}-prediction.json").read_text()) for name in ("own", "usual"))
    assert own["prior"]["tables"] == 3 and "prior" not in usual
    assert width(own["loss"]) > 2 * width(usual["loss"])
    scored = asked("score", "own-prediction.json", "--measured", 1.9)
    assert scored["quantities"]


def test_a_saved_fit_of_the_shipped_prior_has_none_inside(cli, place):
    assert cli("fit", "runs.csv", "--draws", 30, "--save", "fit.json")[0] == 0
    assert "prior" not in json.loads((place / "fit.json").read_text())
    assert load_fit("fit.json").prior == shipped_prior()


def test_both_stages_of_a_score_take_it(known_runs, place):
    from isoflop.questions.base.context import Context
    from isoflop.questions.base.question import ask
    from isoflop.questions.base.specs import FitSpec, PriorSpec, RunsSpec

    runs = known_runs(0.003)
    share = 0.25 + 0.7 / (1 + np.exp(4 * (runs["loss"] - 2.5)))
    runs.with_column("acc", share).to_polars().write_csv(place / "scores.csv")
    question = Downstream(tasks={"quiz": "loss,acc"}, at={"N": 7e10, "D": 1.4e12})
    usual, learned = (
        ask(question, Context(runs_spec=RunsSpec("scores.csv"), fit_spec=FitSpec(draws=30), prior_spec=each))
        for each in (PriorSpec(), PriorSpec("own.toml"))
    )
    (one,), (other,) = (each.result.tasks.values() for each in (usual, learned))
    assert other.loss.loss.high - other.loss.loss.low > 2 * (one.loss.loss.high - one.loss.loss.low)
    assert other.score.high - other.score.low > one.score.high - one.score.low and other.law_score == one.law_score
    assert learned.provenance["prior"]["source"] == "our sweeps" and "prior" not in usual.provenance


def test_a_study_names_it_beside_itself(place, monkeypatch):
    from isoflop.study import parse_study, perform, study_toml

    text = 'prior = "own.toml"\ndraws = 30\n[runs]\nsource = "runs.csv"\n[forecast]\nat = ["N=70B", "D=1.4T"]\n'
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    study = parse_study(text, folder=place)
    assert parse_study(study_toml(study), folder=place) == study
    told = perform(study).answers
    assert told["forecast"].provenance["prior"]["file"] == "own.toml"
    assert told["fit"].provenance["prior"] == told["forecast"].provenance["prior"]
    usual = perform(parse_study(text.partition("\n")[2], folder=place)).answers["forecast"]
    assert told["forecast"]["loss"].high > usual["loss"].high


def test_the_page_says_how_far_it_was_learned(place):
    from isoflop.questions.base.context import Context
    from isoflop.questions.base.question import ask
    from isoflop.questions.base.specs import FitSpec, PriorSpec, RunsSpec
    from isoflop.questions.report import Report

    context = Context(runs_spec=RunsSpec("runs.csv"), fit_spec=FitSpec(draws=30), prior_spec=PriorSpec("own.toml"))
    answer = ask(Report(budget=1e22), context)
    assert page_data(answer.result)["along"]["farthest"] == 0.75
    assert all(each.provenance["prior"]["tables"] == 3 for each in (answer, *answer.parts[:2]))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("forecast", "runs.csv", *AT, "--prior", "absent.toml"), "give a file of isoflop calibrate"),
        (("plan", "runs.csv", "--prior", "runs.csv"), "give a file of isoflop calibrate"),
        (("plan", "runs.csv", "--prior", "cut.toml"), "isoflop calibrate"),
        (("plan", "runs.csv", "--prior", "other.toml"), "calibrate again"),
        (("report", "runs.csv", "--prior", "none.toml", "-o", "r.html"), "no hypothesis of positive weight"),
        (("fit", "runs.csv", "--prior", "absent.toml", "--save", "f.json"), "give a file of isoflop calibrate"),
        (("backtest", "runs.csv", "--prior", "own.toml", "--protocol", "hitchhiker"), "leave --prior out"),
        (("study", "study.toml"), "give a file of isoflop calibrate"),
        (("rank", "runs.csv", "--prior", "absent.toml"), "give a file of isoflop calibrate"),
        (
            ("app", "--state", "state", "--port", 0, "--no-browser", "--prior", "runs.csv"),
            "a file of isoflop calibrate",
        ),
    ],
)
def test_what_is_no_prior_is_refused_in_a_sentence(refused, place, words, says):
    text = (place / "own.toml").read_text()
    (place / "cut.toml").write_text(text[: len(text) // 2])
    (place / "other.toml").write_text('schema = "isoflop.fit/2"\n')
    (place / "none.toml").write_text(text.replace("weight = 1.0", "weight = 0.0"))
    (place / "study.toml").write_text('prior = "absent.toml"\n[runs]\nsource = "runs.csv"\n')
    assert says in refused(*words)
    assert not (place / "r.html").exists() and not (place / "f.json").exists()


def test_a_saved_prior_that_gives_no_distribution_is_refused(cli, refused, place):
    from isoflop.uncertainty.saved import seal

    assert cli("fit", "runs.csv", "--draws", 30, "--prior", "own.toml", "--save", "fit.json")[0] == 0
    whole = json.loads((place / "fit.json").read_text())
    for key, value, says in (("freedom", 1.0, "freedom above 2"), ("tables", 3, "prior.tables must be")):
        content = {**whole, "prior": {**whole["prior"], key: value}}
        del content["seal"]
        (place / "bad.json").write_text(json.dumps({**content, "seal": seal(content)}))
        assert says in refused("forecast", "bad.json", *AT[:4])
