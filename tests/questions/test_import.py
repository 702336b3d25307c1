"""Run logs read into a store, as a person types it: what was read, what was not, by which rules; fits to its curves."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from isoflop import bootstrap, fit, import_logs, law, read_runs
from isoflop.logs.readers import READERS
from isoflop.logs.rules import Rules, pick
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.importing import Import
from isoflop.questions.report import Report
from isoflop.render.notebook import answer_of
from isoflop.runs.datasets.box import box_folder


@pytest.fixture
def logs(tmp_path):
    """Two CSV logs and one that is cut short within its compressed bytes."""
    folder = tmp_path / "logs"
    folder.mkdir()
    for name, peak in (("small", 1e-3), ("large", 2e-3)):
        write(folder / f"{name}.csv", peak, steps=200)
    (folder / "broken.parquet").write_bytes(b"PAR1" + bytes(100))
    return folder


def write(path, peak, *, steps):
    step = np.arange(1, steps + 1)
    rate = peak * 0.5 * (1 + np.cos(np.pi * step / 200))
    loss = 2.6 + 0.43 * np.cumsum(rate) ** -0.5 - 0.2 * (peak - rate)
    pl.DataFrame({"step": step, "val_loss": loss, "lr": rate}).write_csv(path)


@pytest.fixture
def run(cli):
    """Run the command line and expect success: standard output."""

    def run(*words):
        code, out, err = cli(*words)
        assert code == 0, err
        return out

    return run


def counts(answer):
    return {name: each["value"] for name, each in answer["quantities"].items()}


def changes(answer):
    return {row["run"]: row["change"] for row in answer["tables"]["changes"]["rows"]}


def test_logs_become_a_store_that_other_commands_read(logs, tmp_path, asked, run):
    store = tmp_path / "store"
    first = asked("import", logs, "-o", store, "--tokens-per-step", "1K", "--rule", "last:5")
    assert changes(first) == {"large": "added", "small": "added"}
    assert counts(first) == {
        "added": 2, "grown": 0, "scored": 0, "unchanged": 0, "left_out": 0, "unread": 1, "runs": 2, "rows": 400,
    }  # fmt: skip
    assert (first["provenance"]["store"], first["provenance"]["rules"]["pick"]) == (str(store), "last:5")
    assert [row["source"] for row in first["tables"]["unread"]["rows"]] == ["broken.parquet"]
    rows = {row["run"]: row for row in first["tables"]["runs"]["rows"]}
    losses = pl.read_csv(logs / "small.csv")["val_loss"]
    assert rows["small"]["loss"] == pytest.approx(losses.tail(5).mean(), rel=1e-12)
    assert (rows["small"]["D"], rows["small"]["steps"], rows["small"]["N"]) == (200e3, 200, None)
    assert "the mean of the last 5 logged values" in run("check", store, "--verbose").replace("\n", " ")
    again = asked("import", logs, "-o", store)
    assert (changes(again), counts(again)["unchanged"]) == ({}, 2)
    chosen = asked("import", "-o", store, "--rule", "min", "--tokens-per-step", "1K")
    assert chosen["provenance"]["rules"]["pick"] == "min"
    rows = {row["run"]: row for row in chosen["tables"]["runs"]["rows"]}
    assert rows["small"]["loss"] == losses.min()


def test_a_longer_log_continues_its_run(tmp_path, asked):
    write(tmp_path / "one.csv", 1e-3, steps=100)
    asked("import", tmp_path / "one.csv", "-o", tmp_path / "store")
    write(tmp_path / "one.csv", 1e-3, steps=150)
    answer = asked("import", tmp_path / "one.csv", "-o", tmp_path / "store")
    assert changes(answer) == {"one": "continued"} and counts(answer)["rows"] == 150
    assert answer["headline"] == "1 continued; the store holds 1 run with 150 rows of curves."


def test_how_the_runs_of_a_table_are_told_apart_is_said_once(tmp_path, asked):
    rows = [
        f"{kind},{step},{4 - step / 100 - len(kind) / 50}"
        for kind in ("flat", "cosine", "linear")
        for step in range(10, 60, 10)
    ]
    (tmp_path / "curves.csv").write_text("\n".join(["schedule,step,loss", *rows]))
    answer = asked("import", tmp_path / "curves.csv", "-o", tmp_path / "store")
    assert counts(answer)["runs"] == 3
    (note,) = (each["message"] for each in answer["findings"] if each["code"] == "run-columns")
    assert note == "runs are told apart by 'schedule'."


def test_the_headline_says_what_happened_and_nothing_else(logs, tmp_path, asked):
    store = tmp_path / "a{runs}"  # braces of a name are no placeholders
    words = ("import", logs, "-o", store)
    assert asked(*words)["headline"] == (
        "2 runs added, 1 log not read; the store holds 2 runs with 400 rows of curves."
    )
    assert asked(*words)["headline"] == "2 unchanged, 1 log not read; the store holds 2 runs with 400 rows of curves."
    assert asked(*words)["title"] == f"runs in {store}"
    single = asked("import", logs / "small.csv", "-o", tmp_path / "other")
    assert single["headline"] == "1 run added; the store holds 1 run with 200 rows of curves."


def test_text_says_what_was_read_and_what_was_not(logs, tmp_path, run):
    text = " ".join(run("import", logs, "-o", tmp_path / "store", "--verbose").split())
    assert "2 runs added, 1 log not read; the store holds 2 runs with 400 rows of curves." in text
    assert "Not read source reason broken.parquet" in text
    assert "State the tokens of a step with --tokens-per-step" in text


def test_a_result_of_the_library_is_shown_with_the_same_numbers(logs, tmp_path):
    done = import_logs([logs], tmp_path / "store")
    shown = answer_of(done)
    assert (shown["added"].value, shown["unread"].value, shown["rows"].value) == (2, 1, 400)
    assert set(done.findings) <= set(shown.findings)
    again = ask(Import(sources=(str(logs),), output=str(tmp_path / "store")), Context())
    assert (again["added"].value, again["unchanged"].value) == (0, 2)


def test_a_report_names_the_rule_that_chose_the_losses(tmp_path):
    tokens = np.linspace(0.1, 1, 10)
    for n in (1e7, 1e8, 1e9):
        for d in (1e9, 1e10, 1e11):
            loss = 1.7 + 400 * n**-0.34 + 410 * (d * tokens) ** -0.28
            frame = pl.DataFrame({"step": np.arange(10), "tokens": d * tokens, "loss": loss, "params": n})
            frame.write_csv(tmp_path / f"{n:.0e}-{d:.0e}.csv")
    done = import_logs([tmp_path], tmp_path / "store", rules=Rules(pick=pick("last:2")))
    ensemble = bootstrap(fit(law("chinchilla"), read_runs(done.store.folder)), draws=20, seed=0, restarted=0)
    made = ask(Report(), Context(given=ensemble))
    assert any("the mean of the last 2 logged values of" in finding.message for finding in made.findings)


def test_nothing_of_the_machine_comes_into_the_store(logs, tmp_path, run):
    run("import", logs, "-o", tmp_path / "store")
    found = list((tmp_path / "store").rglob("*.parquet"))
    assert len(found) > 1
    for path in found:
        texts = pl.read_parquet(path).select(pl.col(pl.String)).unpivot()["value"].drop_nulls().unique()
        assert not any(str(tmp_path) in text or text.startswith("/") for text in texts)
        assert str(tmp_path).encode() not in path.read_bytes()


def test_curves_are_fitted_and_asked(logs, tmp_path, asked, run):
    store, saved = tmp_path / "store", tmp_path / "fit.json"
    run("import", logs, "-o", store)
    words = ("fit", store, "--curves", "--law", "annealing", "--fix", "lambda=0.5")
    said = asked(*words, "--save", saved)
    assert (said["provenance"]["runs"], said["provenance"]["rows"]) == (2, 400)
    assert {"loss-rule", "no-interval"} <= {finding["code"] for finding in said["findings"]}
    thinned = asked(*words, "--thin", "20")
    assert thinned["quantities"]["A"]["value"] != said["quantities"]["A"]["value"]
    assert "fitted to 2 runs in 400 rows" in " ".join(run(*words).split())
    assert asked("forecast", saved, "--at", "S1=0.2", "--at", "S2=0.001")["quantities"]


def test_bundled_curves_have_intervals_by_refits(asked):
    said = asked("fit", box_folder() / "python-bytes", "--curves", "--law", "chinchilla", "--draws", "50")
    assert said["provenance"]["runs"] == 70
    beta = said["quantities"]["beta"]
    assert beta["low"] < beta["value"] < beta["high"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("import", "nowhere", "-o", "s"), "there is no 'nowhere'"),
        (("import", "{logs}"), "--output is needed"),
        (("import", "{logs}", "-o", "s", "--rule", "best"), "use last, last:10"),
        (("import", "{logs}", "-o", "s", "--format", "excel"), "no reader is called 'excel'"),
        (("import", "{logs}", "-o", "{logs}/small.csv"), "is a file, and a store is a folder"),
        (("import", "{logs}", "-o", "s", "--tokens-per-step", "many"), "--tokens-per-step is a number above 0"),
        (("import", "{logs}", "-o", "s", "--warmup", "-1"), "--warmup is a whole number from 0, not '-1'"),
        (("import", "{logs}", "-o", "s", "--unfinished", "maybe"), "--unfinished is one of keep, drop, not 'maybe'"),
        (("import", "{logs}", "-o", "s", "--column", "width=x"), "cannot be told of 'width'"),
        (("import", "{logs}", "-o", "s", "--unit", "N=nats"), "--unit takes loss="),
        (("import", "{logs}", "-o", "s", "--convention", "D=total"), "--convention takes N="),
        (("import", "-o", "s"), "holds no runs.parquet"),
        (("fit", "{logs}/small.csv", "--curves", "--law", "annealing"), "holds no runs.parquet"),
        (("fit", "--curves", "--law", "annealing"), "needs a store"),
    ],
)
def test_bad_input_is_one_sentence(logs, tmp_path, monkeypatch, refused, words, says):
    monkeypatch.chdir(tmp_path)
    assert says in refused(*(word.format(logs=logs) for word in words))
    assert not Path("s").exists()


def test_help_lists_the_formats_that_there_are(run):
    of_files = [reader.format for reader in READERS if not reader.addresses or reader.format == "table"]
    assert f"as this and nothing else: {', '.join(of_files)}." in " ".join(run("import", "--help").split())
