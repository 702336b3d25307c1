"""Lines on a terminal: as Rich, whose layout is the oracle, lays them out; styled where the terminal can be."""

import io
import random
import sys

import pytest
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from isoflop.render import screen
from isoflop.render.screen import Layout, Screen

LETTERS = ("abc de  fg–…12.3×|", "abc 漢字é de\t  f1.2…", "ab c\x07\rd e")


def words(rng, letters, most):
    lengths = [rng.choice((0, 1, 3, 8, 20, 60)) for _ in range(rng.randint(0, most))]
    return " ".join("".join(rng.choice(letters) for _ in range(each)) for each in lengths)


@pytest.mark.parametrize("letters", LETTERS)
@pytest.mark.parametrize("cut", [False, True])
def test_texts_are_wrapped_and_cut_as_by_rich(letters, cut):
    rng = random.Random(7)
    how = {"overflow": "ellipsis", "no_wrap": True} if cut else {}
    for _ in range(60):
        width, text = rng.choice((20, 33, 80)), "\n".join(words(rng, letters, 9) for _ in range(rng.randint(1, 2)))
        console = Console(file=io.StringIO(), width=width, highlight=False)
        console.print(Text(text), **how)
        own = Screen(io.StringIO(), width=width)
        own.print(text, cut=cut)
        assert own.file.getvalue() == console.file.getvalue(), text


@pytest.mark.parametrize("letters", LETTERS)
def test_tables_are_laid_out_as_by_rich(letters):
    rng = random.Random(7)
    for _ in range(40):
        width = rng.choice((20, 33, 80))
        columns = [
            Layout(rng.choice((1, 4, 8, 15, 30)), right=rng.random() < 0.4, folded=rng.random() < 0.4)
            for _ in range(rng.randint(1, 6))
        ]
        header, *rows = [[words(rng, letters, 2) for _ in columns] for _ in range(4)]
        header = header if any(header) and rng.random() < 0.7 else []
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=bool(header))
        for place, each in enumerate(columns):
            table.add_column(
                Text(header[place] if header else ""),
                justify="right" if each.right else "left",
                overflow="fold" if each.folded else "ellipsis",
                no_wrap=not each.folded,
                width=each.width,
            )
        for row in rows:
            table.add_row(*map(Text, row))
        console = Console(file=io.StringIO(), width=width, highlight=False)
        console.print(Padding(table, (0, 0, 0, 2)))
        own = Screen(io.StringIO(), width=width)
        own.table(columns, rows, header=header, gap=2, left=2)
        assert own.file.getvalue() == console.file.getvalue(), (columns, header, rows)


def test_letters_have_the_style_of_their_part_wherever_a_line_ends():
    styled = Screen(io.StringIO(), width=12, styled=True)
    styled.print(("warning  ", "yellow"), ("code  ", "dim"), "a long message", cut=True)
    assert styled.file.getvalue() == "\x1b[33mwarning  \x1b[0m\x1b[2mco…\x1b[0m\n"
    wrapped = Screen(io.StringIO(), width=9, styled=True, colored=False)
    wrapped.print(("error ", "bold red"), ("one two", "cyan"))
    assert wrapped.file.getvalue() == "\x1b[1merror \x1b[0mone\ntwo\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("told", "file", "styles"),
    [
        ({}, io.StringIO, ""),
        ({}, Terminal, "\x1b[1;31m"),
        ({"NO_COLOR": "1"}, Terminal, "\x1b[1m"),
        ({"TERM": "dumb"}, Terminal, ""),
        ({"FORCE_COLOR": "1"}, io.StringIO, "\x1b[1;31m"),
    ],
)
def test_standard_output_has_the_style_that_its_terminal_can_show(told, file, styles, monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", "COLUMNS": "31", **told}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", file())
    printed = screen.standard_output()
    printed.print(("x", "bold red"))
    assert printed.width == 31
    assert printed.file.getvalue() == (f"{styles}x\x1b[0m\n" if styles else "x\n")


def test_what_commands_a_terminal_is_not_printed():
    own = Screen(io.StringIO(), width=40)
    own.print("a\x1b[31mred\x9b1m\x00 b")
    assert own.file.getvalue() == "a[31mred1m b\n"


def test_an_encoding_without_a_letter_gets_one_as_wide():
    held = io.BytesIO()
    own = Screen(io.TextIOWrapper(held, encoding="ascii", errors="replace"), width=40)
    own.print("0.889–1.002 × é")
    assert held.getvalue() == b"0.889-1.002 x ?\n"


def test_without_a_standard_output_nothing_is_printed(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    screen.standard_output().print("unseen")
