"""``fit_panel``: one law fitted to the groups of a table at once, parameters shared, own by group, or pooled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import FitError, excerpt
from isoflop.findings import Finding
from isoflop.fitting.fit import fit_at, problem_from_table, settled_law
from isoflop.fitting.objective import Objective, huber
from isoflop.fitting.panel_doubts import panel_findings
from isoflop.fitting.panel_search import PanelOptimum, search, search_apart
from isoflop.fitting.panel_table import PanelProblem, groups_of, panel_problem
from isoflop.fitting.pooling import Pooling, pool_groups
from isoflop.fitting.result import Fit, Search
from isoflop.fitting.solve import Solution
from isoflop.fitting.table import Table
from isoflop.laws import Law
from isoflop.runs import Runs
from isoflop.shown import Shown

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PanelFit(Shown):
    """One law with parameters for each group of a table.

    Attributes
    ----------
    law :
        The law that was fitted to every group.
    by :
        The columns whose values name the groups.
    groups :
        Their names, in order.
    share, pool :
        Parameters that all groups share, and those that are drawn to a mean; all others are each group's own.
    params :
        (groups, parameters) in the units of the runs, in the order of ``law.params``.
    objective :
        ρ and the space of the residuals.
    value :
        The objective at the optimum, summed over the rows of all groups; without what pooling adds.
    values :
        Each group's share of it, (groups,).
    scales :
        σ of each group's residuals where the objective fits one, (groups,), else None.
    n_rows, n_runs :
        Of each group.
    pooling :
        Mean and scale of each pooled coordinate over groups, or None.
    findings :
        What to know about the fit.
    runs :
        The table.
    search :
        The candidates for the shared parameters, and how many ended at the optimum.

    Examples
    --------
    >>> import isoflop, numpy
    >>> from isoflop.fitting.panel import fit_panel
    >>> n, k = numpy.meshgrid(numpy.geomspace(1e7, 1e9, 12), [0, 1, 2])
    >>> loss = 1.7 + 0.1 * k + (300 + 100 * k) / n**0.34
    >>> table = {"N": n.ravel(), "loss": loss.ravel(), "family": [f"f{each}" for each in k.ravel()]}
    >>> panel = fit_panel(isoflop.law("E + A/N^alpha"), isoflop.Runs.from_columns(table), share=["alpha"])
    >>> panel.groups, round(panel.shared["alpha"], 4)
    (('f0', 'f1', 'f2'), 0.34)
    >>> panel.to_frame()["E"].round(4).to_list()
    [1.7, 1.8, 1.9]
    """

    law: Law
    by: tuple[str, ...]
    groups: tuple[str, ...]
    share: tuple[str, ...]
    pool: tuple[str, ...]
    params: Floats = field(repr=False)
    objective: Objective
    value: float
    values: Floats = field(repr=False)
    scales: Floats | None = field(repr=False)
    n_rows: tuple[int, ...] = field(repr=False)
    n_runs: tuple[int, ...] = field(repr=False)
    pooling: Pooling | None = field(repr=False)
    search: Search = field(repr=False)
    findings: tuple[Finding, ...] = ()
    runs: Runs = field(repr=False, compare=False)
    ready: PanelProblem = field(repr=False, compare=False)
    optimum: PanelOptimum = field(repr=False, compare=False)

    def __repr__(self) -> str:
        shared = ", ".join(f"{name}={value:.4g}" for name, value in self.shared.items()) or "nothing shared"
        return f"PanelFit({self.law.name}: {len(self.groups)} groups by {', '.join(self.by)}; {shared})"

    @property
    def shared(self) -> dict[str, float]:
        """The shared parameters, name → value."""
        names = self.law.param_names
        return {name: float(self.params[0, names.index(name)]) for name in self.share}

    @property
    def own(self) -> tuple[str, ...]:
        """The parameters that each group has for itself, pooled ones among them."""
        return tuple(name for name in self.law.param_names if name not in self.share)

    @property
    def residuals(self) -> Floats:
        """Measured − fitted of every row, in the space of the objective and the order of the groups, (rows,)."""
        kernel, bounds = self.ready.kernel, self.ready.bounds
        fitted = np.empty(len(self.ready.target))
        for number, (first, last) in enumerate(pairwise(bounds.tolist())):
            theta = self.optimum.local[0, number : number + 1]
            width = kernel.tile_rows(1)
            for start in range(first, last, width):
                stop = min(start + width, last)
                fitted[start:stop] = kernel.value(theta, start, stop)[0]
        return self.ready.target - fitted

    def position(self, group: str) -> int:
        """Where a group stands; FitError for a name that is none."""
        if group not in self.groups:
            few = ", ".join(self.groups[:8]) + (" …" if len(self.groups) > 8 else "")
            raise FitError(f"{excerpt(group)} is no group of this panel; there are {few}")
        return self.groups.index(group)

    def of(self, group: str) -> dict[str, float]:
        """The parameters of one group, name → value; FitError for a name that is no group."""
        row = self.params[self.position(group)]
        return {name: float(each) for name, each in zip(self.law.param_names, row, strict=True)}

    def group(self, group: str) -> Fit:
        """The fit as one group has it, with the group's runs: what predicts, forecasts and plans for it.

        Parameters
        ----------
        group :
            Its name.

        Returns
        -------
        Fit
            Parameters of the panel, residuals of the group.

        Raises
        ------
        FitError
            A name that is no group.
        """
        number = self.position(group)
        runs = self.runs.take(self.ready.groups.rows(group))
        runs = replace(runs, source=f"{runs.source}, {', '.join(self.by)} {group}")
        own = problem_from_table(self.law, group_table(self.ready, number), objective=self.objective)
        theta = own.coords.from_params(self.params[number : number + 1], own.kernel.centers)
        at = Solution(
            theta,
            self.optimum.scale[0, number : number + 1],
            self.values[number : number + 1],
            np.zeros(1, dtype=np.int64),
            np.ones(1, dtype=bool),
        )
        return replace(fit_at(own, runs, at, seed=self.search.seed), search=self.search, findings=self.findings)

    def to_frame(self, table: str | None = None) -> pl.DataFrame:
        """A row for each group: its name, its rows, and its parameters, shared ones repeated.

        Parameters
        ----------
        table :
            The name of a table of the summary instead.

        Returns
        -------
        polars.DataFrame
            With the columns ``group``, ``rows`` and the names of the parameters, or those of ``table``.
        """
        if table is not None:
            return super().to_frame(table)
        columns = {name: self.params[:, at] for at, name in enumerate(self.law.param_names)}
        return pl.DataFrame({"group": list(self.groups), "rows": list(self.n_rows), **columns})


def fit_panel(
    law: Law,
    runs: Runs,
    *,
    by: str | Sequence[str] = "family",
    share: Sequence[str] = (),
    pool: Sequence[str] = (),
    objective: Objective | None = None,
    starts: int = 64,
    seed: int = 0,
) -> PanelFit:
    """argmin Σ_g Σ_{i in g} ρ(residual_i; s, o_g): parameters s shared by all groups g, and o_g of each group.

    One solve for all groups: a step costs one small system for each group and one for the shared parameters. It begins
    at the groups' own fits, with shared parameters of the whole table's fit, of the groups' median and of several
    groups; the best end is kept. A pooled parameter is a random effect on its fitting coordinate (a logarithm for what
    is positive, amplitudes at the middle of the data), whose scale is estimated (:mod:`isoflop.fitting.pooling`).

    Parameters
    ----------
    law :
        Its inputs are columns of ``runs``, or prepared from them.
    runs :
        The table, a row each run or checkpoint.
    by :
        The column that names the groups, or several, whose combinations do.
    share, pool :
        Names of parameters that all groups share, and of those that are drawn to a mean; all others are each group's.
    objective :
        As :func:`isoflop.fit` takes it; a Student-t has a σ for each group unless everything is shared.
    starts, seed :
        Of the search.

    Returns
    -------
    PanelFit
        With parameters for each group, and findings.

    Raises
    ------
    DataError
        A column is missing or has missing cells, or holds values outside its domain.
    FitError
        A name that is no parameter, a group with fewer rows than parameters of its own, or no finite objective.

    Examples
    --------
    >>> import isoflop, numpy
    >>> from isoflop.fitting.panel import fit_panel
    >>> n, k = numpy.meshgrid(numpy.geomspace(1e7, 1e9, 12), [0, 1, 2])
    >>> loss = 1.7 + 0.1 * k + (300 + 100 * k) / n**0.34
    >>> table = {"N": n.ravel(), "loss": loss.ravel(), "family": [f"f{each}" for each in k.ravel()]}
    >>> runs = isoflop.Runs.from_columns(table)
    >>> fit_panel(isoflop.law("E + A/N^alpha"), runs, share=["alpha"]).own
    ('E', 'A')
    """
    objective = huber() if objective is None else objective
    columns = (by,) if isinstance(by, str) else tuple(by)
    groups = groups_of(runs, columns)
    open_constants = law.searched
    law, settled = settled_law(law, runs, objective, starts, seed)
    ready = panel_problem(law, runs, groups, objective, share, pool)
    found = (search if ready.share else search_apart)(ready, starts=starts, seed=seed)
    pooling = None
    searched = found
    if ready.pool:
        found, pooling = pool_groups(ready, found)
    search_told = Search(
        searched.tried,
        searched.reached,
        seed,
        constants=tuple(each.name for each in open_constants if each.name in law.fixed),
        engine=engine_of(objective),
    )
    return made_panel(ready, found, pooling, search_told, findings=settled)


def made_panel(
    ready: PanelProblem,
    found: PanelOptimum,
    pooling: Pooling | None,
    search: Search,
    *,
    findings: tuple[Finding, ...] = (),
) -> PanelFit:
    """The result at an optimum (one problem)."""
    values = group_values(ready, found)[0]
    params = group_params(ready, found)[0]
    counts = [np.unique(ready.table.run_codes[a:b]).size for a, b in pairwise(ready.bounds)]
    panel = PanelFit(
        law=ready.law,
        by=ready.groups.by,
        groups=ready.groups.names,
        share=ready.share,
        pool=ready.pool,
        params=params,
        objective=ready.objective,
        value=float(values.sum()),
        values=values,
        scales=np.exp(found.scale[0]) if ready.objective.fits_scale else None,
        n_rows=tuple(int(each) for each in np.diff(ready.bounds)),
        n_runs=tuple(counts),
        pooling=pooling,
        search=search,
        runs=ready.runs,
        ready=ready,
        optimum=found,
    )
    return replace(panel, findings=(*findings, *panel_findings(panel)))


def group_params(ready: PanelProblem, found: PanelOptimum) -> Floats:
    """Parameters in the units of the runs, (problems, groups, parameters)."""
    count, groups, k = found.local.shape
    params = ready.coords.to_params(found.local.reshape(-1, k), ready.kernel.centers)
    return np.asarray(params.reshape(count, groups, k))


def group_values(ready: PanelProblem, found: PanelOptimum) -> Floats:
    """Each group's share of the objective, (problems, groups)."""
    count, groups, k = found.local.shape
    pairs = ready.each_group(np.zeros(count * groups, dtype=np.int64), np.tile(np.arange(groups), count))
    theta = found.local.reshape(-1, k)
    if not ready.objective.smooth:
        value = pairs.absolute_sum(theta)
    else:
        index, newton = np.arange(len(theta)), np.ones(len(theta), dtype=bool)
        value, _, _ = pairs.normal_equations(theta, found.scale.ravel(), index, newton)
    return np.asarray(value.reshape(count, groups))


def group_table(ready: PanelProblem, number: int) -> Table:
    """The checked rows of one group, in the order of the runs."""
    rows = np.arange(ready.bounds[number], ready.bounds[number + 1])
    _, codes = np.unique(ready.table.run_codes[rows], return_inverse=True)
    return replace(ready.table.take(rows), run_codes=codes.astype(np.int64))


def engine_of(objective: Objective) -> str:
    """The engine on which an objective is fitted."""
    from isoflop.fitting.native import engine

    return "numpy" if objective.native is None else engine()
