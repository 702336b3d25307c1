"""A store as the table that a question needs: one run's curve, or every checkpoint at which something was logged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from isoflop.errors import DataError
from isoflop.runs.curves import with_tokens
from isoflop.runs.read import read_runs
from isoflop.runs.store import CURVE, Store, curve_batches, open_store, reading, scan_curves
from isoflop.runs.table import ROW, Runs
from isoflop.values import FrozenMapping

_BATCH: Final = 262_144
_PLANNED: Final = ("max_steps", "max_iters", "train_iters", "total_steps", "num_iterations", "num_steps")
_SHOWN: Final = 4
# What the table of runs has of a run's end, and a curve of every checkpoint.
_ENDS: Final = frozenset({"S1", "S2", "lr", "loss", "epochs", "C"})


def run_curve(source: str | Path, *, run: str | None = None, where: str | None = None) -> Runs:
    """The curve of one run of a store as a table: ``run``, ``step``, ``lr``, ``loss`` and ``D`` where it is known.

    The rows are those at which the loss that counts was logged, with the rate between its own logged steps taken to
    change evenly; after the last of them those that only the rate has, which are the schedule to come.

    run: its name; not needed where the store (after ``where``) has one run with a curve.
    Raises DataError: several runs (it names them), no such run, no loss, no learning rate.
    """
    store = open_store(source)
    name = _chosen(store, run, where)
    return _as_runs(store, _rows_of(store, name), [name], f"{name} of {store.folder.name}")


def run_curves(source: str | Path, *, where: str | None = None) -> Runs:
    """The curves of all runs of a store that have a loss and learning rates, as :func:`run_curve` gives one.

    where: a selection of runs. Raises DataError where no run has such a curve, or their losses have several units.
    """
    store = open_store(source)
    frames = {}
    for name in _curved(store, where):
        try:
            frames[name] = _rows_of(store, name)
        except DataError:
            continue  # a run without rates or without a loss is no curve
    if not frames:
        raise DataError(f"no run of {store.folder.name} has a curve with losses and learning rates")
    return _as_runs(store, pl.concat(frames.values()), list(frames), store.folder.name)


def _rows_of(store: Store, name: str) -> pl.DataFrame:
    """The curve of a run: run, step, lr and loss."""
    frame = _curve_of(store, name)
    if "lr" not in frame.columns and "rate" in frame.columns:  # of a sweep
        frame = frame.rename({"rate": "lr"})
    if "lr" not in frame.columns or not frame["lr"].count():
        raise DataError(f"the log of {name!r} has no learning rate, so what is left of its schedule is not known")
    logged = frame.filter(pl.col("loss").is_not_null() & pl.col("loss").is_finite())
    if not logged.height:
        raise DataError(
            f"{name!r} has no loss; choose its metric with isoflop import -o {store.folder.name} --loss NAME"
        )
    rates = frame.select("step", "lr").drop_nulls()
    steps = logged["step"].to_numpy()
    own = np.interp(steps, rates["step"].to_numpy(), rates["lr"].to_numpy())
    ahead = rates.filter(pl.col("step") > int(steps[-1]))
    table = pl.concat(
        [
            logged.select("step", pl.Series("lr", own), "loss"),
            ahead.select("step", "lr", pl.lit(None, dtype=pl.Float64).alias("loss")),
        ]
    )
    return table.select(
        pl.lit(name).alias("run"), pl.col("step").cast(pl.Float64), pl.col("lr").cast(pl.Float64), "loss"
    )


def _as_runs(store: Store, rows: pl.DataFrame, names: Sequence[str], source: str) -> Runs:
    """Rows of curves as a table, with the unit of their losses."""
    units = []
    if "loss_unit" in store.runs.columns:
        units = store.runs.filter(pl.col("run").is_in(names))["loss_unit"].drop_nulls().unique().sort().to_list()
    if len(units) > 1:
        raise DataError(
            f"the losses of {source} have several units ({', '.join(units[:_SHOWN])}); keep one of them, such as "
            f"--where \"loss_unit == '{units[0]}'\""
        )
    made = read_runs(rows, units={"loss": units[0]} if units else None)
    return Runs(made.frame, made.columns, source, findings=made.findings)


def planned_steps(source: str | Path, *, run: str | None = None, where: str | None = None) -> int | None:
    """The last step that the log of a run says was planned (``max_steps``); None where it does not say."""
    store = open_store(source)
    name = _chosen(store, run, where)
    if "settings" not in store.runs.columns:
        return None
    text = store.runs.filter(pl.col("run") == name)["settings"][0]
    try:
        settings = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    found = {str(key).rsplit(".", 1)[-1].rsplit("/", 1)[-1]: value for key, value in settings.items()}
    for key in _PLANNED:
        value = found.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 2**62:
            return int(value)
    return None


def checkpoint_table(source: str | Path, *, columns: Sequence[str] = (), where: str | None = None) -> Runs:
    """A row for each checkpoint of a store's runs at which one of ``columns`` was logged: run, step, N, D and they.

    columns: metrics of the curves, such as the scores of evaluations; none means the loss. where: a selection of runs.
    Raises DataError where no curve has one of the columns (with those that there are).
    """
    store = open_store(source)
    table = read_runs(store.folder, where=where)
    there = set(scan_curves(store).collect_schema().names())
    own = [name for name in columns or ("loss",) if name in there]
    if not own:
        scores = sorted(there - {"run", "step", "wall", "lr", "tokens", "loss"})
        shown = ", ".join(map(repr, scores[:_SHOWN])) or "none"
        raise DataError(f"no curve of {store.folder.name} has {', '.join(map(repr, columns))}; they have {shown}")
    logged = sorted({*own, *(name for name in ("loss", "lr", "tokens", "flops") if name in there)})
    constants = [name for name in table.frame.columns if name not in {*logged, *_ENDS, "run", "step", ROW, CURVE}]
    runs = table.frame.select("run", *constants)
    wanted = set(runs["run"])
    parts = []
    for batch in curve_batches(store, logged, rows=_BATCH):
        kept = batch.filter(pl.col("run").is_in(wanted) & pl.any_horizontal(pl.col(own).is_not_null()))
        if kept.height:
            parts.append(kept)
    if not parts:
        raise DataError(f"no checkpoint of {table.source} has {', '.join(map(repr, own))}")
    frame = pl.concat(parts, how="vertical_relaxed").join(runs, on="run", how="left", maintain_order="left")
    frame = with_tokens(frame).with_columns(pl.col("step").cast(pl.Float64))
    frame = frame.select(name for name in frame.columns if frame[name].null_count() < frame.height)
    return Runs(
        frame.with_columns(pl.Series(ROW, np.arange(1, frame.height + 1, dtype=np.int64))),
        FrozenMapping({name: column for name, column in table.columns.items() if name in frame.columns}),
        f"the checkpoints of {table.source}",
        findings=table.findings,
    )


def _chosen(store: Store, run: str | None, where: str | None) -> str:
    """The run that is meant."""
    names = store.runs["run"].to_list()
    if run is not None:
        ends = [name for name in names if name == run] or [name for name in names if name.rsplit("/", 1)[-1] == run]
        if len(ends) != 1:
            raise DataError(f"{store.folder.name} has no run called {run[:80]!r}; it has {_listed(names)}")
        return str(ends[0])
    names = _curved(store, where)
    if len(names) > 1:
        raise DataError(
            f"{store.folder.name} has {len(names)} runs; name the one that is under way with --run, such as "
            f"--run {names[0]!r} ({_listed(names)})"
        )
    return str(names[0])


def _curved(store: Store, where: str | None) -> list[str]:
    """The runs that have a curve."""
    names = (store.runs if where is None else read_runs(store.folder, where=where).frame)["run"].to_list()
    if CURVE in store.runs.columns:
        curved = set(store.runs.filter(pl.col(CURVE).is_not_null())["run"])
        names = [name for name in names if name in curved]
    if not names:
        raise DataError(f"{store.folder.name} has no run with a curve; import the logs themselves")
    return names


def _curve_of(store: Store, name: str) -> pl.DataFrame:
    """The rows of one run, sorted by step."""
    part = store.runs.filter(pl.col("run") == name)[CURVE][0] if CURVE in store.runs.columns else None
    scan = scan_curves(store, parts=(store.folder / part,) if part else None)
    with reading(store.folder / part if part else store.parts[0]):
        return scan.filter(pl.col("run") == name).sort("step").collect()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
