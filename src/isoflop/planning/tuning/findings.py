"""What to know of a sweep of settings, and of settings beyond it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from isoflop.findings import Finding
from isoflop.planning.tuning.surface import Quadratic
from isoflop.planning.tuning.sweep import WORDS, Sweep
from isoflop.units import format_quantity

_FAILED = 0.05  # share of draws without a minimum that is worth saying


def sweep_findings(sweep: Sweep, surface: Quadratic | None) -> tuple[Finding, ...]:
    """Bests at the edge, settings with one value, pairs with one setting, a surface without a minimum."""
    found = []
    for place, name in enumerate(sweep.settings):
        edges = int(sweep.edge[:, place].sum())
        if edges:
            found.append(
                Finding(
                    "best-at-edge",
                    "warning",
                    f"the best {WORDS[name]} of {edges} of {sweep.pairs} pairs of N and D lies at the edge of those "
                    "tried there, so the optimum may lie beyond.",
                    f"Try {'higher and lower' if edges > 1 else 'farther'} values of {name} there.",
                )
            )
    for name, value in sweep.fixed:
        found.append(
            Finding(
                "one-setting",
                "warning",
                f"every run has {name} = {_told(value)}, so the others' best is that at this {WORDS[name]}.",
                f"Sweep {name} too: the best learning rate and the best batch depend on each other.",
            )
        )
    if not sweep.swept:
        found.append(
            Finding(
                "settings-not-swept",
                "warning",
                "each pair of N and D has one run, whose settings are taken for the best.",
                "Give the whole sweep, if there was one.",
            )
        )
    elif surface is None:
        found.append(
            Finding(
                "no-settings-surface",
                "warning",
                "the losses near the lowest have no minimum in a quadratic of the settings, so the best rows decide.",
                "Try more settings near the best, or another --window.",
            )
        )
    elif surface.failed > _FAILED * (surface.failed + len(surface.path) - 1):
        found.append(
            Finding(
                "no-optimum",
                "warning",
                f"{surface.failed} of {surface.failed + len(surface.path) - 1} draws of the surface have no minimum "
                "and are left out of the intervals.",
                "Add runs.",
            )
        )
    return tuple(found)


def at_findings(
    sweep: Sweep, at: Mapping[str, float], best: Mapping[str, tuple[float, tuple[float, float]]]
) -> tuple[Finding, ...]:
    """Scales and settings beyond what was swept."""
    found = []
    for place, name in enumerate(sweep.scales):
        low, high = np.exp([sweep.scale[:, place].min(), sweep.scale[:, place].max()])
        beyond = max(np.log10(at[name] / high), np.log10(low / at[name]))
        if beyond > 0.01:
            found.append(
                Finding(
                    "extrapolation",
                    "note",
                    f"{name} lies {beyond:.2f} decades beyond the pairs that were swept.",
                    "The further out, the more the settings rest on their power laws.",
                )
            )
    for name, (value, (low, high)) in best.items():
        if not low <= value <= high:
            side, end = ("below", low) if value < low else ("above", high)
            found.append(
                Finding(
                    "settings-beyond-sweep",
                    "warning",
                    f"the best {WORDS[name]}, {_told(value)}, lies {side} every one that was tried ({_told(end)}).",
                    "Try it at the largest pair of the sweep before relying on it.",
                )
            )
    return tuple(found)


def _told(value: float) -> str:
    return format_quantity(value) if value >= 1e3 else f"{value:.3g}"
