"""Schemas of isoflop's own files: what each may hold, said once, and the checked values that come out.

    FINDING = Record({"code": TEXT, "level": Choice("note", "warning", "error"), "rows": List(Whole(), most=10**6)})
    FINDING.read({"code": "x", "level": "note", "rows": [3]}, "findings[0]")

A reader gives the value back, checked, or raises :class:`SchemaError` with the place in the file, the value and what
belongs there. What passes has the types that its schema says, so that nothing which uses it has to look again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from isoflop.errors import IsoflopError, shown

LONGEST_TEXT = 20_000
MOST_ITEMS = 1_000_000


class SchemaError(IsoflopError):
    """A value of a file is not what its schema says; the message begins with its place."""


class Schema(Protocol):
    """What reads one kind of value."""

    def read(self, value: object, at: str) -> Any:  # noqa: ANN401 - each schema has its own type
        """The value, checked; ``at`` is its place, for the message."""


def _refuse(at: str, belongs: str, value: object) -> SchemaError:
    return SchemaError(f"{at or 'it'} must be {belongs}, not {shown(value)}")


@dataclass(frozen=True)
class Text:
    """A text of at most ``most`` letters; matching: a pattern of the whole."""

    most: int = LONGEST_TEXT
    matching: str = ""
    belongs: str = "a text"

    def read(self, value: object, at: str) -> str:
        """The text."""
        if not isinstance(value, str) or (self.matching and not re.fullmatch(self.matching, value)):
            raise _refuse(at, self.belongs, value)
        if len(value) > self.most:
            raise SchemaError(f"{at} is a text of {len(value):,} letters; at most {self.most:,} belong there")
        return value


@dataclass(frozen=True)
class Number:
    """A float from low to high; words: texts that stand for numbers, such as ``inf``, are read too."""

    low: float = -math.inf
    high: float = math.inf
    words: bool = False

    def read(self, value: object, at: str) -> float:
        """The number; without ``words`` it is finite."""
        if self.words and value in ("inf", "-inf", "nan"):
            return float(str(value))
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _refuse(at, "a number", value)
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if not math.isfinite(found):
            raise _refuse(at, "a finite number", value)
        if not self.low <= found <= self.high:
            raise _refuse(at, f"a number {_between(self.low, self.high)}", value)
        return found


@dataclass(frozen=True)
class Whole:
    """A whole number from low to high."""

    low: int = 0
    high: int = 2**53

    def read(self, value: object, at: str) -> int:
        """The whole number."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not self.low <= value <= self.high:
            raise _refuse(at, f"a whole number {_between(self.low, self.high)}", value)
        return value


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def read(self, value: object, at: str) -> bool:
        """The flag."""
        if not isinstance(value, bool):
            raise _refuse(at, "true or false", value)
        return value


class Choice:
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def read(self, value: object, at: str) -> str:
        """The word."""
        if not isinstance(value, str) or value not in self.words:
            raise _refuse(at, f"one of {', '.join(self.words)}", value)
        return value


@dataclass(frozen=True)
class Optional:
    """A value or null."""

    of: Schema

    def read(self, value: object, at: str) -> Any:  # noqa: ANN401
        """None, or the value."""
        return None if value is None else self.of.read(value, at)


@dataclass(frozen=True)
class Either:
    """One of several schemas, the first that fits; belongs: what they are together."""

    of: tuple[Schema, ...]
    belongs: str

    def read(self, value: object, at: str) -> Any:  # noqa: ANN401
        """The value."""
        for each in self.of:
            try:
                return each.read(value, at)
            except SchemaError:
                continue
        raise _refuse(at, self.belongs, value)


@dataclass(frozen=True)
class List:
    """A list of ``fewest`` to ``most`` values of one kind."""

    of: Schema
    fewest: int = 0
    most: int = MOST_ITEMS

    def read(self, value: object, at: str) -> list[Any]:
        """The values."""
        if not isinstance(value, list | tuple):
            raise _refuse(at, "a list", value)
        if not self.fewest <= len(value) <= self.most:
            raise SchemaError(f"{at} has {len(value):,} values; {_between(self.fewest, self.most)} belong there")
        try:  # a list is long, and its places are worded only where one of them is wrong
            return [self.of.read(each, at) for each in value]
        except SchemaError:
            return [self.of.read(each, f"{at}[{place}]") for place, each in enumerate(value)]


@dataclass(frozen=True)
class Map:
    """Names with values of one kind."""

    of: Schema
    most: int = 10_000
    keys: Schema = field(default_factory=lambda: Text(most=1_000))

    def read(self, value: object, at: str) -> dict[str, Any]:
        """The names with their values."""
        if not isinstance(value, Mapping):
            raise _refuse(at, "a table of names and values", value)
        if len(value) > self.most:
            raise SchemaError(f"{at} has {len(value):,} names; at most {self.most:,} belong there")
        return {
            self.keys.read(name, f"a name in {at}"): self.of.read(each, f"{at}.{shown(name)[1:-1]}")
            for name, each in value.items()
        }


@dataclass(frozen=True)
class Record:
    """Fixed names, each with its own schema.

    may: those that may be absent. more: whether others may stand beside them; keep: whether these are given back.
    """

    of: Mapping[str, Schema]
    may: frozenset[str] = frozenset()
    more: bool = False
    keep: bool = False

    def read(self, value: object, at: str) -> dict[str, Any]:
        """The names with their values."""
        if not isinstance(value, Mapping):
            raise _refuse(at, "a table of names and values", value)
        if not self.more:
            for name in value:
                if name not in self.of:
                    raise SchemaError(f"{at or 'it'} has {shown(name)}, which does not belong there")
        found: dict[str, Any] = {name: each for name, each in value.items() if name not in self.of} if self.keep else {}
        for name, each in self.of.items():
            place = f"{at}.{name}" if at else name
            if name in value:
                found[name] = each.read(value[name], place)
            elif name not in self.may:
                raise SchemaError(f"{place} is missing")
        return found


@dataclass(frozen=True)
class Lazily:
    """A schema that holds itself, such as that of an answer with parts."""

    of: Callable[[], Schema]

    def read(self, value: object, at: str) -> Any:  # noqa: ANN401
        """The value."""
        return self.of().read(value, at)


@dataclass(frozen=True)
class Plain:
    """Any value that JSON holds, for what is only shown; its depth is bounded where the file is parsed."""

    def read(self, value: object, at: str) -> Any:  # noqa: ANN401
        """The value as it is."""
        if value is not None and not isinstance(value, str | int | float | bool | list | tuple | Mapping):
            raise _refuse(at, "a plain value", value)
        return value


TEXT = Text()
FLAG = Flag()
ANY_NUMBER = Number()
FINDING = Record(
    {
        "code": Text(most=200),
        "level": Choice("note", "warning", "error"),
        "message": TEXT,
        "remedy": TEXT,
        "rows": List(Whole()),
    }
)


def _between(low: float, high: float) -> str:
    if math.isinf(low) and math.isinf(high):
        return "of any size"
    if math.isinf(high):
        return f"from {low:g}"
    return f"up to {high:g}" if math.isinf(low) else f"from {low:g} to {high:g}"
