"""An import of run logs as a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from isoflop.report.card import Card
from isoflop.report.cards.rows import count_of_runs
from isoflop.units import format_quantity

if TYPE_CHECKING:
    from isoflop.logs.importing import Imported

_MOST_ROWS = 12


def import_card(done: Imported) -> Card:
    """What was read, run by run, what could not be, and by which rules."""
    store = done.store
    new = [*done.added, *done.grown]
    runs = store.runs.filter(pl.col("run").is_in(new)) if new else store.runs
    rows = [_row(row) for row in runs.head(_MOST_ROWS).iter_rows(named=True)]
    if runs.height > _MOST_ROWS:
        rows.append((f"… and {runs.height - _MOST_ROWS} more", *[""] * 7))
    rows += [(each.source, "not read", *[""] * 6) for each in done.unread[:_MOST_ROWS]]
    facts = [
        f"{len(done.added)} new" if done.added else "",
        f"{len(done.grown)} went on" if done.grown else "",
        f"scores for {count_of_runs(len(done.scored))}" if done.scored else "",
        f"{done.unchanged} unchanged" if done.unchanged else "",
        f"{len(done.left_out)} unfinished left out" if done.left_out else "",
        f"{len(done.unread)} {'log' if len(done.unread) == 1 else 'logs'} not read" if done.unread else "",
    ]
    said = ", ".join(fact for fact in facts if fact) or "nothing new"
    points = int(store.runs["rows"].sum())
    unread = "".join(f"\nnot read: {each.says}" for each in done.unread)
    return Card(
        title=f"runs in {store.folder}",
        answer=f"{said}; the store holds {count_of_runs(store.runs.height)} with {points:,} rows of curves.{unread}",
        header=("run", "status", "N", "D", "steps", "loss", "unit", "from"),
        rows=tuple(rows),
        findings=done.findings,
        how=_how(runs),
    )


def _row(row: dict[str, object]) -> tuple[str, ...]:
    def quantity(name: str) -> str:
        value = row[name]
        return format_quantity(value) if isinstance(value, float) else "–"

    loss, steps = row["loss"], row["steps"]
    return (
        str(row["run"]),
        str(row["status"]),
        quantity("N"),
        quantity("D"),
        f"{steps:,}" if isinstance(steps, int) else "–",
        f"{loss:.4f}" if isinstance(loss, float) else "–",
        str(row["loss_unit"] or ""),
        f"{row['loss_metric'] or ('as logged' if loss is not None else 'no loss')} ({row['format']})",
    )


def _how(runs: pl.DataFrame) -> str:
    """How the first run's numbers were derived, and how many are derived in the same way."""
    if not runs.height:
        return ""
    return f"{runs['run'][0]}: {runs['derived'][0]}" if runs["derived"][0] else ""
