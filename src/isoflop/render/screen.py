"""Lines on a terminal: words wrapped or cut at its width, tables of fixed columns, letters bold, dim or colored.

Rich lays text out as this module does, and takes longer to import than most answers take to be printed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final, TextIO

from rich.cells import cell_len, chop_cells, set_cell_size

from isoflop.patterns import pattern

Part = str | tuple[str, str]  # a text, or a text with its style

_USUAL: Final = 80
_TAB: Final = 8
_WORD: Final = pattern(r"\s*\S+\s*")
# What would move the cursor, or command the terminal, is not printed: a header of a table may hold it.
_CONTROL: Final = dict.fromkeys(each for each in (*range(32), *range(127, 160)) if chr(each) not in "\t\n")
_PLAIN: Final = str.maketrans("–−…×≥≤≈", "--.x><~")  # as wide, for a terminal whose encoding lacks them
_ATTRIBUTES: Final = {"bold": 1, "dim": 2, "red": 31, "yellow": 33, "cyan": 36}
_FIRST_COLOR: Final = 30


@dataclass(frozen=True)
class Layout:
    """A column of a table: its width, on which side its cells stand, and whether long words go on below or are cut."""

    width: int
    right: bool = False
    folded: bool = False


class Screen:
    """Where an answer is printed.

    file: None where the program has no standard output. width: cells of a line. styled: whether letters may be bold or
    dim; colored: whether they may have colors too.
    """

    def __init__(self, file: TextIO | None, *, width: int = _USUAL, styled: bool = False, colored: bool = True) -> None:
        self.file, self.width, self._styled, self._colored = file, width, styled, colored

    def print(self, *parts: Part, cut: bool = False) -> None:
        """Print a text of one or more parts. cut: whether each line is cut at the width, rather than wrapped."""
        pairs = [(each, "") if isinstance(each, str) else each for each in parts]
        plain = [(_printable(text), style) for text, style in pairs]
        styles = [style for text, style in plain for _ in text]
        lines = []
        for start, line in _lines("".join(text for text, _ in plain), self.width, cut=cut):
            own = styles[start : start + len(line)]
            own += own[-1:] * (len(line) - len(own))  # the mark behind what is cut
            lines.append("".join(self._runs(line, own)))
        self._write(lines)

    def table(
        self, columns: Sequence[Layout], rows: Iterable[Sequence[str]], *, header: Sequence[str], gap: int, left: int
    ) -> None:
        """Print rows of cells under a header, unless that is empty. gap, left: blanks between columns, and before."""
        room = self.width - left
        gaps = [gap] * (len(columns) - 1) + [0]
        widths = _reduced([each.width + own for each, own in zip(columns, gaps, strict=True)], room)

        def lines(cells: Sequence[str], *, low: bool) -> Iterator[str]:
            texts = zip(cells, columns, widths, gaps, strict=True)
            blocks = [_cell(cell, column, width - own) for cell, column, width, own in texts]
            height = max(map(len, blocks))
            for at in range(height):
                shown = ""
                for block, width in zip(blocks, widths, strict=True):
                    place = at - (height - len(block)) if low else at
                    shown += set_cell_size(block[place] if 0 <= place < len(block) else "", width)
                yield set_cell_size(shown, room)

        if header:
            self._write(" " * left + self._style(line, "dim") for line in lines(header, low=True))
        for cells in rows:
            self._write(" " * left + line for line in lines(cells, low=False))

    def _write(self, lines: Iterable[str]) -> None:
        if self.file is None:
            return
        text = "".join(f"{line}\n" for line in lines)
        try:
            text.encode(self.file.encoding or "utf-8")
        except (AttributeError, LookupError, UnicodeEncodeError):
            text = text.translate(_PLAIN)
        try:
            self.file.write(text)
            self.file.flush()
        except (
            BrokenPipeError
        ):  # a reader that stops early, such as head; by its number click would take it for a fault
            raise BrokenPipeError from None

    def _runs(self, line: str, styles: Sequence[str]) -> Iterator[str]:
        """The line in stretches of one style."""
        for style, stretch in groupby(zip(line, styles, strict=True), key=lambda each: each[1]):
            yield self._style("".join(letter for letter, _ in stretch), style)

    def _style(self, text: str, style: str) -> str:
        codes = [_ATTRIBUTES[each] for each in style.split()] if self._styled else []
        kept = [str(each) for each in codes if each < _FIRST_COLOR or self._colored]
        return f"\x1b[{';'.join(kept)}m{text}\x1b[0m" if kept and text else text


def standard_output() -> Screen:
    """The standard output, with the terminal's width and as much style as it has; plain where it is a file or a pipe.

    ``COLUMNS`` states another width, ``NO_COLOR`` takes the colors, ``FORCE_COLOR`` styles a pipe as well.
    """
    told = os.environ.get("COLUMNS", "")
    terminal = bool(os.environ.get("FORCE_COLOR")) or (sys.stdout is not None and sys.stdout.isatty())
    dumb = os.environ.get("TERM", "").lower() in ("dumb", "unknown")
    width = int(told) if told.isdigit() else _USUAL if terminal and dumb else _width()
    return Screen(
        sys.stdout, width=width or _USUAL, styled=terminal and not dumb, colored=not os.environ.get("NO_COLOR")
    )


def _width() -> int:
    """Cells of the terminal, even where the output itself goes elsewhere."""
    for stream in (0, 1, 2):
        try:
            return os.get_terminal_size(stream).columns
        except OSError:
            continue
    return _USUAL


def _lines(text: str, width: int, *, cut: bool, stripped: bool = False) -> Iterator[tuple[int, str]]:
    """The lines of a text, each with the place of its first letter. stripped: without the blanks at their ends."""
    start = 0
    for line in text.split("\n"):
        places = [0, *([] if cut else _breaks(line, width)), len(line)]
        for at, end in pairwise(places):
            shown = line[at:end].rstrip() if stripped else line[at:end]
            yield start + at, _cut(shown, width) if cut else _cropped(shown, width)
        start += len(line) + 1


def _printable(text: str) -> str:
    """The text without what would move the cursor, and with blanks for tabs."""
    text = text.translate(_CONTROL)
    return "\n".join(map(_untabbed, text.split("\n"))) if "\t" in text else text


def _untabbed(line: str) -> str:
    """The line with blanks up to the next eighth cell for each tab."""
    *before, last = line.split("\t")
    spread = "".join(each + " " * (_TAB - cell_len(each) % _TAB) for each in before)
    return spread + last


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"


def _cropped(text: str, width: int) -> str:
    """The text without the blanks at its end that stand beyond the width, nor what else does."""
    blanks = len(text) - len(text.rstrip())
    text = text[: len(text) - max(0, min(blanks, len(text) - width))]
    return text if cell_len(text) <= width else set_cell_size(text, width)


def _breaks(text: str, width: int) -> list[int]:
    """Where a text is broken so that no line is wider; a word that is wider than a line goes on in the next."""
    places: list[int] = []
    used = 0
    for found in _WORD.finditer(text):
        start, word = found.start(), found[0]
        needed = cell_len(word.rstrip())
        if needed <= width - used:
            used += cell_len(word)
        elif needed > width:
            for piece in chop_cells(word, width):
                places += [start] if start else []
                start, used = start + len(piece), cell_len(piece)
        elif used and start:
            places.append(start)
            used = cell_len(word)
    return places


def _cell(text: str, column: Layout, width: int) -> list[str]:
    """A cell's lines, each as wide as its column."""
    if width < 1:
        return []
    lines = [line for _, line in _lines(_printable(text), width, cut=not column.folded, stripped=column.right)]
    return [" " * (width - cell_len(line)) + line if column.right else set_cell_size(line, width) for line in lines]


def _reduced(widths: list[int], room: int) -> list[int]:
    """Widths that together have room, each less by about the same where they have not."""
    widths = [min(each, max(room, 0)) for each in widths]
    excess, left = max(0, sum(widths) - room), len(widths)
    reduced = []
    for width in widths:
        less = min(width, round(excess / left))
        reduced.append(width - less)
        excess, left = excess - less, left - 1
    return reduced
