"""Repeated tokens as an answer: from published constants, from a table, from a saved fit, and what is refused."""

import io
import json
import math

import pytest
from tests.planning.test_repeat import runs_of_lovelace

from isoflop import bootstrap, fit, law, save_fit
from isoflop.answers.wording import told
from isoflop.app.requests import checked, menu
from isoflop.app.session import Task, new_session, read, save
from isoflop.app.work import perform as perform_task
from isoflop.files import plain_json
from isoflop.planning.published import published
from isoflop.planning.repeat import explained, fit_repeats, published_explains, repeat
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.base.specs import FitSpec, RunsSpec
from isoflop.questions.repeat import Repeat
from isoflop.render.notebook import answer_of
from isoflop.render.screen import Screen
from isoflop.render.terminal import show
from isoflop.study import Study, parse_study, perform, study_toml

BOTH = {"unique": 1e11, "params": 7e9, "budget": 1e23}


def rows(answer, name, column):
    """A table by its first column."""
    table = answer.table(name)
    place = [each.name for each in table.columns].index(column)
    return {row[0]: row[place] for row in table.rows}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("repeats") / "repeats.csv"
    runs_of_lovelace().to_polars().write_csv(path)
    return path


@pytest.fixture(scope="module")
def fitted(table):
    """A context of the table, and what it answers."""
    context = Context(runs_spec=RunsSpec(source=str(table)), fit_spec=FitSpec(draws=40))
    return context, ask(Repeat(unique=2e9, params=1.6e9), context)


def test_without_runs_published_constants_answer():
    answer = ask(Repeat(**BOTH), Context())
    assert (answer["unique"].value, answer["N"].value, answer["budget"].value) == (1e11, 7e9, 1e23)
    for name, key in (("muennighoff", "muennighoff:c4"), ("lovelace", "lovelace:datablations")):
        found = repeat(published(key), **BOTH)
        for row, one in zip(answer.table(f"epochs_{name}").rows, found.passes, strict=True):
            epochs, loss, effective, marginal, gain = row
            assert epochs == one.epochs and effective.value == one.fresh.value
            assert (loss.value, loss.has_interval) == (one.loss.value, False)  # constants have no draws
            assert (marginal.value, gain.value) == (one.worth.value, one.gain.value)
        stops = rows(answer, "laws", name)
        assert stops["stop after, epochs"].value == found.stop.value
        assert stops["loss rises after, epochs"].value == found.lowest.value
        best = rows(answer, "budget", name)
        assert [best[label].value for label in ("N*", "D*", "epochs at N*", "loss at N*")] == [
            found.best.n.value, found.best.d.value, found.best.epochs.value, found.best.loss.value,
        ]  # fmt: skip
        assert best["loss, every token once"].value == found.best.once.value
        assert best["loss, tokens without limit"].value == found.best.plenty.value
        constants = rows(answer, "constants", name)
        own = {label: each.value for label, each in constants.items() if each is not None}
        assert own == dict(published(key).estimate.params)
    assert [row[0] for row in answer.table("epochs_lovelace").rows] == [1, 2, 4, 8, 16, 32, 64]
    assert rows(answer, "laws", "muennighoff")["loss rises after, epochs"].value == math.inf


def test_published_constants_rest_on_no_table(asked):
    answer = asked("repeat", "--unique", "100B", "--params", "7B", "--budget", "1e23")
    laws = {row["quantity"]: row for row in answer["tables"]["laws"]["rows"]}
    assert laws["stop after, epochs"]["muennighoff"]["value"] == 36
    assert laws["loss rises after, epochs"]["muennighoff"]["value"] is None  # it never rises, and JSON has no infinity
    assert answer["tables"]["budget"]["rows"][0]["muennighoff"]["low"] is None
    assert {"no-interval"} <= {each["code"] for each in answer["findings"]}
    assert not {"digest", "runs", "rows", "source"} & answer["provenance"].keys()
    assert [source.partition(" ")[0] for source in answer["provenance"]["sources"]] == [
        "muennighoff:c4", "lovelace:datablations",
    ]  # fmt: skip
    one = asked("repeat", "lovelace:datablations", "--unique", "100B", "--params", "7B")
    assert [each["name"] for each in one["tables"]["laws"]["columns"]] == ["quantity", "lovelace"]
    assert "budget" not in one["tables"] and "epochs" in one["tables"]
    assert not {"digest", "runs", "rows"} & one["provenance"].keys()


def test_the_headline_says_where_to_stop_and_what_to_train():
    answer = ask(Repeat(**BOTH), Context())
    assert answer.sentence(told).startswith(
        "The marginal value of an epoch falls below 10% of unique tokens after 36 epochs by muennighoff and 21 epochs "
        "by lovelace; the budget is best spent on 23.1B parameters for 7.2"
    )
    assert answer.sentence(told).endswith("or 167B parameters for 1 epoch.")


def test_a_table_is_fitted_by_both_laws(fitted, same):
    context, answer = fitted
    for ensemble in fit_repeats(context.runs, draws=40):
        name, found = ensemble.estimate.law.name, repeat(ensemble, unique=2e9, params=1.6e9)
        for row, one in zip(answer.table(f"epochs_{name}").rows, found.passes, strict=True):
            assert same(row[1], one.loss) and same(row[3], one.worth) and same(row[4], one.gain)
            assert one.epochs == 1 or same(row[2], one.fresh)
        assert row[1].low < row[1].value < row[1].high
        laws = rows(answer, "laws", name)
        assert laws["R² on the runs"] == explained(ensemble.estimate.law, ensemble.estimate.params, context.runs) > 0.9
        assert laws["R² of the published constants"] == published_explains(ensemble.estimate.law, context.runs)
        assert same(laws["stop after, epochs"], found.stop)
        for label, cell in rows(answer, "constants", name).items():
            assert cell is None or same(cell, ensemble.interval(label)), label
    squares = {name: rows(answer, "laws", name)["R² on the runs"] for name in ("muennighoff", "lovelace")}
    assert squares["lovelace"] > squares["muennighoff"]  # it made the runs
    assert answer.provenance["source"] == "repeats.csv" and answer.provenance["runs"] == len(context.runs)


def test_after_one_epoch_no_draw_differs(fitted):
    first = fitted[1].table("epochs_lovelace").rows[0]
    assert (first[0], first[2].value, first[2].has_interval) == (1, 1.0, False)


def test_the_command_gives_the_same_numbers_and_the_objective_counts(fitted, table, asked):
    words = ("repeat", table, "--unique", "2B", "--params", "1.6B", "--draws", "40")
    plain = plain_json(fitted[1].to_dict())
    told_ = asked(*words)
    assert {name: told_[name] for name in ("quantities", "tables", "findings")} == {
        name: plain[name] for name in ("quantities", "tables", "findings")
    }
    squares = asked(*words, "--objective", "lsq")["tables"]["constants"]["rows"]
    assert [row["quantity"] for row in squares] == [row["quantity"] for row in plain["tables"]["constants"]["rows"]]
    assert squares[0]["muennighoff"]["value"] != plain["tables"]["constants"]["rows"][0]["muennighoff"]["value"]


def test_a_study_and_the_page_say_the_same(fitted, table, tmp_path):
    plain = essence(plain_json(fitted[1].to_dict()))
    study = Study(
        runs=RunsSpec(source=table.name, folder=table.parent),
        fit=FitSpec(draws=40),
        questions=(Repeat(unique=2e9, params=1.6e9),),
    )
    done = perform(parse_study(study_toml(study), folder=table.parent))
    assert essence(plain_json(done.answers["repeat"].to_dict())) == plain
    session = new_session(tmp_path, kind="file", source=table.name)
    (session.folder / table.name).write_bytes(table.read_bytes())
    session = save(session)
    asked = {"kind": "repeat", "draws": 40, "options": {"unique": "2B", "params": "1.6B"}}
    kind, settings = checked(session, asked, read(session))
    task = Task("r1", kind, settings)
    perform_task(save(session.with_task(task)), task, lambda share, doing: None)
    assert essence(json.loads(session.place("r1", "answer.json").read_text())) == plain
    takes = {each["name"]: each["takes_law"] for each in menu()}
    assert takes["downstream"] and not (takes["repeat"] or takes["reconcile"] or takes["finish"])


def essence(told_):
    """All but provenance, which says where the table was found."""
    return {name: told_[name] for name in ("headline", "quantities", "tables", "findings", "method", "pictures")}


def test_unique_tokens_are_made_of_epochs_and_that_is_told_once(tmp_path, asked):
    runs = runs_of_lovelace().to_polars()
    path = tmp_path / "epochs.csv"
    runs.with_columns(epochs=runs["D"] / runs["U"]).drop("U").write_csv(path)
    answer = asked("repeat", path, "--unique", "2B", "--params", "1.6B", "--draws", "20")
    assert [each["code"] for each in answer["findings"]].count("unique-from-epochs") == 1


def test_text_has_a_column_for_each_law(fitted):
    screen = Screen(io.StringIO(), width=80)
    show(fitted[1], screen)
    text = screen.file.getvalue()
    assert "muennighoff" in text and "lovelace" in text and "R² on the runs" in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80


def test_a_saved_fit_answers_and_a_notebook_shows_its_result(tmp_path, asked):
    ensemble = bootstrap(fit(law("lovelace"), runs_of_lovelace()), draws=40)
    save_fit(ensemble, tmp_path / "fit.json")
    answer = asked("repeat", tmp_path / "fit.json", "--unique", "2B", "--params", "1.6B")
    found = repeat(ensemble, unique=2e9, params=1.6e9)
    assert answer["tables"]["epochs"]["rows"][3]["loss"]["low"] == found.passes[3].loss.low
    wide = asked("repeat", tmp_path / "fit.json", "--unique", "2B", "--params", "1.6B", "--level", "0.98")
    narrow, wide = (each["tables"]["constants"]["rows"][0]["lovelace"] for each in (answer, wide))
    assert (narrow["level"], wide["level"]) == (0.9, 0.98) and wide["value"] == narrow["value"]
    assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]
    shown = answer_of(found)
    assert shown.table("epochs").rows[3][1].high == found.passes[3].loss.high
    assert set(found.findings) <= set(shown.findings)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--unique", "0", "--params", "7B"), "--unique is a number above 0, such as 0.5, 70B or 1e24, not '0'"),
        (("--unique", "some", "--params", "7B"), "--unique is a number above 0, such as 0.5, 70B or 1e24, not 'some'"),
        (("--unique", "1B", "--params", "7B", "--least", "1"), "--least is a number between 0 and 1, not '1'"),
        (("--unique", "1B", "--params", "7B", "--where", "D > 1"), "describe a table of runs; name one"),
        (("--params", "7B"), "--unique is needed"),
        (("chinchilla:epoch", "--unique", "1B", "--params", "7B"), "needs a law in N, D and U"),
        (("chinchilla", "--unique", "1B", "--params", "7B"), "chinchilla"),
        (("nothere.csv", "--unique", "1B", "--params", "7B"), "nothere.csv"),
        (("--unique", "1B"), "repeated tokens need --params 7B, or --budget 1e22"),
        (("--unique", "1B", "--params", "7B", "--law", "kaplan"), "No such option"),
    ],
)
def test_bad_input_is_one_sentence(refused, words, says):
    assert says in refused("repeat", *words)


def test_a_table_without_repeats_is_refused(tmp_path, refused, known_runs):
    path = tmp_path / "runs.csv"
    known_runs(0.01).to_polars().write_csv(path)
    said = refused("repeat", path, "--unique", "1B", "--params", "7B")
    assert "U" in said and "runs.csv" in said
