"""Loss units, counting conventions, and numbers as people write them (``70B``, ``1.4T``)."""

from __future__ import annotations

import math
from typing import Any, Final, Literal, TypeVar, get_args

from isoflop.patterns import pattern

Number = TypeVar("Number", bound=Any)  # a float, an array, a Polars expression

TRAIN = 6.0  # FLOPs a parameter and token in training, forward and backward
SERVE = 2.0  # FLOPs a parameter and token in inference, forward alone

LossUnit = Literal["nats/token", "bits/token", "nats/byte", "bits/byte", "perplexity", "error rate"]
LOSS_UNITS: Final[tuple[str, ...]] = get_args(LossUnit)

ParamConvention = Literal["total", "non-embedding", "active"]
PARAM_CONVENTIONS: Final[tuple[str, ...]] = get_args(ParamConvention)

SUFFIXES: Final[dict[str, float]] = {"k": 1e3, "K": 1e3, "m": 1e6, "M": 1e6, "B": 1e9, "b": 1e9, "G": 1e9, "T": 1e12}
SCALE_WORDS: Final[dict[str, float]] = {
    "k": 1e3, "kilo": 1e3, "thousand": 1e3, "thousands": 1e3,
    "m": 1e6, "mega": 1e6, "mn": 1e6, "mil": 1e6, "million": 1e6, "millions": 1e6,
    "b": 1e9, "g": 1e9, "giga": 1e9, "bn": 1e9, "billion": 1e9, "billions": 1e9,
    "t": 1e12, "tera": 1e12, "tn": 1e12, "trn": 1e12, "trillion": 1e12, "trillions": 1e12,
}  # fmt: skip
# A comma separates thousands and nothing else: 3,01 and 0,301 are no numbers here, since some mean 3.01 and 0.301.
_QUANTITY = pattern(
    r"\s*([+-]?(?:[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?|\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([kKmMBbGT]?)\s*"
)


def training_flops(params: Number, tokens: Number) -> Number:
    """C = 6ND, of numbers, arrays or columns; what the layers cost besides is in :mod:`isoflop.accounting`."""
    return params * TRAIN * tokens


def tokens_within(budget: Number, params: Number) -> Number:
    """D = C/(6N): the tokens that a budget buys for a size, or the size that it buys for so many tokens."""
    return budget / (params * TRAIN)


def parse_quantity(text: str) -> float:
    """A number as written: ``70e9``, ``70B``, ``1.4T``, ``1,000``; K, M, B (or G) and T are 1e3, 1e6, 1e9 and 1e12.

    Raises ValueError where the text is not such a number.
    """
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a number such as 70e9, 70B or 1.4T")
    digits, suffix = found.groups()
    return float(digits.replace(",", "").replace("_", "")) * SUFFIXES.get(suffix, 1.0)


def format_quantity(value: float, *, digits: int = 3) -> str:
    """The number as people read it: 7.23e10 becomes ``72.3B``; below a thousand and above 1e15 plain or scientific."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    size = abs(float(f"{value:.{digits - 1}e}"))  # as it will be printed: 999.95M is 1B
    for scale, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if scale <= size < 1e15:
            shown = value / scale
            return (f"{shown:.{digits}g}" if size < scale * 10**digits else f"{shown:.0f}") + suffix
    return f"{value:.{digits}g}" if not 10**digits <= size < 1e3 else f"{value:.0f}"


_MOST_DIGITS = 6  # that are read, however narrow the interval
_WIDE = 3.0  # an interval whose ends differ by more than this factor is told in two digits


def decimals_for(low: float, high: float) -> int:
    """Decimal places that an interval supports: two significant digits of its half-width."""
    half = abs(high - low) / 2
    if not math.isfinite(half) or half <= 0:
        return 4
    return max(0, 1 - math.floor(math.log10(half)))


def format_by_interval(value: float, low: float, high: float) -> str:
    """``value`` with no digit that its interval does not support (two significant digits of the half-width)."""
    if not math.isfinite(value):
        return ""
    half = abs(high - low) / 2
    if not (math.isfinite(half) and math.isfinite(value)) or half <= 0:
        return f"{value:.6g}"
    if low > 0 and high / low > _WIDE:  # an amplitude: its interval is one of factors, not of differences
        return f"{value:.2g}" if not 99.5 <= value < 1e5 else f"{round(value, 1 - math.floor(math.log10(value))):.0f}"
    if abs(value) >= 1e5 or (value != 0 and abs(value) < 1e-3):
        digits = max(0, math.floor(math.log10(abs(value))) - math.floor(math.log10(half)) + 1) if value else 1
        return f"{value:.{min(digits, 8)}e}"
    if half >= 10:
        return f"{round(value, 1 - math.floor(math.log10(half))):.0f}"
    decimals = decimals_for(low, high)
    most = _MOST_DIGITS - 1 - (math.floor(math.log10(abs(value))) if value else 0)
    return f"{value:.{decimals}f}" if decimals <= most else f"{value:.{_MOST_DIGITS}g}"
