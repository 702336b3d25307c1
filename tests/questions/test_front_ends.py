"""One question, one answer: every question says the same, to the bit, wherever it is asked."""

from __future__ import annotations

import importlib
import json
import textwrap
from dataclasses import MISSING, fields, replace

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

import isoflop.questions
from isoflop.app.requests import checked, menu
from isoflop.app.session import Task, new_session, read, save
from isoflop.app.work import perform as perform_task
from isoflop.cli import isoflop as command
from isoflop.files import plain_json
from isoflop.questions import questions
from isoflop.questions.base.context import Context
from isoflop.questions.base.option import build, options_of
from isoflop.questions.base.question import ask
from isoflop.questions.base.specs import FitSpec, LawSpec, RunsSpec
from isoflop.render.notebook import answer_html, answer_of
from isoflop.study import Study, parse_study, perform, study_toml

DRAWS = 40
# Options that a question needs, or that make it quick; the others are asked with none.
OPTIONS = {
    "decide": {"by": ["recipe"]},
    "backtest": {"draws": 20},
    "capability": {"tasks": ["quiz_acc", "exam_acc"], "model": "D", "scale": "N", "draws": 20},
    "compare": {"by": "recipe"},
    "correlate": {"measures": ["N", "D"]},
    "design": {"candidates": ["N=100M,1B,10B", "D=2B,20B"], "spend": 1e21, "laws": ["chinchilla"]},
    "downstream": {"tasks": {"quiz": "quiz_loss,quiz_acc"}, "at": {"N": 3e9, "D": 6e10}},
    "forecast": {"at": ["N=3e9", "D=6e10"]},
    "influence": {"show": 3},
    "mixture": {"domains": ["web", "code"], "draws": 20},
    "plan": {"budget": 1e22},
    "rank": {"draws": 20, "laws": ["chinchilla", "power-n-floor"], "windows": 1},
    "sensitivity": {"draws": 20},
    "shape": {"responses": ["quiz_acc"]},
    "track": {"tasks": ["quiz_acc"]},
    "transfer": {"loss_to": "quiz_loss", "measured": 2.4},
}
OTHER_RUNS = {"finish", "repeat", "prune", "curate"}  # a run under way, repeated tokens, chosen data: their own tests
ASKED = sorted(
    name for name, each in questions().items() if each.in_study and each.subject != "nothing" and name not in OTHER_RUNS
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("front_ends")
    rng = np.random.default_rng(1)
    n = np.tile([1e8, 2e8, 4e8, 8e8, 1.6e9, 3.2e9], 5)
    d = np.repeat([1e19, 3e19, 1e20, 3e20, 1e21], 6) / (6 * n)
    loss = (1.8 + 480 / n**0.35 + 2000 / d**0.366) * np.exp(0.003 * rng.standard_normal(len(n)))
    quiz = 0.6 * loss - 0.4
    accuracy = 0.25 + 0.75 / (1 + np.exp(4 * (quiz - 1.0))) + 0.005 * rng.standard_normal(len(n))
    recipe = np.array(["a", "b", "c"])[np.arange(len(n)) // 6 % 3]
    columns = {"N": n, "D": d, "loss": loss, "quiz_loss": quiz, "quiz_acc": accuracy, "recipe": recipe}
    columns["exam_acc"] = 1 / (1 + np.exp(3 * (quiz - 0.8)))
    columns["lr"] = 50 * n**-0.55 * np.exp(0.05 * rng.standard_normal(len(n)))
    columns["web"] = np.linspace(0.1, 0.9, len(n))
    columns["code"] = 1 - columns["web"]
    pl.DataFrame(columns).write_csv(place / "runs.csv")
    return place


def context_of(folder, cls):
    law = LawSpec() if cls.subject == "runs" else LawSpec(law="chinchilla")
    return Context(runs_spec=RunsSpec(source="runs.csv", folder=folder), law_spec=law, fit_spec=FitSpec(draws=DRAWS))


def made(name, options=None):
    return build(questions()[name], options or {}, where=lambda option: option.name)


def essence(told):
    """What is equal everywhere: all but provenance, which says where the table was found."""
    kept = ("question", "headline", "equation", "quantities", "evidence", "tables", "findings", "method", "pictures")
    return {key: told[key] for key in kept}


def by_library(folder, name):
    return plain_json(ask(made(name, OPTIONS.get(name)), context_of(folder, questions()[name])).to_dict())


def by_command(folder, name, monkeypatch):
    cls = questions()[name]
    own = {each.name: each for each in cls.options()}
    words = [name, "runs.csv", "--json"]
    for key, value in OPTIONS.get(name, {}).items():
        parts = [f"{a}={b}" for a, b in value.items()] if isinstance(value, dict) else value
        for part in parts if isinstance(parts, list) else [parts]:
            words += [own[key].word, str(part)]
    shared = {option.name for group in cls.groups() for option in options_of(group)}
    words += ["--draws", str(DRAWS)] if "draws" in shared and "draws" not in own else []
    words += ["-o", "report.md"] if name == "report" else []
    monkeypatch.chdir(folder)
    said = CliRunner().invoke(command, words, catch_exceptions=False)
    assert said.exit_code == 0, said.output
    return json.loads(said.stdout)


def by_study(folder, name):
    study = Study(
        runs=RunsSpec(source="runs.csv", folder=folder),
        fit=FitSpec(draws=DRAWS),
        questions=(made(name, OPTIONS.get(name)),),
    )
    done = perform(parse_study(study_toml(study), folder=folder))
    assert not done.refused
    return plain_json(done.answers[name].to_dict())


def by_page(folder, name, tmp_path):
    session = new_session(tmp_path, kind="file", source="runs.csv")
    (session.folder / "runs.csv").write_bytes((folder / "runs.csv").read_bytes())
    session = save(session)
    asked = {"kind": "fit" if name == "report" else name, "law": "chinchilla", "draws": DRAWS}
    kind, settings = checked(session, {**asked, "options": OPTIONS.get(name, {})}, read(session))
    task = Task("r1", kind, settings)
    perform_task(save(session.with_task(task)), task, lambda share, doing: None)
    return json.loads(session.place("r1", "answer.json").read_text())


@pytest.mark.parametrize("name", ASKED)
def test_every_front_end_says_the_same(folder, tmp_path, monkeypatch, name):
    library = essence(by_library(folder, name))
    assert essence(by_command(folder, name, monkeypatch)) == library
    assert essence(by_study(folder, name)) == library
    if name == "report" or (questions()[name].on_page and name not in ("fit", "plan")):
        assert essence(by_page(folder, name, tmp_path)) == library


@pytest.mark.parametrize("name", [each for each in ASKED if questions()[each].results])
def test_a_notebook_shows_the_same_numbers(folder, name):
    answer = ask(made(name, OPTIONS.get(name)), context_of(folder, questions()[name]))
    for result in answer.result if isinstance(answer.result, tuple) else (answer.result,):
        shown = answer_of(result)
        assert shown is not None and shown.question == name
        told, wanted = (
            {each.name: (each.value, each.low, each.high) for each in of.quantities} for of in (shown, answer)
        )
        both = told.keys() & wanted.keys()
        assert both and {key: told[key] for key in both} == {key: wanted[key] for key in both}
        assert answer_html(shown).startswith('<div class="isoflop-answer">')


def test_a_report_holds_what_each_question_says_alone(folder):
    context = context_of(folder, questions()["report"])
    report = ask(made("report", {"budget": 1e22}), context)
    for part in report.parts:
        question = questions()[part.question].for_report(budget=1e22, at=report.result.at)
        if part.question == "forecast":
            question = replace(question, at=tuple(f"{key}={value!r}" for key, value in report.result.at.items()))
        assert ask(question, context).to_dict() == part.to_dict(), part.question
    codes = {(each.code, each.message) for each in report.findings}
    assert all((each.code, each.message) in codes for part in report.parts for each in part.findings)


def test_defaults_stand_once():
    """The command line, the study and the page know no default but the question's."""
    from isoflop.cli.commands import command_of

    listed = {each["name"]: {one["name"]: one["default"] for one in each["options"]} for each in menu()}
    for name, cls in questions().items():
        for param in command_of(cls).params:
            # click 8.4 has a value of its own for "no default", which is none of these
            assert not isinstance(param.default, int | float | str | tuple | list) or param.default is False, param.name
        for option in cls.options():
            field = next(each for each in fields(cls) if each.name == option.name)
            assert option.default == (field.default if field.default_factory is MISSING else field.default_factory())
            if name in listed and not option.command_line_only:
                plain = None if option.default is None else option.kind.plain(option.default)
                assert listed[name][option.name] == plain


ENGINE = """
def widest(runs):
    return float(runs["N"].max() / runs["N"].min())
"""
QUESTION = '''
"""A throw-away question."""
from dataclasses import dataclass
from typing import ClassVar

from isoflop.answers import Answer, Quantity
from isoflop.questions.base.kinds import Number
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Question


@dataclass(frozen=True)
class Widest:
    factor: float


@dataclass(frozen=True)
class Span(Question):
    """Factor between the largest and the smallest size."""

    name: ClassVar[str] = "span"
    group: ClassVar = "Test"
    subject: ClassVar = "runs"
    in_report: ClassVar = "always"
    results: ClassVar = ("isoflop.questions.span:Widest",)

    times: float = option(Number(low=0.0, open=True), 1.0, help="Multiply by this.")

    def compute(self, context):
        from span_engine import widest

        return Widest(self.times * widest(context.runs))

    def answer(self, result, context):
        return Answer(
            question=self.name, title="span", headline="Sizes span {factor}.",
            quantities=(Quantity("factor", result.factor, "factor"),),
        )
'''


def test_a_new_question_is_three_files(folder, tmp_path, monkeypatch):
    """An engine, a question and this test: it is on the command line, in a study, the menu, a report, a notebook."""
    (tmp_path / "span_engine.py").write_text(textwrap.dedent(ENGINE))
    (tmp_path / "span.py").write_text(textwrap.dedent(QUESTION))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(isoflop.questions, "__path__", [*isoflop.questions.__path__, str(tmp_path)])
    monkeypatch.chdir(folder)
    runner = CliRunner()
    assert "span " in runner.invoke(command, ["--help"]).stdout
    told = json.loads(runner.invoke(command, ["span", "runs.csv", "--times", "2", "--json"]).stdout)
    assert told["quantities"]["factor"]["value"] == 64.0
    assert "--times" in runner.invoke(command, ["span", "--help"]).stdout
    schema = json.loads(runner.invoke(command, ["schema", "span"]).stdout)
    assert schema["properties"]["times"]["default"] == 1.0
    text = 'draws = 20\n[runs]\nsource = "runs.csv"\n[span]\ntimes = 2\n'
    assert perform(parse_study(text, folder=folder)).answers["span"]["factor"].value == 64.0
    assert "span" in [each["name"] for each in menu()]
    report = ask(made("report", {"budget": 1e22}), context_of(folder, questions()["report"]))
    assert "span" in [part.question for part in report.parts]
    result = ask(made("span"), context_of(folder, questions()["span"])).result
    assert "Sizes span 32×." in answer_html(answer_of(result))


@pytest.mark.parametrize("name", sorted(questions()))
def test_a_questions_results_are_named_where_they_are_defined(name):
    for each in questions()[name].results:
        module, _, result = each.partition(":")
        assert getattr(importlib.import_module(module), result).__module__ == module
