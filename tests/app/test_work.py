"""What the page asks for, done without a page: the files of each kind of task, and a study that asks the same."""

import json
import re
from dataclasses import replace
from urllib.parse import unquote

import pytest
from tests.fitting.test_panel import panel_runs

from isoflop.answers.answer import SCHEMA_VERSION
from isoflop.app.requests import checked, formula, menu, question_of
from isoflop.app.serve import keep_prior
from isoflop.app.session import Task, new_session, read, save
from isoflop.app.work import draw_next, perform, runs_of, study_of
from isoflop.errors import DataError, IsoflopError
from isoflop.study.perform import perform as perform_study
from isoflop.study.perform import study_context
from isoflop.study.spec import parse_study
from isoflop.uncertainty.prior import Hypothesis, save_prior, shipped_prior
from isoflop.uncertainty.saved import load_fit


@pytest.fixture
def session(tmp_path, known_runs):
    runs = known_runs(0.01)
    rows = zip(*(runs[each].tolist() for each in ("N", "D", "loss")), strict=True)
    made = new_session(tmp_path, kind="file", source="runs.csv")
    text = "params,tokens,loss\n" + "\n".join(",".join(map(repr, row)) for row in rows)
    (made.folder / "runs.csv").write_text(text)
    return save(made)


def asked(session, **given):
    """The session with one more task, as the page asks for it."""
    kind, settings = checked(session, {"law": "chinchilla", "draws": 40, **given}, read(session))
    task = Task(f"r{len(session.tasks) + 1}", kind, settings)
    return save(session.with_task(task)), task


def test_a_fit_leaves_its_answer_its_draws_and_its_study(session):
    session = replace(session, dropped=(3, 7), reading=replace(session.reading, where="N > 5e7"))
    session, task = asked(session, kind="fit", options={"budget": "3e23", "inference_tokens": "2T"})
    news = []
    says = perform(session, task, lambda share, doing: news.append(share))
    assert says.startswith("Train ") and news == sorted(news)
    assert len(load_fit(session.place("r1", "fit.json"))) == 40
    study = parse_study(session.place("r1", "study.toml").read_text(), folder=session.folder)
    own = study_of(session, task.settings, question_of("fit", task.settings))
    assert study == replace(own, runs=replace(own.runs, folder=session.folder))
    assert study_context(study).runs.rows.tolist() == runs_of(session, task.settings).rows.tolist()
    (report,) = study.questions
    assert report.budget == 3e23 and report.inference_tokens == 2e12 and study.fit.draws == 40


def test_a_prior_of_the_server_judges_what_is_asked(session, tmp_path):
    own = replace(shipped_prior(), hypotheses=(Hypothesis(1.0, 0.3, 1.0, 1.0),), source="our sweeps")
    save_prior(own, tmp_path / "own.toml")
    kept = keep_prior(tmp_path, tmp_path / "own.toml")
    (tmp_path / "own.toml").unlink()  # the copy is what later tasks read
    options = {"at": ["N=1T", "D=10T"], "laws": ["chinchilla"], "draws": 20}
    widths = {}
    for prior in (None, kept):
        kind, settings = checked(session, {"kind": "rank", "draws": 40, "options": options}, read(session), prior)
        task = Task(f"r{len(session.tasks) + 1}", kind, settings)
        session = save(session.with_task(task))
        perform(session, task, lambda share, doing: None)
        told = json.loads(session.place(task.id, "answer.json").read_text())
        loss = told["quantities"]["stacked"]
        widths[prior] = loss["high"] - loss["low"]
        assert ("prior" in told["provenance"]) == (prior is not None)
    assert widths[kept] > 2 * widths[None]
    assert told["provenance"]["prior"]["source"] == "our sweeps"
    study = parse_study(session.place(task.id, "study.toml").read_text(), folder=session.folder)
    assert study.prior.read() == own


@pytest.mark.slow
def test_pictures_are_drawn_one_at_a_time_even_by_another_process(session, monkeypatch):
    session, task = asked(session, kind="fit")
    perform(session, task, lambda share, doing: None)
    left = [draw_next(session, task)]
    monkeypatch.setattr("isoflop.app.work._kept", {})  # as in a process that did not make the answer
    while left[-1]:
        left.append(draw_next(session, task))
    assert left == sorted(left, reverse=True) and len(left) == left[0] + 1
    assert "data:image/svg+xml," in session.place("r1", "report.html").read_text()


def test_parameters_are_fixed_tied_and_held_and_the_study_says_so(session):
    given = {"fixed": "E = 1.8", "tied": "beta = alpha", "domains": "alpha = 0.1:0.9"}
    session, task = asked(session, kind="fit", **given)
    perform(session, task, lambda share, doing: None)
    ensemble = load_fit(session.place("r1", "fit.json"))
    assert ensemble.estimate.law.param_names == ("A", "B", "alpha") and ensemble.estimate.law.fixed == {"E": 1.8}
    study = parse_study(session.place("r1", "study.toml").read_text(), folder=session.folder)
    restricted = (study.law.fixed, study.law.tied, study.law.domains)
    assert restricted == ({"E": 1.8}, {"beta": "alpha"}, {"alpha": "0.1:0.9"})
    assert perform_study(replace(study, questions=())).ensembles[0].fit.params == ensemble.estimate.params


def test_a_formula_is_told_with_greek_letters_and_its_restrictions(session):
    told = formula({"text": "E + A/N^alpha + B/D^beta", "fixed": "E = 1.7", "domains": "beta = 0:1"}, read(session))
    assert [(each["name"], each["domain"]) for each in told["params"]] == [
        ("A", "positive"), ("α", "real"), ("B", "positive"), ("β", "0:1")
    ]  # fmt: skip
    assert told["restricted"] == ""
    told = formula({"text": "chinchilla", "fixed": "Q = 1.7"}, read(session))
    assert "no free parameter 'Q'" in told["restricted"] and len(told["params"]) == 5


@pytest.mark.slow
def test_a_report_holds_the_backtest_of_the_same_rows_and_law(session, monkeypatch):
    session, fitted = asked(session, kind="fit")
    perform(session, fitted, lambda share, doing: None)
    other = replace(session, dropped=(3,))
    for held, law in ((session, "kaplan"), (other, "chinchilla"), (session, "chinchilla")):
        kind, settings = checked(held, {"law": law, "draws": 40, "kind": "backtest"}, read(session))
        task = Task(f"r{len(session.tasks) + 1}", kind, settings)
        session = save(session.with_task(task))
        says = perform(session, task, lambda share, doing: None)
        session = save(session.with_task(replace(task, state="done", says=says)))
    assert [each.id for each in session.beside(fitted)] == ["r4"]
    while draw_next(session, fitted):
        pass
    page = session.place("r1", "report.html").read_text()
    cards = re.findall(r"<h3>(.*?)</h3>", page)
    kept = json.loads(session.place("r4", "answer.json").read_text())
    assert kept["schema"] == SCHEMA_VERSION and cards.count(kept["title"]) == 1
    assert kept["headline"] in page
    drawn = [unquote(each).encode() for each in re.findall('src="data:image/svg[+]xml,(.*?)"', page)]
    assert drawn.count(session.place("r4", "0-backtest.svg").read_bytes()) == 1
    assert len(drawn) == page.count('class="drawn"')


def test_a_plan_and_a_comparison_rest_on_fits(session):
    session, fitted = asked(session, kind="fit")
    perform(session, fitted, lambda share, doing: None)
    session, planned = asked(session, kind="plan", of="r1", options={"budget": "1e24"})
    assert perform(session, planned, lambda share, doing: None).startswith("Train ")
    assert json.loads(session.place("r2", "data.json").read_text())["budget"] == 1e24
    session, compared = asked(session, kind="compare", of=["r1", "r2"], options={"budget": "1e23"})
    assert "The two do not differ" in perform(session, compared, lambda share, doing: None)
    assert '<th scope="row">N</th>' in session.place("r3", "answer.html").read_text()


def test_a_backtest_leaves_its_answer(session):
    session, task = asked(session, kind="backtest")
    assert "mean relative error" in perform(session, task, lambda share, doing: None)
    assert "<h2 " in session.place("r1", "answer.html").read_text()


def test_the_menu_has_every_question_with_a_form_that_can_be_asked(session):
    listed = {each["name"]: each for each in menu()}
    assert {"plan", "methods", "rank", "influence", "sensitivity", "diagnose"} - {"plan"} <= listed.keys()
    for name, each in listed.items():
        assert each["summary"] and each["group"]
        for option in each["options"]:
            assert option["help"] and option["form"] in {"text", "number", "flag", "choice", "pairs"}, (name, option)
    session, task = asked(session, kind="methods", options={"budget": "1e22"})
    assert "1e22" in session.place("r1", "x").parent.joinpath("session.json").read_text()
    assert perform(session, task, lambda share, doing: None)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"kind": "open /etc/passwd"}, "the page asks for fit, plan"),
        ({"kind": "fit", "draws": 10**9}, "draws is a whole number from 20 to 1,000,000, not 1000000000"),
        ({"kind": "fit", "draws": 20_001}, "draws is a whole number up to 20,000 here, not 20,001"),
        ({"kind": "fit", "draws": True}, "draws is a whole number from 20 to 1,000,000, not True"),
        ({"kind": "fit", "level": 2}, "level is a number between 0 and 1, not 2"),
        (
            {"kind": "fit", "options": {"budget": "a lot"}},
            "budget is a number above 0, such as 0.5, 70B or 1e24, not 'a lot'",
        ),
        (
            {"kind": "fit", "options": {"budget": "-1e20"}},
            "budget is a number above 0, such as 0.5, 70B or 1e24, not '-1e20'",
        ),
        ({"kind": "fit", "options": {"bugdet": "1e20"}}, "'bugdet' is no option here"),
        ({"kind": "fit", "options": [1]}, "must be names with values"),
        ({"kind": "backtest", "options": {"windows": 0}}, "windows is a whole number from 1 to 1,000, not 0"),
        ({"kind": "fit", "law": "__import__('os')"}, "is not part of the language"),
        ({"kind": "fit", "objective": "best"}, "objective"),
        ({"kind": "fit", "fixed": "E"}, "'E' is no parameter with its value; write for example E = 1.69"),
        ({"kind": "fit", "fixed": "E = 1, E = 2"}, "E is given twice"),
        ({"kind": "fit", "fixed": "E = many"}, "E = many: 'many' is not a number"),
        ({"kind": "fit", "fixed": "Q = 1"}, "no free parameter 'Q'"),
        ({"kind": "fit", "tied": "beta = gamma"}, "'gamma' is not a free parameter"),
        ({"kind": "fit", "domains": "E = 2:1"}, "empty domain"),
        ({"kind": "fit", "domains": "E = <b>"}, "has domain '<b>'; use positive, real"),
        ({"kind": "fit", "tied": "E = A, " * 1000}, "may have 4,000 letters, and this one has 7,000"),
        ({"kind": "plan", "of": "r9"}, "no result 'r9'"),
        ({"kind": "compare", "of": []}, "a comparison takes two fits"),
    ],
)
def test_what_cannot_be_asked_is_told_before_it_waits(session, given, says):
    with pytest.raises((DataError, IsoflopError), match=says.replace("(", r"\(")):
        asked(session, **given)


def test_groups_are_fitted_together_on_the_page(tmp_path):
    made = new_session(tmp_path, kind="file", source="runs.csv")
    panel_runs(3, 30).to_polars().write_csv(made.folder / "runs.csv")
    session, task = asked(save(made), kind="groups", options={"by": "family", "share": "alpha,beta", "pool": ""})
    says = perform(session, task, lambda share, doing: None)
    assert "fitted to 3 groups of family" in says and "alpha and beta shared" in says
    told = json.loads(session.place("r1", "answer.json").read_text())
    assert [row["group"] for row in told["tables"]["groups"]["rows"]] == ["g0", "g1", "g2"]
    study = parse_study(session.place("r1", "study.toml").read_text(), folder=session.folder)
    again = perform_study(study).answers["fit"].to_dict()
    assert again["quantities"] == told["quantities"]
    with pytest.raises(DataError, match="groups need the column whose values name them"):
        asked(session, kind="groups", options={"share": "alpha"})
    (form,) = [each for each in menu() if each["name"] == "groups"]
    assert [each["name"] for each in form["options"]] == [*("by", "only", "named"), "share", "pool"] and form[
        "takes_law"
    ]
