"""``isoflop import`` and fits to curves, as a person types them."""

import json

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from isoflop import bootstrap, fit, import_logs, law, read_runs
from isoflop.cli import isoflop
from isoflop.errors import IsoflopError
from isoflop.logs.readers import READERS
from isoflop.logs.rules import Rules, pick
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.report import Report


def run(*words: str) -> str:
    done = CliRunner().invoke(isoflop, list(words), catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


@pytest.fixture
def logs(tmp_path):
    """Two CSV logs and one that is cut short within its compressed bytes."""
    folder = tmp_path / "logs"
    folder.mkdir()
    for name, peak in (("small", 1e-3), ("large", 2e-3)):
        step = np.arange(1, 201)
        rate = peak * 0.5 * (1 + np.cos(np.pi * step / 200))
        loss = 2.6 + 0.43 * np.cumsum(rate) ** -0.5 - 0.2 * (peak - rate)
        pl.DataFrame({"step": step, "val_loss": loss, "lr": rate}).write_csv(folder / f"{name}.csv")
    (folder / "broken.parquet").write_bytes(b"PAR1" + bytes(100))
    return folder


def test_logs_become_a_store_that_other_commands_read(logs, tmp_path):
    store = str(tmp_path / "store")
    said = json.loads(run("import", str(logs), "-o", store, "--tokens-per-step", "1K", "--rule", "last:5", "--json"))
    counts = {name: each["value"] for name, each in said["quantities"].items()}
    assert (counts["added"], counts["rows"], said["provenance"]["rules"]["pick"]) == (2, 400, "last:5")
    assert sorted(each["run"] for each in said["tables"]["runs"]["rows"]) == ["large", "small"]
    assert [each["source"] for each in said["tables"]["unread"]["rows"]] == ["broken.parquet"]
    assert "the mean of the last 5 logged values" in run("check", store)
    again = json.loads(run("import", str(logs), "-o", store, "--json"))
    assert [again["quantities"][name]["value"] for name in ("added", "unchanged")] == [0, 2]
    chosen = json.loads(run("import", "-o", store, "--rule", "min", "--tokens-per-step", "1K", "--json"))
    assert chosen["provenance"]["rules"]["pick"] == "min"


def test_a_report_names_the_rule_that_chose_the_losses(tmp_path):
    tokens = np.linspace(0.1, 1, 10)
    for n in (1e7, 1e8, 1e9):
        for d in (1e9, 1e10, 1e11):
            loss = 1.7 + 400 * n**-0.34 + 410 * (d * tokens) ** -0.28
            frame = pl.DataFrame({"step": np.arange(10), "tokens": d * tokens, "loss": loss, "params": n})
            frame.write_csv(tmp_path / f"{n:.0e}-{d:.0e}.csv")
    done = import_logs([tmp_path], tmp_path / "store", rules=Rules(pick=pick("last:2")))
    fitted = fit(law("chinchilla"), read_runs(done.store.folder))
    made = ask(Report(), Context(given=bootstrap(fitted, draws=20, seed=0, restarted=0)))
    assert any("the mean of the last 2 logged values of" in finding.message for finding in made.findings)


def test_the_page_says_what_was_read_and_what_was_not(logs, tmp_path):
    said = " ".join(run("import", str(logs), "-o", str(tmp_path / "store"), "--verbose").split())
    assert "2 runs added, 1 log not read; the store holds 2 runs with 400 rows" in said
    assert "broken.parquet" in said
    assert "State it with --tokens-per-step." in said or "State the tokens of a step with --tokens-per-step" in said


def test_nothing_of_the_machine_comes_into_the_store(logs, tmp_path):
    run("import", str(logs), "-o", str(tmp_path / "store"))
    for path in (tmp_path / "store").rglob("*.parquet"):
        texts = pl.read_parquet(path).select(pl.col(pl.String)).unpivot()["value"].drop_nulls().unique()
        assert not any(str(tmp_path) in text or text.startswith("/") for text in texts)
        assert str(tmp_path).encode() not in path.read_bytes()


def test_curves_are_fitted_and_asked(logs, tmp_path):
    store, saved = str(tmp_path / "store"), str(tmp_path / "fit.json")
    run("import", str(logs), "-o", store)
    words = ("fit", store, "--curves", "--law", "annealing", "--fix", "lambda=0.5")
    said = json.loads(run(*words, "--json", "--save", saved))
    assert said["quantities"]["runs"]["value"] == said["provenance"]["runs"] == 2
    assert {"loss-rule", "no-interval"} <= {finding["code"] for finding in said["findings"]}
    assert json.loads(run(*words, "--thin", "20", "--json"))["quantities"]["A"] != said["quantities"]["A"]
    assert "fitted to 2 runs in 400 rows" in " ".join(run(*words).split())
    assert json.loads(run("forecast", saved, "--at", "S1=0.2", "--at", "S2=0.001", "--json"))


def test_curves_of_the_box_have_intervals_by_refits():
    from isoflop.runs.datasets.box import box_folder

    words = ("fit", str(box_folder() / "python-bytes"), "--curves", "--law", "chinchilla", "--draws", "50", "--json")
    said = json.loads(run(*words))
    beta = said["quantities"]["beta"]
    assert said["quantities"]["runs"]["value"] == 70 and beta["low"] < beta["value"] < beta["high"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("import", "nowhere", "-o", "s"), "there is no 'nowhere'"),
        (("import", "{logs}", "-o", "s", "--rule", "best"), "use last, last:10"),
        (("import", "{logs}", "-o", "s", "--format", "excel"), "no reader is called 'excel'"),
        (("import", "{logs}", "-o", "{logs}/small.csv"), "is a file, and a store is a folder"),
        (("import", "{logs}", "-o", "s", "--tokens-per-step", "many"), "is a number above 0, such as"),
        (("import", "{logs}", "-o", "s", "--column", "width=x"), "cannot be told of 'width'"),
        (("import", "{logs}", "-o", "s", "--unit", "N=nats"), "--unit takes loss="),
        (("import", "-o", "s"), "holds no runs.parquet"),
        (("fit", "{logs}/small.csv", "--curves", "--law", "annealing"), "holds no runs.parquet"),
        (("fit", "--curves", "--law", "annealing"), "needs a store"),
    ],
)
def test_bad_input_is_one_sentence(logs, tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IsoflopError) as caught:
        run(*(word.format(logs=logs) for word in words))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "s").exists()


def test_help_lists_the_formats_that_there_are():
    of_files = [reader.format for reader in READERS if not reader.addresses or reader.format == "table"]
    assert f"as this and nothing else: {', '.join(of_files)}." in " ".join(run("import", "--help").split())
