"""Rows that are the same experiment: copies, near-copies with another loss, and what repeated runs say of noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.runs.checks.rows import codes_of, last_of_run, rows_where, settings, without
from isoflop.runs.headers import word_set, words_of
from isoflop.runs.table import ROW, Runs, rows_phrase
from isoflop.values import Value

Floats = NDArray[np.float64]

_NEAR = 0.02  # relative difference of N and of D below which two runs are the same experiment
_APART = 0.01  # relative difference of losses that no seed explains: seeds differ by some 0.1 %
_SWEEP = 8  # rows for each pair of N and D, from which the table is a sweep over something else
_SEEDS_APART = 6.0  # times the spread of seeds: less is no wonder between two of them
_SIZES = ("N", "D", "C", "step", "N_nonembed", "N_active", "N_vocab", "N_nonvocab", "width")
_SIZE_WORDS = word_set("param params parameter parameters size depth layers layer width model hidden dim embd heads")
_MEMBERS = 3  # runs in a group whose spread is looked at
_MOST_PAIRS = 4_000  # rows beyond which pairs are not looked for


@dataclass(frozen=True)
class SeedSpread(Value):
    """Standard deviations of log loss among repeated runs: one a group, (groups,), and the runs in each, (groups,).

    pooled: √(Σ (n−1)·s² / Σ (n−1)) over groups. mean_loss: (groups,).
    """

    spreads: Floats
    sizes: NDArray[np.int64]
    mean_loss: Floats
    pooled: float


def duplicate_findings(runs: Runs) -> list[Finding]:
    """Rows that occur more than once."""
    frame = runs.frame.drop(ROW)
    if _all_differ(frame):
        return []
    repeated = frame.is_duplicated().to_numpy()
    if not repeated.any():
        return []
    rows = rows_where(runs, repeated)
    firsts = runs.frame.unique(subset=[name for name in runs.frame.columns if name != ROW], keep="first")[ROW]
    copies = rows_where(runs, runs.frame[ROW].is_in(firsts).not_().to_numpy())
    return [
        Finding(
            "duplicate-rows",
            "warning",
            f"{len(rows)} rows occur more than once ({rows_phrase(list(rows))}); each copy counts as evidence.",
            f"Drop the copies with {without(copies)}, unless they are repeated runs: then add a seed column.",
            rows,
        )
    ]


def _all_differ(frame: pl.DataFrame) -> bool:
    """Whether no two rows have the same hash, so that none can be a copy: a fraction of the time of finding copies."""
    if any(kind.is_nested() for kind in frame.dtypes):
        return False
    hashes = np.sort(frame.hash_rows().to_numpy())
    return not bool((hashes[1:] == hashes[:-1]).any())


def repeat_findings(runs: Runs) -> list[Finding]:
    """Near-copies with another loss, and the spread of repeated runs."""
    found = _sweep_of_settings(runs)
    pairs = [] if found else near_duplicates(runs)
    if pairs:
        rows = sorted({row for first, second, _ in pairs for row in (first, second)})
        first, second, apart = max(pairs, key=lambda pair: pair[2])
        found.append(
            Finding(
                "near-duplicates",
                "warning",
                f"{len(pairs)} {'pair' if len(pairs) == 1 else 'pairs'} of runs agree in N and D within {_NEAR:.0%} "
                f"and differ in loss by more than {_APART:.0%}: rows {first} and {second} by {apart:.1%}"
                + (f" ({rows_phrase(rows)} in all)." if len(pairs) > 1 else "."),
                "Find out what else differed, and give it as a column; or keep the run that was tuned.",
                tuple(rows),
            )
        )
    spread = seed_spread(runs)
    if spread is not None:
        raw = spread.spreads * spread.mean_loss
        low, high = np.quantile(raw, [0.1, 0.9])
        middle = f", {low:.2g} to {high:.2g} in the middle 80 %" if len(raw) >= 5 else ""
        found.append(
            Finding(
                "seed-spread",
                "note",
                f"{len(raw)} {'group' if len(raw) == 1 else 'groups'} of {_MEMBERS} or more repeated runs have a "
                f"median standard deviation of {np.median(raw):.2g} {runs.loss_unit}{middle}: two losses closer "
                "than twice that are not different.",
                "A law that misses by much more than this is not limited by noise.",
            )
        )
    return found


def is_sweep_of_settings(runs: Runs) -> bool:
    """Whether most rows share N and D with many others, so that the table varies something else."""
    if not {"N", "D"} <= set(runs.frame.columns):
        return False
    cells = runs.frame.select("N", "D").n_unique()
    return len(runs) >= _SWEEP * max(_MEMBERS, cells) and "run" not in runs.frame.columns


def _sweep_of_settings(runs: Runs) -> list[Finding]:
    if not is_sweep_of_settings(runs):
        return []
    cells = runs.frame.select("N", "D").n_unique()
    return [
        Finding(
            "sweep-of-settings",
            "warning",
            f"{len(runs):,} rows lie at only {cells} pairs of N and D: most of the spread in loss is that of "
            "something else, such as learning rate, batch, data or evaluation set.",
            "Select one of them (--where); a law in N and D wants one tuned run of each pair.",
        )
    ]


def near_duplicates(runs: Runs) -> list[tuple[int, int, float]]:
    """Pairs of rows of different runs with the same settings and N and D within 2 %, whose losses differ by over 1 %.

    More than six times the spread of seeds, where the table shows one.

    Returns (row, row, difference of log loss) for each; rows that differ in a seed alone are compared too.
    """
    if not {"N", "D", "loss"} <= set(runs.frame.columns) or len(runs) > _MOST_PAIRS:
        return []
    spread = seed_spread(runs)
    least = max(_APART, _SEEDS_APART * spread.pooled if spread else 0.0)
    group = codes_of(runs, [name for name in settings(runs) if name not in _SIZES])
    n, d, loss, codes = runs["N"], runs["D"], runs["loss"], runs.run_codes()
    pairs = []
    with np.errstate(all="ignore"):
        log_n, log_d, log_loss = np.log(n), np.log(d), np.log(loss)
        for each in range(int(group.max()) + 1):
            members = np.flatnonzero(group == each)
            order = members[np.argsort(log_n[members], kind="stable")].tolist()
            for place, first in enumerate(order):
                for second in order[place + 1 :]:
                    if not abs(log_n[second] - log_n[first]) <= _NEAR:
                        break
                    apart = float(abs(log_loss[second] - log_loss[first]))
                    same = abs(log_d[second] - log_d[first]) <= _NEAR and codes[first] != codes[second]
                    if same and apart > least:
                        low, high = sorted((int(runs.rows[first]), int(runs.rows[second])))
                        pairs.append((low, high, apart))
    return pairs


def _size_unread(runs: Runs) -> bool:
    """Whether the size was not read and stands in another column: rows of several sizes are no repetition."""
    if {"N", "N_nonembed", "N_active", "width"} & set(runs.frame.columns):
        return False
    return any(
        set(words_of(header)) & _SIZE_WORDS and 1 < runs.frame[header].n_unique() < len(runs)
        for header in runs.headers
        if header not in runs.columns
    )


def seed_spread(runs: Runs) -> SeedSpread | None:
    """The spread of log loss in groups of runs that agree in every setting; None where no three do.

    Groups share all settings, and the step where there is one; runs, seeds and measurements differ. Without a column of
    seeds only the ends of runs are compared, since checkpoints of runs with other schedules are no repetition.
    """
    if "loss" not in runs.frame.columns or not ({"run", "seed"} & set(runs.frame.columns)) or _size_unread(runs):
        return None
    keys = [name for name in settings(runs) if name != "C" or "N" not in runs.frame.columns]
    if not keys:
        return None
    clock = next((name for name in ("D", "step", "C") if name in runs.frame.columns), None)
    if "seed" not in runs.frame.columns and clock is not None:
        runs = runs.take(last_of_run(runs, runs[clock]))
    frame = runs.frame.with_columns(pl.Series("__loss", runs["loss"])).filter(
        pl.col("__loss").is_finite() & (pl.col("__loss") > 0)
    )
    groups = (
        frame.group_by(keys)
        .agg(
            pl.col("__loss").log().std().alias("spread"),
            pl.len().alias("size"),
            pl.col("__loss").mean().alias("mean"),
        )
        .filter((pl.col("size") >= _MEMBERS) & (pl.col("spread") > 0))
    )
    if groups.is_empty():
        return None
    spreads = groups["spread"].to_numpy().astype(np.float64)
    sizes = groups["size"].to_numpy().astype(np.int64)
    pooled = float(np.sqrt(((sizes - 1) * spreads**2).sum() / (sizes - 1).sum()))
    return SeedSpread(spreads, sizes, groups["mean"].to_numpy().astype(np.float64), pooled)
