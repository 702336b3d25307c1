"""What a plan chooses: continuous quantities with bounds, shares of a mixture, whole numbers and menus."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError, shown
from isoflop.laws.expression import Expr, add, exp, mul, name, num
from isoflop.laws.law import Input, Law
from isoflop.units import parse_quantity
from isoflop.values import Value

Floats = NDArray[np.float64]

LARGEST = 1e30  # of a quantity that nothing bounds
SMALLEST = 1e-9
MOST_MENU = 200  # values on one menu
_COUNTED = re.compile(r"(N|D|U|C|S|step|steps|batch)(_\w+)?")
_FROM_ONE = re.compile(r"(P|k|K|samples|experts|epochs|depth|width|layers|heads|streams|bits|granularity)(_\w+)?")
_MIXED = re.compile(r"(share|proportion) of .*(domain|corpus|source|mixture)")
_SHARE = re.compile(r"(r|share)_\w+")


@dataclass(frozen=True)
class Unknown(Value):
    """One quantity that a plan chooses.

    low, high: bounds. low_open, high_open: whether the bound is none of the user's or of the quantity's nature, so that
    an optimum there is none. logarithmic: whether it is searched by its logarithm. menu: the values that it may have,
    ascending. integer: whether it is a whole number. share: whether it is one of the shares of a mixture.
    """

    name: str
    low: float
    high: float
    low_open: bool = True
    high_open: bool = True
    logarithmic: bool = True
    menu: tuple[float, ...] = ()
    integer: bool = False
    share: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """The bounds of its coordinate."""
        return (math.log(self.low), math.log(self.high)) if self.logarithmic else (0.0, 1.0)

    @property
    def expression(self) -> Expr:
        """The quantity as an expression of its coordinate, which has its name."""
        if self.logarithmic:
            return exp(name(self.name))
        return add(num(self.low), mul(num(self.high - self.low), name(self.name)))

    def value(self, coordinate: Floats) -> Floats:
        """The quantity at its coordinate."""
        return np.exp(coordinate) if self.logarithmic else self.low + (self.high - self.low) * coordinate

    def coordinate(self, value: Floats) -> Floats:
        """The coordinate at a value within the bounds."""
        kept = np.clip(value, self.low, self.high)
        return np.log(kept) if self.logarithmic else (kept - self.low) / (self.high - self.low)

    def bounded(self, *, low: float | None = None, high: float | None = None) -> Unknown:
        """With tighter bounds of the user's; raises IsoflopError where nothing is left between them."""
        new = self
        if high is not None and (new.high_open or high < new.high):
            new = replace(new, high=high, high_open=False)
        if low is not None and (new.low_open or low > new.low):
            new = replace(new, low=low, low_open=False)
        if new.low_open and not new.low < new.high:
            new = replace(new, low=min(new.high * 1e-12, SMALLEST) if new.high > 0 else new.high - 1e6)
        if new.high_open and not new.low < new.high:
            new = replace(new, high=new.low * 1e12 if new.low > 0 else new.low + 1e6)
        if not new.low <= new.high:
            raise IsoflopError(
                f"nothing meets {self.name} >= {new.low:g} and {self.name} <= {new.high:g} together; loosen one of them"
            )
        return replace(new, logarithmic=new.logarithmic and new.low > 0)


def unknown(label: str, given: Input | None) -> Unknown:
    """A quantity by its name and by the law's input of that name, where it is one."""
    if (
        given is not None
        and given.meaning.lower().startswith(("share of", "fraction of"))
        and not is_share(label, given)
    ):
        return Unknown(label, 0.0, 1.0 - 1e-9, False, True, logarithmic=False)
    if is_share(label, given):
        return Unknown(label, 0.0, 1.0, False, False, logarithmic=False, share=True)
    if (
        given is not None
        and given.domain == "real"
        and not _COUNTED.fullmatch(label)
        and not _FROM_ONE.fullmatch(label)
    ):
        return Unknown(label, -1e6, 1e6, logarithmic=False)
    if _FROM_ONE.fullmatch(label):
        return Unknown(label, 1.0, LARGEST, low_open=False)
    if _COUNTED.fullmatch(label):
        return Unknown(label, 1.0, LARGEST)
    zero = given is not None and given.domain == "nonnegative"
    return Unknown(label, SMALLEST, LARGEST, low_open=not zero)


def is_share(label: str, given: Input | None) -> bool:
    """Whether a quantity is a share of a mixture, by the law's words for it or by its name (r_1, share_web)."""
    told = "" if given is None else given.meaning.lower()
    return (_MIXED.search(told) is not None) if told else _SHARE.fullmatch(label) is not None


def menu_of(label: str, text: str) -> tuple[float, ...]:
    """The values of ``2,3,4,8``, ascending; raises IsoflopError for what is no number, a double, or an empty list."""
    pieces = [each.strip() for each in text.split(",")]
    if pieces and not pieces[-1]:
        pieces.pop()
    found: dict[float, str] = {}
    for piece in pieces:
        try:
            value = parse_quantity(piece)
        except ValueError:
            raise IsoflopError(
                f"--menu {label} takes numbers with commas between, such as 2,3,4,8, not {shown(piece)}"
            ) from None
        if not math.isfinite(value) or abs(value) > LARGEST:
            raise IsoflopError(f"--menu {label}: {piece} is too large; values are numbers up to {LARGEST:g}")
        if value in found:
            raise IsoflopError(f"--menu {label} has {piece} twice; name each value once")
        found[value] = piece
    if not found:
        raise IsoflopError(f"--menu {label} has no values; write for example {label}=2,3,4,8")
    if len(found) > MOST_MENU:
        raise IsoflopError(f"--menu {label} has {len(found)} values, and at most {MOST_MENU} are tried; leave some out")
    return tuple(sorted(found))


def words_of(text: str, where: str) -> list[str]:
    """The names of ``N,D``; raises IsoflopError for a name that is given twice, and for none."""
    found = [each for each in re.split(r"[\s,]+", text.strip()) if each]
    for each in found:
        if found.count(each) > 1:
            raise IsoflopError(f"{where} names {each} twice; name each unknown once")
    if not found:
        raise IsoflopError(f"{where} names nothing; write for example N,D")
    return found


def sum_of_shares(shares: Iterable[str]) -> Expr:
    """r_1 + r_2 + …"""
    return add(*map(name, shares))


def finite_values(at: Mapping[str, float], where: str = "--at") -> Mapping[str, float]:
    """Values that are given; raises IsoflopError for one that is no finite number in reach."""
    for label, value in at.items():
        if not math.isfinite(value) or abs(value) > LARGEST:
            raise IsoflopError(f"{where} {label} = {value:g} is too large; values are numbers up to {LARGEST:g}")
    return at


def check_domains(law: Law, at: Mapping[str, float], where: str = "--at") -> None:
    """Raises IsoflopError for an input of the law whose value lies outside its domain."""
    for each in law.inputs:
        value = at.get(each.name, 1.0)
        if each.domain == "positive" and value <= 0:
            raise IsoflopError(f"{where} {each.name}: {each.name} is above 0, and {value:g} is not")
        if each.domain == "nonnegative" and value < 0:
            raise IsoflopError(f"{where} {each.name}: {each.name} is not below 0, and {value:g} is")
