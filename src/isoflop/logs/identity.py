"""Which columns of a table of curves tell runs apart: so few as make every step of a run stand once."""

from __future__ import annotations

from typing import Final

import polars as pl

from isoflop.findings import Finding
from isoflop.logs.judge import is_loss

_NAMES: Final = (
    "run", "run_id", "run_name", "run id", "run name", "name", "run_file", "experiment", "exp_name", "experiment_id",
    "model_name", "model", "id",
)  # fmt: skip
_MOST_KEYS: Final = 4
_FEWEST_POINTS: Final = 2  # a run has at least two steps on average, or the column does not name runs


def run_columns(
    frame: pl.DataFrame, step: str, measured: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], list[Finding]]:
    """The columns that name the runs, none for a table of one run, and what is doubtful about the choice.

    measured: columns that are values of curves and so tell nothing apart. A column with a usual name (``run``,
    ``model`` …) comes first; others follow as long as a step of one run still has two values of one metric.
    """
    candidates = [name for name in frame.columns if name != step and name not in measured and _may_name(frame, name)]
    usual = [name for word in _NAMES for name in candidates if name.strip().lower() == word]
    keys = usual[:1]
    metrics = [name for name in frame.columns if name != step and name not in candidates]
    twice = _twice(frame, keys, step, metrics)
    while twice and len(keys) < _MOST_KEYS:
        left = [
            (_twice(frame, [*keys, name], step, metrics), frame[name].n_unique(), name)
            for name in candidates
            if name not in keys
        ]
        if not left or min(left)[0] >= twice:
            break
        twice, _, best = min(left)
        keys.append(best)
    findings = []
    if keys and keys != usual[:1]:
        told = "and ".join(f"{name!r} " for name in keys).strip()
        findings.append(
            Finding("run-columns", "note", f"runs are told apart by {told}.", "Name the runs in a column called run.")
        )
    if twice:
        findings.append(
            Finding(
                "steps-twice",
                "doubt",
                f"{twice:,} steps of a run stand in more than one row with different values; the last row counts.",
                "Give the table a column called run that names the run of each row.",
            )
        )
    return tuple(keys), findings


def _may_name(frame: pl.DataFrame, name: str) -> bool:
    series = frame[name]
    if is_loss(name) or series.n_unique() < 2:
        return False
    if series.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Boolean):
        return True
    # numbers: sizes and seeds take few values, measurements many
    return series.dtype.is_numeric() and not series.has_nulls() and series.n_unique() <= max(2, frame.height // 20)


def _twice(frame: pl.DataFrame, keys: list[str], step: str, metrics: list[str]) -> int:
    """How many pairs of run and step have two rows with a value of the same metric."""
    grouped = frame.lazy().group_by([*keys, step])
    if metrics:
        most = grouped.agg(pl.max_horizontal(pl.col(name).count() for name in metrics).alias("rows in one"))
    else:
        most = grouped.agg(pl.len().alias("rows in one"))
    return int(most.filter(pl.col("rows in one") > 1).select(pl.len()).collect().item())
