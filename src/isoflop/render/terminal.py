"""An answer in the terminal: equation, the answer in bold, evidence, tables, findings, and a line that counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from isoflop.answers import Answer
from isoflop.answers.wording import told
from isoflop.findings import Finding, Level
from isoflop.render.layout import Grid, grid, quantities_grid

ROWS = 10  # of a table, unless all are asked for
_COLORS: Final[dict[Level, str]] = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def show(
    answer: Answer, console: Console, *, all_rows: bool = False, verbose: bool = False, findings: bool = True
) -> None:
    """Print an answer.

    all_rows: every row of every table. verbose: findings whole, with their remedies. findings: whether they are shown;
    those of an answer's parts are among its own.
    """
    most = None if all_rows else ROWS
    if answer.equation:
        console.print(Text(answer.equation))
    console.print(Text(answer.title, style="dim"))
    console.print(Text(answer.sentence(told), style="bold"))
    if answer.evidence is not None:
        _grid(grid(answer.evidence), console)
    if answer.quantities:
        _grid(quantities_grid(answer.quantities), console)
    for table in answer.tables:
        _grid(grid(table, most=most), console)
    for part in answer.parts:
        console.print()
        show(part, console, all_rows=all_rows, verbose=verbose, findings=False)
    if findings:
        show_findings(answer.findings, console, verbose=verbose)
    if answer.method:
        console.print(Text(answer.method, style="dim"))


def show_findings(findings: Sequence[Finding], console: Console, *, verbose: bool = False) -> None:
    """One line each, or whole with their remedies; then a line that counts them."""
    for each in findings:
        line = Text.assemble((f"{each.level}  ", _COLORS[each.level]), (f"{each.code}  ", "dim"), each.message)
        if verbose:
            line.append(f" {each.remedy}")
        console.print(line, overflow="fold" if verbose else "ellipsis", no_wrap=not verbose)
    if findings:
        counts = Counter(each.level for each in findings)
        told_ = ", ".join(
            f"{counts[level]} {level}{'s' if counts[level] > 1 else ''}" for level in _COLORS if counts[level]
        )
        console.print(Text(told_ + ("" if verbose else " (--verbose: in full, with remedies)"), style="dim"))


def _grid(table: Grid, console: Console) -> None:
    if not table.rows:
        return
    if table.title:
        console.print(Text(f"\n{table.title}", style="dim"))
    shown = RichTable(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", show_header=any(table.header))
    for head, right in zip(table.header, table.right, strict=True):
        shown.add_column(Text(head), justify="right" if right else "left", overflow="ellipsis", no_wrap=True)
    for row in table.rows:
        shown.add_row(*(Text(cell) for cell in row))
    console.print(Padding(shown, (0, 0, 0, 2)))
    if table.more:
        console.print(Text(f"  … {table.more:,} more rows (--all)", style="dim"))
    if table.note:
        console.print(Text(f"  {table.note}", style="dim"))
