"""``isoflop backtest``, ``rank`` and ``downstream`` from the command line."""

import json
import sys

import jsonschema
import numpy as np
import pytest

from isoflop import law
from isoflop.answers.schema import answer_schema
from isoflop.cli import main

TRUTH = {"E": 1.8, "A": 400.0, "B": 2000.0, "alpha": 0.34, "beta": 0.36}
SCORE = {"b": 0.25, "k": 4.0, "L_0": 2.6}


@pytest.fixture
def table(tmp_path):
    """Forty runs of a known law, with a score that follows their loss: the path as text."""
    rng = np.random.default_rng(5)
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(7, 9.5, 8), np.logspace(9, 11, 5)))
    loss = law("chinchilla").value(TRUTH, {"N": n, "D": d}) * np.exp(rng.normal(0, 0.003, 40))
    hits = law("task-accuracy-to-one").value(SCORE, {"loss": loss}) + rng.normal(0, 0.005, 40)
    numbers = zip(n, d, loss, hits, strict=True)
    rows = [",".join([*(f"{each:.9g}" for each in row), "xy"[i % 2]]) for i, row in enumerate(numbers)]
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(["params,tokens,val_loss,hits,family", *rows]))
    return str(path)


@pytest.fixture
def cli(monkeypatch, capsys):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["isoflop", *words])
        main()
        said = capsys.readouterr()
        assert said.err == ""
        return said.out

    return run


@pytest.fixture
def refused(monkeypatch, capsys):
    """The one sentence on standard error with which a command ends, at exit code 2."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["isoflop", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert ended.value.code == 2 and said.out == ""
        assert said.err.startswith("Error: ") and said.err.count("\n") == 1
        return said.err

    return run


def test_backtest_as_json(cli, table):
    words = ("--law", "chinchilla", "--law", "E + A/N^alpha", "--hold-out", "params", "--windows", "2")
    said = json.loads(cli("backtest", table, *words, "--draws", "60", "--json"))
    jsonschema.validate(said, answer_schema())
    assert (said["provenance"]["source"], said["provenance"]["response"]) == ("runs.csv", "loss")
    tables = {name: each["rows"] for name, each in said["tables"].items()}
    assert list(tables) == ["scores", "windows", "scores_by_window", "held_out"]
    assert [each["held_out_rows"] for each in tables["windows"]] == [5, 5]
    good, bad, *baselines = tables["scores"]
    assert (good["forecaster"], bad["forecaster"], good["rows"]) == ("chinchilla", "E + A/N^alpha", 10)
    assert good["mre"]["value"] < 0.01 < bad["mre"]["value"]
    assert good["mre"]["low"] < good["mre"]["value"] < good["mre"]["high"] and 8 <= good["covered"] <= 10
    assert said["quantities"]["mre"]["value"] == good["mre"]["value"]
    assert [each["forecaster"] for each in baselines] == ["best seen", "most-trained run", "last two points"]
    assert baselines[0]["coverage"] is None
    forecast = tables["held_out"][0]["chinchilla"]
    assert forecast["low"] < forecast["value"] < forecast["high"] and forecast["interval"] == "PI"
    assert {40 - 5 * 8 + 8 * each for each in range(1, 6)} == {each["row"] for each in tables["held_out"][:5]}


def test_backtest_as_a_card(cli, table):
    out = cli("backtest", table, "--law", "chinchilla", "--hold-out", "N", "--draws", "60")
    words = " ".join(out.split())
    assert (
        "With N ≥ 3.16B, chinchilla has a mean relative error (MRE) of 0." in words and "on the held-out loss" in words
    )
    for word in ("chinchilla", "best seen", "most-trained run", "last two points", "of 5"):
        assert word in out
    families = cli("backtest", table, "--law", "chinchilla", "--per-family", "--hold-out", "N", "--draws", "40")
    assert "of x" in families and "of y" in families


def test_rank_with_a_stacked_forecast(cli, table):
    words = ("--law", "chinchilla", "--law", "kaplan", "--law", "power-d-floor", "--hold-out", "N", "--draws", "60")
    said = json.loads(cli("rank", table, *words, "--at", "N=10B", "--at", "D=1T", "--json"))
    jsonschema.validate(said, answer_schema())
    rows = said["tables"]["laws"]["rows"]
    laws = {each["law"]: each for each in rows}
    assert rows[0]["law"] == "chinchilla"
    assert laws["chinchilla"]["rank"] == "best" and laws["power-d-floor"]["rank"] == ""  # neither best nor tied
    ranked = [each for each in rows if each["rank"] != "baseline"]
    assert sum(each["weight"]["value"] for each in ranked) == pytest.approx(1) and len(rows) == len(ranked) + 3
    at, found = said["provenance"]["at"], said["quantities"]
    assert at == {"N": 1e10, "D": 1e12}
    truth = float(law("chinchilla").value(TRUTH, at))
    assert found["stacked"]["low"] < truth < found["stacked"]["high"]
    assert found["within"]["value"] > 0 and found["between"]["value"] >= 0 and found["scatter"]["value"] > 0
    assert sum(each["weight"] for each in said["tables"]["members"]["rows"]) == pytest.approx(1)
    card = cli("rank", table, *words, "--at", "N=10B", "--at", "D=1T")
    for words in ("Weighted laws at N = 10B, D = 1T", "between laws", "within laws", "baseline", "best"):
        assert words in card


def test_downstream(cli, table):
    words = ("--task", "quiz=val_loss,hits", "--at", "N=10B", "--at", "D=1T", "--draws", "60")
    said = json.loads(cli("downstream", table, *words, "--json"))
    quiz = {each["task"]: each for each in said["tables"]["tasks"]["rows"]}["quiz"]
    loss = float(law("chinchilla").value(TRUTH, {"N": 1e10, "D": 1e12}))
    truth = float(law("task-accuracy-to-one").value(SCORE, {"loss": loss}))
    assert quiz["score"]["low"] < truth < quiz["score"]["high"]
    assert quiz["loss"]["low"] < loss < quiz["loss"]["high"]
    assert "Expected quiz accuracy: 0." in cli("downstream", table, *words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("backtest", "--law", "nonsense-law"), "no law is named 'nonsense-law'"),
        (("backtest", "--law", "chinchilla", "--hold-out", "N:95%"), "a power law needs 3"),
        (("backtest", "--law", "chinchilla", "--hold-out", "N/0.5"), "the factor must be above 1, not 0.5"),
        (("backtest", "--law", "chinchilla", "--hold-out", "depth"), "no column 'depth'"),
        (("backtest", "--law", "chinchilla", "--law", "task-accuracy"), "test them one by one"),
        (("rank", "--response", "perplexity"), "no law of the catalogue predicts perplexity"),
        (
            ("rank", "--law", "chinchilla", "--at", "N=ten"),
            "--at N is a finite number, such as 0.5, 70B or 1e24, not 'ten'",
        ),
        (("downstream", "--task", "quiz=val_loss", "--at", "N=1B"), "--task quiz takes LOSS,SCORE"),
        (("downstream", "--task", "quiz=val_loss,hit", "--at", "N=1B"), "no column 'hit'"),
        (("downstream", "--task", "q=val_loss,hits", "--then", "chinchilla", "--at", "N=1B"), "takes N, D"),
    ],
)
def test_slips_end_in_one_sentence(refused, table, words, says):
    command, *rest = words
    assert says in refused(command, table, *rest)


def test_one_family_is_refused(refused, tmp_path):
    rows = [f"{size},{10 * size},{2 + 9 / size**0.1},a" for size in (1e6, 2e6, 4e6, 8e6, 16e6, 32e6, 64e6)]
    path = tmp_path / "one.csv"
    path.write_text("\n".join(["params,tokens,loss,family", *rows]))
    assert "one family only ('a')" in refused("backtest", str(path), "--law", "power-d", "--per-family")
