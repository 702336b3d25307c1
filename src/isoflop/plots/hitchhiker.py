"""How much of how many models is enough: median error over models and share of training, and where it stays small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from isoflop.plots.style import LINES, legend_above, shades

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
Segment = Sequence[tuple[float, float]]

_WITHIN: Final = (0.05, 0.10, 0.15)
_WORST: Final = 0.5  # shades end here: beyond it a law from too little has run away


def errors_by_share(grid: pl.DataFrame, axes: Axes) -> Axes:
    """ARE as shades and numbers, a row for each number of models, and the borders within which it is 5, 10 and 15 %.

    grid: of :func:`isoflop.validation.hitchhiker.error_grid`, with columns models, share and are. A cell without a law
    is empty.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LogNorm

    ink = shades(axes)
    models, shares = sorted(set(grid["models"])), sorted(set(grid["share"]))
    error = np.full((len(models), len(shares)), np.nan)
    for row in grid.iter_rows(named=True):
        error[models.index(row["models"]), shares.index(row["share"])] = row["are"]
    known = error[np.isfinite(error)]
    least = float(np.clip(known.min(), 1e-6, 0.9 * _WORST))
    norm = LogNorm(least, float(np.clip(known.max(), 1.01 * least, _WORST)), clip=True)
    axes.imshow(error, norm=norm, cmap="cividis_r", aspect="auto", origin="lower")
    for row, column in np.ndindex(*error.shape):
        value = float(error[row, column])
        dark = np.isfinite(value) and norm(value) > 0.55
        axes.text(
            column,
            row,
            _percent(value),
            ha="center",
            va="center",
            fontsize="x-small",
            color=ink.muted if np.isnan(value) else "white" if dark else "black",
        )
    for place, within in reversed(list(enumerate(_WITHIN))):  # where borders coincide, the strictest shows
        border = _border(error <= within)
        # black on white shows on every shade, in grey too
        axes.add_collection(LineCollection(border, colors="white", linewidths=3.6), autolim=False)
        lines = LineCollection(border, colors="black", linewidths=1.6, linestyles=[LINES[place]])
        axes.add_collection(lines, autolim=False)
    axes.set_xticks(range(len(shares)), [f"{100 * share:.3g}" for share in shares])
    axes.set_yticks(range(len(models)), [str(each) for each in models])
    axes.set_xlabel("share of training seen (%)")
    axes.set_ylabel("models, nearest in size")
    borders = [place for place, within in enumerate(_WITHIN) if _border(error <= within)]
    for place in borders:
        axes.plot([], [], color=ink.ink, linewidth=1.6, linestyle=LINES[place], label=f"within {_WITHIN[place]:.0%}")
    axes.set_title(
        "median error on the largest model (%)", fontsize="medium", loc="left", color=ink.ink, pad=20 if borders else 6
    )
    if borders:
        legend_above(axes, columns=len(_WITHIN))
    return axes


def _percent(value: float) -> str:
    """An error in per cent; a dash without one."""
    if np.isnan(value):
        return "–"
    return f"{100 * value:.2g}" if value < 0.995 else ">99"


def _border(inside: NDArray[np.bool_]) -> list[Segment]:
    """The edges between cells inside and cells outside, in the coordinates of the cells' centers."""
    rows, columns = inside.shape
    between = [
        ((column + 0.5, row - 0.5), (column + 0.5, row + 0.5))
        for row in range(rows)
        for column in range(columns - 1)
        if inside[row, column] != inside[row, column + 1]
    ]
    above = [
        ((column - 0.5, row + 0.5), (column + 0.5, row + 0.5))
        for row in range(rows - 1)
        for column in range(columns)
        if inside[row, column] != inside[row + 1, column]
    ]
    return [*between, *above]
