"""An answer in the terminal: equation, the answer in bold, evidence, tables, findings, and a line that counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from isoflop.answers import Answer
from isoflop.answers.answer import PLACEHOLDER
from isoflop.answers.wording import told
from isoflop.findings import Finding, Level
from isoflop.render.layout import Grid, grid, quantities_grid
from isoflop.render.remedies import FrontEnd, reworded

ROWS: Final = 10  # of a table, unless all are asked for
_INDENT: Final = 2
_GAP: Final = 2
_WORD: Final = 34  # letters of a cell of words that are kept where room is short
_LEAST: Final = 16  # fewer letters of a cell of words are of no use, and the column is left out
_COLORS: Final[dict[Level, str]] = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def show(
    answer: Answer,
    console: Console,
    *,
    all_rows: bool = False,
    verbose: bool = False,
    findings: bool = True,
    front_end: FrontEnd = "command",
) -> None:
    """Print an answer.

    all_rows: every row of every table. verbose: findings whole, with their remedies. findings: whether they are shown;
    those of an answer's parts are among its own. front_end: whose words their remedies take.
    """
    most = None if all_rows else ROWS
    if answer.equation:
        console.print(Text(answer.equation))
    console.print(Text(answer.title, style="dim"))
    console.print(Text(answer.sentence(told), style="bold"))
    if answer.evidence is not None:
        _grid(grid(answer.evidence), console)
    if not _told_already(answer):
        _grid(quantities_grid(answer.quantities), console, whole=verbose)
    for table in (each for each in answer.tables if all_rows or not each.detail):
        _grid(grid(table, most=most), console, whole=all_rows)
    for part in answer.parts:
        console.print()
        show(part, console, all_rows=all_rows, verbose=verbose, findings=False, front_end=front_end)
    if findings:
        show_findings(reworded(answer.findings, front_end), console, verbose=verbose)
    if answer.method:
        console.print(Text(answer.method, style="dim"))


def _told_already(answer: Answer) -> bool:
    """Whether the headline says every quantity that there is, so that a table would only repeat it."""
    names = set(PLACEHOLDER.findall(answer.headline))
    return all(each.name in names and not each.has_interval for each in answer.quantities)


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


def _grid(table: Grid, console: Console, *, whole: bool = False) -> None:
    """A table within the width of the terminal.

    Numbers are never cut: columns that find no room are named below. whole: every column, in blocks, long words folded.
    """
    if not table.rows:
        return
    if table.title:
        console.print(Text(f"\n{table.title}", style="dim"))
    room = console.width - _INDENT
    kept, left = _fitting(table, room)
    for block in _blocks(table, room) if whole else [kept]:
        _block(table, block, console, fold=whole)
    left = [] if whole else left
    notes = [f"… {table.more:,} more rows"] if table.more else []
    named = ", ".join(table.header[place] for place in left if table.header[place])
    notes += [f"further columns: {named}"] if named else []
    if notes:
        console.print(Text(f"  {'; '.join(notes)} (--all)", style="dim"), overflow="ellipsis", no_wrap=True)
    if table.note:
        console.print(Text(f"  {table.note}", style="dim"))


def _block(table: Grid, places: list[int], console: Console, *, fold: bool) -> None:
    """Some columns of a table. fold: whether long words go on in the next line, rather than being cut."""
    shown = RichTable(
        box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim", show_header=any(table.header)
    )
    widths = _shared_out(table, places, console.width - _INDENT)
    words = _words(table, places)
    for place in places:
        folded = fold and place in words
        shown.add_column(
            Text(table.header[place]),
            justify="right" if table.right[place] else "left",
            overflow="fold" if folded else "ellipsis",
            no_wrap=not folded,
            width=widths[place],
        )
    for row in table.rows:
        shown.add_row(*(Text(row[place]) for place in places))
    console.print(Padding(shown, (0, 0, 0, _INDENT)))


def _needed(table: Grid, unit: Sequence[int], widths: Sequence[int]) -> int:
    """Room for a unit of columns: numbers whole, words in part."""
    return sum((widths[each] if table.right[each] else min(widths[each], _WORD)) + _GAP for each in unit)


def _blocks(table: Grid, room: int) -> list[list[int]]:
    """Every column, in blocks that have room, each with the first column in front."""
    widths = _widths(table)
    first = table.units[0]
    blocks: list[list[int]] = [[*first]]
    spare = room - _needed(table, first, widths)
    for unit in table.units[1:]:
        needed = _needed(table, unit, widths)
        if len(unit) == 1 and not table.right[unit[0]] and spare >= _LEAST:
            needed = min(needed, spare)  # words fold into the room there is
        if needed > spare + _GAP and len(blocks[-1]) > len(first):
            blocks.append([*first])
            spare = room - _needed(table, first, widths)
        blocks[-1] += unit
        spare -= needed
    return blocks


def _words(table: Grid, places: Sequence[int]) -> list[int]:
    """Those of the columns that hold words, which may be cut or folded; numbers and intervals may not."""
    intervals = {place for unit in table.units for place in unit[1:]}
    return [place for place in places if not table.right[place] and place not in intervals]


def _widths(table: Grid) -> list[int]:
    return [
        max(cell_len(cell) for cell in (head, *(row[place] for row in table.rows)))
        for place, head in enumerate(table.header)
    ]


def _fitting(table: Grid, room: int) -> tuple[list[int], list[int]]:
    """The columns that have room, from the left, and those that have not; words may be cut, numbers may not."""
    kept: list[int] = []
    widths = _widths(table)
    for unit in table.units:
        needed = _needed(table, unit, widths)
        words = len(unit) == 1 and not table.right[unit[0]]
        if needed > room + _GAP and kept and not (words and room >= _LEAST):
            continue
        kept += unit
        room -= needed
    left = [unit[0] for unit in table.units if unit[0] not in kept]
    return kept, left


def _shared_out(table: Grid, kept: list[int], room: int) -> dict[int, int]:
    """The width of each column: numbers and intervals whole, words as far as there is room, the last ones first."""
    natural = _widths(table)
    words = _words(table, kept)
    widths = {place: min(natural[place], _WORD) if place in words else natural[place] for place in kept}
    spare = room - sum(each + _GAP for each in widths.values()) + _GAP
    for place in reversed(words):
        more = max(0, min(spare, natural[place] - widths[place]))
        widths[place] += more
        spare -= more
    if spare < 0 and words:  # one column of words alone may be wider than the terminal
        widths[words[-1]] = max(8, widths[words[-1]] + spare)
    return widths
