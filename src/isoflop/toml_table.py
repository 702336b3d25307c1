"""TOML tables read with care: every key known, every value of its kind and within its bounds."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from isoflop.errors import SpecError, shown
from isoflop.units import parse_quantity

_Choice = TypeVar("_Choice", bound=str)

MOST = 1e300  # beyond it products overflow
MOST_WHOLE = 2**53  # whole numbers up to here are exact as floats
MOST_VALUES = 10_000  # of one list


@dataclass(frozen=True)
class Table:
    """A table with its name for messages; each reader checks one value and says what is wrong with it."""

    values: Mapping[str, Any]
    where: str

    def allow(self, *names: str) -> None:
        """Refuse keys that are not among ``names``, naming the nearest."""
        for key in self.values:
            if key not in names:
                near = difflib.get_close_matches(key, names, n=2, cutoff=0.5)
                hint = f"did you mean {' or '.join(repr(n) for n in near)}?" if near else f"it has {', '.join(names)}"
                raise SpecError(f"unknown key {shown(key)} in {self.where}; {hint}")

    def table(self, name: str) -> Table:
        """The table under ``name``, empty where absent."""
        value = self.values.get(name, {})
        if not isinstance(value, Mapping):
            raise SpecError(f"{name} = {shown(value)} must be a table, [{name}]")
        return Table(value, f"[{name}]")

    def text(self, name: str, default: str) -> str:
        """A text."""
        value = self.values.get(name, default)
        if not isinstance(value, str):
            raise SpecError(f"{name} = {shown(value)} in {self.where} must be text in quotes")
        return value

    def texts(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """A list of texts; a text alone is a list of one."""
        value = self.values.get(name, list(default))
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            raise SpecError(f'{name} = {shown(value)} in {self.where} must be a list of texts, as {name} = ["…"]')
        return tuple(values)

    def choice(self, name: str, default: _Choice, choices: Sequence[_Choice]) -> _Choice:
        """One of ``choices``."""
        value = self.text(name, default)
        for choice in choices:
            if value == choice:
                return choice
        near = difflib.get_close_matches(value, choices, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise SpecError(f"{name} = {shown(value)} in {self.where} is unknown; {hint}it can be {', '.join(choices)}")

    def number(self, name: str, default: float, *, low: float = 0.0, high: float = MOST) -> float:
        """A finite number from ``low`` to ``high``, or the default as it is; texts as 1.5M are numbers too."""
        if name not in self.values:
            return default
        return check_number(self.values[name], f"{name} in {self.where}", low, high)

    def whole(self, name: str, default: int, *, low: int = 1, high: int = MOST_WHOLE) -> int:
        """A whole number from ``low`` to ``high``."""
        value = self.number(name, default, low=low, high=high)
        if value != int(value):
            raise SpecError(f"{name} = {value:g} in {self.where} must be a whole number")
        return int(value)

    def numbers(self, name: str, *, low: float = 0.0, high: float = MOST) -> tuple[float, ...]:
        """A list of finite numbers from ``low`` to ``high``, empty where absent."""
        value = self.values.get(name, [])
        if not isinstance(value, list):
            raise SpecError(f"{name} = {shown(value)} in {self.where} must be a list, as {name} = [1e6, 3e6]")
        if len(value) > MOST_VALUES:
            raise SpecError(f"{name} in {self.where} has {len(value):,} values; at most {MOST_VALUES:,} are read")
        return tuple(check_number(each, f"{name} in {self.where}", low, high) for each in value)

    def wholes(self, name: str, default: tuple[int, ...], *, high: int = MOST_WHOLE) -> tuple[int, ...]:
        """A list of whole numbers up to ``high``."""
        if name not in self.values:
            return default
        found = self.numbers(name, high=high)
        if not found or any(value != int(value) for value in found):
            raise SpecError(
                f"{name} = {shown(self.values[name])} in {self.where} must be a list of whole numbers, as [0, 1]"
            )
        return tuple(int(value) for value in found)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self.values.get(name, default)
        if not isinstance(value, bool):
            raise SpecError(f"{name} = {shown(value)} in {self.where} must be true or false")
        return value


def check_number(value: object, where: str, low: float, high: float) -> float:
    """The value as a finite number between ``low`` and ``high``. Raises SpecError otherwise; ``where`` names it."""
    if isinstance(value, str):
        try:
            value = parse_quantity(value)
        except ValueError:
            raise SpecError(f"{where}: {shown(value)} is not a number such as 70e9, 70B or 1.4T") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SpecError(f"{where} is {shown(value)}, not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise SpecError(f"{where} is {shown(value)}, and a finite number belongs there")
    if not low <= number <= high:
        bounds = f"below {low:g}" if number < low and high >= 1e3 else f"outside {low:g} … {high:g}"
        raise SpecError(f"{where} is {number:g}, {bounds}; mend it")
    return number
