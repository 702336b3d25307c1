"""The results of a sweep as two Parquet tables: one row a run, and one row an evaluation along each run."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from isoflop.files import write_whole

RUNS = "runs.parquet"
CURVES = "curves.parquet"
_WHOLE = ("N", "N_nonembed", "D", "U", "seed", "batch", "step", "steps")


def write_tables(results: Sequence[Mapping[str, Any]], out: Path) -> tuple[Path, Path]:
    """Write the rows of all results, ordered by parameters, tokens and name, and return the two paths.

    Both files are always written; without a curve the second has no rows.
    """
    runs = [result["row"] for result in results]
    curves = [row for result in results for row in result["curve"]]
    for name, rows in ((RUNS, runs), (CURVES, curves)):
        held = io.BytesIO()
        frame_of(rows).write_parquet(held, compression="zstd")
        write_whole(out / name, held.getvalue())
    return out / RUNS, out / CURVES


def frame_of(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """The rows as a frame with whole numbers as integers and the rest as floats; absent values are null."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    series = []
    for name, values in columns.items():
        numeric = all(value is None or isinstance(value, int | float) for value in values)
        if numeric and name in _WHOLE and all(value is None or _whole(value) for value in values):
            series.append(pl.Series(name, [None if v is None else int(v) for v in values], dtype=pl.Int64))
        elif numeric:
            series.append(pl.Series(name, values, dtype=pl.Float64))
        else:
            series.append(pl.Series(name, [None if v is None else str(v) for v in values], dtype=pl.String))
    frame = pl.DataFrame(series)
    order = [name for name in ("N", "D", "seed", "run", "step") if name in frame.columns]
    return frame.sort(order, nulls_last=True) if order else frame


def _whole(value: float) -> bool:
    """Whether 64 bits hold the number as a whole one."""
    return math.isfinite(value) and value == int(value) and abs(value) < 2**63
