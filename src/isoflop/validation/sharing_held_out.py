"""``held_out_sharing``: whether groups' larger runs are forecast better with shared or with own parameters."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, FitError
from isoflop.fitting.panel import PanelFit, fit_panel
from isoflop.fitting.panel_table import groups_of
from isoflop.runs import Runs
from isoflop.uncertainty.ensemble import Interval
from isoflop.uncertainty.panel import PanelDraws, bootstrap_panel
from isoflop.validation.paired import capped_errors, difference_interval
from isoflop.validation.score import per_run
from isoflop.validation.split import HoldOut, split
from isoflop.values import Value

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

MOST_GROUPS = 200  # whose fits are repeated in a second or two
_FEWEST_HELD = 4  # held-out runs whose mean error has an interval worth reading


@dataclass(frozen=True)
class HeldOutSharing(Value):
    """Errors on the largest runs of each group, of the panel and of groups that share nothing.

    Attributes
    ----------
    hold_out :
        What was held out of every group.
    groups :
        The groups that had runs to hold out.
    runs :
        Held-out runs of each, (groups,).
    shared, own :
        Mean relative error |L̂/L − 1| on them with what the panel shares, and with every parameter the group's own,
        (groups,).
    difference :
        Mean error shared − own over all held-out runs, with its interval; negative where sharing forecasts better.
    """

    hold_out: HoldOut
    groups: tuple[str, ...]
    runs: tuple[int, ...]
    shared: Floats = field(repr=False)
    own: Floats = field(repr=False)
    difference: Interval

    @property
    def better(self) -> str | None:
        """``shared`` or ``own`` where the interval of the difference excludes zero, else None."""
        if self.difference.high < 0:
            return "shared"
        return "own" if self.difference.low > 0 else None


def held_out_sharing(
    panel: PanelFit, *, how: HoldOut | None = None, draws: int = 100, level: float = 0.9, seed: int = 0
) -> HeldOutSharing:
    """mean |L̂_shared/L − 1| − mean |L̂_own/L − 1| ± t·√(s²/n + d²), over the n held-out runs of all groups.

    Both panels are fitted to the runs that are left, by the panel's objective, so that the comparison asks nothing of
    the residuals' distribution. s: standard deviation of the runs' differences. d: half of the central 68 % of the mean
    over draws of both panels with the same weights, since the held-out runs of a group share the error of its curve.
    Errors beyond 100 % count as 100 %.

    Parameters
    ----------
    panel :
        A fit that shares or pools something.
    how :
        What is held out of each group: its largest fifth of runs by the first of N, C and D, where None. A group that
        is left with fewer runs than parameters, or with fewer than three sizes, holds nothing out.
    draws :
        Of the bootstrap of both panels.
    level :
        Of the interval.
    seed :
        Of the draws.

    Returns
    -------
    HeldOutSharing
        Errors by group, and the difference.

    Raises
    ------
    FitError
        Nothing is shared or pooled, or the law's inputs are prepared from other columns.
    DataError
        No two groups, or fewer than four runs altogether, can be held out.

    Examples
    --------
    >>> import isoflop, numpy
    >>> from isoflop.fitting.panel import fit_panel
    >>> from isoflop.validation.sharing_held_out import held_out_sharing
    >>> n, k = numpy.meshgrid(numpy.geomspace(1e7, 1e9, 12), [0, 1, 2])
    >>> noise = 0.003 * numpy.random.default_rng(0).standard_normal(n.size)
    >>> loss = (1.7 + 0.1 * k + (300 + 100 * k) / n**0.34).ravel() * numpy.exp(noise)
    >>> table = {"N": n.ravel(), "loss": loss, "family": [f"f{each}" for each in k.ravel()]}
    >>> panel = fit_panel(isoflop.law("E + A/N^alpha"), isoflop.Runs.from_columns(table), share=["alpha"])
    >>> held_out_sharing(panel, draws=20).runs
    (3, 3, 3)
    """
    how = HoldOut() if how is None else how
    if not panel.share and not panel.pool:
        raise FitError("this panel shares nothing, so there is nothing to hold against own parameters")
    if not all(name in panel.runs for name in panel.law.input_names):
        raise FitError(f"{panel.law.name} prepares its inputs from other columns; hold runs out with isoflop backtest")
    held, kept = _held_out(panel, how)
    train = panel.runs.take(kept & ~held)
    fitted = [
        fit_panel(panel.law, train, by=panel.by, share=share, pool=pool, objective=panel.objective, seed=seed)
        for share, pool in ((panel.share, panel.pool), ((), ()))
    ]
    drawn = [bootstrap_panel(each, draws=draws, seed=seed) for each in fitted]
    out = panel.runs.take(held)
    labels = groups_of(out, panel.by)
    shared, own = (_errors(each, out, labels.codes, labels.names) for each in fitted)
    codes = out.run_codes()
    apart = per_run(shared - own, codes)
    of_draws = [_drawn_errors(each, out, labels.codes, labels.names) for each in drawn]
    means = np.array([per_run(row, codes).mean() for row in of_draws[0] - of_draws[1]])
    counts = tuple(len(np.unique(codes[labels.codes == each])) for each in range(len(labels.names)))
    shared_means, own_means = (_by_group(each, labels.codes) for each in (shared, own))
    return HeldOutSharing(
        how, labels.names, counts, shared_means, own_means, difference_interval(apart, means, level=level)
    )


def _by_group(errors: Floats, codes: NDArray[np.int64]) -> Floats:
    return np.bincount(codes, weights=errors) / np.bincount(codes)


def _held_out(panel: PanelFit, how: HoldOut) -> tuple[Mask, Mask]:
    """Rows that are held out, and rows that either panel may have, both (rows,)."""
    groups = groups_of(panel.runs, panel.by)
    held, kept = np.zeros(len(panel.runs), dtype=bool), np.zeros(len(panel.runs), dtype=bool)
    several, fewest = 0, len(panel.law.param_names) + 1
    for name in groups.names:
        rows = groups.rows(name)
        if rows.sum() < fewest:  # no own parameters to compare with
            continue
        kept |= rows
        try:
            (window, *_), _ = split(panel.runs.take(rows), how, fewest=fewest)
        except DataError:
            continue
        held[np.flatnonzero(rows)[window.held]] = True
        several += 1
    count = len(np.unique(panel.runs.run_codes()[held]))
    if several < 2 or count < _FEWEST_HELD:
        raise DataError(
            f"{several} of {len(groups.names)} groups of {panel.runs.source} have runs to hold out ({count} together), "
            "and sharing is compared on four runs of two groups or more; give groups more sizes, or hold out more"
        )
    return held, kept


def _errors(panel: PanelFit, out: Runs, codes: NDArray[np.int64], names: tuple[str, ...]) -> Floats:
    """|L̂/L − 1| up to 1 of the held-out rows, (rows,)."""
    errors = np.empty(len(out))
    for number, name in enumerate(names):
        rows = codes == number
        errors[rows] = capped_errors(
            panel.law.value(panel.of(name), _inputs(panel, out, rows)), out[panel.law.response][rows]
        )
    return errors


def _drawn_errors(drawn: PanelDraws, out: Runs, codes: NDArray[np.int64], names: tuple[str, ...]) -> Floats:
    """The same of every draw, (draws, rows)."""
    law = drawn.panel.law
    errors = np.empty((len(drawn), len(out)))
    for number, name in enumerate(names):
        rows = codes == number
        params = {key: values[:, None] for key, values in drawn.group(name).draws.items()}
        with np.errstate(all="ignore"):
            errors[:, rows] = capped_errors(law.value(params, _inputs(drawn.panel, out, rows)), out[law.response][rows])
    return errors


def _inputs(panel: PanelFit, out: Runs, rows: Mask) -> dict[str, Floats]:
    return {name: out[name][rows] for name in panel.law.input_names}
