"""Tables of scores: a column a task, or a row a score with the task's name beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError, excerpt
from isoflop.runs.table import Runs

_LISTED = 12


def check_long_columns(task_column: str | None, score: str | None) -> None:
    """Refuse a long table of which only one of its two columns is named."""
    if (task_column is None) != (score is None):
        raise IsoflopError("a long table needs both --task-column and --score; without them --task names columns")


def rows_of_tasks(
    runs: Runs, task_column: str, tasks: Sequence[str]
) -> tuple[tuple[str, ...], list[NDArray[np.int64]]]:
    """Of a long table the tasks, all of them where none is named, and the rows of each.

    Raises DataError for a task that is not there.
    """
    of = np.array(runs.text(task_column), dtype=object)
    there = sorted(set(of) - {""})
    missing = [name for name in tasks if name not in there]
    if missing:
        raise DataError(
            f"{excerpt(task_column)} of {runs.source} has no {excerpt(missing[0])}; there are "
            f"{', '.join(there[:_LISTED])}"
        )
    names = tuple(tasks) or tuple(there)
    return names, [np.flatnonzero(of == name) for name in names]
