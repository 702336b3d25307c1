"""Schedules that make a run's loss another thing than its size and tokens say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.runs.checks.rows import header_like, last_of_run, quoted, rows_where, without
from isoflop.runs.table import Runs, rows_phrase

Floats = NDArray[np.float64]

_PLANNED = {
    "step": ("total_steps", "decay_steps", "lr_decay_steps", "lr_decay_iters", "max_steps", "max_iters",
             "num_train_steps", "train_steps", "schedule_steps", "planned_steps"),
    "D": ("schedule_tokens", "decay_tokens", "planned_tokens", "target_tokens", "max_tokens", "lr_decay_tokens"),
}  # fmt: skip
_WARMUP = {
    "step": ("warmup", "warmup_steps", "warmup_iters", "lr_warmup_steps", "n_warmup", "num_warmup_steps"),
    "D": ("warmup_tokens", "lr_warmup_tokens"),
}
_SHORT = 0.95  # of the schedule, below which a run ended before its learning rate did
_LONG_WARMUP = 0.1
_CONSTANT = ("constant", "const", "none", "wsd-stable")


def schedule_findings(runs: Runs) -> list[Finding]:
    """Runs that end before their schedule, warm-ups longer than a tenth, and checkpoints among finished runs."""
    found = []
    for measure, spellings in _PLANNED.items():
        found += _ends_early(runs, measure, header_like(runs, spellings))
    for measure, spellings in _WARMUP.items():
        found += _warmup(runs, measure, header_like(runs, spellings))
    return [*found, *_checkpoints(runs)]


def _numbers(runs: Runs, header: str) -> Floats | None:
    """A column as numbers, or None where it holds text."""
    return runs[header] if runs.frame[header].dtype.is_numeric() else None


def _ends_early(runs: Runs, measure: str, header: str | None) -> list[Finding]:
    if header is None or measure not in runs.frame.columns:
        return []
    planned = _numbers(runs, header)
    if planned is None:
        return []
    reached = runs[measure]
    with np.errstate(all="ignore"):
        share = reached / planned
    early = last_of_run(runs, reached) & np.isfinite(share) & (share < _SHORT)
    if not early.any():
        return []
    rows = rows_where(runs, early)
    return [
        Finding(
            "schedule-longer",
            "warning",
            f"{len(rows)} runs end before their schedule ({rows_phrase(list(rows))}): the last {measure} is as little "
            f"as {share[early].min():.0%} of {header!r}. Their learning rate had not come down, so their loss is too "
            "high for their tokens.",
            f'Keep runs that went to their end: --where "{measure} >= {_SHORT:g} * {quoted(header)}".',
            rows,
        )
    ]


def _warmup(runs: Runs, measure: str, header: str | None) -> list[Finding]:
    if header is None:
        return []
    warmup = _numbers(runs, header)
    if warmup is None:
        return []
    length, how = _length(runs, measure)
    if length is None:
        return []
    with np.errstate(all="ignore"):
        share = warmup / length
    last = last_of_run(runs, runs["D"]) if "D" in runs.frame.columns else np.ones(len(runs), dtype=np.bool_)
    long = last & np.isfinite(share) & (share > _LONG_WARMUP)
    if not long.any():
        return []
    rows = rows_where(runs, long)
    keep = f'--where "{quoted(header)} <= {_LONG_WARMUP:g} * {how}"' if how else without(rows)
    return [
        Finding(
            "long-warmup",
            "warning",
            f"{header!r} is more than a tenth of the run in {len(rows)} of {int(last.sum())} runs "
            f"({rows_phrase(list(rows))}; up to {share[long].max():.0%}): small budgets look worse than they are, "
            "which biases N* towards large models (Porian et al. 2024).",
            f"Train the short runs with a shorter warm-up, or keep the others with {keep}.",
            rows,
        )
    ]


def _length(runs: Runs, measure: str) -> tuple[Floats | None, str]:
    """A run's length in the measure of its warm-up, and how a selection writes it."""
    if measure in runs.frame.columns:
        return runs[measure], measure
    if measure == "step" and {"D", "batch"} <= set(runs.frame.columns):
        return runs["D"] / runs["batch"], "D/batch"
    return None, ""


def _checkpoints(runs: Runs) -> list[Finding]:
    """Rows before the end of their run: with a learning rate that falls, their loss is that of no finished run."""
    if "run" not in runs.frame.columns:
        return []
    clock = next((name for name in ("D", "step", "C") if name in runs.frame.columns), None)
    if clock is None:
        return []
    if "schedule" in runs.frame.columns and {word.lower() for word in runs.text("schedule")} <= set(_CONSTANT):
        return []
    early = np.isfinite(runs[clock]) & ~last_of_run(runs, runs[clock])
    if not early.any():
        return []
    rows = rows_where(runs, early)
    n_runs = int(runs.run_codes().max()) + 1
    single = int((np.bincount(runs.run_codes()) == 1).sum())
    mixed = f", beside {single} runs with their last row alone" if 0 < single < n_runs else ""
    return [
        Finding(
            "checkpoints",
            "warning" if mixed else "note",
            f"{len(rows):,} of {len(runs):,} rows are checkpoints before the end of their run ({n_runs} runs{mixed}). "
            "Where the learning rate falls, a checkpoint's loss is higher than that of a run planned to end there.",
            f'Keep the ends with --where "last({clock})", or drop the early part of each run.',
            rows,
        )
    ]
