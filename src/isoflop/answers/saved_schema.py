"""What the JSON of an answer may hold when it is read back; ``schema.py`` says the same to other programs."""

from __future__ import annotations

from typing import Final

from isoflop.answers.quantity import KINDS
from isoflop.schema import (
    ANY_NUMBER,
    FINDING,
    FLAG,
    TEXT,
    Choice,
    Either,
    Lazily,
    List,
    Map,
    Number,
    Optional,
    Plain,
    Record,
    Schema,
    Text,
    Whole,
)

_NAME = Text(most=200, matching=r"[\w-]+", belongs="a name")
_KIND = Choice(*KINDS)
_VALUE = Optional(Either((Whole(-(2**53)), ANY_NUMBER), "a number"))
_LONG = Text(most=10_000_000)
_QUANTITY = Record(
    {
        "value": _VALUE,
        "low": Optional(ANY_NUMBER),
        "high": Optional(ANY_NUMBER),
        "level": Optional(Number(low=0.0, high=1.0)),
        "interval": Optional(Choice("CI", "PI", "range")),
        "unit": TEXT,
        "kind": _KIND,
        "label": TEXT,
        "note": TEXT,
        "limit": Optional(Choice("upper", "lower")),
    }
)
_CELL = Optional(Either((FLAG, Whole(-(2**53)), ANY_NUMBER, _LONG, _QUANTITY), "a number, a text or a quantity"))
_COLUMN = Record({"name": _LONG, "title": _LONG, "kind": _KIND, "unit": TEXT, "detail": FLAG})
_TABLE = Record(
    {
        "title": _LONG,
        "columns": List(_COLUMN, most=10_000),
        "rows": List(Map(_CELL, keys=_LONG)),
        "note": _LONG,
        "detail": FLAG,
    }
)
_PICTURE = Record(
    {
        "name": _NAME,
        "alt": _LONG,
        "size": List(Number(low=0.1, high=100), fewest=2, most=2),
        **dict.fromkeys(("claim", "source", "views", "view"), _LONG),
    },
    may=frozenset(("claim", "source", "views", "view")),  # not in answers of older versions
)


def _again() -> Schema:
    return ANSWER


ANSWER: Final = Record(
    {
        "schema": Plain(),
        "question": _NAME,
        "title": _LONG,
        "headline": _LONG,
        "equation": Optional(_LONG),
        "quantities": Map(_QUANTITY, keys=_LONG),
        "evidence": Optional(_TABLE),
        "tables": Map(_TABLE, keys=_LONG),
        "findings": List(FINDING),
        "method": _LONG,
        "provenance": Map(Plain(), keys=_LONG),
        "pictures": List(_PICTURE, most=1_000),
        "parts": List(Lazily(_again), most=1_000),
    }
)
