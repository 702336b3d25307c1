"""Rows and phrases that cards share; digits are rounded by their interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from isoflop.units import format_by_interval, format_quantity

if TYPE_CHECKING:
    from isoflop.uncertainty import Ensemble, Interval


def interval_row(label: str, interval: Interval, meaning: str) -> tuple[str, ...]:
    """Value and ends in plain digits."""
    ends = (interval.low, interval.high)
    return (label, *(format_by_interval(each, *ends) for each in (interval.value, *ends)), meaning)


def quantity_row(label: str, interval: Interval, meaning: str) -> tuple[str, ...]:
    """Value and ends as 70B or 1.4T."""
    shown = (
        format_quantity(each) if math.isfinite(each) else "" for each in (interval.value, interval.low, interval.high)
    )
    return (label, *shown, meaning)


def sureness(ensemble: Ensemble, level: float) -> str:
    """Where the intervals come from."""
    source = ensemble.fit.data.source
    return (
        f"{100 * level:.6g}% intervals over {len(ensemble)} draws of {source}"
        if len(ensemble)
        else f"constants of {source}"
    )


def count_of_runs(count: int) -> str:
    """``1 run``, ``2 runs``."""
    return f"{count} run" if count == 1 else f"{count} runs"
