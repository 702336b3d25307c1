"""Curves of a store as tables of checkpoints, batch by batch, so that memory does not grow with the store.

A batch holds whole runs, since the areas under a schedule need every step of it; which of its rows count as evidence
(a loss was logged, the warm-up is over, the row is kept by the thinning) is said beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.runs.read import read_runs
from isoflop.runs.store import METRIC, Store, curve_batches, open_store, scan_curves
from isoflop.runs.table import Runs
from isoflop.units import training_flops
from isoflop.values import FrozenMapping, Value

Flags = NDArray[np.bool_]

BATCH_ROWS = 262_144
_LOGGED = ("lr", "tokens", "flops", "epoch")  # columns of curves that differ from those of runs, by the store's names
_ENDS = frozenset({"S1", "S2", "lr", "loss", "epochs", "C"})  # what the table of runs has of a run's end or peak
_OWN_RATE = "rate"  # how a sweep's curves call the rate of a step, where lr is the peak


@dataclass(frozen=True)
class Checkpoints(Value):
    """Whole runs, a row a step. counts: (rows,), which rows a law is fitted to."""

    runs: Runs
    counts: Flags


@dataclass(frozen=True)
class Curves(Value):
    """The curves of a store, and which of their rows count.

    chosen: the runs, by name. warmup: steps of each that are cut. thin: rows kept of each run, spread evenly over the
    logarithm of the step, or None for all. rows: of the chosen runs, before anything is cut.
    """

    store: Store
    table: Runs
    chosen: tuple[str, ...]
    warmup: Mapping[str, int]
    thin: int | None
    rows: int
    findings: tuple[Finding, ...] = ()
    _columns: Collection[str] = field(default=(), repr=False)

    def batches(self, columns: Collection[str], *, rows: int = BATCH_ROWS) -> Iterator[Checkpoints]:
        """The checkpoints, with the columns that are named and those that others derive from."""
        wanted = set(self.chosen)
        logged = sorted({"loss", *_LOGGED, _OWN_RATE, *columns} & set(self._columns) - {"run", "step"})
        constants = _constants(self.table, {*columns, "N", "batch", "D", "steps", "family"} - set(logged) - _ENDS)
        for frame in curve_batches(self.store, logged, rows=rows):
            kept = frame if len(wanted) == self.store.runs.height else frame.filter(pl.col("run").is_in(wanted))
            if kept.height:
                yield self._checkpoints(kept, constants)

    def _checkpoints(self, frame: pl.DataFrame, constants: pl.DataFrame) -> Checkpoints:
        if _OWN_RATE in frame.columns:
            frame = frame.with_columns(pl.col(_OWN_RATE).alias("lr"))
        if "lr" in frame.columns and frame["lr"].null_count() < frame.height:
            frame = frame.filter(pl.col("lr").is_not_null())
        elif "lr" in frame.columns:
            frame = frame.drop("lr")
        stretches = frame["run"].rle().struct.unnest()  # a run's rows lie together
        lengths = stretches["len"].to_numpy()
        places = {run: place for place, run in enumerate(constants["run"])}
        own = pl.Series([places.get(run) for run in stretches["value"]], dtype=pl.UInt32)
        row = own.gather(np.repeat(np.arange(len(own)), lengths))
        further = constants.select(pl.exclude("run", *frame.columns).gather(row))  # what is logged is not the run's own
        frame = with_tokens(frame.hstack(further))
        counts = frame["loss"].is_finite().fill_null(value=False).to_numpy()
        if self.warmup:
            cut = np.array([self.warmup.get(run, 0) for run in stretches["value"]])
            counts &= frame["step"].to_numpy() > np.repeat(cut, lengths)
        if self.thin is not None:
            counts &= thinned(frame, counts, self.thin)
        numbers = {name: frame[name] for name in frame.columns if name != "row"}
        return Checkpoints(_as_runs(pl.DataFrame(numbers), self.table), counts)


def open_curves(
    source: str | Path, *, where: str | None = None, warmup: int | None = None, thin: int | None = None
) -> Curves:
    r"""The loss curves of a store, and which of their rows count.

    Parameters
    ----------
    source :
        The folder of the store.
    where :
        A selection of runs, by the columns of its table.
    warmup :
        Steps to cut of every run; None cuts what the store has (its rules, else each run's own).
    thin :
        Rows kept of each run, spread evenly over the logarithm of the step, 2 or more; None keeps all.

    Returns
    -------
    Curves
        For :func:`isoflop.fitting.stream.fit_curves`.

    Raises
    ------
    DataError
        No store, no curves, no run selected, or ``thin`` below 2.

    Examples
    --------
    >>> import isoflop, pathlib, tempfile
    >>> from isoflop.runs.curves import open_curves
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> text = "run,step,loss\na,100,3.2\na,200,2.9\nb,100,3.1\nb,200,2.7\n"
    >>> _ = (folder / "curves.csv").write_text(text)
    >>> _ = isoflop.import_logs([folder / "curves.csv"], folder / "store")
    >>> open_curves(folder / "store", where="run == 'b'").chosen
    ('b',)
    """
    if thin is not None and thin < 2:
        raise DataError(f"thinning keeps at least 2 rows of a run, not {thin}")
    store = open_store(source)
    scan = scan_curves(store)
    table = read_runs(store.folder, where=where)
    has_curve = set(scan.select(pl.col("run").unique()).collect()["run"]) if "curve" not in store.runs.columns else None
    frame = table.frame
    if has_curve is not None:
        frame = frame.filter(pl.col("run").is_in(has_curve))
    elif "curve" in frame.columns:
        frame = frame.filter(pl.col("curve").is_not_null())
    findings = [finding for finding in table.findings if finding.code not in ("diverged-runs",)]
    if "status" in frame.columns:
        broken = frame.filter(pl.col("status") == "diverged")["run"].to_list()
        if broken:
            frame = frame.filter(pl.col("status") != "diverged")
            findings.append(
                Finding(
                    "diverged-runs",
                    "note",
                    f"{len(broken)} runs diverged and their curves are left out ({', '.join(broken[:3])}"
                    f"{' …' if len(broken) > 3 else ''}).",
                    "Nothing to do.",
                )
            )
    if frame.is_empty():
        raise DataError(f"no run of {table.source} has a curve that a law could be fitted to")
    if METRIC in store.runs.columns and store.runs[METRIC].null_count() == store.runs.height:
        raise DataError(
            f"no run of {table.source} has a loss; choose the metric that counts as one with isoflop import "
            f"-o {store.folder.name} --loss NAME"
        )
    cuts = _warmups(store, frame, warmup)
    if thin is not None:
        findings.append(
            Finding(
                "thinned",
                "note",
                f"of each curve at most {thin} rows count, spread evenly over the logarithm of the step; early steps "
                "then weigh more than in a fit to all rows.",
                "Leave --thin out to fit all rows.",
            )
        )
    chosen = tuple(frame["run"].to_list())
    rows = int(scan.filter(pl.col("run").is_in(chosen)).select(pl.len()).collect().item())
    names = scan.collect_schema().names()
    return Curves(store, table, chosen, cuts, thin, rows, tuple(findings), names)


def _warmups(store: Store, frame: pl.DataFrame, told: int | None) -> Mapping[str, int]:
    """Steps to cut, run by run: as told now, else as the store's rules have it, else each run's own."""
    rule = told if told is not None else store.record.get("rules", {}).get("warmup")
    if rule is not None:
        return FrozenMapping(dict.fromkeys(frame["run"], int(rule)) if rule else {})
    if "warmup" not in frame.columns or frame["warmup"].null_count() == frame.height:
        return FrozenMapping()
    known = frame.select("run", pl.col("warmup").cast(pl.Int64, strict=False)).drop_nulls()
    return FrozenMapping(dict(known.iter_rows()))


def _constants(table: Runs, wanted: Collection[str]) -> pl.DataFrame:
    """Columns of the table of runs that every checkpoint of a run shares."""
    names = [name for name in table.frame.columns if name in wanted and name != "run"]
    return table.frame.select("run", *names)


def with_tokens(frame: pl.DataFrame) -> pl.DataFrame:
    """D and C of each checkpoint: as logged, else steps × tokens a step, else the run's own share of its steps."""
    has = set(frame.columns)
    step = pl.col("step").cast(pl.Float64)
    own = pl.col("D") if "D" in has else pl.lit(None, dtype=pl.Float64)
    shares = []
    if "tokens" in has:
        shares.append(pl.col("tokens"))
    if "batch" in has:
        shares.append(step * pl.col("batch"))
    if "steps" in has:
        shares.append(own * step / pl.col("steps"))
    # a sweep's curves have the tokens of every checkpoint already: theirs differ along a run
    known = "D" in has and frame["D"].null_count() < frame.height
    if known and frame.select((pl.col("D").n_unique() > pl.col("run").n_unique()).alias("own")).item():
        shares.insert(0, own)
    if shares:
        frame = frame.with_columns(pl.coalesce(shares).alias("D"))
        if "N" in has and "C" not in has:
            frame = frame.with_columns((training_flops(pl.col("N"), pl.col("D"))).alias("C"))
    if "flops" in has and "C" in frame.columns:
        frame = frame.with_columns(pl.coalesce("flops", "C").alias("C"))  # as logged, where it was
    return frame.drop([name for name in ("batch", "steps") if name in has])


def _as_runs(frame: pl.DataFrame, table: Runs) -> Runs:
    """Checkpoints as a table with the units and conventions of the table of runs."""
    return Runs(
        frame.with_columns(pl.Series("row", np.arange(1, frame.height + 1, dtype=np.int64))),
        FrozenMapping({name: column for name, column in table.columns.items() if name in frame.columns}),
        f"the curves of {table.source}",
    )


def thinned(frame: pl.DataFrame, counts: Flags, keep: int) -> Flags:
    """At most ``keep`` of each run's rows that count: those next to evenly spaced logarithms of the step.

    The first and the last row always stay.
    """
    chosen = np.zeros(len(counts), dtype=bool)
    step = frame["step"].to_numpy()
    ends = np.cumsum(frame["run"].rle().struct.field("len").to_numpy().astype(np.int64))
    for begin, end in zip([0, *ends[:-1]], ends, strict=True):
        rows = begin + np.flatnonzero(counts[begin:end])
        if len(rows) <= keep:
            chosen[rows] = True
            continue
        place = np.log(np.maximum(step[rows].astype(np.float64), 1))
        grid = np.linspace(place[0], place[-1], keep)
        chosen[rows[np.clip(np.searchsorted(place, grid - 1e-12), 0, len(rows) - 1)]] = True
    return chosen
