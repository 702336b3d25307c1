"""Pass rates of single items with exact intervals, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.answers import Cell, Column, Table, of_interval

if TYPE_CHECKING:
    from isoflop.evals.evaluate import Evaluation

_SHOWN = 20  # rows up to which the terminal shows them
_MOST = 20_000  # rows that an answer holds


def items_table(found: Evaluation) -> Table:
    """A row a model and item: passes, tries, the unbiased rate, its exact interval, and what ended the tries.

    Of no task, where no item has passes and tries.
    """
    import numpy as np
    import polars as pl

    from isoflop.evals.measures import pass_rates
    from isoflop.evals.pass_rate import pass_interval
    from isoflop.uncertainty.ensemble import Interval

    rows = found.items.rows.filter(pl.col("kind") == "passes") if "passes" in found.items.rows.columns else None
    made: list[tuple[Cell, ...]] = []
    if rows is not None and len(rows):
        kept = rows.head(_MOST)
        passes, tries, goal = (
            kept[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in ("passes", "tries", "goal")
        )
        rate = pass_rates(passes, tries, goal)
        low, high = pass_interval(passes, tries, goal, level=found.level)
        capped = np.isfinite(goal) & (passes < goal)
        for at, (task, model, item) in enumerate(kept.select("task", "model", "item").iter_rows()):
            # (r - 1)/(K - 1) leaves the exact interval only where one pass ended the tries: it is then 0 or 1
            value = float(rate[at])
            ended = "cap" if capped[at] else "goal" if np.isfinite(goal[at]) else "fixed"
            interval = Interval(value, min(float(low[at]), value), max(float(high[at]), value), found.level)
            made.append((task, model, str(item), int(passes[at]), int(tries[at]), ended, of_interval("rate", interval)))
    left = 0 if rows is None else max(0, len(rows) - _MOST)
    return Table(
        "items",
        (
            Column("task"),
            Column("model"),
            Column("item"),
            Column("passes", kind="integer"),
            Column("tries", kind="integer"),
            Column("ended", "tries ended at"),
            Column("rate", f"pass rate ({100 * found.level:g}% exact CI)"),
        ),
        tuple(made),
        title="Pass rates of single items",
        note="Exact: Clopper and Pearson's for fixed tries and at a cap, of the negative binomial at a goal."
        + (f" {left:,} further rows are left out." if left else ""),
        detail=len(made) > _SHOWN,
    )
