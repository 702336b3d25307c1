"""A table of runs as a card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from isoflop.findings import Finding
from isoflop.report.card import Card
from isoflop.report.cards.rows import count_of_runs
from isoflop.report.pictures import design_picture
from isoflop.units import format_quantity

if TYPE_CHECKING:
    from isoflop.runs import Runs


def check_card(runs: Runs, findings: Sequence[Finding]) -> Card:
    """A table of runs: what was read, and what to doubt."""
    rows = []
    for name in ("N", "D", "C", "loss"):
        if name in runs.frame.columns:
            values = runs[name]
            good = values[(values == values) & (abs(values) < float("inf"))]
            ends = (format_quantity(good.min()), format_quantity(good.max())) if len(good) else ("", "")
            rows.append((name, *ends, runs.columns[name].describe() if name in runs.columns else ""))
    serious = sum(finding.level != "note" for finding in findings)
    codes = runs.run_codes()
    n_runs = int(codes.max()) + 1
    count = f"{len(runs)} rows of {count_of_runs(n_runs)}" if n_runs != len(runs) else count_of_runs(n_runs)
    return Card(
        title=runs.source,
        answer=f"{count}; {serious or 'nothing'} to doubt.",
        header=("", "smallest", "largest", "read from"),
        rows=tuple(rows),
        findings=tuple(findings),
        how="; ".join(
            column.describe() for column in runs.columns.values() if column.name not in ("N", "D", "C", "loss")
        ),
        picture=design_picture(runs),
    )
