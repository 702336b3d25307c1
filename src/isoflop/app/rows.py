"""The rows of a table as the page holds them: every column of numbers as one, text by its distinct values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import polars as pl

from isoflop.render.explore_data import packed
from isoflop.runs import Runs
from isoflop.units import training_flops

MOST_ROWS: Final = 100_000  # of a larger table every k-th row is shown, and the page says so
_FIRST: Final = ("N", "D", "C", "loss")
_MOST_COLUMNS: Final = 24
_LONGEST: Final = 80  # letters of a cell


def rows_data(runs: Runs) -> dict[str, Any] | None:
    """The rows as columns of numbers and of text; numbers as base64 of float64. None where no column holds numbers.

    response: the column that a chart begins with, see :func:`response_of`.
    texts: of each column ``values``, its distinct cells, and ``codes``, the place of each row's cell among them.
    curves: the number of each row's run, where runs have several rows; None otherwise.
    """
    step = max(1, math.ceil(len(runs) / MOST_ROWS))
    some = runs.take(np.arange(len(runs)) % step == 0) if step > 1 else runs
    numbers = {name: some[name] for name in _FIRST if name in some}
    if "C" not in numbers and {"N", "D"} <= set(numbers):
        numbers["C"] = training_flops(numbers["N"], numbers["D"])
    texts: dict[str, dict[str, Any]] = {}
    for name in some.headers:
        if name in numbers or len(numbers) + len(texts) >= _MOST_COLUMNS:
            continue
        column = some.frame[name]
        if column.dtype.is_numeric():
            numbers[name] = column.cast(pl.Float64).fill_null(math.nan).to_numpy()
        else:
            texts[name] = _coded(column)
    if not numbers:
        return None
    codes = some.run_codes()
    several = len(codes) > int(codes.max(initial=-1)) + 1
    return {
        "total": len(runs),
        "step": step,
        "response": response_of(numbers),
        "row": some.rows.tolist(),
        "numbers": {name: packed(values) for name, values in _ordered(numbers).items()},
        "texts": texts,
        "curves": codes.tolist() if several else None,
    }


def response_of(numbers: Iterable[str]) -> str:
    """The loss; without one what a law with a name predicts, such as ``failure``; else the last unknown column.

    >>> response_of(["samples", "failure", "seed"])
    'failure'
    >>> response_of(["N", "D", "quality"])
    'quality'
    """
    from isoflop.laws import catalogue
    from isoflop.runs.columns import MEANINGS

    names = list(numbers)
    if "loss" in names:
        return "loss"
    known = {each.symbol for each in MEANINGS}
    others = [name for name in names if name not in known]
    predicted = {each.response for each in catalogue().values()}
    return next((name for name in others if name in predicted), others[-1] if others else names[0])


def _ordered(numbers: dict[str, Any]) -> dict[str, Any]:
    """Inputs and loss first, whatever other columns there are."""
    first: dict[str, Any] = {name: numbers[name] for name in _FIRST if name in numbers}
    return {**first, **numbers}


def _coded(column: pl.Series) -> dict[str, Any]:
    cells = column.cast(pl.String, strict=False).fill_null("").str.slice(0, _LONGEST)
    values = cells.unique(maintain_order=True)
    codes = cells.to_frame("cell").join(
        pl.DataFrame({"cell": values, "code": np.arange(len(values))}), on="cell", how="left", maintain_order="left"
    )
    return {"values": values.to_list(), "codes": codes["code"].to_list()}
