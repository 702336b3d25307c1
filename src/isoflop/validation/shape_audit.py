"""The shapes of responses along x by group in one table: tests corrected together, size classes, cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.runs import Runs
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import Interval
from isoflop.uncertainty.holm import holm
from isoflop.validation.cost_front import FrontModel, cost_front
from isoflop.validation.level_scatter import scatter_of
from isoflop.validation.levels import Levels, lower_is_better, read_levels
from isoflop.validation.near_best import smallest_near_best, turning_point
from isoflop.validation.shape import End, Null, PValues, ShapeTests, Verdict, end_of, fitted_means, shape_tests, verdict
from isoflop.validation.size_classes import SizeClasses, size_classes
from isoflop.validation.unimodal import unimodal_fit
from isoflop.values import Value

Floats = NDArray[np.float64]
Better = Literal["lower", "higher"]

SHARE: Final = 0.05  # of the range of a response's means: the difference that does not matter, where none is given


@dataclass(frozen=True)
class GroupShape(Value):
    """One response of one group: its shape, the corrected p-values that decide it, and what follows.

    p: the p-values of the tests, corrected. end: what the response does over the last third of the range. near: the
    smallest x within delta of the best. turn: where a U or an inverted U turns. worsens: whether the response gets
    worse with x throughout.
    """

    tests: ShapeTests
    shape: Verdict
    p: PValues
    end: End
    near: Interval
    turn: Interval | None
    fitted: Floats
    worsens: bool

    @property
    def levels(self) -> Levels:
        """The means that were tested."""
        return self.tests.levels


@dataclass(frozen=True)
class ShapeAudit(Shown):
    """The shape of every response of every group.

    x: the column along which. by: the columns that divide the runs. delta, lower: of each response, the difference that
    does not matter and whether less is better. classes, fronts: size classes and models on the front of cost, by
    response. cost: the column of costs. corrected: the number of tests that Holm's correction was over, 1 where none.
    """

    x: str
    by: tuple[str, ...]
    responses: tuple[str, ...]
    rows: tuple[GroupShape, ...]
    delta: tuple[float, ...]
    lower: tuple[bool, ...]
    classes: tuple[SizeClasses, ...]
    fronts: tuple[tuple[FrontModel, ...], ...]
    cost: str
    level: float
    corrected: int
    seed: int
    source: str
    findings: tuple[Finding, ...]

    def of(self, response: str) -> tuple[GroupShape, ...]:
        """The groups of one response."""
        return tuple(each for each in self.rows if each.levels.response == response)


def shapes(
    runs: Runs,
    responses: Sequence[str] = ("loss",),
    *,
    x: str = "N",
    by: Sequence[str] = (),
    error: str | None = None,
    items: int | None = None,
    delta: float | None = None,
    better: Better | None = None,
    classes: Sequence[float] = (),
    cost: str | None = None,
    level: float = 0.9,
    correct: bool = True,
    seed: int = 0,
) -> ShapeAudit:
    """Shape of each response along x in each group: rising, falling, a plateau, U, inverted U, or not to be told.

    Tested at 1 − level: a trend by the largest studentized slope over stretches of neighboring x, a reversal by the
    largest slope against the trend, a plateau by equivalence within ``delta`` over the last third of log x.

    Parameters
    ----------
    runs :
        Rows of one group and x are repeats (seeds); rows of one ``run`` there count once.
    responses :
        Columns that are measured.
    x :
        Column along which, as N.
    by :
        Columns whose values divide the runs into groups.
    error :
        Column of standard errors of the response.
    items :
        Test items of which each response is the share that was right, for its standard error.
    delta :
        Difference that does not matter; 5 % of the range of the response's means where None.
    better :
        Whether less or more is better; by the name of the response where None.
    classes :
        Upper edges of size classes; quartiles of the models where there are none.
    cost :
        Column of costs for the front of performance against cost; x where None.
    level :
        Of intervals; tests are at 1 − level.
    correct :
        Whether p-values are corrected over all groups and responses by Holm's method.
    seed :
        Of the simulated null distributions.

    Returns
    -------
    ShapeAudit
        One row a response and group.

    Raises
    ------
    DataError
        A missing column, no row with x and response, or a delta that is not above zero.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.validation.shape_audit import shapes
    >>> sizes = [1e7, 1e8, 1e9, 1e10] * 3
    >>> acc = [0.10, 0.30, 0.52, 0.70, 0.11, 0.31, 0.50, 0.71, 0.09, 0.30, 0.51, 0.69]
    >>> runs = isoflop.Runs.from_columns({"N": sizes, "acc": acc})
    >>> shapes(runs, ["acc"]).rows[0].shape
    'rising'
    """
    if delta is not None and not delta > 0:
        raise DataError(f"the difference that does not matter is above zero, not {delta:g}; name another --delta")
    responses = tuple(dict.fromkeys(responses))
    levels, findings = read_levels(runs, responses, x=x, by=by, error=error, items=items)
    deltas = {each: _range(levels, each) * SHARE if delta is None else delta for each in responses}
    lower = {each: lower_is_better(each) if better is None else better == "lower" for each in responses}
    null, alpha = Null(seed), 1 - level
    tests = [shape_tests(each, scatter_of(each), null, delta=deltas[each.response], alpha=alpha) for each in levels]
    fix: Callable[[list[float]], Floats] = holm if correct else np.asarray
    columns = [fix([getattr(test.p, each.name) for test in tests]) for each in fields(PValues)]
    rows = tuple(
        _row(each, PValues(*map(float, p)), lower[each.levels.response], level)
        for each, p in zip(tests, np.stack(columns, axis=1), strict=True)
    )
    by_response = [[each for each in levels if each.response == name] for name in responses]
    spent = _costs(runs, levels, x, by, cost)
    fronts = tuple(
        cost_front(mine, [spent[each.group, each.response] for each in mine], delta=deltas[name], lower=lower[name])
        for name, mine in zip(responses, by_response, strict=True)
    )
    found = [size_classes(each, classes) for each in by_response]
    return ShapeAudit(
        x=x,
        by=tuple(by),
        responses=responses,
        rows=rows,
        delta=tuple(deltas[each] for each in responses),
        lower=tuple(lower[each] for each in responses),
        classes=tuple(each for each in found if each is not None),
        fronts=fronts,
        cost=cost or x,
        level=level,
        corrected=sum(not each.reason for each in tests) if correct else 1,
        seed=seed,
        source=runs.source,
        findings=(*findings, *_findings(rows)),
    )


def _row(tests: ShapeTests, p: PValues, lower: bool, level: float) -> GroupShape:
    shape = verdict(tests, p, alpha=1 - level)
    fitted = fitted_means(tests, shape)
    turn = None
    if shape in ("U", "inverted U"):
        up = shape == "U"
        _, at = unimodal_fit(tests.levels.mean, tests.scatter.precision, up=up)
        turn = turning_point(tests.levels, tests.scatter, at, up=up, level=level)
    one_way = shape.startswith(("rising", "falling"))
    return GroupShape(
        tests=tests,
        shape=shape,
        p=p,
        end=end_of(shape, p, alpha=1 - level),
        near=smallest_near_best(tests.levels, tests.scatter, fitted, delta=tests.delta, lower=lower, level=level),
        turn=turn,
        fitted=fitted,
        worsens=one_way and (tests.direction > 0) == lower,
    )


def _range(levels: Sequence[Levels], response: str) -> float:
    means = np.concatenate([each.mean for each in levels if each.response == response])
    return float(np.ptp(means))


def _costs(
    runs: Runs, levels: Sequence[Levels], x: str, by: Sequence[str], cost: str | None
) -> dict[tuple[str, str], Floats]:
    """The mean cost at each x, by group and response: x itself without a column; NaN where no row has one."""
    if cost is None or cost == x:
        return {(each.group, each.response): each.x for each in levels}
    there = {
        (each.group, float(one)): float(mean)
        for each in read_levels(runs, (cost,), x=x, by=by)[0]
        for one, mean in zip(each.x, each.mean, strict=True)
    }
    return {
        (each.group, each.response): np.array([there.get((each.group, float(one)), np.nan) for one in each.x])
        for each in levels
    }


def _findings(rows: Sequence[GroupShape]) -> tuple[Finding, ...]:
    found = []
    untested = [each for each in rows if each.tests.reason]
    if untested:
        names = ", ".join(dict.fromkeys(each.levels.group for each in untested[:5]))
        reasons = " or ".join(dict.fromkeys(each.tests.reason for each in untested))
        found.append(
            Finding(
                "shape-untested",
                "warning",
                f"{len(untested)} of {len(rows)} shapes cannot be tested ({names}): {reasons}.",
                "Add sizes, repeat runs with other seeds, or give standard errors (--error, --items).",
            )
        )
    curved = sum(each.tests.scatter.source == "second differences" for each in rows)
    if curved:
        found.append(
            Finding(
                "scatter-from-curve",
                "note",
                f"The scatter of {curved} of {len(rows)} shapes is taken from distances to the line between "
                "neighboring sizes, which a curved response widens: fewer shapes are found than with repeats.",
                "Repeat runs with other seeds, or give standard errors (--error, --items).",
            )
        )
    worse = [each for each in rows if each.worsens]
    if worse:
        names = ", ".join(f"{each.levels.response} of {each.levels.group}" for each in worse[:5])
        found.append(
            Finding(
                "inverse-scaling",
                "warning",
                f"{len(worse)} of {len(rows)} responses get worse with scale ({names}).",
                "Do not extrapolate beyond the largest run: a reversal there is not excluded.",
            )
        )
    return tuple(found)
