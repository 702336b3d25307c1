"""Rows of a store derived anew from what it holds, by other rules."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.logs.derive import SCHEMA, describe
from isoflop.logs.logged import STEP, LoggedRun
from isoflop.logs.rules import Rules
from isoflop.logs.store import existing, frame_of, write_runs
from isoflop.runs.store import CURVE, Store, curve_batches, open_store, part_metrics
from isoflop.values import FrozenMapping

_OF_A_ROW: Final = ("loss", "loss_unit", "loss_rule")  # of a run that is one row of a table, which has no other loss


def choose_in(folder: Path, rules: Rules) -> tuple[Store, list[Finding]]:
    """The store with every row derived anew from its curves, by other rules, and what was found; for its holder.

    The curves stay as they are.
    """
    store = existing(folder)
    if store is None:
        raise DataError(f"{str(folder)!r} holds no store; make one with isoflop import SOURCE -o {folder}")
    rows: dict[str, dict[str, Any]] = {}
    findings: list[Finding] = []
    for logged, row in stored_runs(store):
        described = describe(logged, rules)
        kept = {} if row[CURVE] or "loss" in described.row else {name: row[name] for name in _OF_A_ROW}
        rows[row["run"]] = {**row, **_cleared(), **kept, **described.row, CURVE: row[CURVE], "run": row["run"]}
        findings += described.findings
    order = store.runs["run"].to_list()
    write_runs(folder, frame_of([rows[run] for run in order]), rules)
    return open_store(folder), findings


def stored_runs(store: Store) -> Iterator[tuple[LoggedRun, dict[str, Any]]]:
    """Each run of a store as it was logged, with its row; curves under the store's names."""
    rows = {row["run"]: row for row in store.runs.iter_rows(named=True)}
    metrics = part_metrics(store)
    seen = set()
    for batch in curve_batches(replace(store, record={}, runs=store.runs.drop("loss_metric")), metrics, rows=500_000):
        for (run,), curve in batch.partition_by("run", as_dict=True, maintain_order=True).items():
            if run not in rows:  # what the table of runs does not name is no part of the store
                continue
            own = [name for name in curve.columns if name != "run" and curve[name].null_count() < curve.height]
            seen.add(run)
            yield _as_logged(rows[str(run)], curve.select(own)), rows[str(run)]
    for run, row in rows.items():
        if run not in seen:
            yield _as_logged(row, pl.DataFrame(schema={STEP: pl.Int64})), row


def _as_logged(row: Mapping[str, Any], curve: pl.DataFrame) -> LoggedRun:
    return LoggedRun(
        name=row["run"],
        format=row["format"],
        source=row["source"],
        status=row["status"],
        history=curve,
        digest=row["digest"],
        settings=_settings(row),
        results=FrozenMapping(
            {name: float(v) for name, v in row.items() if name not in SCHEMA and isinstance(v, int | float)}
        ),
    )


def _settings(row: Mapping[str, Any]) -> FrozenMapping[str, Any]:
    try:
        settings = json.loads(row["settings"] or "{}")
    except (ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict):
        raise DataError(f"the settings of {row['run']!r} in the store are damaged; import the logs again")
    return FrozenMapping(settings)


def _cleared() -> dict[str, None]:
    """Columns that rules decide, emptied."""
    names = "N N_convention D U epochs C loss loss_unit loss_metric loss_step loss_rule batch context warmup S1 S2 lr"
    return dict.fromkeys(names.split())
