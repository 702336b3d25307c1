"""How an answer moves when one choice is made otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.plots.style import answer_axis, legend_above, name_rows, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.validation.sensitivity import Choice, Sensitivity

_CLIP = 3.0  # half-widths of all values' middle range beyond which a value is shown at the edge


def choices_made(result: Sensitivity, axes: Axes, *, answer: str = "") -> Axes:
    """One answer under every choice, the one that moves it most on top, over its interval as the base has it.

    answer: its name; N* where the law has one, else the forecast. Squares lie outside the base's interval. A choice
    without the answer is named and left empty.
    """
    name = answer or result.asked.main.name
    asked = result.asked.find(name)
    ink, base = shades(axes), result.base[name]
    level = base.level
    if np.isfinite([base.low, base.high]).all():
        axes.axvspan(
            base.low, base.high, color=ink.muted, alpha=0.2, linewidth=0, label=f"{100 * level:g}% interval as fitted"
        )
    axes.axvline(base.value, color=ink.ink, linewidth=1.2)
    low, high = _limits(result, name)
    choices = by_effect(result, name)
    for row, choice in enumerate(choices):
        if name not in choice.answers:
            continue
        here = choice.answers[name]
        outside = result.outside(choice, name)
        color = ink.series[1] if outside else ink.series[0]
        if np.isfinite([here.low, here.high]).all():
            axes.hlines(row, here.low, here.high, color=color, linewidth=1.4)
        within = low <= here.value <= high
        marker = ("s" if outside else "o") if within else (">" if here.value > high else "<")
        axes.plot(
            [float(np.clip(here.value, low, high))],
            [row],
            marker=marker,
            markersize=5.5,
            color=color,
            linestyle="none",
            zorder=3,
            clip_on=within,
        )
    name_rows(axes, [_said(choice) for choice in choices])
    answer_axis(axes.xaxis, asked, result.asked, result.fit)
    axes.set_xlim(low, high)
    legend_above(axes)
    return axes


def by_effect(result: Sensitivity, name: str) -> list[Choice]:
    """The choices by how far they move an answer, in logarithms where it has them; those without it come last."""
    logs = result.asked.find(name).scale == "log"

    def moved(choice: Choice) -> float:
        if name not in choice.answers:
            return -1.0
        here, base = choice.answers[name].value, result.base[name].value
        if logs and here > 0 < base:
            return abs(float(np.log(here / base)))
        return abs(here - base) if np.isfinite(here) else float("inf")

    return sorted(result.choices, key=moved, reverse=True)


def _said(choice: Choice) -> str:
    return f"{choice.group}: {choice.setting}" + (" (none)" if not choice.answers else "")


def _limits(result: Sensitivity, name: str) -> tuple[float, float]:
    """Ends that hold the base and most choices; one that is far off is shown as an arrow at the edge."""
    base = result.base[name]
    logs = result.asked.find(name).scale == "log"
    values = np.array(
        [
            base.value,
            base.low,
            base.high,
            *(each.answers[name].value for each in result.choices if name in each.answers),
        ]
    )
    values = values[np.isfinite(values) & ((values > 0) | (not logs))]
    scaled = np.log(values) if logs else values
    middle = float(np.median(scaled))
    reach = max(_CLIP * float(np.quantile(np.abs(scaled - middle), 0.8)), 1e-9)
    kept = scaled[np.abs(scaled - middle) <= reach]
    edge = 0.06 * (float(np.ptp(kept)) or 0.1)
    low, high = float(kept.min()) - edge, float(kept.max()) + edge
    return (float(np.exp(low)), float(np.exp(high))) if logs else (low, high)
