"""check, influence and sensitivity as commands: their objects, their cards, their refusals."""

import json
import sys

import jsonschema
import numpy as np
import pytest

from isoflop import law
from isoflop.answers.schema import answer_schema
from isoflop.cli import main

TRUTH = {"E": 1.8, "A": 400.0, "B": 2000.0, "alpha": 0.34, "beta": 0.36}


@pytest.fixture
def table(tmp_path):
    """Thirty runs of a known law, row 7 a fifth too high."""
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(7, 9.5, 6), np.logspace(9.5, 11, 5)))
    loss = law("chinchilla").value(TRUTH, {"N": n, "D": d}) * np.exp(np.random.default_rng(3).normal(0, 0.003, 30))
    loss[6] *= 1.2
    path = tmp_path / "runs.csv"
    rows = [f"{a:.17g},{b:.17g},{c:.17g}" for a, b, c in zip(n, d, loss, strict=True)]
    path.write_text("\n".join(["N,D,loss", *rows]))
    return str(path)


@pytest.fixture
def cli(monkeypatch, capsys):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["isoflop", *words])
        monkeypatch.setenv("COLUMNS", "200")
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_check_names_the_outlier_and_its_remedy_works(cli, table):
    code, out, _ = cli("check", table, "--json")
    (finding,) = (each for each in json.loads(out)["findings"] if each["code"] == "outliers")
    assert code == 0 and finding["rows"] == [7] and '--where "row not in [7]"' in finding["remedy"]
    _, out, _ = cli("check", table, "--where", "row not in [7]", "--json")
    assert "outliers" not in [each["code"] for each in json.loads(out)["findings"]]
    code, out, _ = cli("check", table, "--law", "E + A/N^alpha + B/D^beta", "--verbose")
    assert code == 0 and "row 7" in out and "robust standard deviations above the surface" in out


def test_influence_as_json(cli, table):
    code, out, err = cli("influence", table, "--budget", "1e22", "--objective", "lsq", "--json")
    said = json.loads(out)
    assert (code, err) == (0, "")
    jsonschema.validate(said, answer_schema())
    found, tables = said["quantities"], {name: each["rows"] for name, each in said["tables"].items()}
    assert (found["runs"]["value"], said["provenance"]["budget"], found["value"]["label"]) == (30, 1e22, "N*")
    assert set(said["provenance"]["at"]) == {"N", "D"}
    assert [each["run"] for each in tables["runs"]] == [f"row {row}" for row in range(1, 31)]
    moves = {each["run"]: abs(np.log(each["N"] / found["value"]["value"])) for each in tables["runs"]}
    assert max(moves, key=moves.get) == "row 7" == tables["strongest"][0]["run"]
    assert found["moved"]["value"] == tables["runs"][6]["N"]
    removals = [name for name in tables if name.startswith("removals_")]
    assert removals == ["removals_down", "removals_up", "removals_outliers"]
    assert [each["rows"] for each in tables["removals_outliers"]] == ["7"] and tables["outliers"][0]["row"] == 7
    curved = {name.removesuffix("_curvature") for name in tables["runs"][0] if name.endswith("_curvature")}
    assert len(curved) == len(tables["answers"]) >= 8 and curved < set(tables["runs"][0])
    assert found["by_chance"]["value"] >= found["fewest"]["value"] >= 1


def test_influence_as_a_card(cli, table):
    code, out, _ = cli("influence", table, "--budget", "1e22", "--show", "3")
    assert code == 0 and "left out alone, row " in out
    listed = out.partition("Runs that move N* most")[2].partition("Left out")[0]
    assert listed.count("row ") == 3
    for words in (
        "N*",
        "exponent a",
        "forecast",
        "by curvature",
        "90% CI",
        "lowers it most",
        "Left out one after another: outliers",
    ):
        assert words in out


def test_sensitivity_as_json(cli, table):
    code, out, err = cli("sensitivity", table, "--draws", "20", "--at", "N=1e10", "--at", "D=2e11", "--json")
    said = json.loads(out)
    jsonschema.validate(said, answer_schema())
    assert (code, err) == (0, "") and said["provenance"]["at"] == {"N": 1e10, "D": 2e11}
    assert said["provenance"]["budget"] > 0 and "huber:0.001" in said["method"]
    base, *choices = said["tables"]["choices"]["rows"]
    assert base["choice"] == "base" and base["N"] == {**said["quantities"]["value"], "label": "N"}
    assert {each["group"] for each in choices} >= {"rounding", "noise", "objective", "outliers", "starts"}
    for each in choices:
        assert (each["N"] is not None) != bool(each["why_not"]) and each["choice"].startswith(each["group"])


def test_the_toy_as_a_card_and_as_json(cli):
    code, out, _ = cli("sensitivity", "--example", "toy", "--all")
    assert code == 0 and "0.6148" in out and "0.6262" in out and " 0.0531 " in out
    _, out, _ = cli("sensitivity", "--example", "toy", "--json")
    said = json.loads(out)
    jsonschema.validate(said, answer_schema())
    rows = said["tables"]["settings"]["rows"]
    assert len(rows) == 2 * 11 and [each["by"] for each in rows[:2]] == ["grid", "optimum"]
    assert rows[0]["alpha"] == pytest.approx(0.3490, abs=5e-5)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("influence", "--budget", "-1"), "--budget is a number above 0, such as 0.5, 70B or 1e24, not '-1'"),
        (("influence", "--law", "E + A/N^alpha", "--budget", "1e20"), "a budget needs a law in N and D"),
        (("influence", "--at", "N=3"), "D is missing"),
        (("influence", "--answer", "gamma"), "'gamma' is no answer of this law; there are N*, exponent a, forecast"),
        (("influence", "--level", "2"), "--level is a number between 0 and 1, not '2'"),
        (("influence", "--where", "row < 7"), "6 runs cannot spare one for the 5 parameters of chinchilla"),
        (("influence", "--objective", "l2"), "objective 'l2' is not known"),
        (("sensitivity", "--where", "row < 5"), "4 runs cannot determine the 5 parameters of chinchilla"),
        (("sensitivity", "--law", "chinchila"), "chinchilla"),
        (("sensitivity", "--example", "toy"), "has its own runs; leave out"),
        (("sensitivity", "--draws", "3"), "--draws is a whole number from 20 to 100,000, not '3'"),
        (("check", "--law", "nobody"), "no law is named 'nobody'"),
    ],
)
def test_refusals_are_one_sentence(cli, table, words, says):
    code, out, err = cli(words[0], table, *words[1:])
    assert (code, out) == (2, "") and says in err and err.count("\n") == 1
