"""A card in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from isoflop.findings import Finding
from isoflop.report.card import Card

_MARKS = {"error": ("✗", "red"), "warning": ("?", "yellow"), "note": ("·", "cyan")}
_NUMERIC = ("", *"+-0123456789")


def show(card: Card, console: Console) -> None:
    """Print the card: title, answer, table, what to doubt, how."""
    console.print(f"[bold]{escape(card.title)}[/bold]", highlight=False)
    console.print(escape(card.answer), highlight=False)
    if card.rows:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        for position, head in enumerate(card.header):
            numeric = all(row[position][:1] in _NUMERIC for row in card.rows)
            table.add_column(head, justify="right" if numeric and position else "left", overflow="fold")
        for row in card.rows:
            table.add_row(*(escape(cell) for cell in row))
        console.print(Padding(table, (1, 0, 1, 2)))
    for finding in card.findings:
        show_finding(finding, console)
    if card.how:
        console.print(f"[dim]{escape(card.how)}[/dim]", highlight=False)


def show_finding(finding: Finding, console: Console) -> None:
    """One finding: its mark, what it says, and what to do."""
    mark, colour = _MARKS[finding.level]
    grid = Table.grid(padding=(0, 1))
    grid.add_row(f"[{colour}]{mark}[/{colour}]", escape(f"{finding.message} {finding.remedy}"))
    console.print(grid, highlight=False)
