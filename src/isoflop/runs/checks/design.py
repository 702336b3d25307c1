"""Designs that cannot carry a law: few values, less than a decade, inputs that move together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.runs.columns import BY_SYMBOL
from isoflop.runs.table import Runs

Floats = NDArray[np.float64]


_GLANCE = 1_000


def fewer_values(values: Floats, least: int, *, decimals: int) -> bool:
    """Whether an array (rows,) has fewer than ``least`` different values, rounded; often its first rows tell."""
    glance = np.unique(np.round(values[:_GLANCE], decimals))
    return len(glance) < least and len(np.unique(np.round(values, decimals))) < least


def design_findings(runs: Runs, inputs: Sequence[str]) -> tuple[Finding, ...]:
    """Fewer than three values or less than a decade of an input, and inputs that move together.

    An input that is zero or negative somewhere stands in no power law and is left out.
    """
    found = []
    logs = {}
    for name in inputs:
        values = runs[name]
        values = values[np.isfinite(values)]
        if not len(values) or (values <= 0).any():
            continue
        logarithms = np.log(values)
        distinct = len(np.unique(np.round(logarithms, 6))) if fewer_values(logarithms, 3, decimals=6) else 3
        decades = math.log10(values.max()) - math.log10(values.min())
        counts = BY_SYMBOL[name].counts if name in BY_SYMBOL else name
        if distinct < 3:
            found.append(
                Finding(
                    "few-sizes",
                    "warning",
                    f"{name} ({counts}) has only {distinct} distinct {'value' if distinct == 1 else 'values'}; a power "
                    "law needs three to be tested at all.",
                    f"Add runs at other {name}.",
                )
            )
        elif decades < 1:
            found.append(
                Finding(
                    "narrow-range",
                    "warning",
                    f"{name} ({counts}) spans {decades:.2f} decades, a factor of {10**decades:.3g}; exponents from "
                    "less than a decade are fragile.",
                    f"Add runs at smaller or larger {name}.",
                )
            )
        if len(values) == len(runs):
            logs[name] = logarithms
    names = list(logs)
    for position, first in enumerate(names):
        for second in names[position + 1 :]:
            if np.std(logs[first]) > 0 and np.std(logs[second]) > 0 and len(runs) > 2:
                correlation = float(np.corrcoef(logs[first], logs[second])[0, 1])
                if abs(correlation) > 0.98:
                    found.append(
                        Finding(
                            "collinear",
                            "warning",
                            f"{first} and {second} move together (correlation of logarithms {correlation:.3f}), "
                            "so their effects cannot be told apart.",
                            f"Add runs that vary {first} at fixed {second}.",
                        )
                    )
    return tuple(found)
