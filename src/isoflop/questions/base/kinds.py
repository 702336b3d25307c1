"""Kinds of options: how a word, a TOML value or a form's text becomes a checked value, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from isoflop.errors import IsoflopError, shown
from isoflop.patterns import pattern
from isoflop.units import parse_quantity

T = TypeVar("T")

_HOURS = {"h": 1.0, "d": 24.0, "w": 168.0}
_DURATION = pattern(r"\s*(.+?)\s*(hours?|h|days?|d|weeks?|w)\s*")
_MOST = 2**53  # whole numbers up to here are exact as floats


@dataclass(frozen=True)
class Kind(Generic[T]):
    """A kind of value.

    metavar: what stands for it in help. repeated: whether the option may be given several times.
    """

    metavar: str = "TEXT"
    repeated: ClassVar[bool] = False
    flag: ClassVar[bool] = False
    form: ClassVar[str] = "text"  # the control of the page's form

    def convert(self, value: object, where: str) -> T:
        """The checked value; raises IsoflopError with the option, the value and what to give."""
        raise IsoflopError(f"{where} takes no value")

    def plain(self, value: T) -> object:
        """The value as TOML and JSON hold it; :meth:`convert` reads it back."""
        return value

    def schema(self) -> dict[str, Any]:
        """The JSON schema of the plain value."""
        return {"type": "string"}


class Text(Kind[str]):
    """Any text that is not empty."""

    def convert(self, value: object, where: str) -> str:
        """The text."""
        if not isinstance(value, str) or not value.strip() or "\0" in value:
            raise IsoflopError(f"{where} takes a text ({self.metavar}), not {shown(value)}")
        return value


@dataclass(frozen=True)
class Choice(Kind[str]):
    """One of a few words."""

    values: tuple[str, ...] = ()
    form: ClassVar[str] = "choice"

    def convert(self, value: object, where: str) -> str:
        """The word."""
        if value not in self.values:
            raise IsoflopError(f"{where} is one of {', '.join(self.values)}, not {shown(value)}")
        return str(value)

    def schema(self) -> dict[str, Any]:
        """The words."""
        return {"enum": list(self.values)}


class Flag(Kind[bool]):
    """On or off."""

    flag: ClassVar[bool] = True
    form: ClassVar[str] = "flag"

    def convert(self, value: object, where: str) -> bool:
        """Whether it is on."""
        if not isinstance(value, bool):
            raise IsoflopError(f"{where} is true or false, not {shown(value)}")
        return value

    def schema(self) -> dict[str, Any]:
        """A Boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Number(Kind[float]):
    """A finite number as people write it (70B, 1.4T, 1e24), from low to high; open: whether the ends are excluded."""

    metavar: str = "NUMBER"
    low: float = -math.inf
    high: float = math.inf
    open: bool = False
    form: ClassVar[str] = "number"

    def convert(self, value: object, where: str) -> float:
        """The number."""
        found = _number(value)
        inside = self.low < found < self.high if self.open else self.low <= found <= self.high
        if not math.isfinite(found) or not inside:
            example = "" if math.isfinite(self.high) else ", such as 0.5, 70B or 1e24"
            raise IsoflopError(f"{where} is {self._range()}{example}, not {shown(value)}")
        return found

    def _range(self) -> str:
        low, high = f"{self.low:g}", f"{self.high:g}"
        if math.isinf(self.low) and math.isinf(self.high):
            return "a finite number"
        if math.isinf(self.high):
            return f"a number above {low}" if self.open else f"a number from {low}"
        if math.isinf(self.low):
            return f"a number below {high}" if self.open else f"a number up to {high}"
        return f"a number {'between' if self.open else 'from'} {low} {'and' if self.open else 'to'} {high}"

    def schema(self) -> dict[str, Any]:
        """A number, or its text with a suffix."""
        ends = {
            ("exclusiveMinimum" if self.open else "minimum"): self.low,
            ("exclusiveMaximum" if self.open else "maximum"): self.high,
        }
        return {"type": ["number", "string"], **{name: end for name, end in ends.items() if math.isfinite(end)}}


@dataclass(frozen=True)
class Count(Kind[int]):
    """A whole number from low to high, which may also be written 8K or 1e6."""

    metavar: str = "COUNT"
    low: int = 0
    high: int = _MOST
    form: ClassVar[str] = "number"

    def convert(self, value: object, where: str) -> int:
        """The whole number."""
        found = _number(value)
        if not found.is_integer() or not self.low <= found <= self.high:
            ends = f"from {self.low:,}" + (f" to {self.high:,}" if self.high < _MOST else "")
            raise IsoflopError(f"{where} is a whole number {ends}, not {shown(value)}")
        return int(found)

    def schema(self) -> dict[str, Any]:
        """A whole number."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class Duration(Kind[float]):
    """A time in hours, as people write it: 30d, 36h, 2w."""

    metavar: str = "30d"

    def convert(self, value: object, where: str) -> float:
        """The hours."""
        found = _DURATION.fullmatch(value) if isinstance(value, str) else None
        try:
            if found is None:
                raise ValueError
            hours = parse_quantity(found[1]) * _HOURS[found[2][0]]
        except ValueError:
            raise IsoflopError(f"{where} takes a time such as 30d, 36h or 2w, not {shown(value)}") from None
        if not (hours > 0 and math.isfinite(hours)):
            raise IsoflopError(f"{where} takes a time above 0 such as 30d, not {shown(value)}")
        return hours

    def plain(self, value: float) -> str:
        """The hours as a text."""
        return f"{value!r}h"


class Texts(Kind[tuple[str, ...]]):
    """Several texts; the option is repeated."""

    repeated: ClassVar[bool] = True
    form: ClassVar[str] = "pairs"  # the page's form parts them at semicolons

    def convert(self, value: object, where: str) -> tuple[str, ...]:
        """The texts in order; one text stands for itself."""
        parts = [value] if isinstance(value, str) else value
        if not isinstance(parts, list | tuple):
            raise IsoflopError(f"{where} takes a list of texts, not {shown(value)}")
        return tuple(Text(self.metavar).convert(each, where) for each in parts)

    def plain(self, value: tuple[str, ...]) -> list[str]:
        """The texts as a list."""
        return list(value)

    def schema(self) -> dict[str, Any]:
        """A list of texts."""
        return {"type": "array", "items": {"type": "string"}}


@dataclass(frozen=True)
class Points(Texts):
    """Points as words, ``N=70B`` or ``N=1B,3B``; where values are written as data, a mapping does as well."""

    metavar: str = "N=70B"

    def convert(self, value: object, where: str) -> tuple[str, ...]:
        """The words in order."""
        if isinstance(value, Mapping):
            value = [f"{name}={each if isinstance(each, str) else repr(each)}" for name, each in value.items()]
        return super().convert(value, where)

    def schema(self) -> dict[str, Any]:
        """A list of words, or an object of numbers."""
        numbers = {"type": "object", "additionalProperties": {"type": ["number", "string"]}}
        return {"anyOf": [super().schema(), numbers]}


@dataclass(frozen=True)
class Words(Kind[Mapping[str, str]]):
    """Names with texts: ``NAME=TEXT``, repeated; a name that is given twice is a slip, whichever was meant."""

    metavar: str = "NAME=TEXT"
    repeated: ClassVar[bool] = True
    form: ClassVar[str] = "pairs"

    def convert(self, value: object, where: str) -> dict[str, str]:
        """The names with their texts."""
        return {name: Text(self.metavar).convert(each, f"{where} {name}") for name, each in pairs(value, where, self)}

    def schema(self) -> dict[str, Any]:
        """An object of texts."""
        return {"type": "object", "additionalProperties": {"type": "string"}}


@dataclass(frozen=True)
class Numbers(Kind[Mapping[str, float]]):
    """Names with numbers: ``N=70B``, repeated."""

    metavar: str = "NAME=NUMBER"
    repeated: ClassVar[bool] = True
    form: ClassVar[str] = "pairs"

    def convert(self, value: object, where: str) -> dict[str, float]:
        """The names with their numbers."""
        return {name: Number().convert(each, f"{where} {name}") for name, each in pairs(value, where, self)}

    def schema(self) -> dict[str, Any]:
        """An object of numbers."""
        return {"type": "object", "additionalProperties": {"type": ["number", "string"]}}


def pairs(value: object, where: str, kind: Kind[Any]) -> list[tuple[str, object]]:
    """``NAME=VALUE`` texts, or a mapping, as pairs; refuses a name that is given twice with different values."""
    if isinstance(value, Mapping):
        return [(str(name), each) for name, each in value.items()]
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise IsoflopError(f"{where} takes {kind.metavar}, not {shown(value)}")
    found: dict[str, object] = {}
    for part in parts:
        name, equals, text = (each.strip() for each in str(part).partition("="))
        if not (name and equals and text):
            raise IsoflopError(f"{where} takes {kind.metavar}, not {shown(part)}")
        if found.setdefault(name, text) != text:
            both = f"{shown(found[name])} and {shown(text)}"
            raise IsoflopError(f"{where} {shown(name)[1:-1]} is given twice, {both}; choose one")
    return list(found.items())


def _number(value: object) -> float:
    """The number that a text or a TOML value stands for; NaN for what is no number."""
    if isinstance(value, str):
        try:
            return parse_quantity(value)
        except ValueError:
            return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf
