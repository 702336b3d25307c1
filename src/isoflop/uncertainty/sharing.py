"""``sharing_test``: whether groups share what a panel lets them share, and which groups and parameters differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError, IsoflopError, excerpt
from isoflop.findings import Finding
from isoflop.fitting.grouped import Pull
from isoflop.fitting.panel import PanelFit, made_panel
from isoflop.fitting.panel_search import PanelOptimum, refit_panel
from isoflop.fitting.panel_table import PanelProblem
from isoflop.fitting.pooling import pull_of
from isoflop.shown import Shown
from isoflop.special import special
from isoflop.uncertainty.panel import TOLERANCE, repeated
from isoflop.uncertainty.sharing_tables import simulated_targets
from isoflop.values import Value

Floats = NDArray[np.float64]
Method = Literal["bootstrap", "likelihood-ratio"]

LEVEL = 0.1  # of the finding
FEWEST_LEFT = 3  # degrees of freedom that own parameters must leave, or nothing shows how large chance is
MOST_REFITS = 150_000  # simulated tables times groups, of one set of parameters made own: a few seconds
_FEWEST_TABLES = 39
_NAMED = 5


@dataclass(frozen=True)
class ParameterSharing(Value):
    """Whether one shared parameter is equal in all groups, tested with the others still shared.

    Attributes
    ----------
    name :
        The parameter.
    statistic, p_value :
        By how much its being each group's own improves the objective, and how often chance does as well.
    values :
        Its value in each group when it is each group's own, (groups,).
    group_p :
        For each group, how often chance alone makes some group differ as much from the others' mean, (groups,).
    """

    name: str
    statistic: float
    p_value: float
    values: Floats = field(repr=False)
    group_p: Floats = field(repr=False)


@dataclass(frozen=True)
class SharingTest(Shown):
    """Whether groups share all that a panel lets them share.

    Attributes
    ----------
    panel :
        The fit that was tested.
    statistic :
        F(shared) − F(own), the objective's improvement when every shared parameter is each group's own.
    p_value :
        How often chance improves it as much where the groups do share.
    freedom :
        How many more parameters that is.
    method :
        ``likelihood-ratio``, or ``bootstrap``: residuals of the shared fit with random signs, refitted both ways.
    each :
        The same for each shared parameter alone.
    rest :
        Where sharing is rejected: the test of what is still shared once the parameter that differs most is own.
    draws, seed, level :
        Simulated tables, their seed, and the level of the finding.
    findings :
        ``sharing-rejected`` where the p-value lies below the level.
    """

    panel: PanelFit = field(repr=False)
    statistic: float
    p_value: float
    freedom: int
    method: Method
    each: tuple[ParameterSharing, ...]
    rest: SharingTest | None = field(repr=False, default=None)
    draws: int = 0
    seed: int = 0
    level: float = LEVEL
    findings: tuple[Finding, ...] = ()

    @property
    def rejected(self) -> bool:
        """Whether the p-value lies below the level."""
        return self.p_value < self.level

    @property
    def own(self) -> tuple[str, ...]:
        """The parameters that have to be each group's own until the rest is not rejected, the most different first."""
        if not self.rejected or not self.each:
            return ()
        return (_most_different(self).name, *(() if self.rest is None else self.rest.own))

    def differing(self, name: str) -> tuple[str, ...]:
        """The groups in which a parameter differs from the others at the level."""
        found = next((one for one in self.each if one.name == name), None)
        if found is None:
            raise IsoflopError(f"{excerpt(name)} is not shared; there are {', '.join(one.name for one in self.each)}")
        return tuple(g for g, p in zip(self.panel.groups, found.group_p, strict=True) if p < self.level)


def freedom_left(panel: PanelFit) -> int:
    """Rows less parameters where nothing is shared, over the groups that have more rows than parameters."""
    return int(np.maximum(np.array(panel.n_rows) - len(panel.law.param_names), 0).sum())


def affordable(panel: PanelFit, draws: int) -> tuple[int, bool]:
    """How many tables to simulate, at most ``draws``, and whether parameters can be tested one at a time as well."""
    groups = len(panel.groups)
    tables = min(draws, max(_FEWEST_TABLES, MOST_REFITS // groups))
    sets = len(panel.share) + 1 if len(panel.share) > 1 else 1
    return tables, sets * tables * groups <= 2 * MOST_REFITS


def sharing_test(
    panel: PanelFit,
    *,
    draws: int = 199,
    seed: int = 0,
    level: float = LEVEL,
    method: Method | None = None,
    parameters: bool = True,
) -> SharingTest:
    """T = F(shared) − F(own): how much better own parameters fit than shared ones, and how often chance does as well.

    ``likelihood-ratio``: for squares (T/f)/(F(own)/(n − k)) against Fisher's F, exact where the law is linear; for a
    Student-t 2T(n − k)/n against χ². It takes rows for independent and, for squares, alike in scatter. ``bootstrap``:
    tables are made from the shared fit and its own residuals, each run's with a random sign, and widened for the
    parameters that were fitted; T of each is compared with T of the runs, so that groups may differ in scatter and
    checkpoints of one run may err together.

    Parameters
    ----------
    panel :
        A fit with shared parameters and two or more groups.
    draws, seed :
        Simulated tables, 19 or more, and their seed.
    level :
        Of the finding.
    method :
        By default the likelihood ratio for an objective that is a likelihood where every row is a run, the bootstrap
        otherwise.
    parameters :
        Whether each shared parameter is tested alone too, and its groups.

    Returns
    -------
    SharingTest
        With p-values, and a finding where sharing is rejected.

    Raises
    ------
    FitError
        Nothing is shared, or one group.
    IsoflopError
        Fewer than 19 draws.

    Examples
    --------
    >>> import isoflop, numpy
    >>> from isoflop.fitting.panel import fit_panel
    >>> from isoflop.uncertainty.sharing import sharing_test
    >>> n, k = numpy.meshgrid(numpy.geomspace(1e7, 1e9, 12), [0, 1, 2])
    >>> loss = (1.7 + 0.1 * k + 300 / n ** (0.3 + 0.1 * k)) * numpy.exp(0.001 * numpy.sin(7 * n + k))
    >>> table = {"N": n.ravel(), "loss": loss.ravel(), "family": [f"f{each}" for each in k.ravel()]}
    >>> panel = fit_panel(isoflop.law("E + A/N^alpha"), isoflop.Runs.from_columns(table), share=["alpha"])
    >>> sharing_test(panel, draws=39).p_value < 0.05
    True

    Source: Cameron, Gelbach and Miller 2008 for random signs by cluster under the restricted fit.
    """
    if not panel.share:
        raise FitError("this panel shares nothing, so there is no sharing to test; name parameters to share (--share)")
    if len(panel.groups) < 2:
        raise FitError("one group shares with no other; name a column that tells groups apart (--by)")
    if freedom_left(panel) < FEWEST_LEFT:
        raise FitError(
            f"groups of {max(panel.n_rows)} rows or fewer are fitted exactly when {len(panel.law.param_names)} "
            "parameters are each group's own, so nothing shows what chance does; give groups more runs, or fix "
            "parameters (--fix)"
        )
    if draws < 19:
        raise IsoflopError(f"{draws} draws make no p-value; ask for 19 or more (199 is usual)")
    by_run = panel.ready.table.n_runs < len(panel.ready.target)
    if method is None:
        weighted = panel.ready.table.weights is not None
        method = "likelihood-ratio" if panel.objective.likelihood and not by_run and not weighted else "bootstrap"
    frees: list[tuple[str, ...]] = [panel.share]
    if parameters and len(panel.share) > 1:
        frees += [(name,) for name in panel.share]
    simulated = method == "bootstrap" or parameters
    found = _compare(panel, frees, draws if simulated else 0, seed)
    extra = len(panel.groups) - 1
    p_values = []
    for free, one in zip(frees, found, strict=True):
        if method == "bootstrap":
            as_good = int((one.chance >= one.statistic * (1 - 1e-9)).sum())
            p_values.append((1 + as_good) / (1 + len(one.chance)))
        else:
            p_values.append(_likelihood_p(panel, one.statistic, float(one.own.value[0]), extra * len(free)))
    each: tuple[ParameterSharing, ...] = ()
    if parameters:
        alone = found[1:] if len(frees) > 1 else found
        each = tuple(
            _of_parameter(panel, name, one, p)
            for name, one, p in zip(panel.share, alone, p_values[1:] or p_values, strict=True)
        )
    test = SharingTest(
        panel=panel,
        statistic=found[0].statistic,
        p_value=p_values[0],
        freedom=extra * len(panel.share),
        method=method,
        each=each,
        draws=draws if simulated else 0,
        seed=seed,
        level=level,
    )
    if test.rejected and len(each) > 1:
        freed = next(one for free, one in zip(frees, found, strict=True) if free == (_most_different(test).name,))
        rest = made_panel(freed.ready, freed.own, panel.pooling, panel.search)
        test = replace(test, rest=sharing_test(rest, draws=draws, seed=seed, level=level, method=method))
    return replace(test, findings=_findings(test))


def _most_different(test: SharingTest) -> ParameterSharing:
    """The parameter whose sharing is least likely; of two alike, the one that improves the objective more."""
    return min(test.each, key=lambda one: (one.p_value, -one.statistic))


@dataclass(frozen=True)
class _Freed:
    """What freeing some parameters did: T of the runs, T of simulated tables, and the freed optimum of the runs.

    coordinates: of the freed parameters in each group, of the runs (1, groups, freed) and of tables after them.
    """

    statistic: float
    chance: Floats
    own: PanelOptimum
    coordinates: Floats
    ready: PanelProblem


def _compare(panel: PanelFit, frees: Sequence[tuple[str, ...]], draws: int, seed: int) -> list[_Freed]:
    """For each set of freed parameters: how much better the runs, and simulated tables, are fitted."""
    ready, pooling = panel.ready, panel.pooling
    pull = None if pooling is None else pull_of(ready, pooling.scale, pooling.phi)
    wide = [ready.sharing([name for name in ready.share if name not in free]) for free in frees]
    groups = len(panel.groups)

    def both(target: Floats | None, count: int) -> tuple[Floats, list[PanelOptimum]]:
        """The shared value of each table, and the freed optima, each begun at the shared one."""
        tolerance = 1e-10 if target is None else TOLERANCE
        shared = refit_panel(ready, repeated(panel.optimum, count), target=target, pull=pull, tolerance=tolerance)
        params = ready.coords.to_params(shared.local.reshape(count * groups, -1), ready.kernel.centers)
        ends = []
        for one in wide:
            local = one.coords.from_params(params, one.kernel.centers).reshape(shared.local.shape)
            mine = None if pull is None else Pull(one.pooled, pull.weight)
            begin = replace(shared, local=local)
            ends.append(refit_panel(one, begin, target=target, pull=mine, tolerance=tolerance))
        return shared.value, ends

    value, ends = both(None, 1)
    statistics = [float(value[0] - end.value[0]) for end in ends]
    chance: list[list[Floats]] = [[] for _ in frees]
    coordinates = [[_freed(one, free, end)] for one, free, end in zip(wide, frees, ends, strict=True)]
    for target in simulated_targets(panel, draws=draws, seed=seed):
        drawn, refits = both(target, len(target))
        for place, (one, free, end) in enumerate(zip(wide, frees, refits, strict=True)):
            chance[place].append(drawn - end.value)
            coordinates[place].append(_freed(one, free, end))
    return [
        _Freed(
            max(statistics[place], 0.0),
            np.concatenate(chance[place]) if chance[place] else np.empty(0),
            ends[place],
            np.concatenate(coordinates[place]),
            wide[place],
        )
        for place in range(len(frees))
    ]


def _freed(ready: PanelProblem, free: Sequence[str], found: PanelOptimum) -> Floats:
    """The freed coordinates of each group, (problems, groups, freed)."""
    return found.local[:, :, [ready.coords.names.index(name) for name in free]]


def _likelihood_p(panel: PanelFit, statistic: float, value: float, freedom: int) -> float:
    """The chance of a likelihood ratio as large, for objectives that are likelihoods."""
    rows = len(panel.ready.target)
    fitted = len(panel.ready.shared) + len(panel.groups) * len(panel.ready.own) + freedom
    left = max(1, rows - fitted)
    if not panel.objective.likelihood:
        raise FitError(f"{panel.objective.name} is no likelihood; test sharing with method='bootstrap'")
    statistic = max(0.0, statistic)
    if panel.objective.fits_scale:
        return float(special.chdtrc(freedom, 2 * statistic * left / rows))
    if value <= 0:
        return 0.0 if statistic > 0 else 1.0
    return float(special.fdtrc(freedom, left, statistic / freedom / (value / left)))


def _of_parameter(panel: PanelFit, name: str, found: _Freed, p_value: float) -> ParameterSharing:
    """A parameter's values by group, and how unusual each group's is among simulated tables."""
    ready, groups = found.ready, len(panel.groups)
    theta = found.coordinates[:, :, 0]
    params = ready.coords.to_params(found.own.local[0], ready.kernel.centers)
    values = params[:, ready.coords.names.index(name)]
    if len(theta) < 3:
        return ParameterSharing(name, found.statistic, p_value, values, np.full(groups, math.nan))
    spread = np.maximum(theta[1:].std(axis=0, ddof=1), 1e-12)
    weight = 1 / spread**2
    share = weight / weight.sum()
    # each group against the weighted mean of the others
    others = ((theta @ share)[:, None] - theta * share) / np.maximum(1 - share, 1e-12)
    apart = theta - others
    size = np.abs(apart) / np.maximum(apart[1:].std(axis=0, ddof=1), 1e-12)
    largest = size[1:].max(axis=1)
    group_p = (1 + (largest[:, None] >= size[0]).sum(axis=0)) / (1 + len(largest))
    return ParameterSharing(name, found.statistic, p_value, values, group_p)


def _findings(test: SharingTest) -> tuple[Finding, ...]:
    if not test.rejected:
        return ()
    panel, how = test.panel, test.method.replace("-", " ")
    told, step = [], test
    while step is not None and step.rejected and step.each:
        told.append(_told(step))
        if step.rest is None:
            break
        step = step.rest
    left = (
        "" if step is test or step.rejected else f"; {_listed(step.panel.share)} may be shared (p = {step.p_value:.2g})"
    )
    return (
        Finding(
            "sharing-rejected",
            "warning",
            f"the groups do not share {_listed(panel.share)} (p = {test.p_value:.2g}, {how})"
            + (f": they differ in {' and in '.join(told)}{left}." if told else "."),
            "Leave what differs out of --share, pool it (--pool), or fit the groups that differ apart (--where).",
        ),
    )


def _told(test: SharingTest) -> str:
    """The parameter that differs most, and where."""
    one = _most_different(test)
    groups = [(g, v) for g, v, p in zip(test.panel.groups, one.values, one.group_p, strict=True) if p < test.level]
    named = ", ".join(f"{v:.3g} in {g}" for g, v in groups[:_NAMED])
    more = f" and {len(groups) - _NAMED} more" if len(groups) > _NAMED else ""
    shared = test.panel.shared[one.name]
    return f"{one.name} ({named}{more}, against {shared:.3g} shared)" if groups else f"{one.name}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
