"""``inner_starts``: where draws begin again if a shared parameter has run to an end at which it changes nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.panel import PanelFit
from isoflop.fitting.panel_search import PanelOptimum

Floats = NDArray[np.float64]

_NOTHING = 1e-4  # of the target's standard deviation: what a factor of ten in a parameter then changes at most
_SOMETHING = 0.05  # of it, on average over rows: where the parameter begins to be felt
_DECADES = 40


def inner_starts(panel: PanelFit) -> tuple[tuple[str, PanelOptimum], ...]:
    """For each shared positive parameter that has run away: its name, and the panel's optimum with it brought back.

    There the objective is flat in it, so that a draw that begins there stays there, and an interval would have no
    width. It is brought back to the first decade at which fitted values change by 5 % of the spread of what was
    measured.

    Examples
    --------
    >>> import isoflop, numpy
    >>> from isoflop.fitting.panel import fit_panel
    >>> n, k = numpy.meshgrid(numpy.geomspace(1e7, 1e9, 12), [0, 1, 2])
    >>> family = [f"f{each}" for each in k.ravel()]
    >>> table = {"N": n.ravel(), "loss": (9 + k.ravel()) / n.ravel() ** 0.3, "family": family}
    >>> law = isoflop.law("A/N^(alpha/(1 + A_0/N))")
    >>> [name for name, _ in inner_starts(fit_panel(law, isoflop.Runs.from_columns(table), share=["alpha"]))]
    []
    """
    spread = float(np.std(panel.ready.target))
    fitted = panel.ready.target - panel.residuals
    found = []
    for name in panel.share:
        at = panel.law.param_names.index(name)
        if panel.law.params[at].domain != "positive" or spread <= 0:
            continue
        for direction in (1.0, -1.0):  # brought up from zero, or down from infinity
            if np.abs(_shifted(panel, at, -direction) - fitted).max() > _NOTHING * spread:
                continue
            if np.abs(_shifted(panel, at, direction) - fitted).max() > _NOTHING * spread:
                continue
            for decades in range(2, _DECADES):
                change = np.abs(_shifted(panel, at, direction * decades) - fitted)
                if np.isfinite(change).all() and change.mean() > _SOMETHING * spread:
                    found.append((name, _moved(panel, at, direction * decades)))
                    break
    return tuple(found)


def _moved(panel: PanelFit, at: int, decades: float) -> PanelOptimum:
    local = panel.optimum.local.copy()
    local[:, :, at] += decades * math.log(10)
    return replace(panel.optimum, local=local)


def _shifted(panel: PanelFit, at: int, decades: float) -> Floats:
    """Fitted values with one parameter of every group times a power of ten."""
    return panel.ready.target - replace(panel, optimum=_moved(panel, at, decades)).residuals
