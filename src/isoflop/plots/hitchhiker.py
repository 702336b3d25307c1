"""How much of how many models is enough: median error over models and share of training, with lines of equal error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from isoflop.plots.style import shades

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes

_LINES: Final = (0.05, 0.10, 0.15)
_WORST: Final = 0.5  # shades end here: beyond it a law from too little has run away


def errors_by_share(grid: pl.DataFrame, axes: Axes) -> Axes:
    """ARE (of ``error_grid``: columns models, share, are) as shades and numbers, with its 5, 10 and 15 % lines."""
    from matplotlib.colors import LogNorm

    ink = shades(axes)
    models, shares = sorted(set(grid["models"])), sorted(set(grid["share"]))
    error = np.full((len(models), len(shares)), np.nan)
    for row in grid.iter_rows(named=True):
        error[models.index(row["models"]), shares.index(row["share"])] = row["are"]
    known = error[np.isfinite(error)]
    least = min(float(known.min()), 0.9 * _WORST)
    norm = LogNorm(least, float(np.clip(known.max(), 1.01 * least, _WORST)), clip=True)
    axes.imshow(error, norm=norm, cmap="cividis_r", aspect="auto", origin="lower")
    for across, down in np.ndindex(*error.shape):
        if np.isfinite(error[across, down]):
            dark = norm(error[across, down]) > 0.55
            axes.text(
                down,
                across,
                f"{100 * error[across, down]:.2g}" if error[across, down] < 1 else ">100",
                ha="center",
                va="center",
                fontsize="x-small",
                color="white" if dark else "black",
            )
    filled = np.log(np.where(np.isfinite(error), error, np.inf).clip(least, _WORST))
    if min(error.shape) > 1:
        inside = [line for line in _LINES if known.min() < line < known.max()]
        if inside:
            lines = axes.contour(filled, levels=np.log(inside), colors=[ink.series[1]], linewidths=1.4)
            axes.clabel(lines, fmt=lambda value: f"{np.exp(value):.0%}", fontsize="small")
    axes.set_xticks(range(len(shares)), [f"{share:.0%}" for share in shares])
    axes.set_yticks(range(len(models)), [str(each) for each in models])
    axes.set_xlabel("share of training seen")
    axes.set_ylabel("models, nearest in size")
    axes.set_title("median error on the largest model (%)", fontsize="medium", loc="left", color=ink.ink)
    return axes
