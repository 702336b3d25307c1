"""Checkpoints without a column of runs: rows of equal settings along a clock belong to one training."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import excerpt
from isoflop.findings import Finding
from isoflop.runs.headers import plain
from isoflop.runs.meanings import BY_SYMBOL
from isoflop.runs.table import ROW, Column

Floats = NDArray[np.float64]

_TOTAL = frozenset(
    plain(name)
    for name in (
        "total_steps",
        "max_steps",
        "max_iters",
        "num_train_steps",
        "total_iters",
        "planned_steps",
        "decay_steps",
    )
)
_SHARE = frozenset(
    plain(name)
    for name in (
        "portion_steps_elapsed", "progress", "fraction", "fraction_of_training", "training_progress",
        "percent_complete",
        "portion_elapsed", "train_fraction", "frac_steps", "steps_fraction",
    )
)  # fmt: skip
_NO_SETTING = frozenset({"D", "C", "loss", "step", "epochs", "lr", ROW})
_MAYBE_SETTING = ("lr", "batch", "width", "seed", "U", "experts")
_EVEN = {"step": 5, "D": 8}  # evenly spaced rows of one setting that are checkpoints rather than runs
_DONE = 0.98
_MOST_ROWS = 2_000_000


def group_checkpoints(
    frame: pl.DataFrame, known: dict[str, Column]
) -> tuple[pl.DataFrame, dict[str, Column], list[Finding]]:
    """The frame with a column ``run``, where it has none and its rows are checkpoints.

    They are where a column says how far of the planned steps they are (``total_steps``, ``portion_steps_elapsed``), or
    where rows of equal settings follow each other in even steps. Settings are the size, text that repeats, and, as far
    as they are needed to tell rows of one step apart, other numbers that repeat. ``--derive "run = row"`` undoes it.
    """
    if "run" in frame.columns or not 4 <= frame.height <= _MOST_ROWS:
        return frame, known, []
    total = _header(frame, _TOTAL)
    share = _header(frame, _SHARE)
    clock = "step" if "step" in known else share if share is not None else "D" if "D" in known else None
    if clock is None or not frame[clock].dtype.is_numeric() or known.get(clock, Column("", "")).derived:
        return frame, known, []
    reason = _reason(frame, clock, total, share)
    keys = _settings(frame, clock, total, share)
    codes = None if keys is None else _codes(frame, keys)
    if codes is None or keys is None:
        return frame, known, [_ungrouped(clock, reason)] if reason else []
    sizes = np.bincount(codes)
    if np.median(sizes) < 2 or len(sizes) == frame.height:
        return frame, known, []
    if not reason:
        reason = _evenly(frame[clock].cast(pl.Float64).fill_null(float("nan")).to_numpy(), codes, clock, known)
    if not reason:
        return frame, known, []
    shown = [key for key in keys if frame[key].n_unique() > 1][:4]
    labels = _labels(frame, shown, codes)
    settings = ", ".join(key[:30] for key in keys[:4]) or "settings"
    frame = frame.with_columns(pl.Series("run", labels))
    known = known | {"run": Column("run", header="", derived=f"rows of equal {settings}")}
    finding = Finding(
        "checkpoints-grouped",
        "note",
        f"{frame.height:,} rows are checkpoints of {len(sizes):,} runs ({reason}); rows of equal {settings} were "
        "taken for one run.",
        'Name the run with --column run=HEADER; if each row is a run of its own, say --derive "run = row".',
    )
    return frame, known, [finding]


def _header(frame: pl.DataFrame, spellings: Iterable[str]) -> str | None:
    wanted = set(spellings)
    return next((name for name in frame.columns if plain(name) in wanted and frame[name].dtype.is_numeric()), None)


def _reason(frame: pl.DataFrame, clock: str, total: str | None, share: str | None) -> str:
    """What says that rows lie within their training; empty where nothing does."""
    if total is not None and clock == "step":
        early = (pl.col("step") < _DONE * pl.col(total)).fill_null(value=False)
        if frame.select(early.sum()).item() >= 2:
            return f"step is below {excerpt(total, 30)}"
    if share is not None and frame[share].n_unique() > 2:
        return f"{excerpt(share, 30)} has their place in training"
    return ""


def _settings(frame: pl.DataFrame, clock: str, total: str | None, share: str | None) -> list[str] | None:
    """Columns that rows of one run share, so that no clock stands twice in a run; None where none tell them apart."""
    sizes = [
        name for name in ("N", "N_nonembed", "N_active") if name in frame.columns and frame[name].dtype.is_numeric()
    ]
    texts = [
        name
        for name in frame.columns
        if frame[name].dtype in (pl.String, pl.Boolean) and 2 * frame[name].n_unique() <= frame.height
    ]
    keys = [*sizes, *texts, *([total] if total is not None else [])]
    rest = [name for name in _MAYBE_SETTING if name in frame.columns]
    rest += [
        name
        for name in frame.columns
        if name not in BY_SYMBOL and name not in (clock, total, share, ROW) and frame[name].dtype.is_numeric()
        and 4 * frame[name].n_unique() <= frame.height
    ]  # fmt: skip
    while True:
        groups = [*keys, clock]
        if frame.select(pl.struct([pl.col(name) for name in groups]).n_unique()).item() == frame.height:
            return keys
        if not rest:
            return None
        keys.append(rest.pop(0))


def _codes(frame: pl.DataFrame, keys: list[str]) -> NDArray[np.int64]:
    """For each row the number of its run, by first appearance, (rows,)."""
    if not keys:
        return np.zeros(frame.height, dtype=np.int64)
    joined = frame.select(pl.struct([pl.col(name) for name in keys]).rank("dense").alias("code"))["code"].to_numpy()
    _, first, codes = np.unique(joined, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[codes], dtype=np.int64)


def _evenly(time: Floats, codes: NDArray[np.int64], clock: str, known: dict[str, Column]) -> str:
    """Whether most rows lie in runs whose clock goes in even steps; a grid of runs goes in factors."""
    least = _EVEN["step"] if clock == "step" and plain(known["step"].header) != "steps" else _EVEN["D"]
    even = 0
    for code in range(int(codes.max()) + 1):
        values = np.sort(time[codes == code])
        gaps = np.diff(values)
        if len(values) < least or not np.isfinite(values).all() or values[0] == values[-1]:
            continue
        usual = np.median(gaps)
        ratio = np.round(gaps / usual) if usual > 0 else np.zeros(1)
        if (ratio >= 1).all() and np.abs(gaps / usual - ratio).max() < 0.02 and np.mean(ratio == 1) > 0.6:
            even += len(values)
    return f"{clock} goes in even steps" if 2 * even > len(codes) else ""


def _labels(frame: pl.DataFrame, shown: list[str], codes: NDArray[np.int64]) -> list[str]:
    if not shown:
        return [f"run {code + 1}" for code in codes]
    text = frame.select(
        pl.concat_str(
            [pl.lit(f"{name}=") + pl.col(name).cast(pl.String).fill_null("") for name in shown], separator=" "
        )
    ).to_series()
    firsts: dict[int, str] = {}
    taken: set[str] = set()
    for code, label in zip(codes.tolist(), text.to_list(), strict=True):
        if code not in firsts:
            firsts[code] = label if label not in taken else f"{label} ({code + 1})"
            taken.add(firsts[code])
    return [firsts[code] for code in codes.tolist()]


def _ungrouped(clock: str, reason: str) -> Finding:
    return Finding(
        "checkpoints-ungrouped",
        "warning",
        f"the rows are checkpoints ({reason}), but no column tells their runs apart: {clock} stands twice in rows of "
        "equal settings, and each row counts as a run of its own, so that intervals are too narrow.",
        "Name the run with --column run=HEADER.",
    )
