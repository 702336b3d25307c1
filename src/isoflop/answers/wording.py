"""How a number is worded: the one place where a quantity becomes text, by its kind, its interval and its unit."""

from __future__ import annotations

import math

from isoflop.answers.quantity import Kind, Quantity
from isoflop.units import format_by_interval, format_quantity

_WIDE = 1.5  # beyond this factor between the ends of an interval, a value is told in as few digits as the ends allow


def worded(quantity: Quantity) -> str:
    """The value alone, with no digit that its interval does not support; empty where there is none."""
    value = quantity.value
    if value is None or value != value:
        return ""
    if quantity.limit:
        level = "" if quantity.level is None else f" ({100 * quantity.level:g}%)"
        digits = 2 if quantity.level is not None else 3  # a quantile of draws is not known to more
        return f"{'<' if quantity.limit == 'upper' else '>'} {_limit(float(value), quantity.kind, digits)}{level}"
    if quantity.kind == "number" and quantity.has_interval:
        return format_by_interval(float(value), *_ends(quantity))
    return number(value, quantity.kind, digits=_digits(quantity, float(value)))


def interval(quantity: Quantity) -> str:
    """The ends of the interval, ``2.7B–91B``; empty where there is none."""
    if not quantity.has_interval:
        return ""
    low, high = _ends(quantity)
    if quantity.kind == "number":
        ends = [format_by_interval(each, low, high) for each in (low, high)]
    else:
        ends = [number(each, quantity.kind, digits=_digits(quantity, each)) for each in (low, high)]
    return f"{ends[0]} to {ends[1]}" if any(end.startswith(("-", "+", "±")) for end in ends) else "–".join(ends)


def told(quantity: Quantity, bare: bool = False) -> str:
    """A quantity inside a sentence: ``about 10B (90 % CI 3B–90B)``, with its unit where it is not a count."""
    value = worded(quantity)
    ends = "" if bare else interval(quantity)
    unit = f" {quantity.unit}" if quantity.unit and quantity.kind in ("number",) else ""
    if not ends:
        return value + unit
    about = "about " if _ratio(quantity) > _WIDE else ""
    level = f"{100 * quantity.level:g}% " if quantity.level is not None else ""
    return f"{about}{value}{unit} ({level}{quantity.interval} {ends})"


def number(value: float | int | None, kind: Kind, *, digits: int = 3) -> str:
    """A bare number as its kind is read."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and math.isinf(value):
        return "∞" if value > 0 else "-∞"
    match kind:
        case "count":
            return format_quantity(float(value), digits=digits)
        case "flops":
            return f"{value:.{digits}g}".replace("e+", "e")
        case "share":
            return f"{100 * value:.{digits}g}%"
        case "change":
            return "±0.00%" if abs(value) < 0.5e-4 else f"{value:+.2%}"
        case "factor":
            return f"{value:.{digits}g}×"
        case "integer":
            return f"{value:,.0f}"
        case "hours":
            return f"{value:,.3g} hours" if value < 48 else f"{value / 24:,.3g} days"
        case "money":
            return format_quantity(float(value), digits=digits)
    return f"{value:.4g}" if abs(value) < 1e5 else f"{value:.3g}"


def plural(count: int, noun: str) -> str:
    """The noun beside its number: ``run`` after 1, else ``runs``."""
    return noun if count == 1 else f"{noun}s"


def _limit(value: float, kind: Kind, digits: int) -> str:
    return f"{value:.{digits}g}" if kind == "number" and digits < 3 else number(value, kind)


def _ends(quantity: Quantity) -> tuple[float, float]:
    assert quantity.low is not None and quantity.high is not None  # asked only where has_interval
    return float(quantity.low), float(quantity.high)


def _ratio(quantity: Quantity) -> float:
    """Factor between the ends of a quantity that is read on a logarithmic scale; 1 for others."""
    if quantity.kind not in ("count", "flops", "hours", "money", "factor") or not quantity.has_interval:
        return 1.0
    low, high = _ends(quantity)
    return high / low if low > 0 else math.inf


def _digits(quantity: Quantity, value: float) -> int:
    """Significant digits that the interval supports: one where its ends are a factor of 4 apart, at most three.

    One digit is two where it is a 1: 1.43M told as 1M would be off by 43 %, 9.5M told as 9M by 5 %.
    """
    ratio = _ratio(quantity)
    if ratio > 4:
        return 2 if f"{value:.1e}".lstrip("-").startswith("1") else 1
    return 2 if ratio > 1.1 else 3
