"""A table that says of each run what its log does not: ``run,N,D`` and other columns, joined to a store by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.runs import read_runs
from isoflop.runs.table import Runs, is_text

# What a log may lack and such a table may tell.
COLUMNS: Final = ("N", "N_convention", "D", "C", "U", "batch", "context", "seed", "family", "schedule", "lr", "warmup")
_NAMES: Final = ("run", "name", "run_name", "model", "id")
_SHOWN: Final = 3

Told = Mapping[str, Mapping[str, float | str]]


def read_run_table(source: str | Path | Any) -> Told:  # noqa: ANN401  (any frame that narwhals knows)
    """run → column → value, of a file or a frame with a column of names (``run``) and some of :data:`COLUMNS`.

    Headers are understood as in any table of runs: ``params_M`` is N in millions. Empty cells say nothing.
    Raises DataError: no column of names, a name twice, no column that says anything.
    """
    runs = read_runs(source)
    frame = runs.frame
    by_word = {name.strip().lower(): name for name in reversed(frame.columns)}
    own = next((by_word[word] for word in _NAMES if word in by_word), None)
    if own is None:
        raise DataError(
            f"{runs.source} has no column called run, so its rows cannot be joined to the logs; add one with the names "
            "of the runs"
        )
    columns = [name for name in frame.columns if name in COLUMNS and name != own and _in_file(runs, name)]
    if not columns:
        raise DataError(f"{runs.source} has no column that a log could lack: {', '.join(COLUMNS)}")
    told: dict[str, dict[str, float | str]] = {}
    for row in frame.iter_rows(named=True):
        name = row[own]
        if name is None:
            continue
        if str(name) in told:
            raise DataError(f"{runs.source} names the run {str(name)[:80]!r} twice; keep one of its rows")
        told[str(name)] = {
            column: str(row[column]) if is_text(column) or column == "seed" else float(row[column])
            for column in columns
            if row[column] is not None
        }
    convention = runs.columns["N"].convention if "N" in runs.columns else None
    if convention is not None:
        for said in told.values():
            if "N" in said:
                said["N_convention"] = convention
    return told


def _in_file(runs: Runs, name: str) -> bool:
    """Whether a column was in the file, not derived from others such as C = 6ND."""
    column = runs.columns.get(name)
    return column is None or column.derived is None


def unmatched_findings(told: Told, runs: Collection[str]) -> list[Finding]:
    """Rows of the table that no run of the store has the name of, and how many runs it says nothing of."""
    ends = {run.rsplit("/", 1)[-1] for run in runs} | set(runs)
    strange = [name for name in told if name not in ends]
    if not strange:
        return []
    shown = ", ".join(strange[:_SHOWN]) + (f" and {len(strange) - _SHOWN} more" if len(strange) > _SHOWN else "")
    return [
        Finding(
            "run-table",
            "warning",
            f"{len(strange)} of {len(told)} rows of the table of runs name no run of the store ({shown}).",
            f"Write the names as the store has them, such as {next(iter(runs), 'run')!r}.",
        )
    ]
