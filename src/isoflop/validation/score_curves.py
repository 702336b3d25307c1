"""``score_curves``: scores of tasks at the checkpoints of several models, from a wide or a long table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError, excerpt
from isoflop.runs import Runs
from isoflop.runs.columns import symbol_of
from isoflop.runs.score_tables import check_long_columns, rows_of_tasks
from isoflop.values import Value

Floats = NDArray[np.float64]

_FEWEST = 4  # checkpoints of a model that show when a score rises
_SAME = 1e-9  # relative difference of two rows that tell the same


@dataclass(frozen=True)
class ScoreCurves(Value):
    """Scores of tasks at checkpoints, NaN where none was measured.

    models: their names, smallest first where the table has N. size: N of each, NaN where it is not known, (models,).
    x: checkpoints in the unit of the column ``by``, rising, (checkpoints,). scores, errors: (models, tasks,
    checkpoints); errors are None where the table has none.
    """

    models: tuple[str, ...]
    tasks: tuple[str, ...]
    by: str
    source: str
    size: Floats = field(repr=False)
    x: Floats = field(repr=False)
    scores: Floats = field(repr=False)
    errors: Floats | None = field(repr=False)


def score_curves(
    runs: Runs,
    *,
    tasks: Sequence[str] = (),
    task_column: str | None = None,
    score: str | None = None,
    error: str | None = None,
    model: str | None = None,
    x: str | None = None,
) -> ScoreCurves:
    """The scores of a table with a column a task (``tasks``), or with a row a task (``task_column``, ``score``).

    Parameters
    ----------
    runs :
        Rows are checkpoints, or tasks at checkpoints.
    tasks :
        Headers of scores, or the tasks of ``task_column`` that are kept; all of them by default.
    task_column, score, error :
        Of a long table: the columns of the task's name, of its score and of its standard error. In a wide table errors
        stand in ``TASK_stderr``.
    model :
        The column that names the model; ``run``, ``model`` or ``family`` by default.
    x :
        The column of the checkpoints; ``step`` or D by default.

    Returns
    -------
    ScoreCurves
        Models by tasks by checkpoints.

    Raises
    ------
    DataError
        A column is missing, a score is told twice, or no model has four checkpoints.
    IsoflopError
        Columns that do not go together.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.validation.score_curves import score_curves
    >>> table = {"run": ["a"] * 4, "step": [0, 1, 2, 4], "quiz": [0.2, 0.2, 0.4, 0.5]}
    >>> score_curves(isoflop.Runs.from_columns(table), tasks=["quiz"]).scores.tolist()
    [[[0.2, 0.2, 0.4, 0.5]]]
    """
    check_long_columns(task_column, score)
    if task_column is None and not tasks:
        raise IsoflopError(
            "scores are needed: --task COLUMN for each task, or for a long table --task-column and --score"
        )
    if task_column is None and error is not None:
        raise IsoflopError("--error is for a long table (--task-column); in a wide one errors stand in TASK_stderr")
    by = symbol_of(x, runs.columns) if x else next((name for name in ("step", "D") if name in runs), None)
    if by is None:
        raise IsoflopError(f"{runs.source} has neither step nor D; name the column of the checkpoints, as --x epoch")
    named = model or next((name for name in ("run", "model", "family") if name in runs), None)
    models = np.array(runs.text(named) if named else ["all"] * len(runs), dtype=object)
    at = runs[by]
    names, cells = _cells(runs, tasks, task_column, score, error)
    usable = np.isfinite(at)
    order = sorted(set(models[usable]), key=lambda name: (_size(runs, models == name), name))
    checkpoints = np.unique(at[usable])
    shape = (len(order), len(names), len(checkpoints))
    scores, errors = np.full(shape, np.nan), np.full(shape, np.nan)
    place = {name: number for number, name in enumerate(order)}
    column = np.searchsorted(checkpoints, at)
    for task, rows, values, sigma in cells:
        for row, value, known in zip(rows, values, sigma, strict=True):
            if not (usable[row] and np.isfinite(value)):
                continue
            cell = place[str(models[row])], task, int(column[row])
            there = scores[cell]
            if np.isfinite(there) and abs(there - value) > _SAME * max(1.0, abs(value)):
                raise DataError(
                    f"{excerpt(names[task])} of {excerpt(str(models[row]))} is told twice at {by} = {at[row]:g}, as "
                    f"{there:g} and {value:g} (row {runs.rows[row]}); keep one of them with --where"
                )
            scores[cell], errors[cell] = value, known
    if not (np.isfinite(scores).sum(axis=2) >= _FEWEST).any():
        raise DataError(
            f"no model of {runs.source} has scores at {_FEWEST} or more checkpoints of {by}; name the columns of the "
            "model and of the checkpoints (--by, --x)"
        )
    size = np.array([_size(runs, models == name) for name in order])
    size = np.where(np.isfinite(size), size, np.nan)
    known = errors if np.isfinite(errors).any() else None
    return ScoreCurves(tuple(order), names, by, runs.source, size, checkpoints, scores, known)


Cell = tuple[int, NDArray[np.int64], Floats, Floats]


def _cells(
    runs: Runs, tasks: Sequence[str], task_column: str | None, score: str | None, error: str | None
) -> tuple[tuple[str, ...], list[Cell]]:
    """The tasks' names, and for each its rows, scores and errors."""
    every = np.arange(len(runs))
    if task_column is None:
        found = []
        for number, name in enumerate(tasks):
            beside = f"{name}_stderr"
            sigma = runs[beside] if beside in runs.headers else np.full(len(runs), np.nan)
            found.append((number, every, runs[name], sigma))
        return tuple(tasks), found
    assert score is not None
    names, rows = rows_of_tasks(runs, task_column, tasks)
    sigma = runs[error] if error is not None else np.full(len(runs), np.nan)
    values = runs[score]
    return names, [(number, each, values[each], sigma[each]) for number, each in enumerate(rows)]


def _size(runs: Runs, rows: NDArray[np.bool_]) -> float:
    """N of a model; infinite where it is not known, so that it stands last."""
    if "N" not in runs:
        return float("inf")
    known = runs["N"][rows]
    known = known[np.isfinite(known)]
    return float(known[0]) if len(known) else float("inf")
