"""Groups of rows: by the values of columns, some of these values alone, or by selections that have names."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from isoflop.errors import DataError, FormulaError, excerpt
from isoflop.runs.columns import is_score
from isoflop.runs.table import ROW, Runs, rows_phrase

NAMED = "named group"  # the column of groups that are selections
JOINED = " / "  # between the values of several columns
MOST_VALUES = 60  # of a column that is offered for grouping
_FEWEST_RUNS = 3  # in each of two groups of a column that is offered
_LISTED = 8


@dataclass(frozen=True)
class GroupingColumn:
    """A column whose values may be groups: each with its number of runs, in the order in which they appear."""

    name: str
    values: tuple[tuple[str, int], ...]


def label(text: str) -> str:
    """A group's name: without spaces around it, and ``8`` for the number 8.0."""
    text = text.strip()
    whole = text.removesuffix(".0")
    return whole if whole.lstrip("-").isdigit() else text


def labels(runs: Runs, by: Sequence[str]) -> list[str]:
    """The group of each row by one column, or by the combinations of several; empty where a cell is missing."""
    columns = [[label(each) for each in runs.text(name)] for name in by]
    return [JOINED.join(cells) if all(map(str.strip, cells)) else "" for cells in zip(*columns, strict=True)]


def only_groups(runs: Runs, by: Sequence[str], only: Sequence[str]) -> Runs:
    """The rows of some groups; a text that is no group is parted at its commas.

    Raises DataError for fewer than two groups, and for a name that is none of them (the nearest are named).
    """
    if not only:
        return runs
    here = labels(runs, by)
    known = dict.fromkeys(each for each in here if each)
    column = JOINED.join(by)
    wanted: dict[str, None] = {}
    for text in only:
        for name in [text] if label(text) in known else text.split(","):
            found = label(name)
            if not found:
                continue
            if found not in known:
                near = difflib.get_close_matches(found, known, n=3, cutoff=0.5) or list(known)[:_LISTED]
                more = f" and {len(known) - len(near)} more" if len(known) > len(near) else ""
                raise DataError(
                    f"{excerpt(found)} is no value of {excerpt(column)} in {runs.source}; it has "
                    f"{', '.join(excerpt(each) for each in near)}{more}"
                )
            wanted[found] = None
    if len(wanted) < 2:
        one = f"the one group {excerpt(next(iter(wanted)))} of" if wanted else "no group of"
        raise DataError(f"{one} {excerpt(column)} is chosen, and two or more make a comparison; choose another one too")
    return runs.take(np.array([each in wanted for each in here]))


def with_named_groups(runs: Runs, named: Mapping[str, str]) -> Runs:
    """The runs with a column of the names of the selections that they satisfy; rows in none have no name.

    named: name → selection, as of :meth:`isoflop.Runs.where`. Raises DataError for a single group, a selection that
    keeps no row, and rows that satisfy two; FormulaError for a selection that cannot be read.
    """
    if len(named) < 2:
        raise DataError(
            f"one group is named, {excerpt(next(iter(named), ''))}, and two or more make a comparison; name another "
            "one with its rows"
        )
    found = np.full(len(runs), "", dtype=object)
    for name, text in named.items():
        try:
            rows = runs.where(text).frame[ROW].to_numpy()
        except (DataError, FormulaError) as error:
            raise type(error)(f"group {excerpt(name)}: {error}") from None
        inside = np.isin(runs.rows, rows)
        twice = np.flatnonzero(inside & (found != ""))
        if len(twice):
            both = f"{excerpt(str(found[twice[0]]))} and {excerpt(name)}"
            raise DataError(
                f"{len(twice)} of {len(runs)} rows are in {both} ({rows_phrase([int(runs.rows[row]) for row in twice])}"
                "); a run belongs to one group, so narrow one of the selections"
            )
        found[inside] = name
    return runs.with_column(NAMED, found.astype(str))


def in_named_groups(runs: Runs, named: Mapping[str, str]) -> Runs:
    """The rows of :func:`with_named_groups` that have a name."""
    found = with_named_groups(runs, named)
    return found.take(np.array([bool(each) for each in found.text(NAMED)]))


def grouping_columns(runs: Runs) -> tuple[GroupingColumn, ...]:
    """The columns that tell groups apart, those of words before those of numbers.

    A column has 2 to 60 values, of which two have three runs or more; measured responses are none.
    """
    codes = runs.run_codes()
    last = np.zeros(int(codes.max()) + 1, dtype=np.int64)
    last[codes] = np.arange(len(codes))  # of a run's checkpoints the last stands for it
    own = replace(runs, frame=runs.frame[last])
    words: list[GroupingColumn] = []
    numbers: list[GroupingColumn] = []
    for name in own.headers:
        cells = own.frame[name]
        measured = name == "loss" or (cells.dtype.is_float() and is_score(name))
        if name in (ROW, "run", "seed") or measured or not 2 <= cells.drop_nulls().n_unique() <= MOST_VALUES:
            continue
        counts: dict[str, int] = {}
        for each in own.text(name):
            if each.strip():
                counts[label(each)] = counts.get(label(each), 0) + 1
        if len(counts) >= 2 and sorted(counts.values())[-2] >= _FEWEST_RUNS:
            (numbers if cells.dtype.is_numeric() else words).append(GroupingColumn(name, tuple(counts.items())))
    return (*words, *numbers)
