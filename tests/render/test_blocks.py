"""Every column of a table in the terminal: numbers are never broken, words are folded or cut, nothing wraps."""

import io
import re

import pytest

from isoflop.answers import Answer, Column, Quantity, Table
from isoflop.render.screen import Screen
from isoflop.render.terminal import show

NAMES = ("chinchilla", "a law of one's own with a long name", "power")
VALUES = (6.741234e24, 1.2345e-7, 70_553_706_496.0)


def shown(answer, *, width=80, **how):
    screen = Screen(io.StringIO(), width=width)
    show(answer, screen, **how)
    return [line.rstrip() for line in screen.file.getvalue().splitlines()]


def quantity(value, times):
    return Quantity("x", value * times, "flops", low=value, high=2 * value, level=0.9)


def wide(columns, *, words=()):
    """A table of a name, many numbers with intervals, and words."""
    heads = (Column("law"), *(Column(f"number_{k}", f"number {k}") for k in range(columns)))
    heads += tuple(Column(f"words_{k}", f"words {k}") for k in range(len(words)))
    rows = tuple(
        (name, *(quantity(value, k + 1) for k in range(columns)), *words)
        for name, value in zip(NAMES, VALUES, strict=True)
    )
    return Answer("fit", "t", "h", tables=(Table("wide", heads, rows),))


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("columns", [1, 4, 11])
def test_with_all_rows_every_column_is_shown_and_no_number_is_broken(width, columns):
    lines = shown(wide(columns, words=("what it says " * 9,)), width=width, all_rows=True)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for k in range(columns):
        assert f"number {k}" in text
        for value in VALUES:
            assert (
                f"{value * (k + 1):.2g}".replace("e+", "e") in text
                or f"{value * (k + 1):.1g}".replace("e+", "e") in text
            )
    assert "…" not in text and "further columns" not in text
    assert text.count("what") == 9 * 3, "words are folded, not cut"
    # each block begins with the names of its rows
    heads = [line for line in lines if line.lstrip().startswith("law")]
    assert len(heads) == sum("chinchilla" in line for line in lines) >= 1


def test_without_them_what_has_no_room_is_named():
    lines = shown(wide(11, words=("what it says " * 9,)))
    (note,) = [line for line in lines if "further columns:" in line]
    shown_heads = next(line for line in lines if line.lstrip().startswith("law"))
    for k in range(11):
        assert (f"number {k}" in shown_heads) != bool(re.search(rf"number {k}\b", note)) or "…" in note


def test_a_last_column_of_words_is_cut_rather_than_left_out():
    rows = (("exponent", 0.51, "a note that is longer than what is left of the line by far"),)
    table = Table(
        "t", (Column("quantity"), Column("value", "a heading that takes its room " * 1), Column("note")), rows
    )
    lines = shown(Answer("fit", "t", "h", tables=(table,)), width=70)
    (line,) = [line for line in lines if "exponent" in line]
    assert "a note that is" in line and line.endswith("…")


def test_a_column_of_words_with_no_room_at_all_is_left_out():
    rows = (("exponent", 0.51, "a note of many words"),)
    table = Table("t", (Column("quantity"), Column("value", "x" * 60), Column("words")), rows)
    lines = shown(Answer("fit", "t", "h", tables=(table,)), width=80)
    assert not any("a note" in line for line in lines) and any("further columns: words" in line for line in lines)
