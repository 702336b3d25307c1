"""What all pictures share: colors that follow the axes' background, ordered sizes, log axes, a bar of sizes, dots.

Colors are Okabe and Ito's, which color-blind readers tell apart; every series also differs in marker and line, and
sizes run along viridis, whose lightness is ordered, so that a grey print still reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting import Estimate
from isoflop.fitting.table import prepared_runs
from isoflop.runs import Runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.collections import PathCollection
    from matplotlib.colors import Colormap, ListedColormap, LogNorm

    from isoflop.plots.ticks import Reading
    from isoflop.validation.answers import Answer, Question

Floats = NDArray[np.float64]
LineStyle = tuple[int, tuple[float, ...]]

LINES: Final[tuple[LineStyle, ...]] = (
    (0, ()),
    (0, (5, 2)),
    (0, (1.2, 1.6)),
    (0, (6, 2, 1.2, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
MOST_DRAWN: Final = 20_000  # points of one series in a picture
MANY: Final = 3_000  # points from which a vector file holds them as pixels
Place = Literal["best", "upper right", "upper left", "lower left", "lower right", "upper center", "lower center"]

# Of each map of ordered colors, the part that is told from light and from dark paper.
RAMPS: Final[dict[str, tuple[tuple[float, float], tuple[float, float]]]] = {
    "viridis": ((0.0, 0.88), (0.18, 1.0)),
    "cividis": ((0.0, 0.9), (0.4, 1.0)),
}

_LONGEST: Final = 34
_FAR: Final = 10.0  # usual distances from what was expected at which a value does not set the limits of a picture
_FEW: Final = 0.05
_BAR_STEPS: Final = 64
_GREEK: Final = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν",
    "rho": "ρ", "sigma": "σ", "tau": "τ", "theta": "θ", "omega": "ω", "epsilon": "ε", "eta": "η",
}  # fmt: skip

# What is counted, how its axis is labeled and how its ticks are read.
AXES: Final[dict[str, tuple[str, Reading]]] = {
    "N": ("parameters N", "quantity"),
    "D": ("training tokens D", "quantity"),
    "C": ("training compute C (FLOPs)", "power"),
    "6ND": ("training compute C = 6ND (FLOPs)", "power"),
    "U": ("unique tokens U", "quantity"),
    "M": ("tokens per parameter", "plain"),
    "step": ("optimizer steps", "quantity"),
    "S": ("optimizer steps", "quantity"),
    "epochs": ("passes over the data", "plain"),
    "batch": ("batch (tokens)", "quantity"),
    "lr": ("learning rate", "power"),
}


@dataclass(frozen=True)
class Shades:
    """Colors on one background: ink for text and fits, muted for the rest, faint for bands, and a few for series."""

    dark: bool
    paper: str
    ink: str
    muted: str
    faint: str
    series: tuple[str, ...]


_LIGHT = Shades(
    False, "#ffffff", "#1b1e24", "#5d6370", "#c9ccd3", ("#0072b2", "#d55e00", "#009e73", "#9b3f7f", "#b07a00")
)
_DARK = Shades(
    True, "#16181d", "#e4e6eb", "#a2a8b4", "#4a4f5a", ("#56b4e9", "#f0883e", "#35c79b", "#e08bc0", "#f0c540")
)


def shades(axes: Axes) -> Shades:
    """The colors that suit the background of these axes."""
    from matplotlib.colors import to_rgba

    figure = axes.get_figure(root=True)
    behind = to_rgba(axes.get_facecolor())
    if behind[3] < 0.5 and figure is not None:
        behind = to_rgba(figure.get_facecolor())
    lightness = 0.2126 * behind[0] + 0.7152 * behind[1] + 0.0722 * behind[2]
    return shades_on(dark=behind[3] >= 0.5 and lightness < 0.5)


def shades_on(*, dark: bool) -> Shades:
    """The colors on dark or on light paper."""
    return _DARK if dark else _LIGHT


def ramp(name: str, *, dark: bool) -> ListedColormap:
    """256 ordered colors of ``RAMPS``, without the end that drowns in the background."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps[name](np.linspace(*RAMPS[name][dark], 256)))


def size_colors(axes: Axes, sizes: Floats) -> tuple[LogNorm, Colormap]:
    """Ordered colors for positive sizes."""
    from matplotlib.colors import LogNorm

    low, high = float(sizes.min()), float(sizes.max())
    if low == high:
        low, high = low / 2, high * 2
    return LogNorm(low, high), ramp("viridis", dark=shades(axes).dark)


def log_axis(axis: Axis, name: str, *, label: str | None = None) -> None:
    """A logarithmic axis with round ticks; ``name`` is an entry of ``AXES`` or any other column."""
    from matplotlib.axis import XAxis

    from isoflop.plots.ticks import set_log_ticks

    said, reading = AXES.get(name, (name.replace("_", " "), "plain"))
    if isinstance(axis, XAxis):
        axis.axes.set_xscale("log")
    else:
        axis.axes.set_yscale("log")
    axis.set_label_text(said if label is None else label)
    set_log_ticks(axis, reading)


def input_axis(axis: Axis, name: str, values: Floats) -> None:
    """The axis of an input: logarithmic, or plain where the input may be zero."""
    if (values > 0).all():
        log_axis(axis, name)
    else:
        axis.set_label_text(AXES.get(name, (name.replace("_", " "), "plain"))[0])


def runs_of(fit: Estimate) -> Runs:
    """The fit's runs, with the columns that its law prepares; raises FitError for a fit without its runs."""
    return prepared_runs(fit.law, fit.require_runs())


def loss_axis(axis: Axis, fit: Estimate) -> None:
    """A logarithmic axis of what the law predicts, with its unit."""
    log_axis(axis, "", label=response_label(fit))


def response_label(fit: Estimate) -> str:
    """``loss (nats/token)``, or the name of another response."""
    response = fit.law.response
    return f"loss ({fit.data.loss_unit})" if response == "loss" else response.replace("_", " ")


def dots(axes: Axes, x: Floats, y: Floats, *, colors: object, marker: str = "o", label: str = "") -> PathCollection:
    """Measured points: small where there are many, then also kept as pixels in a vector file.

    Of more than 20,000 every k-th is drawn, which the picture says; its limits are those of all.
    """
    count, step = len(x), -(-len(x) // MOST_DRAWN)
    if step > 1:
        axes.update_datalim([(float(np.nanmin(x)), float(np.nanmin(y))), (float(np.nanmax(x)), float(np.nanmax(y)))])
        if isinstance(colors, np.ndarray) and len(colors) == count:
            colors = colors[::step]
        x, y = x[::step], y[::step]
        axes.annotate(
            f"one point in {step} drawn",
            (0.01, 0.012),
            xycoords="axes fraction",
            fontsize="x-small",
            color=shades(axes).muted,
            zorder=7,
        )
    size = float(np.clip(130 / np.sqrt(max(len(x), 1)), 4, 24))
    return axes.scatter(
        x,
        y,
        color=colors,
        s=size,
        marker=marker,
        edgecolors=shades(axes).paper,
        linewidths=0.3 if len(x) <= MANY else 0.0,
        zorder=3,
        label=label or None,
        rasterized=len(x) > MANY,
    )


def usual_limits(axes: Axes, values: Floats, off: Floats, *, keep: Sequence[float] = ()) -> None:
    """Limits of the height that leave out a few values far off what was expected of them; arrows stand for these.

    off: each value's relative distance from what was expected. keep: what else must be in sight. At most one value in
    twenty is left out, and only where that makes the picture a third lower.
    """
    far = np.abs(off) > np.maximum(_FAR * float(np.median(np.abs(off))), 0.02)
    if not far.any() or far.mean() > _FEW or far.all():
        return
    positive = bool((values > 0).all())
    scaled = np.log(values) if positive else values
    near = np.concatenate([scaled[~far], np.log(keep) if positive else np.asarray(keep)])
    if np.ptp(near) > (1 - 1 / 3) * np.ptp(scaled):
        return
    edge = 0.06 * float(np.ptp(near))
    ends = float(near.min()) - edge, float(near.max()) + edge
    axes.set_ylim(*(np.exp(ends) if positive else ends))


def at_the_edge(axes: Axes, x: Floats, y: Floats, *, what: str) -> None:
    """Points outside the axes' height as arrows at the edge that they lie beyond, with their number above the axes.

    The limits of the axes stay. what: one point's name, as ``run``.
    """
    ink = shades(axes)
    low, high = axes.get_ylim()
    said = []
    for beyond, up in ((y > high, True), (y < low, False)):
        count = int(beyond.sum())
        if not count:
            continue
        axes.scatter(
            x[beyond],
            np.full(count, 0.985 if up else 0.015),
            transform=axes.get_xaxis_transform(),
            marker="^" if up else "v",
            s=24,
            color=ink.series[3],
            zorder=7,
            clip_on=False,
        )
        said.append(f"{count} {what}{'' if count == 1 else 's'} {'above' if up else 'below'}")
    if said:  # outside the axes, where it covers no run
        axes.set_title(f"{', '.join(said)} (arrows)", loc="left", fontsize="small", color=ink.series[3])
    axes.set_ylim(low, high)


def size_bar(axes: Axes, norm: LogNorm, colors: Colormap, *, label: str, reading: Reading = "quantity") -> None:
    """A bar beside the axes that says which color is which size."""
    from matplotlib.cm import ScalarMappable

    from isoflop.plots.canvas import paint
    from isoflop.plots.ticks import set_log_ticks

    figure = axes.get_figure()
    if figure is None:
        return
    steps = colors.resampled(_BAR_STEPS)  # so few that a vector file need not hold them as pixels
    bar = figure.colorbar(ScalarMappable(norm, steps), ax=axes, label=label, pad=0.02, aspect=30)
    set_log_ticks(bar.ax.yaxis, reading)
    paint(bar.ax, str(axes.xaxis.label.get_color()))
    bar.outline.set_visible(False)
    bar.ax.set_facecolor("none")
    if bar.solids is not None:
        bar.solids.set(rasterized=False, edgecolor="face")  # seams would show between steps


def legend(axes: Axes, *, loc: Place = "best") -> None:
    """The legend, without a frame, in the axes' own ink, on a background that keeps it legible over lines."""
    ink = shades(axes)
    held = axes.legend(
        loc=loc,
        fontsize="small",
        labelcolor=ink.ink,
        facecolor=ink.paper,
        edgecolor="none",
        framealpha=0.75,
    )
    held.set_zorder(6)
    held.set_in_layout(False)  # it lies inside the axes


def legend_above(axes: Axes, *, columns: int = 2) -> None:
    """The legend between axes and the upper edge, for pictures whose rows fill the axes."""
    ink = shades(axes)
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1),
        borderaxespad=0.2,
        ncols=columns,
        fontsize="small",
        labelcolor=ink.ink,
        frameon=False,
        columnspacing=1.2,
    )


def legend_below(axes: Axes, *, columns: int = 3) -> None:
    """The legend under the axis's name, for pictures whose data fill the axes and whose upper edge has an axis."""
    ink = shades(axes)
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.2),
        borderaxespad=0.0,
        ncols=columns,
        fontsize="small",
        labelcolor=ink.ink,
        frameon=False,
        columnspacing=1.2,
    )


def spread(values: Floats, most: int) -> Floats:
    """Up to ``most`` of the distinct values (distinct by 10 %), spread over their range."""
    rounded = np.unique(np.round(np.log(values), 1))
    distinct = np.unique([values[np.abs(np.log(values) - each).argmin()] for each in rounded])
    if len(distinct) <= most:
        return distinct
    return distinct[np.linspace(0, len(distinct) - 1, most).round().astype(int)]


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """A name at the left of each row, the first row on top; long names are cut, in the middle."""
    axes.set_yticks(
        range(len(names)), [plain(name) for name in names], fontsize="small" if len(names) < 16 else "x-small"
    )
    axes.set_ylim(len(names) - 0.4, -0.6)


def plain(name: str) -> str:
    """A name from a file as matplotlib shows it: no mathematics between dollars, at most 34 letters, on one line."""
    name = " ".join(name.split())
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST // 2]}…{name[-_LONGEST // 2 + 1 :]}"
    # an underscore in front would hide the name from a legend
    return escaped(name if not name.startswith("_") else f" {name}")


def escaped(text: str) -> str:
    """A text in which no dollar begins mathematics."""
    return text.replace("$", r"\$")


def answer_axis(axis: Axis, answer: Answer, asked: Question, fit: Estimate) -> None:
    """The axis of an answer that is asked of a fit: N*, an exponent, a forecast, a parameter."""
    from isoflop.plots.ticks import power

    if answer.scale == "log" and asked.budget is not None:
        log_axis(axis, "N", label=f"N* at {power(asked.budget)} FLOPs")
    else:
        said = f"forecast {response_label(fit)}" if answer.name == "forecast" else symbol(answer.name)
        axis.set_label_text(said)


def symbol(name: str) -> str:
    """A parameter as the field writes it: alpha → α; other names as they are."""
    return _GREEK.get(name, name)
