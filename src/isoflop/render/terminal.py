"""An answer in the terminal: equation, the answer in bold, evidence, tables, findings, and a line that counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len

from isoflop.answers import Answer
from isoflop.answers.answer import PLACEHOLDER
from isoflop.answers.wording import told
from isoflop.findings import Finding, Level
from isoflop.render.layout import Grid, grid, quantities_grid
from isoflop.render.remedies import FrontEnd, reworded
from isoflop.render.screen import Layout, Screen

ROWS: Final = 10  # of a table, unless all are asked for
_INDENT: Final = 2
_GAP: Final = 2
_WORD: Final = 34  # letters of a cell of words that are kept where room is short
_LEAST: Final = 16  # fewer letters of a cell of words are of no use, and the column is left out
_COLORS: Final[dict[Level, str]] = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def show(
    answer: Answer,
    screen: Screen,
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
        screen.print(answer.equation)
    screen.print((answer.title, "dim"))
    screen.print((answer.sentence(told), "bold"))
    if answer.evidence is not None:
        _grid(grid(answer.evidence), screen)
    if not _told_already(answer):
        _grid(quantities_grid(answer.quantities), screen, whole=verbose)
    for table in (each for each in answer.tables if all_rows or not each.detail):
        _grid(grid(table, most=most), screen, whole=all_rows)
    for part in answer.parts:
        screen.print()
        show(part, screen, all_rows=all_rows, verbose=verbose, findings=False, front_end=front_end)
    if findings:
        show_findings(reworded(answer.findings, front_end), screen, verbose=verbose)
    if answer.method:
        screen.print((answer.method, "dim"))


def _told_already(answer: Answer) -> bool:
    """Whether the headline says every quantity that there is, so that a table would only repeat it."""
    names = set(PLACEHOLDER.findall(answer.headline))
    return all(each.name in names and not each.has_interval for each in answer.quantities)


def show_findings(findings: Sequence[Finding], screen: Screen, *, verbose: bool = False) -> None:
    """One line each, or whole with their remedies; then a line that counts them."""
    for each in findings:
        said = f"{each.message} {each.remedy}" if verbose else each.message
        screen.print((f"{each.level}  ", _COLORS[each.level]), (f"{each.code}  ", "dim"), said, cut=not verbose)
    if findings:
        counts = Counter(each.level for each in findings)
        told_ = ", ".join(
            f"{counts[level]} {level}{'s' if counts[level] > 1 else ''}" for level in _COLORS if counts[level]
        )
        screen.print((told_ + ("" if verbose else " (--verbose: in full, with remedies)"), "dim"))


def _grid(table: Grid, screen: Screen, *, whole: bool = False) -> None:
    """A table within the width of the terminal.

    Numbers are never cut: columns that find no room are named below. whole: every column, in blocks, long words folded.
    """
    if not table.rows:
        return
    if table.title:
        screen.print((f"\n{table.title}", "dim"))
    room = screen.width - _INDENT
    kept, left = _fitting(table, room)
    for block in _blocks(table, room) if whole else [kept]:
        _block(table, block, screen, fold=whole)
    left = [] if whole else left
    notes = [f"… {table.more:,} more rows"] if table.more else []
    named = ", ".join(table.header[place] for place in left if table.header[place])
    notes += [f"further columns: {named}"] if named else []
    if notes:
        screen.print((f"  {'; '.join(notes)} (--all)", "dim"), cut=True)
    if table.note:
        screen.print((f"  {table.note}", "dim"))


def _block(table: Grid, places: list[int], screen: Screen, *, fold: bool) -> None:
    """Some columns of a table. fold: whether long words go on in the next line, rather than being cut."""
    widths = _shared_out(table, places, screen.width - _INDENT)
    words = _words(table, places)
    screen.table(
        [Layout(widths[place], right=table.right[place], folded=fold and place in words) for place in places],
        [[row[place] for place in places] for row in table.rows],
        header=[table.header[place] for place in places] if any(table.header) else (),
        gap=_GAP,
        left=_INDENT,
    )


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
