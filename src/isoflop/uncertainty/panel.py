"""``bootstrap_panel``: draws of a panel's parameters, its rows resampled within their groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import FitError, IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Estimate
from isoflop.fitting.estimate import summary
from isoflop.fitting.panel import PanelFit, group_params
from isoflop.fitting.panel_search import PanelOptimum, refit_panel
from isoflop.fitting.pooling import pull_of
from isoflop.processes import side_by_side
from isoflop.shown import Shown
from isoflop.uncertainty.blocks import alone, block_weights, named, one_run_findings, single_runs
from isoflop.uncertainty.bootstrap import strata_by_seed
from isoflop.uncertainty.ensemble import Ensemble, Interval, interval_of
from isoflop.uncertainty.flat_ends import inner_starts
from isoflop.uncertainty.hierarchical import pooled
from isoflop.uncertainty.panel_groups import departures, with_known

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK = 100  # draws with one seed, solved together: the unit of work for other processes
TOLERANCE = 1e-7  # 99 of 100 draws end within .4 % of their standard deviation (20 groups of 50, three objectives)
_FEWEST_GROUPS = 3  # groups that show how groups differ
_FEW_RUNS = 5  # runs of a group below which its own intervals are too narrow
_WIDEST = 20.0  # logarithms: an own coordinate further from the others' middle has run away


@dataclass(frozen=True)
class PanelDraws(Shown):
    """Draws of a panel's parameters: one index of draws for all groups, so that groups can be subtracted.

    Attributes
    ----------
    panel :
        What the draws belong to.
    params :
        (draws, groups, parameters) in the units of the runs.
    between :
        Draws of the own coordinates of a group that was not seen, (draws, parameters); shared ones are those of the
        draw. None where fewer than three groups show how groups differ.
    seed, failed, unsettled :
        As :class:`isoflop.Ensemble` has them.
    findings :
        What to know about the draws.

    Examples
    --------
    >>> import isoflop, numpy
    >>> from isoflop.fitting.panel import fit_panel
    >>> from isoflop.uncertainty.panel import bootstrap_panel
    >>> n, k = numpy.meshgrid(numpy.geomspace(1e7, 1e9, 12), [0, 1, 2])
    >>> loss = (1.7 + 0.1 * k + (300 + 100 * k) / n**0.34) * numpy.exp(0.01 * numpy.sin(7 * n + k))
    >>> table = {"N": n.ravel(), "loss": loss.ravel(), "family": [f"f{each}" for each in k.ravel()]}
    >>> panel = fit_panel(isoflop.law("E + A/N^alpha"), isoflop.Runs.from_columns(table), share=["alpha"])
    >>> drawn = bootstrap_panel(panel, draws=40)
    >>> len(drawn), drawn.params.shape
    (40, (40, 3, 3))
    >>> gap = drawn.group("f1").draws["E"] - drawn.group("f0").draws["E"]
    >>> gap.shape
    (40,)
    """

    panel: PanelFit
    params: Floats = field(repr=False)
    between: Floats | None = field(repr=False)
    seed: int
    failed: int = 0
    unsettled: int = 0
    findings: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        return len(self.params)

    def group(self, group: str) -> Ensemble:
        """One group's draws: what forecasts, plans and compares as any ensemble does.

        Parameters
        ----------
        group :
            Its name.

        Returns
        -------
        Ensemble
            The draws of that group, in the order of all groups' draws.

        Raises
        ------
        FitError
            A name that is no group.
        """
        return Ensemble(
            estimate=with_known(self.panel, self.params, group),
            params=self.params[:, self.panel.position(group)],
            method=self.method,
            seed=self.seed,
            failed=self.failed,
            unsettled=self.unsettled,
            findings=self.findings,
        )

    def unseen(self) -> Ensemble:
        """Draws for a group that was not seen: shared parameters of each draw, own ones as groups differ.

        Own coordinates are normal over groups with mean and covariance by maximum likelihood
        (:mod:`isoflop.uncertainty.hierarchical`), pooled ones with the fitted mean and scale. In a forecast the group
        departs from its law as a known group does from its own (:mod:`isoflop.uncertainty.panel_groups`).

        Returns
        -------
        Ensemble
            Of an estimate whose parameters are the middle of the draws.

        Raises
        ------
        FitError
            Fewer than three groups.
        """
        if self.between is None:
            raise FitError(
                f"{len(self.panel.groups)} groups do not show how groups differ, so another one cannot be forecast; "
                f"give {_FEWEST_GROUPS} or more"
            )
        law, ready = self.panel.law, self.panel.ready
        middle = np.median(self.between, axis=0)
        residual = self.panel.residuals
        estimate = Estimate(
            law=law,
            params=dict(zip(law.param_names, (float(each) for each in middle), strict=True)),
            # without rows: model error would tie the parameters to groups that this one is not
            data=replace(summary(law, ready.table, self.panel.runs, residual, space=ready.objective.space), rows=None),
            findings=self.panel.findings,
        )
        return Ensemble(
            estimate=estimate,
            params=self.between,
            method=f"a group drawn as {len(self.panel.groups)} groups differ",
            seed=self.seed,
            findings=self.findings,
            departures=departures(self.panel, self.params),
        )

    def interval(self, name: str, group: str | None = None, *, level: float = 0.9) -> Interval:
        """A parameter of a group with its interval; a shared one needs no group."""
        if name not in self.panel.law.param_names:
            raise IsoflopError(f"{name!r} is no parameter; there are {', '.join(self.panel.law.param_names)}")
        if group is None and name not in self.panel.share:
            raise IsoflopError(f"{name} is each group's own; say of which group")
        row = 0 if group is None else self.panel.position(group)
        column = self.panel.law.param_names.index(name)
        return interval_of(float(self.panel.params[row, column]), self.params[:, row, column], level=level)

    @property
    def method(self) -> str:
        """How the draws came about."""
        return "bootstrap over runs within groups"

    def to_frame(self, table: str | None = None, *, level: float = 0.9) -> pl.DataFrame:
        """A row for each group and parameter: value, ends of its interval, and whether it is shared.

        Parameters
        ----------
        table :
            The name of a table of the summary instead.
        level :
            Of the intervals.

        Returns
        -------
        polars.DataFrame
            With the columns ``group``, ``parameter``, ``value``, ``low``, ``high``, ``level`` and ``shared``.
        """
        if table is not None:
            return super().to_frame(table)
        rows = []
        for group in self.panel.groups:
            for name in self.panel.law.param_names:
                found = self.interval(name, group, level=level)
                rows.append((group, name, found.value, found.low, found.high, level, name in self.panel.share))
        return pl.DataFrame(
            rows, schema=["group", "parameter", "value", "low", "high", "level", "shared"], orient="row"
        ).fill_nan(None)


def bootstrap_panel(
    panel: PanelFit,
    *,
    draws: int = 1_000,
    seed: int = 0,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> PanelDraws:
    """Draws of argmin Σ_g Σ_{i in g} w_i ρ(r_i), w the counts of runs drawn with replacement within each group.

    Every draw resamples all groups at once, so that a shared parameter has one value in a draw. Where the table has
    seeds, each seed's runs are drawn among themselves. A pooled coordinate keeps its fitted scale, and its mean in a
    group is moved by a draw of that scale, which gives the draws of a normal posterior where the law is linear.

    Parameters
    ----------
    panel :
        With its runs.
    draws, seed :
        Number of draws, 20 or more, and the seed of their weights.
    jobs :
        Processes, through joblib; whatever its backend, the draws are the same bytes.
    progress :
        Called with the number of draws finished.

    Returns
    -------
    PanelDraws
        The draws that have an optimum.

    Raises
    ------
    IsoflopError
        Fewer than 20 draws, or too few of them with an optimum.

    Examples
    --------
    >>> import isoflop, numpy
    >>> from isoflop.fitting.panel import fit_panel
    >>> from isoflop.uncertainty.panel import bootstrap_panel
    >>> n, k = numpy.meshgrid(numpy.geomspace(1e7, 1e9, 12), [0, 1, 2])
    >>> loss = (1.7 + 0.1 * k + (300 + 100 * k) / n**0.34) * numpy.exp(0.01 * numpy.sin(7 * n + k))
    >>> table = {"N": n.ravel(), "loss": loss.ravel(), "family": [f"f{each}" for each in k.ravel()]}
    >>> panel = fit_panel(isoflop.law("E + A/N^alpha"), isoflop.Runs.from_columns(table), share=["alpha"])
    >>> drawn = bootstrap_panel(panel, draws=40)
    >>> interval = drawn.interval("alpha", level=0.8)
    >>> interval.low < interval.value < interval.high
    True
    """
    if draws < 20:
        raise IsoflopError(f"{draws} draws make no interval; ask for 20 or more (1000 is usual)")
    inner = tuple(start for _, start in inner_starts(panel))
    plan = _Plan(panel, strata_within_groups(panel), single_runs(panel), seed, draws, inner)
    pieces = []
    for piece in side_by_side(plan.chunk, range(-(-draws // CHUNK)), jobs=jobs):
        pieces.append(piece)
        if progress is not None:
            progress(len(piece.value))
    found = PanelOptimum.joined(pieces)
    good = np.isfinite(found.value)
    failed = int((~good).sum())
    if good.sum() < 20:
        raise IsoflopError(
            f"{failed} of {draws} bootstrap refits failed; the runs do not determine {panel.law.name} in every group"
        )
    found = found.take(good)
    unsettled = int((~found.converged).sum())
    return PanelDraws(
        panel=panel,
        params=group_params(panel.ready, found),
        between=_between(panel, found, seed),
        seed=seed,
        failed=failed,
        unsettled=unsettled,
        findings=_findings(panel, failed, unsettled, draws),
    )


def strata_within_groups(panel: PanelFit) -> tuple[Ints, ...]:
    """Runs that are drawn among themselves: those of a group, and there those of one seed where the table has seeds."""
    ready = panel.ready
    seeds = np.asarray(panel.runs.text("seed"))[ready.order] if "seed" in panel.runs.frame.columns else None
    found: list[Ints] = []
    for first, last in pairwise(ready.bounds.tolist()):
        members, own = np.unique(ready.table.run_codes[first:last], return_inverse=True)
        mine = None if seeds is None else seeds[first:last]
        found += [members[each] for each in strata_by_seed(mine, own.astype(np.int64))]
    return tuple(found)


@dataclass(frozen=True)
class _Plan:
    """Everything a chunk of draws needs; sent whole to another process."""

    panel: PanelFit
    strata: Sequence[Ints]
    curves: Sequence[tuple[int, int, int]]
    seed: int
    draws: int
    inner: Sequence[PanelOptimum] = ()

    def chunk(self, chunk: int) -> PanelOptimum:
        """The optima of one chunk of draws, each begun at the panel's own."""
        ready, pooling = self.panel.ready, self.panel.pooling
        rng = np.random.default_rng([self.seed, chunk])
        count = min(CHUNK, self.draws - chunk * CHUNK)
        counts = np.zeros((count, ready.table.n_runs))
        for runs in self.strata:
            counts[:, runs] = rng.multinomial(len(runs), np.full(len(runs), 1 / len(runs)), size=count)
        weights = counts[:, ready.table.run_codes]
        for first, last, length in self.curves:
            weights[:, first:last] = block_weights(last - first, length, count, rng)
        pull = None
        if pooling is not None:
            offset = rng.standard_normal((count, len(self.panel.groups), len(pooling.scale))) * pooling.scale
            pull = pull_of(ready, pooling.scale, pooling.phi, offset)
        found = refit_panel(ready, repeated(self.panel.optimum, count), weights=weights, pull=pull, tolerance=TOLERANCE)
        for start in self.inner:
            again = refit_panel(ready, repeated(start, count), weights=weights, pull=pull, tolerance=TOLERANCE)
            found = found.merged(np.arange(count), again)
        return found


def repeated(optimum: PanelOptimum, count: int) -> PanelOptimum:
    """The one problem of an optimum, as many times."""
    return optimum.take(np.zeros(count, dtype=np.int64))


def _between(panel: PanelFit, found: PanelOptimum, seed: int) -> Floats | None:
    """Draws of the parameters of a group that was not seen, (draws, parameters)."""
    ready, groups = panel.ready, len(panel.groups)
    own = list(ready.own)
    local = found.local[:, 0].copy()
    if own:
        if groups < _FEWEST_GROUPS:
            return None
        rng = np.random.default_rng([seed, 3])
        mean, spread = _between_groups(panel.optimum.local[0][:, own], found.local[:, :, own])
        root = np.linalg.cholesky(spread + 1e-12 * np.eye(len(own)))
        apart = rng.standard_normal((len(local), len(own))) @ root.T
        # the mean of the groups moves with the draw, as shared parameters do
        middle = mean + found.local[:, :, own].mean(axis=1) - found.local[:, :, own].mean(axis=(0, 1))
        local[:, own] = middle + apart
        if panel.pooling is not None:
            freedom = np.maximum(panel.pooling.determined - 1, 1.0)
            scale = panel.pooling.scale * np.sqrt(freedom / rng.chisquare(freedom, (len(local), len(freedom))))
            at = [own[each] for each in ready.pooled]
            local[:, at] = found.means + rng.standard_normal(scale.shape) * scale
    return np.asarray(ready.coords.to_params(local, ready.kernel.centers))


def _between_groups(theta: Floats, draws: Floats) -> tuple[Floats, Floats]:
    """μ and Σ of own coordinates over groups: theta (groups, q) and its draws (draws, groups, q)."""
    middle = np.median(theta, axis=0)
    near = np.abs(theta - middle).max(axis=1) < _WIDEST
    theta, draws = theta[near], np.clip(draws[:, near], middle - _WIDEST, middle + _WIDEST)
    apart = draws - draws.mean(axis=0)
    errors = np.einsum("dgi,dgj->gij", apart, apart) / max(1, len(draws) - 1)
    return pooled(theta, errors + 1e-9 * np.eye(theta.shape[1]))


def _findings(panel: PanelFit, failed: int, unsettled: int, draws: int) -> tuple[Finding, ...]:
    found = []
    if unsettled > draws / 100:
        found.append(
            Finding(
                "draws-not-converged",
                "warning",
                f"{unsettled} of {draws} bootstrap refits of all groups had not converged at the limit of steps (the "
                "objective is nearly flat): these runs do not determine some combination of parameters in some group.",
                "Share or pool more parameters (--share, --pool), or add runs to the smallest groups.",
            )
        )
    if failed > draws / 100:
        found.append(
            Finding(
                "draws-failed",
                "warning",
                f"{failed} of {draws} bootstrap refits found no finite optimum and are left out of the intervals.",
                "The law may have more parameters than these runs can carry; share, fix or tie some.",
            )
        )
    curves = {panel.groups[at] for at in alone(panel)}
    found += one_run_findings(panel)
    small = [
        name for name, size in zip(panel.groups, panel.n_runs, strict=True) if size < _FEW_RUNS and name not in curves
    ]
    if small and panel.own:
        found.append(
            Finding(
                "few-independent-runs",
                "warning",
                f"{len(small)} of {len(panel.groups)} groups have fewer than {_FEW_RUNS} runs ({named(small)}); from "
                "so few a bootstrap within the group is too narrow.",
                "Add runs, pool their own parameters (--pool), or read their intervals as lower bounds.",
            )
        )
    return tuple(found)
