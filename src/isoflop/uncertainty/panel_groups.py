"""What groups of a panel tell of each other's model error: shared and pooled parameters, and how a group departs.

The model error of a group is judged by its own rows (:mod:`isoflop.uncertainty.discrepancy`). Where its law shares
parameters with others, these are known from elsewhere, and its few rows need not determine them.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting import Fit
from isoflop.fitting.coordinates import coordinates

if TYPE_CHECKING:
    from isoflop.fitting.panel import PanelFit

Floats = NDArray[np.float64]

MOST_DEPARTURES = 12  # groups by whose departures a group that was not seen is judged
_STEP = 1.01  # factor by which parameters are changed to see which coordinates they move
_LEAST = 1e-6  # standard deviation of a coordinate below which it is held


def known_from_groups(panel: PanelFit, params: Floats, group: str, fit: Fit) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of a group's fitting coordinates less those of its fit, as far as others tell.

    params: the panel's draws, (draws, groups, parameters). A shared coordinate has the standard deviation of its draws,
    times √(n/(n − n_g)) for a group with n_g of n runs: what the others alone would leave. A pooled one is normal
    around the groups' mean with their scale. A coordinate that own parameters move (an amplitude at the middle of the
    inputs, whose exponent is each group's own) is not among them.
    """
    number, names = panel.position(group), panel.law.param_names
    coords, centers = coordinates(panel.law), fit.centers
    here = panel.params[number : number + 1]
    at = coords.from_params(here, centers)[0]
    moved_by = np.zeros((len(names), len(names)), dtype=np.bool_)  # coordinate, parameter
    for place, name in enumerate(names):
        other = here.copy()
        other[0, place] = _nudged(
            float(here[0, place]), next(each.domain for each in panel.law.params if each.name == name)
        )
        with np.errstate(all="ignore"):
            moved_by[:, place] = np.abs(coords.from_params(other, centers)[0] - at) > 1e-12
    drawn = coords.from_params(params[:, number], centers)
    others = 1 - panel.n_runs[number] / sum(panel.n_runs)
    shared = np.array([name in panel.share for name in names])
    found: dict[str, tuple[float, float]] = {}
    for place, name in enumerate(names):
        values = drawn[:, place]
        if name in panel.share and others > 0 and not moved_by[place, ~shared].any() and np.isfinite(values).all():
            found[name] = (0.0, max(float(values.std()) / math.sqrt(others), _LEAST))
    if panel.pooling is not None:
        ready = panel.ready
        for which, position in enumerate(ready.pooled):
            place = ready.own[position]
            name = ready.coords.names[place]
            own = names.index(name)
            same = abs(float(panel.optimum.local[0, number, place]) - float(at[own])) < 1e-6
            if same and not np.delete(moved_by[own], own).any():
                mean = float(panel.pooling.mean[which]) - float(at[own])
                found[name] = (mean, max(float(panel.pooling.scale[which]), _LEAST))
    return found


def with_known(panel: PanelFit, params: Floats, group: str) -> Fit:
    """A group's fit, whose model error takes from other groups what they tell."""
    fit = panel.group(group)
    rows = fit.data.rows
    if rows is None or len(panel.groups) < 2:
        return fit
    known = known_from_groups(panel, params, group, fit)
    return replace(fit, data=replace(fit.data, rows=replace(rows, known=known))) if known else fit


def departures(panel: PanelFit, params: Floats) -> tuple[Fit, ...]:
    """Fits by which the model error of a group that was not seen is judged: the groups with the most runs, up to 12.

    Only groups with more rows than parameters that are their own show a departure.
    """
    fewest = len(panel.own) + 2
    order = sorted(range(len(panel.groups)), key=lambda number: -panel.n_runs[number])
    chosen = sorted([number for number in order if panel.n_rows[number] >= fewest][:MOST_DEPARTURES])
    fits = (with_known(panel, params, panel.groups[number]) for number in chosen)
    return tuple(each for each in fits if each.data.rows is not None)


def _nudged(value: float, domain: str | tuple[float, float]) -> float:
    if isinstance(domain, tuple):
        return value + 0.01 * min(domain[1] - value, value - domain[0])
    return value * _STEP if value else 0.01
