"""IsoFLOP curves: at each budget the runs, the parabola through those near its minimum, and the minimum itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from isoflop.laws.unicode import superscript
from isoflop.plots.style import LINES, at_the_edge, dots, legend, log_axis, shades, size_colors
from isoflop.units import format_by_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, LogNorm

    from isoflop.planning.parabolas import Parabolas, Profile

Floats = NDArray[np.float64]

_BEYOND: Final = 0.12  # of log N, that a parabola is drawn beyond the sizes it was fitted to
_EDGE: Final = 0.04  # of the height, above and below what is shown
_APART: Final = 0.038  # of the height, between the names of two budgets
_ROOM: Final = 0.13  # of the width, at the right for the names


def isoflop_curves(found: Parabolas, axes: Axes) -> Axes:
    """Loss against N at each budget, the parabola near its minimum, the minimum with its interval, and N* ∝ C^a.

    found: of :func:`isoflop.planning.parabolas.parabolas`. The picture ends a little above the runs that parabolas go
    through; runs above are arrows at the edge. Runs beyond the fitted sizes are hollow. A budget whose minimum is not
    bracketed has no parabola. An interval that reaches beyond the runs ends at the edge of the picture.
    """
    ink = shades(axes)
    norm, colors = size_colors(axes, np.array([profile.budget for profile in found.profiles]))
    log_axis(axes.xaxis, "N")
    log_axis(axes.yaxis, "", label=f"loss ({found.unit})")
    kept = [profile for profile in found.profiles if profile.bracketed]
    _limits(found.profiles, kept, axes)
    for profile in kept:
        grid = np.linspace(*_span(profile), 80)
        curve = profile.loss_best + profile.curvature * (grid - np.log(profile.n_best)) ** 2
        axes.plot(np.exp(grid), curve, color=colors(norm(profile.budget)), linewidth=1.3)
    for profile in found.profiles:
        _runs(profile, colors(norm(profile.budget)), axes)
    far = np.concatenate([np.column_stack([each.n, each.loss]) for each in found.profiles])
    at_the_edge(axes, far[:, 0], far[:, 1], what="run")
    bottoms = [profile.loss_best for profile in kept]
    a = found.exponent_a
    axes.plot(
        [profile.n_best for profile in kept],
        bottoms,
        marker="D",
        markersize=5,
        linestyle="none",
        markerfacecolor=ink.series[1],
        markeredgecolor=ink.paper,
        zorder=6,
        label="minimum of the parabola",
    )
    intervals = [profile.minimum(level=a.level) for profile in kept]
    axes.hlines(
        bottoms,
        [each.low for each in intervals],
        [each.high for each in intervals],
        color=ink.series[1],
        linewidth=2.2,
        zorder=5,
        label=f"its {100 * a.level:g}% interval",
    )
    axes.plot(
        [found.n_at(profile.budget).value for profile in kept],
        bottoms,
        color=ink.ink,
        linewidth=1.0,
        alpha=0.75,
        linestyle=LINES[1],
        zorder=4,
        label=f"N* ∝ C{superscript(format_by_interval(a.value, a.low, a.high))}",
    )
    _name(kept or list(found.profiles), norm, colors, axes)
    legend(axes, loc="lower left")
    return axes


def _span(profile: Profile) -> tuple[float, float]:
    """In log N, the sizes that the parabola goes through and a little more."""
    x = np.log(_fitted(profile)[0])
    return float(x.min()) - _BEYOND, float(x.max()) + _BEYOND


def _fitted(profile: Profile) -> tuple[Floats, Floats]:
    rows = list(profile.fitted) or list(range(len(profile.n)))
    return profile.n[rows], profile.loss[rows]


def _limits(profiles: Sequence[Profile], kept: Sequence[Profile], axes: Axes) -> None:
    """Heights of the runs that parabolas go through, all sizes, and room for names at the right."""
    from math import exp, log

    shown = [_fitted(each)[1] for each in kept] or [each.loss for each in profiles]
    low = min(float(each.min()) for each in shown)
    low = min([low, *(each.loss_best for each in kept)])
    high = max(float(each.max()) for each in shown)
    edge = _EDGE * log(high / low) if high > low else 0.05
    axes.set_ylim(exp(log(low) - edge), exp(log(high) + edge))
    left, right = (log(float(end(each.n))) for each in profiles[:1] for end in (np.min, np.max))
    for each in profiles:
        left, right = min(left, log(float(each.n.min()))), max(right, log(float(each.n.max())))
    axes.set_xlim(exp(left - _EDGE * (right - left)), exp(right + _ROOM * (right - left)))


def _runs(profile: Profile, color: tuple[float, float, float, float], axes: Axes) -> None:
    """The budget's runs: filled where the parabola goes through them, hollow beyond."""
    inside = np.zeros(len(profile.n), dtype=np.bool_)
    inside[list(profile.fitted)] = profile.bracketed
    low, high = axes.get_ylim()
    shown = (profile.loss >= low) & (profile.loss <= high)
    if (inside & shown).any():
        dots(axes, profile.n[inside & shown], profile.loss[inside & shown], colors=color)
    if (~inside & shown).any():
        axes.scatter(
            profile.n[~inside & shown],
            profile.loss[~inside & shown],
            s=14,
            facecolors=shades(axes).paper,
            edgecolors=[color],
            linewidths=0.9,
            zorder=3,
        )


def _name(profiles: Sequence[Profile], norm: LogNorm, colors: Colormap, axes: Axes) -> None:
    """The budget at the right end of its curve, in FLOPs; one that would lie on another is left out."""
    from isoflop.plots.ticks import scientific

    low, high = np.log(axes.get_ylim())
    taken: list[tuple[float, float]] = []
    for profile in sorted(profiles, key=lambda each: -len(each.n)):
        n, loss = _fitted(profile)
        x = float(n.max())
        y = profile.loss_best + profile.curvature * float(np.log(x / profile.n_best)) ** 2 if profile.bracketed else 0.0
        y = y if profile.bracketed else float(loss[n.argmax()])
        place = ((np.log(y) - low) / (high - low), float(np.log10(x)))
        if not 0 < place[0] < 1 or any(abs(place[0] - up) < _APART and abs(place[1] - at) < 0.9 for up, at in taken):
            continue
        taken.append(place)
        axes.annotate(
            scientific(profile.budget),
            (x, y),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize="x-small",
            color=colors(norm(profile.budget)),
            zorder=6,
            annotation_clip=True,
        )
