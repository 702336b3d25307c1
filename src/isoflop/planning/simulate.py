"""Runs of a known law: what a design would show, before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.laws import Law
from isoflop.planning.design.candidates import Candidates, check_inputs
from isoflop.shown import Shown

Floats = NDArray[np.float64]

MOST_SEEDS = 1_000
MOST_ROWS = 100_000
_RAISED = (0.05, 0.5)  # relative rise of the response of an outlier, evenly in between


@dataclass(frozen=True)
class Simulated(Shown):
    """A simulated table and what made it.

    Attributes
    ----------
    frame :
        A row for each run: the law's inputs, its response, ``seed`` where there are several, C where N and D are known.
    law, constants :
        The law and its constants, name → value.
    noise, outliers, drift, seed :
        As :func:`simulate` takes them.
    raised :
        How many runs are outliers.
    """

    frame: pl.DataFrame = field(repr=False)
    law: Law
    constants: Mapping[str, float]
    noise: float
    outliers: float
    drift: float
    seed: int
    raised: int


def simulate(
    law: Law,
    constants: Mapping[str, float],
    design: Candidates,
    *,
    noise: float = 0.005,
    seeds: int = 1,
    outliers: float = 0.0,
    drift: float = 0.0,
    seed: int = 0,
) -> Simulated:
    """L = f(x; θ)·exp(drift·log10(c/c_0) + noise·ε), ε standard normal, and a share of runs that ended too high.

    Parameters
    ----------
    law :
        The truth.
    constants :
        Its constants, name → value, each of them.
    design :
        The points, each trained once a seed; their costs c, of which c_0 is the least, order the drift.
    noise :
        Relative standard deviation of one run.
    seeds :
        Runs at each point.
    outliers :
        Share of runs, 0 to 1, whose response is raised by 5 to 50 %.
    drift :
        Relative departure from the law for each decade of cost: the law's error, which grows with scale.
    seed :
        The same seed gives the same table.

    Returns
    -------
    Simulated
        The table with what made it.

    Raises
    ------
    IsoflopError
        A constant that is missing or unknown, an input without a value, a response that is no finite number.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.planning.design import candidate_grid
    >>> from isoflop.planning.simulate import simulate
    >>> truth = {"E": 1.7, "A": 400.0, "B": 1800.0, "alpha": 0.34, "beta": 0.36}
    >>> points = candidate_grid(["N=1e7,1e8", "D=1e9"], ["N", "D"])
    >>> found = simulate(isoflop.law("chinchilla"), truth, points, noise=0.0)
    >>> found.frame["loss"].round(4).to_list()
    [4.4033, 3.498]
    """
    _check(law, constants, noise=noise, seeds=seeds, outliers=outliers, drift=drift)
    if len(design) * seeds > MOST_ROWS:
        raise IsoflopError(f"{len(design) * seeds:,} runs would be made, and at most {MOST_ROWS:,} are; give fewer")
    check_inputs(design, {each.name: each.domain for each in law.inputs})
    inputs = {name: np.repeat(values, seeds) for name, values in design.inputs(law.input_names).items()}
    cost = np.repeat(design.cost, seeds)
    rng = np.random.default_rng([seed, 31])
    value = np.broadcast_to(law.value(constants, inputs), cost.shape)
    moved = drift * np.log10(cost / cost.min()) + noise * rng.standard_normal(len(cost))
    bad = rng.random(len(cost)) < outliers
    raised = np.where(bad, np.log1p(rng.uniform(*_RAISED, len(cost))), 0.0)
    with np.errstate(all="ignore"):
        response = value * np.exp(moved + np.sign(value) * raised)
    if not np.isfinite(response).all():
        row = int(np.flatnonzero(~np.isfinite(response))[0])
        raise IsoflopError(
            f"{law.name} has no finite value at run {row + 1} of the design with these constants; check both"
        )
    columns: dict[str, Floats | list[int]] = dict(inputs)
    if {"N", "D"} <= set(columns) and "C" not in columns:
        columns["C"] = 6 * inputs["N"] * inputs["D"]
    if seeds > 1:
        columns["seed"] = np.tile(np.arange(seeds), len(design)).tolist()
    columns[law.response] = response
    return Simulated(
        pl.DataFrame(columns), law, dict(constants), noise, outliers, drift, seed, int(bad.sum())
    )  # fmt: skip


def _check(
    law: Law, constants: Mapping[str, float], *, noise: float, seeds: int, outliers: float, drift: float
) -> None:
    if law.list_inputs:
        raise IsoflopError(
            f"{law.name} takes lists ({', '.join(law.list_inputs)}), which no design holds; name another"
        )
    missing = [name for name in law.param_names if name not in constants]
    unknown = [name for name in constants if name not in law.param_names]
    if missing or unknown:
        what = f"{missing[0]} is missing" if missing else f"{unknown[0]} is none of them"
        raise IsoflopError(f"{law.name} has the constants {', '.join(law.param_names)}; {what}")
    for name, value, low, high in (
        ("noise", noise, 0.0, 10.0), ("outliers", outliers, 0.0, 1.0), ("drift", drift, -10.0, 10.0),
    ):  # fmt: skip
        if not (math.isfinite(value) and low <= value <= high):
            raise IsoflopError(f"{name} must be a number from {low:g} to {high:g}, not {value:g}")
    if not 1 <= seeds <= MOST_SEEDS:
        raise IsoflopError(f"there are 1 to {MOST_SEEDS:,} seeds, not {seeds}")
