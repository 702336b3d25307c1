"""``isoflop plan`` over any unknowns: every front end, what an answer holds, and what is refused."""

import json
import re

import numpy as np
import polars as pl
import pytest
from tests.planning.program.plan_cases import EPOCH

from isoflop.answers.wording import told
from isoflop.app.requests import checked
from isoflop.app.session import Task, new_session, read, save
from isoflop.app.work import perform as perform_task
from isoflop.errors import IsoflopError
from isoflop.laws import law
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.base.specs import FitSpec, LawSpec, RunsSpec
from isoflop.questions.plan import Plan
from isoflop.render.notebook import answer_of
from isoflop.study import Study, parse_study, perform, study_toml

ASKED = {"loss": 2.2, "subject_to": ("N <= 2B",)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("plan")
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(8, 10, 5), np.logspace(9.5, 11.5, 5)))
    noise = 0.003 * np.random.default_rng(3).standard_normal(len(n))
    loss = law("chinchilla").value(EPOCH, {"N": n, "D": d}) * np.exp(noise)
    pl.DataFrame({"N": n, "D": d, "loss": loss}).write_csv(place / "runs.csv")
    return place


def of_table(folder, **options):
    context = Context(
        runs_spec=RunsSpec(source="runs.csv", folder=folder), law_spec=LawSpec(law="chinchilla"),
        fit_spec=FitSpec(draws=40),
    )  # fmt: skip
    return ask(Plan(**options), context)


def numbers(answer):
    return {each.name: (each.value, each.low, each.high) for each in answer.quantities}


def test_every_front_end_gives_the_same_numbers(folder, tmp_path, cli, monkeypatch):
    library = json.loads(json.dumps(of_table(folder, **ASKED).to_dict()))
    monkeypatch.chdir(folder)
    code, out, err = cli(
        "plan", "runs.csv", "--law", "chinchilla", "--draws", "40", "--loss", "2.2", "--subject-to", "N <= 2B", "--json"
    )
    assert (code, err) == (0, "") and json.loads(out)["quantities"] == library["quantities"]
    runs = RunsSpec(source="runs.csv", folder=folder)
    study = Study(runs=runs, fit=FitSpec(draws=40), questions=(Plan(**ASKED),))
    done = perform(parse_study(study_toml(study), folder=folder))
    assert not done.refused and done.answers["plan"].to_dict()["quantities"] == library["quantities"]
    session = new_session(tmp_path, kind="file", source="runs.csv")
    (session.folder / "runs.csv").write_bytes((folder / "runs.csv").read_bytes())
    session = save(session)
    asked = {"kind": "planner", "law": "chinchilla", "draws": 40, "options": {"loss": "2.2", "subject_to": "N <= 2B"}}
    kind, settings = checked(session, asked, read(session))
    task = Task("r1", kind, settings)
    perform_task(save(session.with_task(task)), task, lambda share, doing: None)
    assert json.loads(session.place("r1", "answer.json").read_text())["quantities"] == library["quantities"]


def test_an_answer_says_what_binds_and_what_is_nearly_as_good(folder):
    answer = of_table(folder, **ASKED)
    assert answer["N"].value == 2e9 and answer["N"].note == "at its bound in every draw"
    assert answer["D"].low < answer["D"].value < answer["D"].high
    assert answer.sentence(told).startswith("Train 2B parameters on")
    target, bound = answer.tables[1].rows
    assert target[0] == "loss <= 2.2" and target[3] == "yes" and target[4] > 0
    assert bound[0] == "N <= 2B" and bound[3] == "yes" and bound[4] is None
    (picture,) = answer.pictures
    assert "N 2B" in picture.alt


def test_a_library_result_shows_itself_as_the_same_answer(folder):
    answer = of_table(folder, **ASKED)
    plan = answer.result.plan
    shown = answer_of(plan)
    assert numbers(shown) == numbers(answer)
    assert "Near-optimal ranges" in str(plan) and plan.to_frame("conditions").height == 2


def test_without_a_budget_the_runs_say_which(folder):
    capped = of_table(folder, subject_to=(), at=("N=2B",))
    assert (
        capped["budget"].value
        == Context(runs_spec=RunsSpec(source="runs.csv", folder=folder), law_spec=LawSpec(law="chinchilla")).budget
    )


def test_hours_and_money_are_costs(folder):
    rented = {"hardware": "h100", "devices": 64, "mfu": 0.4, "price": 2.5}
    by_time = of_table(folder, cost="hours", deadline=240.0, **rented)
    flops = Plan(budget=1.0, **rented).flops_within(240.0)
    by_flops = of_table(folder, cost="6ND", budget=flops, **rented)
    assert by_time["N"].value == pytest.approx(by_flops["N"].value, rel=1e-6)
    assert by_time["hours"].value == pytest.approx(240.0, rel=1e-6)
    by_money = of_table(folder, cost="money", budget=float(by_flops["money"].value), **rented)
    assert by_money["N"].value == pytest.approx(by_flops["N"].value, rel=1e-5)


def test_published_constants_and_stated_ones_are_planned_with(asked, refused):
    streams = asked("plan", "parscale:stack", "--minimize", "N", "--loss", "1.05", "--menu", "P=1,2,4,8")
    assert streams["quantities"]["P"]["value"] == 8
    stated = asked("plan", "ghorbani:E=1.2,A=40,p_e=0.13,p_d=0.19", "--budget", "1e9")
    assert stated["quantities"]["N_encoder"]["value"] == pytest.approx(1e9 * 0.13 / 0.32, rel=1e-4)
    assert refused("plan", "ghorbani:E=1.2,A=40,p_e=0.13", "--budget", "1e9").startswith(
        "ghorbani has no value for p_d; state every constant"
    )
    assert "is stated twice" in refused("plan", "ghorbani:E=1,E=2", "--budget", "1e9")
    assert (
        refused("plan", "chinchilla:epoch", "--budget", "1e22", "--at", "N=0") == "--at N: N is above 0, and 0 is not"
    )
    assert "the share gets no worse all the way as N grows" in refused("plan", "qat-share:apple", "--minimize", "share")
    steps = asked("plan", "kaplan-steps:kaplan", "--loss", "2.5", "--at", "N=1B", "--critical-batch", "kaplan")
    least = steps["quantities"]["least_steps"]["value"]
    assert steps["quantities"]["least_tokens"]["value"] == pytest.approx(
        least * steps["quantities"]["critical_batch"]["value"]
    )


def test_the_near_optimal_range_of_a_saved_fit_may_be_asked_for(asked):
    """--within is an option of tables too, where it goes with --best; the plan's own is no option of a table."""
    narrow, wide = (
        asked("plan", "chinchilla:epoch", "--budget", "1e24", *words, "--within", share)
        for words, share in (((), "0.001"), (("--over", "N,D"), "0.01"))
    )
    assert narrow["quantities"]["within"]["value"] == 0.001
    (row, _) = wide["tables"]["unknowns"]["rows"]
    assert row["near"]["low"] < narrow["quantities"]["near_optimal"]["low"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--loss", "nan"), "--loss is a finite number"),
        (("--loss", "2", "--params", "8B"), "--params beside --loss: write --at N=8e.09 instead"),
        (("--loss", "2", "--at", "N=1B,2B"), "--at N has 2 values, and a plan takes one"),
        (("--budget", "1e24", "--menu", "N="), "--menu takes bits=2,3,4,8"),
        (("--budget", "1e24", "--subject-to", ""), "--subject-to takes a text"),
        (("--budget", "1e24", "--cost", "__import__('os')"), "is not part of the language"),
        (("--loss", "2", "--critical-batch", "kaplan"), "--critical-batch needs a law with steps"),
        (("--budget", "1e24", "--samples", "0"), "--samples is a number above 0"),
        (("--cost", "money", "--hardware", "h100", "--budget", "1e6"), "needs --hardware and --price"),
    ],
)
def test_a_slip_is_one_sentence(refused, words, message):
    assert re.search(message, refused("plan", "chinchilla:epoch", *words))


def test_a_law_without_n_and_d_needs_what_it_costs(folder):
    with pytest.raises(IsoflopError, match="give --cost, as a formula"):
        ask(Plan(budget=1e20), Context(
            runs_spec=RunsSpec(source="runs.csv", folder=folder), law_spec=LawSpec(law="power-n-floor"),
            fit_spec=FitSpec(draws=20),
        ))  # fmt: skip


def test_unknowns_that_no_run_varied_against_each_other_are_not_planned(asked, refused, tmp_path):
    """One ratio of tokens to parameters: a target loss is no more answered than a budget, unless it is forced."""
    n = np.geomspace(3e7, 3e9, 14)
    loss = (1.8 + 480 / n**0.35 + 2000 / (20 * n) ** 0.37) * np.exp(np.random.default_rng(3).normal(0, 0.004, len(n)))
    rows = "\n".join(f"{size!r},{20 * size!r},{each!r}" for size, each in zip(n.tolist(), loss.tolist(), strict=True))
    table = tmp_path / "ratio.csv"
    table.write_text(f"N,D,loss\n{rows}\n")
    words = ("plan", str(table), "--law", "chinchilla", "--draws", "20", "--loss", "2.5")
    assert "N and D were never varied against each other" in refused(*words)
    assert asked(*words, "--force")["quantities"]["N"]["value"] > 0
