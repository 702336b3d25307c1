"""Decision accuracy: how often the ranking of recipes at a small scale is their ranking at the largest one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.runs import Runs
from isoflop.shown import Shown
from isoflop.special import special
from isoflop.uncertainty.ensemble import Interval
from isoflop.units import format_quantity
from isoflop.validation.levels import ALL, Levels, lower_is_better, read_levels, varying_inputs
from isoflop.validation.shape_audit import Better
from isoflop.values import Value

Floats = NDArray[np.float64]

_NEAR: Final = 1.05  # factor up to which two x are one scale: sizes of one design differ by a vocabulary or by rounding
FEWEST: Final = 5  # recipes below which an interval says little


@dataclass(frozen=True)
class Decision(Value):
    """Decisions at one scale about one response.

    recipes: those measured there and at the target. accuracy: the share of their pairs that are in the target's order,
    a tie counting one half. kendall, spearman: rank correlations with the target, NaN where one side is all ties.
    picked: the best recipe here; regret: how much worse it is at the target than the best there.
    apart: the share of pairs whose difference at the target is beyond their seeds' scatter; accuracy_apart: of those
    pairs. NaN without repeats at the target.
    """

    response: str
    scale: float
    recipes: tuple[str, ...]
    accuracy: Interval
    kendall: float
    spearman: float
    picked: str
    regret: float
    apart: float
    accuracy_apart: float

    @property
    def pairs(self) -> int:
        """Pairs of recipes."""
        return len(self.recipes) * (len(self.recipes) - 1) // 2


@dataclass(frozen=True)
class DecisionAudit(Shown):
    """Decision accuracy by scale.

    target: the scale whose ranking is to be decided. decisions: by response and ascending scale. means: for each
    response and recipe its means by scale. lower: whether less of each response is better.
    """

    x: str
    by: tuple[str, ...]
    responses: tuple[str, ...]
    target: float
    decisions: tuple[Decision, ...]
    means: Mapping[str, Mapping[str, Mapping[float, float]]]
    lower: tuple[bool, ...]
    level: float
    source: str
    findings: tuple[Finding, ...]

    def of(self, response: str) -> tuple[Decision, ...]:
        """The decisions about one response, by ascending scale."""
        return tuple(each for each in self.decisions if each.response == response)


def decisions(
    runs: Runs,
    responses: Sequence[str] = ("loss",),
    *,
    x: str = "N",
    by: Sequence[str],
    target: float | None = None,
    better: Better | None = None,
    level: float = 0.9,
) -> DecisionAudit:
    """(pairs of recipes in the target's order)/(pairs), at each scale below the target; DataDecide's decision accuracy.

    The interval is Wilson's for a share, with the number of independent pairs that gives the share its jack-knife
    variance over recipes. It holds for recipes like these, each measured with as many seeds.

    Parameters
    ----------
    runs :
        Rows of one recipe and x are repeats (seeds), which are averaged; rows of one ``run`` there count once.
    responses :
        Columns that are measured.
    x :
        Column of scales, as N; values within 5 % are one scale.
    by :
        Columns whose values are the recipes.
    target :
        Scale whose ranking is to be decided; the largest at which two recipes were measured where None.
    better :
        Whether less or more is better; by the name of the response where None.
    level :
        Of the intervals.

    Returns
    -------
    DecisionAudit
        One decision a response and scale.

    Raises
    ------
    DataError
        A missing column, fewer than two recipes, no scale below the target that two recipes share.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.validation.decisions import decisions
    >>> runs = isoflop.Runs.from_columns(
    ...     {
    ...         "N": [1e8, 1e8, 1e8, 1e9, 1e9, 1e9],
    ...         "recipe": ["web", "code", "mix", "web", "code", "mix"],
    ...         "loss": [3.1, 3.3, 3.2, 2.6, 2.8, 2.5],
    ...     }
    ... )
    >>> found = decisions(runs, by=["recipe"]).decisions[0]
    >>> found.picked, round(found.accuracy.value, 3), round(found.regret, 3)
    ('web', 0.667, 0.1)
    """
    responses = tuple(dict.fromkeys(responses))
    levels, findings = read_levels(runs, responses, x=x, by=by)
    names = tuple(dict.fromkeys(each.group for each in levels))
    if len(names) < 2:
        only = f"one ({names[0]})" if by else "none named"
        raise DataError(f"decisions are between recipes, and there is {only}; name their column with --by")
    scales = _scales(np.concatenate([each.x for each in levels]))
    aim = _target(levels, scales, target, x)
    lower = tuple(lower_is_better(each) if better is None else better == "lower" for each in responses)
    cells = {each: _cells(levels, each, scales) for each in responses}
    found = tuple(
        decision
        for response, less in zip(responses, lower, strict=True)
        for scale in scales
        if scale < aim
        for decision in _decision(response, scale, aim, cells[response], less, level)
    )
    without = [each for each in responses if all(one.response != each for one in found)]
    if without:
        raise DataError(
            f"no two recipes have {without[0]} both at {x} = {format_quantity(aim)} and at one smaller {x}; "
            "measure the same sizes, or name another --target"
        )
    return DecisionAudit(
        x=x,
        by=tuple(by),
        responses=responses,
        target=aim,
        decisions=found,
        means={
            response: {name: {scale: float(v.mean()) for scale, v in of.items()} for name, of in recipes.items()}
            for response, recipes in cells.items()
        },
        lower=lower,
        level=level,
        source=runs.source,
        findings=(*findings, *_between(runs, x, findings), *_few(found)),
    )


Cells = dict[str, dict[float, Floats]]  # recipe → scale → values of its runs


def jackknife_share(order: Floats, *, level: float) -> Interval:
    """Wilson's interval of the mean of a symmetric (recipes, recipes) matrix off its diagonal, a share.

    n = p(1 − p)/v, with v the jack-knife variance over recipes, at most the number of pairs; half the recipes, as many
    pairs as have no recipe in common, where p is 0 or 1 or v is 0.
    """
    count = len(order)
    apart = np.where(np.eye(count, dtype=bool), 0.0, order)
    total = float(apart.sum())
    p = total / (count * (count - 1))
    n = count / 2
    if count > 2 and 0 < p < 1:
        without = (total - 2 * apart.sum(1)) / ((count - 1) * (count - 2))
        variance = float((count - 1) / count * ((without - without.mean()) ** 2).sum())
        n = min(p * (1 - p) / variance, count * (count - 1) / 2) if variance > 0 else n
    z = float(special.ndtri((1 + level) / 2))
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)))
    return Interval(p, max(0.0, middle - half), min(1.0, middle + half), level)


def _scales(x: Floats) -> tuple[float, ...]:
    """Distinct scales, ascending; values within 5 % of the smallest of a scale belong to it."""
    found: list[list[float]] = []
    for each in np.unique(x).tolist():
        if found and 0 < each <= found[-1][0] * _NEAR:
            found[-1].append(each)
        else:
            found.append([each])
    return tuple(float(np.median(each)) for each in found)


def _nearest(scales: Sequence[float], x: float) -> float:
    return min(scales, key=lambda scale: abs(scale - x))


def _cells(levels: Sequence[Levels], response: str, scales: Sequence[float]) -> Cells:
    cells: Cells = {}
    for each in levels:
        if each.response == response:
            nearest = [_nearest(scales, one) for one in each.x]
            of = cells.setdefault(each.group, {})
            for scale in dict.fromkeys(nearest):
                of[scale] = np.concatenate([v for v, at in zip(each.values, nearest, strict=True) if at == scale])
    return cells


def _target(levels: Sequence[Levels], scales: Sequence[float], target: float | None, x: str) -> float:
    if target is not None:
        nearest = _nearest(scales, target)
        if not target / _NEAR <= nearest <= target * _NEAR:
            there = ", ".join(map(format_quantity, scales[-6:]))
            raise DataError(f"no run has {x} = {format_quantity(target)}; --target is one of {there}")
        return nearest
    groups: dict[float, set[str]] = {scale: set() for scale in scales}
    for each in levels:
        for one in each.x:
            groups[_nearest(scales, one)].add(each.group)
    shared = [scale for scale, at in groups.items() if len(at) > 1]
    if len(shared) < 2:
        raise DataError(
            f"the recipes share {'no value' if not shared else 'only one value'} of {x}, and a ranking needs one to "
            f"decide from and a larger one to decide about; measure the same sizes, or name another column with --x"
        )
    return shared[-1]


def _decision(
    response: str, scale: float, target: float, cells: Cells, less: bool, level: float
) -> tuple[Decision, ...]:
    names = tuple(name for name, of in cells.items() if scale in of and target in of)
    if len(names) < 2:
        return ()
    sign = -1.0 if less else 1.0
    here = sign * np.array([cells[name][scale].mean() for name in names])
    there = sign * np.array([cells[name][target].mean() for name in names])
    order = (1 + np.sign(here[:, None] - here) * np.sign(there[:, None] - there)) / 2
    picked, best = int(here.argmax()), int(there.argmax())
    clear = _told_apart([cells[name][target] for name in names], alpha=1 - level)
    told = [order[i, j] for i, j in combinations(range(len(names)), 2) if clear is not None and clear[i, j]]
    from scipy import stats  # a second to import, which no other command needs

    constant = np.ptp(here) == 0 or np.ptp(there) == 0
    nan = float("nan")
    pairs = len(names) * (len(names) - 1) / 2
    return (
        Decision(
            response=response,
            scale=scale,
            recipes=names,
            accuracy=jackknife_share(order, level=level),
            kendall=nan if constant else float(stats.kendalltau(here, there).statistic),
            spearman=nan if constant else float(stats.spearmanr(here, there).statistic),
            picked=names[picked],
            regret=float(there[best] - there[picked]),
            apart=nan if clear is None else len(told) / pairs,
            accuracy_apart=float(np.mean(told)) if told else nan,
        ),
    )


def _told_apart(values: Sequence[Floats], *, alpha: float) -> NDArray[np.bool_] | None:
    """Which pairs differ by a t-test with the pooled variance of repeats, (recipes, recipes); None without repeats."""
    freedom = sum(len(each) - 1 for each in values)
    if not freedom:
        return None
    squares = float(sum(((each - each.mean()) ** 2).sum() for each in values))
    mean, share = np.array([each.mean() for each in values]), np.array([1 / len(each) for each in values])
    error = np.sqrt(squares / freedom * (share[:, None] + share))
    apart: NDArray[np.bool_] = np.abs(mean[:, None] - mean) > -special.stdtrit(freedom, alpha / 2) * error
    return apart


def _between(runs: Runs, x: str, told: Sequence[Finding]) -> tuple[Finding, ...]:
    """A finding where recipes differ in another input, unless the runs of one recipe do already."""
    if any(each.code == "other-input-varies" for each in told):
        return ()
    # at one compute each recipe may have its own best size
    return varying_inputs(runs, x, [ALL] * len(runs), "Recipes", besides=("N", "D") if x == "C" else ())


def _few(found: Sequence[Decision]) -> tuple[Finding, ...]:
    fewest = min(len(each.recipes) for each in found)
    if fewest >= FEWEST:
        return ()
    return (
        Finding(
            "few-recipes",
            "warning",
            f"Rankings of {fewest} recipes have {fewest * (fewest - 1) // 2} "
            f"{'pair' if fewest == 2 else 'pairs'}: their decision accuracy is hardly known.",
            "Compare at least five recipes, or several responses of the same recipes (--response).",
        ),
    )
