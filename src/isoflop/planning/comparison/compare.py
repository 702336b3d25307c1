"""``compare_groups``: which group is better at which scale, by how much, and whether they cross."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError, choices, excerpt
from isoflop.findings import Finding
from isoflop.fitting import Fit, Objective, fit, squares
from isoflop.laws import Law
from isoflop.planning.comparison.along import along
from isoflop.planning.comparison.crossing import Crossing, crossing
from isoflop.planning.comparison.curves import BEYOND, Curves
from isoflop.planning.comparison.doubts import comparison_findings
from isoflop.planning.comparison.equality import Equality, equality
from isoflop.planning.comparison.gap import AtScales, Gap, Scale, at_scales, gap, scales
from isoflop.planning.comparison.groups import (
    SIMPLEST,
    Better,
    Group,
    better_of,
    default_law,
    large_enough,
    with_compute,
)
from isoflop.planning.comparison.multiplier import Multiplier, multiplier
from isoflop.planning.comparison.parameters import ParameterDifference, parameter_differences
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import Interval, check_level
from isoflop.uncertainty.joint_bootstrap import joint_bootstrap
from isoflop.uncertainty.prior import Prior
from isoflop.uncertainty.quantiles import finite_quantiles
from isoflop.values import Value

Floats = NDArray[np.float64]

MOST_PAIRED = 6  # groups of which every pair is asked for its crossing; of more, each with the reference


@dataclass(frozen=True)
class Lead(Value):
    """The comparison in short, at the largest x that was asked, or that runs of all groups reach.

    leader: the group that is best there in most draws, with its probability; other: the next. ahead: the share of draws
    in which the leader is better than the other. advantage: by how much
    the leader's response is better, above zero where it is. multiplier: how much more x the other needs there for what
    the leader reaches; infinite where it does not reach it. probability_with_error, with_error: the first two with the
    model error of each law, paired as residuals of shared configurations are; None without runs. crossing: of the two.
    """

    x: float
    leader: str
    other: str
    probability: float
    ahead: float
    advantage: Interval
    probability_with_error: float | None
    with_error: Interval | None
    multiplier: Interval
    crossing: Crossing


@dataclass(frozen=True)
class Comparison(Shown):
    """Groups compared along x.

    groups, fits: those compared, and the law of each. curves: the laws with their joint draws. reference: the group
    with which the others are compared. better: whether lower or higher responses are. scales: all groups at each x that
    was asked. gaps: each group minus the reference at each of these. crossings: pairs of groups. multipliers: of each
    other group, on the grid of the curves; multipliers_at: at the x that was asked. parameters: differences to the
    reference. equality: tests that a parameter is the same in all groups, None for more than twelve groups.
    bands: low, value and high of each group's response on the grid, (groups, 3, x). lead: who is best where, in short.
    """

    groups: tuple[Group, ...]
    fits: tuple[Fit, ...]
    curves: Curves = field(repr=False)
    reference: str
    better: Better
    response: str
    level: float
    scales: tuple[Scale, ...]
    gaps: tuple[Gap, ...]
    crossings: tuple[Crossing, ...]
    multipliers: tuple[Multiplier, ...] = field(repr=False)
    multipliers_at: tuple[Multiplier, ...]
    parameters: tuple[ParameterDifference, ...]
    equality: Equality | None
    bands: Floats = field(repr=False)
    lead: Lead
    findings: tuple[Finding, ...]

    @property
    def paired(self) -> bool:
        """Whether configurations that groups share were resampled together."""
        return self.curves.joint.paired

    @property
    def names(self) -> tuple[str, ...]:
        """The groups' names, the reference first."""
        return self.curves.names

    def between(self, first: str, second: str) -> Crossing | None:
        """The crossing of two groups, in either order; None where that pair was not asked."""
        return next((each for each in self.crossings if {each.first, each.second} == {first, second}), None)


def compare_groups(
    groups: Sequence[Group],
    *,
    law: Law | None = None,
    x: str | None = None,
    at: Mapping[str, Sequence[float]] | None = None,
    reference: str | None = None,
    response: str = "loss",
    better: Better | None = None,
    objective: Objective | None = None,
    paired: bool | None = None,
    draws: int = 1_000,
    level: float = 0.9,
    starts: int = 64,
    seed: int = 0,
    prior: Prior | None = None,
    progress: Callable[[int], None] | None = None,
) -> Comparison:
    """Fit one law to every group, draw all of them together, and compare the curves along x.

    Intervals are those of differences between curves over joint draws, if the laws hold; gaps have a second one with
    the model error of each law.

    Parameters
    ----------
    groups :
        Two or more, of :func:`groups_by` or :func:`groups_of`.
    law :
        Fitted to each group alone; by default a power law with a floor in x, or in N and D where every group varies
        both, whose budgets are then compared.
    x :
        Along which groups are compared: an input of the law, or C for a law of N and D. The law's own by default.
    at :
        The x at which gaps and multipliers are told, as ``{"C": [1e21, 1e22]}``, and values of inputs that are held; by
        default the smallest and the largest x of runs of all groups, and ten times the largest.
    reference :
        The group with which the others are compared; the first by default.
    response, better :
        The column that a default law predicts, and whether lower or higher is better: by the column's name.
    objective :
        Least squares of log response by default, under which noise that groups share cancels.
    paired :
        See :func:`isoflop.uncertainty.joint_bootstrap.joint_bootstrap`.
    draws, level, starts, seed :
        Of the draws, the intervals, and the search.
    prior :
        Of the model error; the shipped one by default.
    progress :
        Called with the number of refits finished.

    Returns
    -------
    Comparison
        Gaps, probabilities, crossings, multipliers, parameters and findings.

    Raises
    ------
    IsoflopError, DataError
        Fewer than two groups that are large enough, an unknown reference or x, a constant response.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.planning.comparison import compare_groups, groups_by
    >>> x = [1e18 * 2**k for k in range(10)] * 2
    >>> loss = [(2 if k < 10 else 1.9) + (c / 1e18) ** -0.3 for k, c in enumerate(x)]
    >>> noisy = [each * (1 + 0.002 * (-1) ** (k // 2)) for k, each in enumerate(loss)]
    >>> runs = isoflop.Runs.from_columns({"C": x, "loss": noisy, "recipe": ["a"] * 10 + ["b"] * 10})
    >>> groups, _ = groups_by(runs, "recipe")
    >>> found = compare_groups(groups, draws=100)
    >>> found.scales[-1].best
    (0.0, 1.0)
    """
    check_level(level)
    if len(groups) < 2:
        raise DataError("a comparison needs two groups or more; name a column with --by, or give two tables")
    prepared = [Group(each.name, with_compute(each.runs)) for each in groups]
    some: tuple[Group, ...] = tuple(prepared)
    left_out: tuple[Finding, ...] = ()
    if law is None:
        _check_response(prepared, response)
        some, few = large_enough(prepared, SIMPLEST)
        law, some, still = default_law(some, x=x, response=response, held=[name for name in at or {} if name != x])
        left_out = (*few, *still)
    response = law.response
    _check_response(some, response)
    kept, dropped = large_enough(some, len(law.params))
    kept = _ordered(kept, reference, prepared)
    objective = squares() if objective is None else objective
    _check_domain(at or {}, law)
    asked = {name: tuple(values) for name, values in (at or {}).items()}
    way = along(law, x=x, held=_held(asked, x, law), tables=[each.runs for each in kept])
    fits = tuple(fit(law, each.runs, objective=objective, starts=starts, seed=seed) for each in kept)
    _check_finite(kept, fits)
    joint = joint_bootstrap(fits, draws=draws, seed=seed, paired=paired, progress=progress)
    curves = Curves(tuple(each.name for each in kept), joint, way, better or better_of(response, kept[0].runs))
    points = np.array(sorted(set(asked.get(way.x, ()))) or _usual(curves))
    there = at_scales(curves, points, prior=prior, seed=seed)
    others = range(1, len(kept))
    pairs = (
        [(g, h) for g in range(len(kept)) for h in range(g + 1, len(kept))]
        if len(kept) <= MOST_PAIRED
        else [(0, other) for other in others]
    )
    crossings = tuple(crossing(curves, g, h, level=level) for g, h in pairs)
    grid = curves.grid
    return Comparison(
        groups=tuple(kept),
        fits=fits,
        curves=curves,
        reference=kept[0].name,
        better=curves.better,
        response=response,
        level=level,
        scales=scales(there, level=level),
        gaps=tuple(gap(there, place, other, 0, level=level) for other in others for place in range(len(points))),
        crossings=crossings,
        multipliers=tuple(multiplier(curves, other, 0, grid[::4], level=level) for other in others),
        multipliers_at=tuple(multiplier(curves, other, 0, points, level=level) for other in others),
        parameters=tuple(each for other in others for each in parameter_differences(curves, other, 0, level=level)),
        equality=equality(kept, law, objective, level=level, starts=starts, seed=seed),
        bands=_bands(curves, level),
        lead=_lead(there, len(points) - 1 if way.x in asked else _shared_top(curves, points), level),
        findings=(*left_out, *dropped, *comparison_findings(curves, kept, crossings, level=level)),
    )


def _held(asked: Mapping[str, Sequence[float]], x: str | None, law: Law) -> dict[str, float]:
    """The inputs of ``at`` that are held; raises IsoflopError for one with several values."""
    names = law.input_names
    moving = x or (names[0] if len(names) == 1 else "C" if set(names) == {"N", "D"} else "")
    held = {}
    for name, values in asked.items():
        if name == moving:
            continue
        if len(values) != 1:
            raise IsoflopError(
                f"{name} is held while {moving or 'x'} varies, so --at gives it one value, not {len(values)}"
            )
        held[name] = float(values[0])
    return held


def _check_domain(asked: Mapping[str, Sequence[float]], law: Law) -> None:
    """Raises IsoflopError for a scale that the law's input cannot have."""
    domains = {"C": "positive", **{each.name: each.domain for each in law.inputs}}
    for name, values in asked.items():
        for value in values:
            least = {"positive": value > 0, "nonnegative": value >= 0}.get(domains.get(name, "real"), True)
            if not (np.isfinite(value) and least):
                positive = domains.get(name) == "positive"
                above = "above 0" if positive else "at least 0" if domains.get(name) == "nonnegative" else "finite"
                raise IsoflopError(
                    f"groups are compared at {name} {above}, not at {value:g}; give another --at {name}=…"
                )


def _check_response(groups: Sequence[Group], response: str) -> None:
    for each in groups:
        values = each.runs[response]
        known = values[np.isfinite(values)]
        if len(known) > 1 and np.ptp(known) == 0:
            raise DataError(
                f"{response} is {known[0]:g} in every run of {excerpt(each.name)}, so nothing scales there; leave the "
                "group out (--where), or name another response (--response)"
            )


def _check_finite(groups: Sequence[Group], fits: Sequence[Fit]) -> None:
    """Raises DataError for a parameter that is too large for a number, of which no curve can be computed."""
    for each, fitted in zip(groups, fits, strict=True):
        along_x = fitted.law.input_names[0]
        for name, value in fitted.params.items():
            if not np.isfinite(value):
                raise DataError(
                    f"{name} of {excerpt(each.name)} is too large for a number, since the group's "
                    f"{fitted.law.response} hardly depends on {along_x}; leave the group out (--only), or give another "
                    f'law without {name} (--law "A/{along_x}^alpha")'
                )


def _ordered(kept: Sequence[Group], reference: str | None, asked: Sequence[Group]) -> tuple[Group, ...]:
    """The reference first."""
    names = [each.name for each in kept]
    if reference is None:
        return tuple(kept)
    if reference not in names:
        why = "has too few runs" if reference in [each.name for each in asked] else "is no group"
        raise IsoflopError(f"{excerpt(reference)} {why}; --reference is one of {choices(names, bare=True)}")
    return (kept[names.index(reference)], *(each for each in kept if each.name != reference))


def _usual(curves: Curves) -> list[float]:
    """Both ends of the x of runs of all groups, and ten times the largest of any."""
    low, high = float(curves.ranges[:, 0].max()), float(curves.ranges[:, 1].min())
    top = float(curves.ranges[:, 1].max())
    return [low, high, top * BEYOND] if low < high else [top, top * BEYOND]


def _shared_top(curves: Curves, points: Floats) -> int:
    """The place among the usual x of the largest that runs of all groups reach, else of the largest run."""
    return len(points) - 2


def _lead(there: AtScales, place: int, level: float) -> Lead:
    curves = there.curves
    scale = scales(there, level=level)[place]
    leader, other = (int(each) for each in np.argsort(-np.nan_to_num(np.array(scale.best)), kind="stable")[:2])
    apart = gap(there, place, leader, other, level=level)
    sign = -1.0 if curves.better == "lower" else 1.0
    return Lead(
        float(there.x[place]),
        curves.names[leader],
        curves.names[other],
        scale.best[leader],
        apart.probability,
        _turned(apart.difference, sign),
        None if scale.best_with_error is None else scale.best_with_error[leader],
        None if apart.with_error is None else _turned(apart.with_error, sign),
        multiplier(curves, leader, other, there.x[[place]], level=level).at(0),
        crossing(curves, min(leader, other), max(leader, other), level=level),
    )


def _turned(interval: Interval, sign: float) -> Interval:
    """±the value with its interval."""
    if sign > 0:
        return interval
    return Interval(0 - interval.value, 0 - interval.high, 0 - interval.low, interval.level)


def _bands(curves: Curves, level: float) -> Floats:
    values, drawn = curves.on_grid
    found = []
    for value, draws in zip(values, drawn, strict=True):
        ends = finite_quantiles(curves.response(draws), [(1 - level) / 2, (1 + level) / 2])
        found.append(np.stack([ends[0], curves.response(value), ends[1]]))
    return np.stack(found)
