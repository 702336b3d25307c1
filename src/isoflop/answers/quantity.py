"""``Quantity``: a number at full precision with its interval, its unit and the kind of number it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from isoflop.uncertainty.ensemble import Interval

# How a number is read: it decides the digits and the suffix, and never the value.
Kind = Literal[
    "count",  # 70B parameters, 1.4T tokens
    "flops",  # 1e24
    "number",  # a loss, an exponent: digits by the interval
    "share",  # 0.12 is 12 %
    "change",  # a signed share: +1.2 %
    "factor",  # 3.1 ×
    "integer",  # 12 layers
    "hours",  # told in days from 48 on
    "money",
]
# What an interval promises: to hold the quantity itself, one new measurement, or a range that is no interval of it.
IntervalKind = Literal["CI", "PI", "range"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)


@dataclass(frozen=True)
class Quantity:
    """A number that a user reads.

    name: the key in JSON, data frames and headlines, an identifier. label: the word in tables; the name where empty.
    value, low, high: at full precision; None for what does not exist. level: of the interval from low to high, None
    where there is no interval. unit: ``parameters``, ``nats/token`` … kind: see :data:`Kind`. note: one short phrase.
    interval: a confidence interval (CI), a prediction interval of one new run (PI), or a range of values.
    limit: ``upper`` or ``lower`` where only that end of the interval is known, so that it reads ``< 0.02``.
    """

    name: str
    value: float | int | None
    kind: Kind = "number"
    low: float | None = None
    high: float | None = None
    level: float | None = None
    unit: str = ""
    label: str = ""
    note: str = ""
    limit: Literal["", "upper", "lower"] = ""
    interval: IntervalKind = "CI"

    @property
    def has_interval(self) -> bool:
        """Whether both ends of an interval are numbers."""
        return self.low is not None and self.high is not None and self.low == self.low and self.high == self.high

    def to_dict(self) -> dict[str, object]:
        """The quantity as plain values at full precision."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "interval": self.interval if self.has_interval else None,
            "unit": self.unit,
            "kind": self.kind,
            "label": self.label or self.name,
            "note": self.note,
            "limit": self.limit or None,
        }


def of_interval(
    name: str,
    interval: Interval,
    kind: Kind = "number",
    *,
    unit: str = "",
    label: str = "",
    note: str = "",
    promise: IntervalKind = "CI",
) -> Quantity:
    """A quantity of a value with its interval; without draws (ends that are NaN) it has none."""
    known = interval.low == interval.low and interval.high == interval.high
    return Quantity(
        name,
        interval.value,
        kind,
        low=interval.low if known else None,
        high=interval.high if known else None,
        level=interval.level if known else None,
        unit=unit,
        label=label,
        note=note,
        interval=promise,
    )
