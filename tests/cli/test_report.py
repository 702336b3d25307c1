"""``isoflop report``: what is asked besides the answer is in the file, and what cannot be written is told first."""

import json
import sys

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
def test_further_laws_are_ranked_and_the_backtest_stands_beside_them(asked, table, tmp_path):
    place = tmp_path / "report.html"
    laws = ("--law", "chinchilla", "--law", "E + A/N^alpha", "--backtest", "--draws", "40")
    code, out, _ = asked(table, *laws, "-o", str(place), "--json")
    assert code == 0
    told = json.loads(out)
    titles = [card["title"] for card in told["cards"]]
    (ranked,) = [card for card in told["cards"] if card["title"] == "laws on runs.csv"]
    assert ranked["answer"].startswith("Of 2 laws that differ here, chinchilla comes closest")
    assert len(titles) > titles.index("laws on runs.csv") + 1
    page = place.read_text()
    assert ranked["answer"] in page and all(title in page for title in titles)
    assert told["bytes"] == place.stat().st_size < 1_000_000


@pytest.mark.slow
def test_coverage_and_who_carries_the_answer_are_among_the_evidence(asked, table, tmp_path):
    place = tmp_path / "report.md"
    code, out, _ = asked(table, "--backtest", "--influence", "--draws", "40", "-o", str(place), "--json")
    assert code == 0
    cards = {card["title"]: card for card in json.loads(out)["cards"]}
    assert cards["how often intervals held, runs.csv"]["rows"][0][0] == "chinchilla"
    drawn = {card["picture"]["name"] for card in cards.values() if card["picture"]}
    assert {"coverage", "removals", "left-out"} <= drawn
    assert len(list(tmp_path.glob("report-*-left-out.svg"))) == 1


def test_a_law_that_cannot_be_ranked_is_told(asked, table, tmp_path):
    code, _, err = asked(table, "--law", "chinchilla", "--law", "E + A/N^", "-o", str(tmp_path / "r.html"))
    assert code == 2 and err.startswith("Error:") and "Traceback" not in err
    assert not (tmp_path / "r.html").exists()
