"""Two tables made one: further columns of the same runs or checkpoints, by the names that both have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import polars as pl

from isoflop.errors import DataError, shown
from isoflop.findings import Finding
from isoflop.runs.table import ROW, Runs

_KEYS: Final = ("checkpoint", "run")


def joined(runs: Runs, other: Runs, on: Sequence[str] = ()) -> Runs:
    """The rows of ``runs`` with the columns of ``other`` that they lack, where both have the same text in ``on``.

    on: columns; those of checkpoint and run that both have where empty. A row without a partner has no values there.
    Raises DataError for a column that one lacks, keys that several rows of ``other`` have, and no partner at all.
    """
    keys = tuple(on) or tuple(name for name in _KEYS if name in runs and name in other)
    if not keys:
        raise DataError(
            f"{runs.source} and {other.source} share neither a column checkpoint nor run; name the column that both "
            "have with --on"
        )
    texts = [pl.DataFrame({f"\x00{key}": _names(each, key) for key in keys}) for each in (runs, other)]
    named = ", ".join(keys)
    twice = texts[1].filter(texts[1].is_duplicated())
    if twice.height:
        value = ", ".join(map(str, twice.row(0)))
        raise DataError(
            f"{other.source} has several rows with {named} = {shown(value)}; keep one of each, or add a column to --on"
        )
    there = [name for name in other.frame.columns if name != ROW and name not in runs and name not in keys]
    if not there:
        raise DataError(f"{other.source} has no column that {runs.source} lacks; there is nothing to join")
    right = pl.concat([texts[1], other.frame.select(there)], how="horizontal").with_columns(pl.lit(True).alias("\x00"))
    both = pl.concat([runs.frame, texts[0]], how="horizontal").join(
        right, on=texts[0].columns, how="left", maintain_order="left"
    )
    without = both.filter(pl.col("\x00").is_null())
    if without.height == both.height:
        raise DataError(
            f"no row of {runs.source} has the {named} of a row of {other.source}, as "
            f"{shown(str(texts[0].row(0)[0]))} and {shown(str(texts[1].row(0)[0]))}; name another column with --on"
        )
    findings = runs.findings
    if without.height:
        findings += (
            Finding(
                "rows-not-joined", "note",
                f"{without.height:,} of {both.height:,} rows have no partner in {other.source} by {named}.",
                "Check the names, if every row should have one.",
                rows=tuple(without[ROW].to_list()),
            ),
        )  # fmt: skip
    own = [name for name in other.frame.columns if name != ROW and name not in there and name not in keys]
    if own:
        findings += (
            Finding(
                "columns-not-joined", "note",
                f"{', '.join(own[:5])} of {other.source} {'is' if len(own) == 1 else 'are'} not joined: {runs.source} "
                "has a column of that name.",
                "Rename the column in one of the tables, if both are to be used.",
            ),
        )  # fmt: skip
    frame = both.drop("\x00", *texts[0].columns)
    return replace(runs, frame=frame, findings=findings, source=f"{runs.source} with {other.source}")


def _names(runs: Runs, key: str) -> list[str]:
    """A column as names: 3.0 is the run 3."""
    return [each.removesuffix(".0") for each in runs.text(key)]
