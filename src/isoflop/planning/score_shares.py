"""Scores that are shares: which they are, and intervals that stay between 0 and 1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isoflop.fitting import Estimate
from isoflop.uncertainty.ensemble import Interval

_SHARES = frozenset(("accuracy", "error", "pass_rate", "coverage", "failure"))  # responses, by their name


def is_share(score: Estimate) -> bool:
    """Whether the score of the second stage is a share by its name, as an accuracy, and by all that was measured."""
    if score.law.response not in _SHARES:
        return False
    runs = score.runs
    if runs is None:
        return True
    values = runs[score.law.response]
    return bool(values.min() >= 0 and values.max() <= 1)


def within(interval: Interval, share: bool) -> Interval:
    """The interval of a share, cut off at 0 and 1; any other as it is."""
    if not share:
        return interval
    value, low, high = (float(np.clip(each, 0.0, 1.0)) for each in (interval.value, interval.low, interval.high))
    return replace(interval, value=value, low=low, high=high)
