"""What the page redraws as runs go in or out, what it shows of findings, and the examples it begins with."""

from dataclasses import replace

import numpy as np
import pytest

from isoflop import fit, law, read_runs
from isoflop.app import examples
from isoflop.app.cards import brief, cards
from isoflop.app.live import MOST_ROWS, live
from isoflop.app.rows import rows_data
from isoflop.app.session import Session
from isoflop.findings import Finding
from isoflop.planning.isoflop_minima import isoflop_minima
from isoflop.render.explore_data import packed
from isoflop.runs.datasets import load

SETTINGS = {"law": "chinchilla", "objective": "huber:1e-3"}


@pytest.fixture(scope="module")
def sweep():
    return read_runs(examples.table(examples.example("isoflop-sweep")))


@pytest.fixture
def session(tmp_path):
    return Session("0" * 12, tmp_path, "file", "runs.csv")


def test_the_law_is_refitted_to_the_rows_that_are_used(session, sweep):
    out = (3, 17, 40)
    said = live(replace(session, dropped=out), sweep, SETTINGS)
    kept = sweep.take(~np.isin(sweep.rows, out))
    assert said["rows"] == len(sweep) - 3
    assert said["params"] == pytest.approx(fit(law("chinchilla"), kept).params, rel=1e-4)
    line = isoflop_minima(kept)
    assert (said["line"]["value"], said["line"]["exponent"]) == (line.value, line.exponent)
    assert [each["n"] for each in said["minima"]] == pytest.approx([np.exp(each.log_n) for each in line.minima])
    for each in said["minima"]:  # the drawn parabola passes through the runs at its bottom
        near = (abs(np.log(kept["C"] / each["budget"])) < 0.01) & (abs(np.log(kept["N"] / each["n"])) < 0.4)
        assert each["loss"] == pytest.approx(np.median(kept["loss"][near]), rel=0.01)
        assert -1.4 <= each["from"] <= 0 <= each["to"] <= 1.4


def test_every_minimum_of_budgets_by_6nd_is_drawn(session):
    runs = load("python-bytes")  # its C is counted, and its budgets are in 6ND
    drawn = live(session, runs, None)["minima"]
    assert [each["budget"] for each in drawn] == [each.budget for each in isoflop_minima(runs).minima]


def test_what_cannot_be_followed_is_left_out_without_a_refusal(session, known_runs, monkeypatch):
    grid = known_runs(0.01)
    said = live(session, grid, {"law": "E + A/x^alpha", "objective": "lsq"})  # no such column, and no budgets
    assert said == {"rows": 30, "minima": [], "line": None, "exponent": None, "params": None}
    monkeypatch.setattr("isoflop.app.live.MOST_ROWS", 29)
    assert MOST_ROWS > 29 and live(session, grid, SETTINGS)["params"] is None


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ("the table has no tokens, so D = C/(6N) was used; and on.", "The table has no tokens, so D = C/(6N) was used"),
        ("8 of 245 rows lie off the surface (row 2: 54 (41) above; and 3 more).", "8 of 245 rows lie off the surface"),
        ("N lies 0.35 decades beyond the runs. Wide intervals follow.", "N lies 0.35 decades beyond the runs"),
    ],
)  # fmt: skip
def test_a_finding_is_one_line(message, title):
    assert brief(message) == title


def test_a_card_offers_the_ways_of_reading_between_which_a_remedy_leaves_the_choice():
    convention = Finding("c", "note", "N.", "Say it with --convention N=total or N=non-embedding.")
    rows = Finding("r", "warning", "Rows.", 'Drop them with --where "row not in [1, 2]".', (1, 2))
    unit = Finding("u", "note", "Unit.", "Say it with --unit loss=bits/byte.")
    first, *rest = cards([convention, rows, unit])
    assert first["code"] == "r" and first["rows"] == [1, 2] and first["choices"] == []
    assert "“Only rows where”" in first["remedy"]
    told = {each["code"]: [choice["reading"] for choice in each["choices"]] for each in rest}
    assert told == {
        "c": [{"conventions": {"N": "total"}}, {"conventions": {"N": "non-embedding"}}],
        "u": [{"units": {"loss": "bits/byte"}}],
    }


def test_the_rows_of_a_table_come_as_numbers_and_coded_texts(sweep):
    curves = read_runs(examples.table(examples.example("loss-curves")))
    said = rows_data(curves)
    assert list(said["numbers"])[:4] == ["N", "D", "C", "loss"] and said["step"] == 1
    assert said["numbers"]["loss"] == packed(curves["loss"])
    text = said["texts"]["run"]
    assert [text["values"][code] for code in text["codes"]] == curves.frame["run"].to_list()
    assert len(set(said["curves"])) == 12 and rows_data(sweep)["curves"] is None


def test_the_public_tables_of_this_machine_are_the_first_examples(named_tables):
    first = examples.shown_examples()
    assert [each["name"] for each in first] == [each.name for each in examples.PUBLIC]
    assert all(each["public"] and each["x"] for each in first) and first[0]["rows"] == 245


def test_the_sweep_has_six_broken_runs_that_pull_the_optimum(sweep):
    first = examples.shown_examples()
    assert [each["name"] for each in first] == [each.name for each in examples.EXAMPLES]
    assert not any(each["public"] for each in first)  # no copy of a public table lies on this machine
    assert all(len(each["x"]) == len(each["y"]) == len(each["color"]) <= 480 for each in first)
    truth = law("chinchilla").value(examples._TRUTH, {"N": sweep["N"], "D": sweep["D"]})
    off = sweep["loss"] / truth - 1
    assert (off > 0.03).sum() == 6 and np.abs(np.sort(off)[:-6]).max() < 0.02
