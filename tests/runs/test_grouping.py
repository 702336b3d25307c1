"""Groups of rows: columns that are offered, some of their values, selections with names."""

import numpy as np
import pytest

from isoflop import Runs
from isoflop.errors import DataError, FormulaError
from isoflop.runs.grouping import grouping_columns, in_named_groups, labels, only_groups, with_named_groups


def table(**columns):
    count = len(next(iter(columns.values())))
    return Runs.from_columns({"N": np.geomspace(1e7, 1e10, count), "loss": np.linspace(4, 2, count), **columns})


def test_columns_of_words_come_first_with_the_runs_of_each_value():
    runs = table(recipe=["a", "b", "a", "b", "a", "b", "c"], width=[8, 8, 8, 16, 16, 16, 16], name=list("stuvwxy"))
    found = {each.name: each.values for each in grouping_columns(runs)}
    assert list(found) == ["recipe", "width"]
    assert found["recipe"] == (("a", 3), ("b", 3), ("c", 1)) and found["width"] == (("8", 3), ("16", 4))


def test_checkpoints_count_as_one_run_and_measured_columns_are_no_groups():
    runs = table(run=list("aabbccddeeff"), recipe=["x"] * 6 + ["y"] * 6, acc=[0.5, 0.6] * 6)
    (column,) = grouping_columns(runs)
    assert column.values == (("x", 3), ("y", 3))


def test_a_column_of_one_large_value_and_many_small_ones_is_not_offered():
    assert grouping_columns(table(tag=["a"] * 5 + ["b", "c"])) == ()


@pytest.mark.parametrize(
    ("only", "kept"),
    [(("a,b",), "ab"), (("b", "a"), "ab"), (("x, y", "a"), "ax"), (("x, y,c",), None), ((), "abcx")],
)
def test_a_value_with_a_comma_is_one_group(only, kept):
    runs = table(recipe=["a", "b", "c", "x, y", "a", "b"])
    if kept is None:
        with pytest.raises(DataError, match="'x' is no value of 'recipe'"):
            only_groups(runs, ["recipe"], only)
        return
    assert sorted({each[0] for each in only_groups(runs, ["recipe"], only).text("recipe")}) == list(kept)


def test_numbers_are_named_as_they_are_written():
    runs = table(depth=[8.0, 8.0, 16.0, 16.0, np.nan, 2.5])
    assert labels(runs, ["depth"])[:3] == ["8", "8", "16"]
    assert len(only_groups(runs, ["depth"], ["8", "16.0"])) == 4


def test_combinations_of_columns_are_groups():
    runs = table(recipe=list("aabbab"), width=["8", "16", "8", "16", "", "8"])
    assert labels(runs, ["recipe", "width"]) == ["a / 8", "a / 16", "b / 8", "b / 16", "", "b / 8"]
    assert len(only_groups(runs, ["recipe", "width"], ["a / 8", "b / 8"])) == 3


@pytest.mark.parametrize(
    ("only", "says"),
    [
        (["a"], "the one group 'a' of 'recipe' is chosen, and two or more make a comparison; choose another one too"),
        (["a", "a"], "the one group 'a'"),
        ([" , "], "no group of 'recipe' is chosen"),
        (["a", "bb"], "'bb' is no value of 'recipe' in .*; it has 'b' and 1 more"),
    ],
)
def test_groups_that_cannot_be_chosen_are_refused(only, says):
    with pytest.raises(DataError, match=says):
        only_groups(table(recipe=list("abab")), ["recipe"], only)


def test_selections_name_groups_and_leave_the_others_out():
    runs = table(recipe=list("abcabc"))
    named = {"small": "N < 1e8", "one row": "row in [6]"}
    assert with_named_groups(runs, named).text("named group") == ["small", "small", "", "", "", "one row"]
    assert in_named_groups(runs, named).rows.tolist() == [1, 2, 6]


@pytest.mark.parametrize(
    ("named", "error", "says"),
    [
        ({"a": "N < 1e8"}, DataError, "one group is named, 'a', and two or more make a comparison"),
        ({"a": "N < 1e9", "b": "N > 1e8"}, DataError, r"rows are in 'a' and 'b' \(row.*; a run belongs to one group"),
        ({"a": "N < 1e9", "b": "N > 1e12"}, DataError, "group 'b': no run of .* satisfies 'N > 1e12'; loosen"),
        ({"a": "N < 1e9", "b": "N >"}, FormulaError, "group 'b': "),
        ({"a": "N < 1e9", "b": "M > 1e9"}, FormulaError, "group 'b': .*M"),
    ],
)
def test_selections_that_make_no_groups_are_refused(named, error, says):
    with pytest.raises(error, match=says):
        with_named_groups(table(recipe=list("abcabc")), named)
