"""A context reads, fits and draws at most once, whoever asks; and it knows a saved fit from a table."""

import json
from dataclasses import replace

import pytest

import isoflop.fitting
import isoflop.runs
import isoflop.uncertainty
from isoflop import bootstrap, fit, law, save_fit
from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.questions.base.context import Context, distinct, is_saved_fit, open_saved
from isoflop.questions.base.question import ask, refuse_errors
from isoflop.questions.base.specs import FitSpec, LawSpec, RunsSpec
from isoflop.questions.check import Check
from isoflop.questions.diagnose import Diagnose
from isoflop.questions.fit import Fit
from isoflop.questions.forecast import Forecast
from isoflop.questions.plan import Plan

FITTED = FitSpec(draws=20)


@pytest.fixture
def table(known_runs, tmp_path):
    runs = known_runs(0.003)
    lines = [f"{n:.9g},{d:.9g},{y:.9g}" for n, d, y in zip(runs["N"], runs["D"], runs["loss"], strict=True)]
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(["N,D,loss", *lines]) + "\n")
    return path


@pytest.fixture
def counted(monkeypatch):
    """How often tables were read, laws fitted and fits drawn."""
    calls = {"read_runs": 0, "fit": 0, "bootstrap": 0}
    for module, name in ((isoflop.runs, "read_runs"), (isoflop.fitting, "fit"), (isoflop.uncertainty, "bootstrap")):
        real = getattr(module, name)

        def counting(*args, real=real, name=name, **more):
            calls[name] += 1
            return real(*args, **more)

        monkeypatch.setattr(module, name, counting)
    return calls


def test_many_questions_of_one_context_read_fit_and_draw_once(table, counted):
    context = Context(runs_spec=RunsSpec(source=str(table)), fit_spec=FITTED)
    assert counted == {"read_runs": 0, "fit": 0, "bootstrap": 0}  # nothing before it is asked
    for question in (Check(), Fit(), Plan(budget=1e22), Forecast(at=("N=1e10", "D=1e12")), Diagnose(), Fit()):
        ask(question, context)
    assert counted["read_runs"] == counted["bootstrap"] == 1
    assert context.fitted is context.ensemble.estimate and context.ensemble.estimate.runs is context.runs


def test_a_check_fits_and_draws_nothing(table, counted):
    ask(Check(), Context(runs_spec=RunsSpec(source=str(table))))
    assert counted["bootstrap"] == 0


def test_every_answer_says_what_it_rests_on(table):
    context = Context(runs_spec=RunsSpec(source=str(table)), law_spec=LawSpec(fixed={"E": 1.8}), fit_spec=FITTED)
    found = ask(Fit(), context).provenance
    assert (found["source"], found["runs"], found["rows"]) == ("runs.csv", 30, 30)
    assert (found["draws"], found["seed"], found["level"], found["objective"]) == (20, 0, 0.9, "huber:0.001")
    assert found["formula"] == context.law.formula and len(found["digest"]) == 64
    assert ask(Check(), context).provenance["digest"] == found["digest"]


def test_findings_of_runs_and_fit_stand_once_under_every_answer(table):
    table.write_text(table.read_text() + table.read_text().splitlines()[3] + "\n")  # one row twice
    context = Context(runs_spec=RunsSpec(source=str(table)), fit_spec=FITTED)
    for question in (Fit(), Plan(budget=1e22), Forecast(at=("N=1e10", "D=1e12")), Diagnose()):
        codes = [each.code for each in ask(question, context).findings]
        assert codes.count("duplicate-rows") == 1, question.name
    assert [each.code for each in ask(Check(), context).findings].count("duplicate-rows") == 1


def test_distinct_findings_begin_with_the_most_serious():
    note, warning, error = (Finding(level, level, "It is so.", "Do.") for level in ("note", "warning", "error"))
    assert distinct((note, warning, note, error)) == (error, warning, note)
    assert len(distinct((note, replace(note, message="It is not so.")))) == 2


def test_a_fit_with_an_error_is_not_planned_from_unless_forced(table):
    context = Context(runs_spec=RunsSpec(source=str(table)), fit_spec=FITTED)
    error = Finding("not-converged", "error", "The search has not converged.", "Give more starts.")
    bad = replace(context.ensemble, findings=(error,))
    with pytest.raises(
        IsoflopError, match=r"should not be planned from: The search has not .*--force plans all the same"
    ):
        ask(Plan(budget=1e22), Context(given=bad))
    answer = ask(Plan(budget=1e22), Context(given=bad, force=True))
    assert answer.findings[0].code == "not-converged"
    refuse_errors(context.fit_findings)
    assert ask(Forecast(at=("N=1e10", "D=1e12")), Context(given=bad)).findings[0].code == "not-converged"


def test_too_few_runs_give_values_without_draws(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("run,step,loss\n" + "\n".join(f"a,{k},{2 + 3 / k**0.5 + 1e-3 * (k % 3):.6f}" for k in range(1, 30)))
    context = Context(runs_spec=RunsSpec(source=str(path)), law_spec=LawSpec(law="E + A/step^alpha"))
    answer = ask(Fit(), context)
    assert (
        len(context.ensemble) == 0 and not answer["E"].has_interval and answer["E"].value == context.fitted.params["E"]
    )


def test_a_saved_fit_answers_without_its_runs(table, tmp_path):
    path = tmp_path / "fit.json"
    context = Context(runs_spec=RunsSpec(source=str(table)), fit_spec=FITTED)
    save_fit(context.ensemble, path)
    saved = Context(saved=str(path))
    assert context.has_runs and not saved.has_runs and saved.run_findings == ()
    at = Forecast(at=("N=1e10", "D=1e12"))
    assert ask(at, saved)["loss"] == ask(at, context)["loss"]
    with pytest.raises(IsoflopError, match="give --budget, as 1e24"):
        ask(Plan(), saved)


@pytest.fixture
def places(table, tmp_path):
    saved, other = tmp_path / "fit.json", tmp_path / "FIT"
    context = Context(runs_spec=RunsSpec(source=str(table)), fit_spec=FITTED)
    save_fit(context.ensemble, saved)
    other.write_bytes(saved.read_bytes())
    (tmp_path / "cut.json").write_bytes(saved.read_bytes()[:50])
    (tmp_path / "store").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "is_fit"),
    [
        ("fit.json", True),
        ("FIT", True),  # by what it holds
        ("cut.json", True),  # so that its damage is told
        ("gone.json", True),
        ("runs.csv", False),
        ("gone.csv", False),
        ("store", False),
        ("chinchilla:epoch", True),
        ("chinchilla", True),  # so that the keys are told
        ("parscale", False),  # a data set, and a law besides
        ("nothing:here", False),
    ],
)
def test_a_saved_fit_is_told_from_a_table(places, monkeypatch, text, is_fit):
    monkeypatch.chdir(places)
    assert is_saved_fit(text) is is_fit


def test_a_table_where_a_saved_fit_is_needed(table):
    with pytest.raises(
        IsoflopError, match=r"is a table, not a fit; make one: isoflop fit .* --law LAW --save fit\.json"
    ):
        open_saved(str(table))


def test_published_constants_are_a_fit_without_draws():
    ensemble = open_saved("chinchilla:epoch")
    assert len(ensemble) == 0 and ensemble.estimate.params["alpha"] == 0.3478


def test_runs_are_read_as_they_are_described(table):
    table.write_text(table.read_text().replace("N,D,loss", "width,D,loss"))
    assert "N" not in RunsSpec(source=str(table)).read().columns
    spec = RunsSpec(source=table.name, folder=table.parent, columns={"N": "width"}, where="D > 1e10")
    runs = spec.read()
    assert runs.columns["N"].header == "width" and (runs["D"] > 1e10).all()


def test_a_description_without_a_table_is_refused():
    with pytest.raises(IsoflopError, match="describe a table, and none was given; name one"):
        RunsSpec(units={"loss": "perplexity"}).read()


def test_a_law_with_its_restrictions():
    spec = LawSpec(
        law="E + A/N^alpha + B/D^beta",
        fixed={"E": 1.5},
        tied={"beta": "alpha"},
        domains={"A": "1:1000", "alpha": "real"},
    )
    built = spec.build(("N", "D"))
    assert built.fixed == {"E": 1.5} and dict(built.tied) == {"beta": "alpha"}
    assert {each.name: each.domain for each in built.params}["A"] == (1.0, 1000.0)
    assert LawSpec().build((), default="kaplan").name == "kaplan"
    with pytest.raises(IsoflopError, match="no law was named; give --law chinchilla"):
        LawSpec().build(())
    with pytest.raises(IsoflopError, match="domain of E: '3:x' is no domain: 'x' is not a number"):
        LawSpec(law="chinchilla", domains={"E": "3:x"}).build(())


def test_the_given_ensemble_is_asked_as_it_is(known_runs):
    ensemble = bootstrap(fit(law("chinchilla"), known_runs(0.01)), draws=30)
    context = Context(given=ensemble)
    assert (
        context.ensemble is ensemble and context.runs is ensemble.estimate.runs and context.law is ensemble.estimate.law
    )
    assert json.dumps(context.provenance(runs=True, fit=ensemble))  # plain values
