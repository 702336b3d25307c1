"""Tables with a column for each run, as charts export them: a column of steps, and the losses of one model in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from isoflop.errors import excerpt
from isoflop.findings import Finding
from isoflop.patterns import pattern
from isoflop.runs.cells import missing, read_numbers
from isoflop.runs.columns import is_score, match_headers
from isoflop.runs.headers import word_set, words_of
from isoflop.units import parse_quantity

_CLOCKS = ("step", "D", "epochs", "C")
_SIZE = pattern(r"(?<![\d.A-Za-z])(\d+(?:\.\d+)?)\s?([MBTmbt])(?![A-Za-z\d])")
_EXPORTED = " - "  # W&B: "name of the run - metric"
_BOUNDS = ("__MIN", "__MAX")
_MOST_SHOWN = 3
_NO_RUNS = word_set(
    "train val valid validation test eval lr rate norm grad time seconds mem memory speed eta wd ms mfu"
)
_FEWEST_ROWS = 4
_HIGHEST = 20.0  # nats a token that no loss begins above
_MOSTLY = 0.6


@dataclass(frozen=True)
class Wide:
    """What the columns are: one clock, and for each run its column, its name and its size in text."""

    clock: str
    runs: tuple[tuple[str, str, str | None], ...]
    value: str


def one_column_a_run(raw: pl.DataFrame, *, named: set[str]) -> tuple[pl.DataFrame, list[Finding]]:
    """The table with a row for each step of each run, where it has a column for each run; else as it is.

    The columns must be numbers beside one column of steps, tokens, epochs or FLOPs, and their headers must each hold a
    size (``L8-H768 (53.3M)``) or be a W&B export (``name - train/loss``). named: headers that the user mapped; a table
    with one of them is left as it is.
    """
    found = columns_of_runs(raw)
    if found is None or named & {column for column, _, _ in found.runs}:
        return raw, []
    parts = []
    for column, name, size in found.runs:
        rows = raw.filter(~missing(raw[column]))
        labels = {"run": pl.lit(name)} | ({"N": pl.lit(parse_quantity(size))} if size else {})
        parts.append(rows.select(**labels, **{found.clock: pl.col(found.clock), found.value: pl.col(column)}))
    long = pl.concat(parts)
    if long.is_empty():
        return raw, []
    shown = ", ".join(excerpt(name, 30) for _, name, _ in found.runs[:_MOST_SHOWN])
    sizes = ", its size from the header" if found.runs[0][2] else ""
    finding = Finding(
        "column-a-run",
        "warning",
        f"each of {len(found.runs)} columns ({shown}{' …' if len(found.runs) > _MOST_SHOWN else ''}) was read as the "
        f"{found.value} of a run{sizes}.",
        "If the columns are something else, write the table with one row for each run and step.",
    )
    return long, [finding]


def columns_like_runs(frame: pl.DataFrame, clock: str, unused: Sequence[str]) -> list[str]:
    """The unread columns beside a clock that fall along it from values near each other, as losses of runs do."""
    named = [name for name in unused if not _NO_RUNS & set(words_of(name)) and not is_score(name)]
    starts = []
    found = []
    time = frame[clock].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    for name in named:
        values = frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()[np.argsort(time, kind="stable")]
        known = values[np.isfinite(values)]
        if len(known) < _FEWEST_ROWS or known.min() <= 0 or known.max() > _HIGHEST or known[-1] >= known[0]:
            continue
        if (np.diff(known) <= 0).mean() > _MOSTLY:
            found.append(name)
            starts.append(known[0])
    return found if len(found) >= 2 and max(starts) < 2 * min(starts) else []


def columns_of_runs(raw: pl.DataFrame) -> Wide | None:
    """Which columns of a table hold a run each, where it has a column for each run."""
    if not 3 <= raw.width <= 2_000 or {"loss", "N"} & set(raw.columns):  # as below, told by the names alone
        return None
    matches = match_headers(raw.columns)
    clocks = [matches[symbol].header.text for symbol in _CLOCKS if symbol in matches]
    if not clocks or {"loss", "N"} & set(matches):
        return None
    clock = clocks[0]
    others = [name for name in raw.columns if name != clock and not name.endswith(_BOUNDS)]
    exported = _exported(clock, others)
    sized = None if exported else _sized(clock, others)
    wide = exported or sized
    if wide is None or not all(_numeric(raw[column]) for column, _, _ in wide.runs):
        return None
    if exported is None and not _falls(raw, clock, [column for column, _, _ in wide.runs]):
        return Wide(wide.clock, wide.runs, "value")
    return wide


def _exported(clock: str, others: Sequence[str]) -> Wide | None:
    split = [(name, *name.rpartition(_EXPORTED)[::2]) for name in others if _EXPORTED in name]
    metrics = {metric for _, _, metric in split}
    if (
        len(split) < 2
        or len(metrics) != 1
        or len({run for _, run, _ in split}) < len(split)
        or len(split) < len(others)
    ):
        return None
    (metric,) = metrics
    sizes = [size_in(run) for _, run, _ in split]
    use = all(sizes) and len(set(sizes)) > 1
    return Wide(
        clock,
        tuple((name, run, size if use else None) for (name, run, _), size in zip(split, sizes, strict=True)),
        metric,
    )


def _sized(clock: str, others: Sequence[str]) -> Wide | None:
    sizes = [size_in(name) for name in others]
    if len(others) < 2 or not all(sizes) or len(set(sizes)) < 2:
        return None
    if any({"token", "tokens", "shot", "shots"} & set(words_of(name)) for name in others):
        return None
    return Wide(clock, tuple(zip(others, others, sizes, strict=True)), "loss")


def size_in(text: str) -> str | None:
    """The size that a name holds, as ``53.3M``; None without one."""
    sizes = _SIZE.findall(text)
    return f"{sizes[-1][0]}{sizes[-1][1].upper()}" if sizes else None


def _numeric(series: pl.Series) -> bool:
    numbers = read_numbers(series).values
    return numbers.null_count() < len(series) and numbers.null_count() <= int(missing(series).sum())


def _falls(raw: pl.DataFrame, clock: str, columns: Sequence[str]) -> bool:
    """Whether the numbers are positive and most columns end lower than they begin, as losses do."""
    time = read_numbers(raw[clock]).values.fill_null(float("nan")).to_numpy()
    falling = 0
    for column in columns:
        values = read_numbers(raw[column]).values.fill_null(float("nan")).to_numpy()
        order = np.argsort(time, kind="stable")
        known = values[order][np.isfinite(values[order])]
        if not len(known) or (known <= 0).any():
            return False
        falling += bool(known[-1] < known[0])
    return 2 * falling > len(columns)
