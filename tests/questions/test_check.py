"""What a table says of itself: its columns, its runs, and every doubt once."""

from math import sin

import pytest

from isoflop import Runs, read_runs
from isoflop.answers.wording import told
from isoflop.errors import DataError, IsoflopError
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask, word
from isoflop.questions.base.specs import RunsSpec
from isoflop.questions.check import Check, columns_table
from isoflop.validation.check import check


@pytest.fixture
def table(tmp_path):
    """Twenty runs of two families, the first of them twice."""
    rows = [
        f"{n:g},{d:g},{(1.8 + 400 / n**0.34 + 2000 / d**0.36) * (1 + 0.003 * sin(7 * i)):.6f},{'xy'[i % 2]}"
        for i, (n, d) in enumerate((n, d) for n in (1e7, 1e8, 3e8, 1e9) for d in (1e9, 3e9, 1e10, 3e10, 1e11))
    ]
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(["Model Size,tokens,loss,family", *rows, rows[0]]))
    return path


def test_columns_are_told_with_their_range_and_origin(table):
    answer = ask(Check(), Context(RunsSpec(source=str(table))))
    rows = {row["column"]: row for row in answer.to_frame("columns").iter_rows(named=True)}
    assert (rows["N"]["header"], rows["N"]["smallest"], rows["N"]["largest"]) == ("Model Size", 1e7, 1e9)
    assert (rows["D"]["header"], rows["C"]["derived"]) == ("tokens", "6ND")
    assert rows["family"]["smallest"] is None and rows["loss"]["unit"] == "nats/token"


def test_every_doubt_of_the_engine_stands_once(table):
    runs = read_runs(table)
    answer = ask(Check(), Context(RunsSpec(source=str(table))))
    assert {*check(runs)} == {*answer.findings} and len(answer.findings) == len({*answer.findings})
    assert "duplicate-rows" in [each.code for each in answer.findings]
    serious = sum(each.level != "note" for each in answer.findings)
    assert answer["warnings"].value == serious and (answer["runs"].value, answer["rows"].value) == (21, 21)


@pytest.mark.parametrize(
    ("where", "says"),
    [("row == 1", "1 run in 1 row; "), ("row <= 10", "10 runs in 10 rows; "), ("N > 1e8", "10 runs in 10 rows; ")],
)
def test_the_headline_counts(table, where, says):
    assert ask(Check(), Context(RunsSpec(source=str(table), where=where))).sentence(told).startswith(says)


def test_the_surface_of_a_law_decides_what_an_outlier_is(table):
    lines = [line.rpartition(",")[0] for line in table.read_text().splitlines()]  # one family
    lines[7] = ",".join([*lines[7].split(",")[:2], "4.9"])
    table.write_text("\n".join(lines[:-1]))
    for surface in (None, "chinchilla"):
        answer = ask(Check(surface=surface), Context(RunsSpec(source=str(table))))
        (outlier,) = (each for each in answer.findings if each.code == "outliers")
        assert outlier.rows == (7,)
    with pytest.raises(IsoflopError, match="no law is named 'nobody'"):
        ask(Check(surface="nobody"), Context(RunsSpec(source=str(table))))


def test_a_table_is_shown_without_a_law(table):
    answer = word(Check(), read_runs(table), Context(given_runs=read_runs(table)))
    assert answer["rows"].value == 21 and answer.question == "check"


def test_pictures_are_of_what_the_table_holds(table):
    assert [each.name for each in ask(Check(), Context(RunsSpec(source=str(table)))).pictures] == ["design"]
    curve = Runs.from_columns(
        {"step": list(range(1, 30)), "loss": [3 / step for step in range(1, 30)], "run": ["a"] * 29}
    )
    assert [each.name for each in word(Check(), curve, Context(given_runs=curve)).pictures] == ["training-curves"]
    bare = Runs.from_columns({"N": [1e6, 2e6], "accuracy": [0.1, 0.2]})
    assert word(Check(), bare, Context(given_runs=bare)).pictures == ()


def test_some_columns_alone(table):
    assert [row[0] for row in columns_table(read_runs(table), of={"N", "loss"}).rows] == ["N", "loss"]


def test_a_table_that_is_none(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        ask(Check(), Context(RunsSpec(source=str(tmp_path / "gone.csv"))))
