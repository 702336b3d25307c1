"""Scores of forecasts on held-out runs, as the columns and cells of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.answers import Cell, Column, Quantity, Table, of_interval

if TYPE_CHECKING:
    from isoflop.validation.backtest import Backtest
    from isoflop.validation.score import Scores

MRE = "MRE is the mean of |L − L̂|/L over the held-out rows"


def score_columns(level: float) -> tuple[Column, ...]:
    """Mean relative error, bias, worst error, coverage, log score."""
    return (
        Column("mre", "MRE"),
        Column("coverage", f"coverage ({100 * level:g}%)"),
        Column("bias"),
        Column("worst", "largest error", "share"),
        Column("log_score", "log score"),
        Column("covered", "rows covered", "integer"),
        Column("rows", kind="integer"),
        Column("runs", kind="integer"),
    )


def score_cells(scores: Scores) -> tuple[Cell, ...]:
    """The cells of :func:`score_columns`; None where a forecaster gives no interval."""
    coverage: Quantity | None = None
    if scores.coverage is not None:
        coverage = of_interval("coverage", scores.coverage, "share")
    return (
        of_interval("mre", scores.are, "share"),
        coverage,
        of_interval("bias", scores.bias, "change"),
        float(scores.worst),
        None if scores.log_score is None else of_interval("log_score", scores.log_score),
        scores.covered,
        scores.rows,
        scores.runs,
    )


def windows_table(result: Backtest, *, detail: bool) -> Table:
    """What each window holds out."""
    return Table(
        "windows",
        (
            Column("window", kind="integer"),
            Column("held_out", "held out"),
            Column("fitted_rows", "fitted rows", "integer"),
            Column("held_out_rows", "held-out rows", "integer"),
            Column("by"),
            Column("start", "from", "count"),
            Column("family"),
        ),
        tuple(
            (
                place,
                each.says,
                int(each.train.sum()),
                int(each.held.sum()),
                each.by,
                float(each.from_value),
                each.family or None,
            )
            for place, each in enumerate(result.windows)
        ),
        title="Windows",
        detail=detail,
    )
