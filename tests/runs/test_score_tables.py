"""Long tables of scores: which rows are a task's, and what is refused."""

import pytest

from isoflop import Runs
from isoflop.errors import DataError, IsoflopError
from isoflop.runs.score_tables import check_long_columns, rows_of_tasks

TABLE = Runs.from_columns({"task": ["quiz", "exam", "", "quiz"], "acc": [0.1, 0.2, 0.3, 0.4]})


def test_tasks_are_all_or_those_that_are_named_in_their_order():
    names, rows = rows_of_tasks(TABLE, "task", ())
    assert names == ("exam", "quiz") and [each.tolist() for each in rows] == [[1], [0, 3]]
    names, rows = rows_of_tasks(TABLE, "task", ["quiz"])
    assert names == ("quiz",) and [each.tolist() for each in rows] == [[0, 3]]


def test_a_task_that_is_not_there_and_half_of_the_columns_are_refused():
    with pytest.raises(DataError, match="'task' of made in memory has no 'riddle'; there are exam, quiz"):
        rows_of_tasks(TABLE, "task", ["quiz", "riddle"])
    check_long_columns(None, None)
    for one, other in (("task", None), (None, "acc")):
        with pytest.raises(IsoflopError, match="both --task-column and --score"):
            check_long_columns(one, other)
