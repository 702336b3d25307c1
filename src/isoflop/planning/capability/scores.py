"""``model_scores``: scores of models on benchmarks with dates and scale, from a wide or a long table."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError, excerpt
from isoflop.runs import Runs
from isoflop.runs.columns import symbol_of
from isoflop.runs.score_tables import check_long_columns, rows_of_tasks
from isoflop.values import Value

Floats = NDArray[np.float64]

_FEWEST = 3  # models of a benchmark whose difficulty and discrimination are fitted
_YEAR = 365.25
_MONTH = re.compile(r"(\d{4})-(\d{1,2})")
_DECIMAL = re.compile(r"\d{4}(\.\d+)?")
_WORDS = ("%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%B %Y", "%b %Y", "%Y/%m/%d")


@dataclass(frozen=True)
class ModelScores(Value):
    """Scores in [0, 1] of models on benchmarks, NaN where none was measured.

    scores: (models, tasks). year: release as a decimal year, NaN where not known. scale: the column ``by`` (C or N) of
    each model, NaN where not known; tokens: the same of ``tokens_by``, None without such a column. reference: models
    whose index is fitted against scale. family: of each model, empty where not known. left_out: models and benchmarks
    with too few scores.
    """

    models: tuple[str, ...]
    tasks: tuple[str, ...]
    by: str
    source: str
    scores: Floats = field(repr=False)
    year: Floats = field(repr=False)
    scale: Floats = field(repr=False)
    reference: NDArray[np.bool_] = field(repr=False)
    family: tuple[str, ...] = field(repr=False)
    left_out: tuple[str, ...] = field(repr=False, default=())
    tokens_by: str = ""
    tokens: Floats | None = field(repr=False, default=None)


def model_scores(
    runs: Runs,
    *,
    tasks: Sequence[str] = (),
    task_column: str | None = None,
    score: str | None = None,
    model: str | None = None,
    date: str | None = None,
    by: str | None = None,
    tokens: str | None = None,
    family: str | None = None,
    reference: str | None = None,
    percent: bool = False,
    least: int = 2,
) -> ModelScores:
    """The scores of a table with a column a benchmark (``tasks``), or a row a score (``task_column``, ``score``).

    Parameters
    ----------
    runs :
        Rows are models, or scores of models.
    tasks :
        Headers of scores, or the benchmarks of ``task_column`` that are kept; all of them by default.
    task_column, score :
        Of a long table: the columns of the benchmark's name and of its score.
    model, date, family :
        Columns of the model's name (``model``, ``run`` by default), release date (``date``) and family (``family``).
    by :
        The column of scale; C or N by default.
    tokens :
        The column of training tokens, a second input of family panels where scale is a size; D by default.
    reference :
        An expression, as ``family == 'a'``, that selects the reference models; all of them by default.
    percent :
        Whether scores are in percent.
    least :
        Scores that a model needs.

    Returns
    -------
    ModelScores
        Models by benchmarks.

    Raises
    ------
    DataError
        A column is missing, a score is out of range or is there twice, a benchmark is constant, a date cannot be read,
        or fewer than three models are left.
    IsoflopError
        Columns that do not go together.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.planning.capability.scores import model_scores
    >>> table = {"model": ["a", "b", "c"], "quiz": [0.2, 0.4, 0.5], "exam": [0.1, 0.2, 0.6]}
    >>> model_scores(isoflop.Runs.from_columns(table), tasks=["quiz", "exam"]).scores.shape
    (3, 2)
    """
    check_long_columns(task_column, score)
    if task_column is None and len(tasks) < 2:
        raise IsoflopError(
            "scores on two or more benchmarks are needed: --task COLUMN for each, or for a long table --task-column "
            "and --score"
        )
    named = model or next((name for name in ("model", "run") if name in runs), None)
    if named is None:
        raise IsoflopError(f"{runs.source} has no column model; name the column of the models, as --by name")
    label = np.array(runs.text(named), dtype=object)
    names = tuple(dict.fromkeys(each for each in label if each))
    place = {name: number for number, name in enumerate(names)}
    of = np.array([place.get(each, -1) for each in label])
    kept, table = _table(runs, of, names, tasks, task_column, score, percent)
    own, other, left = _enough(names, kept, table, least, bool(tasks))
    scale_by = symbol_of(by, runs.columns) if by else next((name for name in ("C", "N") if name in runs), "")
    dated = date or ("date" if "date" in runs else None)
    year = np.full(len(names), math.nan)
    if dated is not None:
        year = _first(runs, of, len(names), [_year(text, dated, row) for text, row in _texts(runs, dated)], dated)
    scale = np.full(len(names), math.nan)
    if scale_by:
        scale = _first(runs, of, len(names), list(runs[scale_by]), scale_by)
        if (scale <= 0).any():
            bad = names[int(np.argmax(scale <= 0))]
            raise DataError(f"{scale_by} of {excerpt(bad)} is not positive; leave it out with --where")
    usual = "D" in runs and scale_by not in ("", "C", "D") and bool((np.nan_to_num(runs["D"], nan=0.0) > 0).any())
    if usual and not tokens:
        usual = not bool((runs["D"] <= 0).any())  # tokens that are not known are often written as zero
    tokens_by = symbol_of(tokens, runs.columns) if tokens else ("D" if usual else "")
    seen = None
    if tokens_by:
        seen = _first(runs, of, len(names), list(runs[tokens_by]), tokens_by)
        if (seen <= 0).any():
            bad = names[int(np.argmax(seen <= 0))]
            raise DataError(f"{tokens_by} of {excerpt(bad)} is not positive; leave it out with --where")
    found = np.array([reference is None] * len(names))
    if reference is not None:
        chosen = set(runs.where(reference).text(named))
        found = np.array([name in chosen for name in names])
    house = family or ("family" if "family" in runs else None)
    groups = [""] * len(names)
    if house is not None:
        for row, text in zip(of, runs.text(house), strict=True):
            if row >= 0 and text:
                groups[row] = text
    return ModelScores(
        models=tuple(names[m] for m in own),
        tasks=tuple(kept[t] for t in other),
        by=scale_by,
        source=runs.source,
        scores=table[np.ix_(own, other)],
        year=year[own],
        scale=scale[own],
        reference=found[own],
        family=tuple(groups[m] for m in own),
        left_out=left,
        tokens_by=tokens_by,
        tokens=None if seen is None else seen[own],
    )


def _table(
    runs: Runs,
    of: NDArray[np.int64],
    names: tuple[str, ...],
    tasks: Sequence[str],
    task_column: str | None,
    score: str | None,
    percent: bool,
) -> tuple[tuple[str, ...], Floats]:
    """Benchmarks and scores (models, benchmarks)."""
    if task_column is None:
        kept = tuple(tasks)
        cells = [(t, np.arange(len(runs)), _numbers(runs, name)) for t, name in enumerate(kept)]
    else:
        assert score is not None
        kept, rows = rows_of_tasks(runs, task_column, tasks)
        values = _numbers(runs, score)
        cells = [(t, each, values[each]) for t, each in enumerate(rows)]
    table = np.full((len(names), len(kept)), math.nan)
    for task, rows_of, values_of in cells:
        for row, given in zip(rows_of, values_of, strict=True):
            value = float(given) / 100 if percent else float(given)
            if of[row] < 0 or not math.isfinite(value):
                continue
            known = table[of[row], task]
            whose = f"{excerpt(kept[task])} of {excerpt(names[of[row]])}"
            if not 0 <= value <= 1:
                raise DataError(
                    f"the score in {whose} is {float(given):g}, outside {'0 to 100' if percent else '0 to 1'} (row "
                    f"{runs.rows[row]}); scores in percent are read with --percent, others are left out with --where"
                )
            if math.isfinite(known) and abs(known - value) > 1e-9:
                raise DataError(
                    f"{whose} is there twice, as {known:g} and {value:g} (row {runs.rows[row]}); keep the higher with "
                    "--best -COLUMN --per COLUMN, or one of them with --where"
                )
            table[of[row], task] = value
    return kept, table


def _enough(
    names: tuple[str, ...], tasks: tuple[str, ...], table: Floats, least: int, named: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[str, ...]]:
    """Models and benchmarks that are linked and have scores enough, and those that are left out."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    there = np.isfinite(table)
    for t, name in enumerate(tasks):
        own = table[there[:, t], t]
        constant = len(own) >= _FEWEST and np.ptp(own) == 0
        if constant and not named:
            there[:, t] = False
        elif constant:
            raise DataError(
                f"all {len(own)} models score {own[0]:g} in {excerpt(name)}, which tells nothing of capability; leave "
                "it out of --task"
            )
    keep_m, keep_t = np.ones(len(names), bool), np.ones(len(tasks), bool)
    while True:
        now = there & keep_m[:, None] & keep_t
        further_m = keep_m & (now.sum(axis=1) >= max(least, 1))
        further_t = keep_t & (now.sum(axis=0) >= _FEWEST)
        if (further_m == keep_m).all() and (further_t == keep_t).all():
            break
        keep_m, keep_t = further_m, further_t
    models, benchmarks = np.flatnonzero(keep_m), np.flatnonzero(keep_t)
    if len(models):
        grid = there[np.ix_(models, benchmarks)].astype(float)
        links = np.block([[np.zeros((len(models),) * 2), grid], [grid.T, np.zeros((len(benchmarks),) * 2)]])
        _, part = connected_components(csr_array(links), directed=False)
        largest = np.bincount(part[: len(models)]).argmax()
        models = models[part[: len(models)] == largest]
        benchmarks = benchmarks[part[len(keep_m[keep_m]) :] == largest]
    if len(models) < _FEWEST or len(benchmarks) < 2:
        raise DataError(
            f"{len(models)} of {len(names)} models have scores on benchmarks that {_FEWEST} or more models share; a "
            f"capability index needs {_FEWEST} models and two benchmarks, so give further rows or a lower --least"
        )
    left = [names[m] for m in range(len(names)) if m not in set(models)]
    left += [tasks[t] for t in range(len(tasks)) if t not in set(benchmarks)]
    return models, benchmarks, tuple(left)


def _numbers(runs: Runs, name: str) -> Floats:
    """The column as numbers; 77.0% is .77."""
    if name not in runs:
        return runs[name]
    texts = runs.text(name)
    if not any(each.endswith("%") for each in texts):
        return runs[name]
    found = np.full(len(texts), math.nan)
    for row, each in enumerate(texts):
        number, unit = each.rstrip("% "), 100 if each.endswith("%") else 1
        try:
            found[row] = float(number) / unit if number else math.nan
        except ValueError:
            raise DataError(f"{excerpt(name)} has {excerpt(each)} in row {runs.rows[row]}, which is no score") from None
    return found


def _texts(runs: Runs, name: str) -> list[tuple[str, int]]:
    return [(text, int(row)) for text, row in zip(runs.text(name), runs.rows, strict=True)]


def _first(runs: Runs, of: NDArray[np.int64], count: int, values: Sequence[float], name: str) -> Floats:
    """A model's value, which its rows share; the earliest or least where they differ."""
    found = np.full(count, math.nan)
    for row, value in zip(of, values, strict=True):
        if row >= 0 and math.isfinite(value):
            found[row] = np.fmin(found[row], value)
    if not np.isfinite(found).any():
        raise DataError(f"{excerpt(name)} of {runs.source} has no value for any model")
    return found


def _year(text: str, column: str, row: int) -> float:
    """A decimal year from an ISO date, a month, a year, or a date in words; NaN where there is none."""
    word = text.strip()
    if not word:
        return math.nan
    readers: tuple[Callable[[str], datetime.date], ...] = (
        lambda each: datetime.datetime.fromisoformat(each.replace("Z", "+00:00")).date(),
        *(lambda each, form=form: datetime.datetime.strptime(each, form).date() for form in _WORDS),
    )
    if _DECIMAL.fullmatch(word) and 1900 <= float(word) < 2200:
        return float(word)
    month = _MONTH.fullmatch(word)
    if month and 1 <= int(month[2]) <= 12:
        return _decimal(datetime.date(int(month[1]), int(month[2]), 15))
    for read in readers:
        try:
            return _decimal(read(word))
        except ValueError:
            continue
    raise DataError(
        f"the date {excerpt(text)} in {excerpt(column)} (row {row}) cannot be read; write it as 2024-07-23, 2024-07 or "
        "2024, or leave the row out with --where"
    )


def _decimal(date: datetime.date) -> float:
    return 2000 + (date - datetime.date(2000, 1, 1)).days / _YEAR
