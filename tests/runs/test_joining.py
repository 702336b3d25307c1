"""Tables of measures joined to runs by what both call a checkpoint or a run."""

import pytest

from isoflop import Runs
from isoflop.errors import DataError
from isoflop.runs.joining import joined


def _two():
    runs = Runs.from_columns({"checkpoint": ["a", "b", "c"], "gap": [1.0, 2.0, 3.0]}, source="runs")
    other = Runs.from_columns({"checkpoint": ["c", "a"], "gap": [9.0, 9.0], "norm": [30.0, 10.0]}, source="measures")
    return runs, other


def test_rows_keep_their_order_and_their_own_columns():
    found = joined(*_two())
    assert found["gap"].tolist() == [1.0, 2.0, 3.0]
    assert found["norm"].tolist()[::2] == [10.0, 30.0] and found.frame["norm"].null_count() == 1
    rows, columns = found.findings
    assert rows.code == "rows-not-joined" and rows.rows == (2,)
    assert columns.code == "columns-not-joined" and columns.message.startswith("gap of measures is not joined")


def test_numbers_that_name_are_the_same_whatever_their_type():
    runs = Runs.from_columns({"run": [0, 1], "gap": [1.0, 2.0]})
    assert joined(runs, Runs.from_columns({"run": [1.0, 0.0], "norm": [5.0, 6.0]}))["norm"].tolist() == [6.0, 5.0]


def test_what_cannot_be_joined_says_what_to_do():
    runs, other = _two()
    with pytest.raises(DataError, match=r"several rows with checkpoint = 'c'; keep one of each, or add a"):
        joined(runs, Runs.from_columns({"checkpoint": ["c", "c"], "norm": [1.0, 2.0]}, source="measures"))
    with pytest.raises(DataError, match="share neither a column checkpoint nor run; name the column"):
        joined(runs, Runs.from_columns({"name": ["a"], "norm": [1.0]}, source="measures"))
    with pytest.raises(DataError, match="no row of runs has the checkpoint of a row of measures, as 'a' and 'z'"):
        joined(runs, Runs.from_columns({"checkpoint": ["z"], "norm": [1.0]}, source="measures"))
    with pytest.raises(DataError, match="no column that runs lacks"):
        joined(runs, runs)
    with pytest.raises(DataError, match="no column 'norm'"):
        joined(runs, other, on=["checkpoint", "norm"])
