"""Schemas and documents: what passes is what was written, and what does not is told with its place and value."""

import json
import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.documents import DocumentError, parse_json, parse_toml, read_bounded
from isoflop.schema import (
    Choice,
    Either,
    Flag,
    List,
    Map,
    Number,
    Optional,
    Plain,
    Record,
    SchemaError,
    Text,
    Whole,
)

PLACE = Record({"name": Text(most=5), "at": List(Number(low=0.0), fewest=1, most=3)}, may=frozenset({"name"}))


@pytest.mark.parametrize(
    ("schema", "value", "says"),
    [
        (Text(), 5, "x must be a text, not 5"),
        (Text(most=3), "abcd", "x is a text of 4 letters; at most 3"),
        (Text(matching="r[0-9]+", belongs="an id"), "r1; rm", "x must be an id, not 'r1; rm'"),
        (Number(), True, "x must be a number, not True"),
        (Number(), math.inf, "x must be a finite number, not inf"),
        (Number(), 10**400, "x must be a finite number, not a whole number of"),
        (Number(low=0.0), -1, "x must be a number from 0, not -1"),
        (Number(words=True), "Infinity", "x must be a number"),
        (Whole(), 1.5, "x must be a whole number from 0 to"),
        (Whole(high=3), 4, "x must be a whole number from 0 to 3, not 4"),
        (Flag(), 1, "x must be true or false, not 1"),
        (Choice("a", "b"), "c", "x must be one of a, b, not 'c'"),
        (Choice("a", "b"), ["a"], "x must be one of a, b"),
        (Either((Flag(), Whole()), "a flag or a count"), "y", "x must be a flag or a count, not 'y'"),
        (List(Whole(), most=2), [1, 2, 3], "x has 3 values; up to 2"),
        (List(Whole()), [1, "a"], "x[1] must be a whole number"),
        (List(Whole()), "12", "x must be a list, not '12'"),
        (Map(Whole(), most=1), {"a": 1, "b": 2}, "x has 2 names"),
        (Map(Whole()), [1], "x must be a table of names and values"),
        (PLACE, {"at": [1, -1]}, "x.at[1] must be a number from 0, not -1"),
        (PLACE, {"at": [1], "more": 2}, "x has 'more', which does not belong there"),
        (PLACE, {"name": "a"}, "x.at is missing"),
        (Plain(), {1, 2}, "x must be a plain value"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(schema, value, says):
    with pytest.raises(SchemaError) as raised:
        schema.read(value, "x")
    assert says.replace("; up to 2", "; from 0 to 2") in str(raised.value)


def test_what_passes_has_the_types_of_the_schema():
    assert PLACE.read({"at": [1, 2.5]}, "") == {"at": [1.0, 2.5]}
    assert all(type(each) is float for each in PLACE.read({"at": [1]}, "")["at"])
    assert Whole().read(3.0, "x") == 3 and type(Whole().read(3.0, "x")) is int
    assert Number(words=True).read("-inf", "x") == -math.inf
    assert Optional(Whole()).read(None, "x") is None
    told = Record({"a": Whole()}, more=True, keep=True)
    assert told.read({"a": 1, "b": "x"}, "") == {"a": 1, "b": "x"}
    assert Record({"a": Whole()}, more=True).read({"a": 1, "b": "x"}, "") == {"a": 1}


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(plain)
def test_json_that_is_sound_is_read_as_it_is(value):
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON or is cut short"),
        (b"\xff\xfe", "is not JSON or is cut short"),
        ("9" * 5_000, "holds a whole number of 5,000 digits"),
        ("[1e400]", "beyond every float"),
        ("[-Infinity]", "holds -Infinity, which JSON does not have"),
        ("[" * 41 + "]" * 41, "nests deeper than 40 levels"),
        ("[" * 100_000, "nests deeper than 40 levels"),
        ('{"a": "\\ud800"}', "half a character"),
        ('{"\\udfff": 1}', "half a character"),
    ],
)
def test_json_beyond_its_bounds(text, says):
    with pytest.raises(DocumentError, match=says):
        parse_json(text)


def test_words_of_python_are_numbers_where_they_are_asked_for():
    assert parse_json("[NaN, Infinity]", words=True)[1] == math.inf


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\nx = 2", "is not TOML"),
        (b"x = '\xff'", "is not UTF-8 text"),
        ("x = " + "9" * 5_000, "more than 400 digits"),
        ("x = " + "9" * 80, "whole number of more than 40 digits"),
        ("x = " + "[" * 41 + "]" * 41, "nests deeper than 40 levels"),
        ("x = " + "[" * 5_000, "nests deeper than 40 levels"),
    ],
)
def test_toml_beyond_its_bounds(text, says):
    with pytest.raises(DocumentError, match=says):
        parse_toml(text)


def test_what_has_no_end_is_not_read(tmp_path):
    (tmp_path / "long").write_bytes(b"x" * 11)
    os.mkfifo(tmp_path / "pipe")
    for place, says in [
        (tmp_path / "long", "has 11 bytes, and at most 10 are read"),
        (tmp_path / "pipe", "is no plain file"),
        ("/dev/zero", "is no plain file"),
        ("/proc/self/status", "has more than the 10 bytes"),  # its size is said to be 0
        (tmp_path, "is a folder"),
        (tmp_path / "absent", r"cannot be read \(No such file or directory\)"),
        ("a\0b", "cannot be read"),
        ("x" * 300, r"cannot be read \(File name too long\)"),
    ]:
        with pytest.raises(DocumentError, match=says):
            read_bounded(place, most=10)
    assert read_bounded(tmp_path / "long", most=11) == b"x" * 11
