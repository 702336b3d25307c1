"""Columns that a law needs and a table lacks, computed from those that it has.

A law names a rule and its settings for such a column (``[prepare.S1]`` in its TOML file); a table that has the column
keeps its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.runs.schedule import BEFORE, Before, annealing_area, rate_area, rate_falls
from isoflop.runs.table import Runs

Floats = NDArray[np.float64]
Setting = float | str
_LATE = 0.3  # share of a run's steps before its first row that is more than a warm-up


@dataclass(frozen=True)
class Rule:
    """How a column is computed: from which columns, with which settings, and what to say of it."""

    needs: tuple[str, ...]
    make: Callable[[Runs, Mapping[str, Setting]], Floats | pl.Series]
    says: str
    settings: tuple[str, ...] = ()


def _rate_area(runs: Runs, settings: Mapping[str, Setting]) -> Floats:
    return rate_area(runs["step"], runs["lr"], runs.run_codes(), before=_before(settings))


def _before(settings: Mapping[str, Setting]) -> Before:
    before = settings.get("before", "held")
    if before not in BEFORE:
        raise DataError(f"the steps before a run's first row are {', '.join(BEFORE)}, not {before!r}; choose one")
    return before  # type: ignore[return-value]


def _falls(part: str) -> Callable[[Runs, Mapping[str, Setting]], pl.Series]:
    """One part of every fall of the rate, as a column of lists."""

    def make(runs: Runs, settings: Mapping[str, Setting]) -> pl.Series:
        falls = rate_falls(runs["step"], runs["lr"], runs.run_codes(), before=_before(settings))
        rows = pl.Series(np.repeat(np.arange(len(runs)), np.diff(falls.offsets)))
        listed = pl.DataFrame({"row": rows, "each": getattr(falls, part)}).group_by("row").agg("each")
        every = pl.DataFrame({"row": np.arange(len(runs))}).join(listed, on="row", how="left", maintain_order="left")
        return every["each"].fill_null([])

    return make


def _annealing_area(runs: Runs, settings: Mapping[str, Setting]) -> Floats:
    return annealing_area(runs["step"], runs["lr"], runs.run_codes(), decay=float(settings["decay"]))


def _ratio(above: str, below: str) -> Callable[[Runs, Mapping[str, Setting]], Floats]:
    def make(runs: Runs, settings: Mapping[str, Setting]) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return runs[above] / runs[below]

    return make


RULES: Mapping[str, Rule] = {
    "rate-area": Rule(("step", "lr"), _rate_area, "Σ lr up to the row", ("before",)),
    "annealing-area": Rule(("step", "lr"), _annealing_area, "Σ fading falls of lr up to the row", ("decay",)),
    "fall-sizes": Rule(("step", "lr"), _falls("drop"), "the falls of lr up to the row", ("before",)),
    "fall-rates": Rule(("step", "lr"), _falls("rate"), "lr after each fall up to the row", ("before",)),
    "fall-areas": Rule(("step", "lr"), _falls("area"), "Σ lr since each fall up to the row", ("before",)),
    "unique-tokens": Rule(("D", "epochs"), _ratio("D", "epochs"), "D/epochs"),
    "epochs": Rule(("D", "U"), _ratio("D", "U"), "D/U"),
    "tokens-per-parameter": Rule(("D", "N"), _ratio("D", "N"), "D/N"),
}


def prepare(runs: Runs, column: str, *, rule: str, settings: Mapping[str, Setting]) -> Runs:
    """The runs with ``column``, computed by ``rule`` where they lack it.

    Raises DataError where the columns that the rule needs are absent too, or hold what no schedule can (a negative
    rate, a step twice).
    """
    if column in runs:
        return runs
    how = RULES[rule]
    missing = [name for name in how.needs if name not in runs]
    if missing:
        raise DataError(
            f"{runs.source} has no column {column!r}, nor {' and '.join(map(repr, missing))} to compute it from "
            f"({column} = {how.says}, from {' and '.join(how.needs)}); name them with --column {missing[0]}=…"
        )
    made = how.make(runs, settings)
    if isinstance(made, pl.Series):
        return replace(runs, frame=runs.frame.with_columns(made.alias(column)))
    return runs.with_column(column, made)


def preparation_findings(runs: Runs, rules: Mapping[str, str]) -> tuple[Finding, ...]:
    """Runs whose first row comes late: what their rate did before it is not in the table.

    rules: for each column that a law prepares, its rule.
    """
    used = [column for column, rule in rules.items() if column not in runs and "step" in RULES[rule].needs]
    if not used:
        return ()
    codes = runs.run_codes()
    first, last = np.full(codes.max() + 1, np.inf), np.zeros(codes.max() + 1)
    np.minimum.at(first, codes, runs["step"])
    np.maximum.at(last, codes, runs["step"])
    late = first > _LATE * last
    if not late.any():
        return ()
    worst = int(np.argmax(first / np.maximum(last, 1)))
    return (
        Finding(
            "late-start",
            "warning",
            f"{int(late.sum())} of {len(first)} runs begin after {_LATE:.0%} of their steps (one at step "
            f"{first[worst]:g} of {last[worst]:g}): {' and '.join(used)} take the rate before that to be the "
            "first one in the table.",
            "Keep every row from the end of the warm-up on, and drop rows only at the end.",
        ),
    )
