"""``isoflop report``: what is asked besides the answer is in the file, and what cannot be written is told first."""

import json
import sys
from html import escape

import numpy as np
import pytest

from isoflop import law
from isoflop.cli import main

TRUTH = {"E": 1.8, "A": 400.0, "B": 2000.0, "alpha": 0.34, "beta": 0.36}


@pytest.fixture
def table(tmp_path):
    """Thirty noisy runs of a known law; their path as text."""
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(7, 9.5, 6), np.logspace(9, 11, 5)))
    scatter = np.exp(np.random.default_rng(3).normal(0, 0.004, 30))
    loss = law("chinchilla").value(TRUTH, {"N": n, "D": d}) * scatter
    path = tmp_path / "runs.csv"
    rows = [f"{a:.17g},{b:.17g},{c:.17g}" for a, b, c in zip(n, d, loss, strict=True)]
    path.write_text("\n".join(["params,tokens,loss", *rows]))
    return str(path)


@pytest.fixture
def asked(monkeypatch, capsys):
    """Exit code, standard output and standard error of ``isoflop report`` with words."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["isoflop", "report", *words])
        code = 0
        try:
            main()
        except SystemExit as error:
            code = error.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.slow
def test_laws_are_ranked_and_the_backtest_stands_beside_them(asked, table, tmp_path):
    place = tmp_path / "report.html"
    parts = ("--include", "rank", "--include", "backtest", "--law", "chinchilla", "--draws", "40")
    code, out, _ = asked(table, *parts, "-o", str(place), "--json")
    assert code == 0
    told = json.loads(out)
    by_name = {part["question"]: part for part in told["parts"]}
    assert " distinct laws chinchilla has the smallest mean relative error" in by_name["rank"]["headline"]
    assert by_name["backtest"]["tables"]
    page = place.read_text()
    assert escape(by_name["rank"]["headline"]) in page
    assert all(escape(part["title"]) in page for part in told["parts"])
    assert place.stat().st_size < 1_000_000


@pytest.mark.slow
def test_coverage_and_who_carries_the_answer_are_among_the_evidence(asked, table, tmp_path):
    place = tmp_path / "report.md"
    parts = ("--include", "backtest", "--include", "influence", "--draws", "40")
    code, out, _ = asked(table, *parts, "-o", str(place), "--json")
    assert code == 0
    told = {part["question"]: part for part in json.loads(out)["parts"]}
    assert told["backtest"]["tables"]["scores"]["rows"][0]["forecaster"] == "chinchilla"
    assert told["backtest"]["tables"]["scores"]["rows"][0]["coverage"]["value"] >= 0
    drawn = {picture["name"] for part in told.values() for picture in part["pictures"]}
    assert {"coverage", "removals", "left-out"} <= drawn
    assert len(list(tmp_path.glob("report-*-left-out.svg"))) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--law", "E + A/N^"), "it ends too early"),
        (("--law", "chinchilla", "--law", "kaplan"), "--law is given 2 times, 'chinchilla' and 'kaplan'; choose one"),
        (("--include", "plan"), "'plan' is no part of a report; there are "),
        (("--budget", "0"), "--budget is a number above 0"),
    ],
)
def test_what_cannot_be_reported_is_told_before_anything_is_written(asked, table, tmp_path, words, says):
    code, out, err = asked(table, *words, "-o", str(tmp_path / "r.html"))
    assert (code, out) == (2, "") and err.startswith("Error:") and says in err and "Traceback" not in err
    assert not (tmp_path / "r.html").exists()
