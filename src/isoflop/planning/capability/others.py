"""``benchmarks_from_others``: a benchmark of families that were not fitted, from components of the other benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.planning.capability.components import fit_components
from isoflop.planning.capability.families import COMPONENTS, MethodError, method_error
from isoflop.planning.capability.panel import Panel, fit_panel
from isoflop.planning.capability.scores import ModelScores
from isoflop.values import Value

Floats = NDArray[np.float64]

_FEWEST = 5  # models of a benchmark that other families have
_MOST = 20  # groups of families that are left out in turn; each family by itself where there are no more
METHODS = ("components", "line", "mean")


@dataclass(frozen=True)
class BenchmarkError(Value):
    """Mean absolute errors of one benchmark's scores by method."""

    task: str
    scores: int
    errors: Mapping[str, float]


@dataclass(frozen=True)
class BenchmarkErrors(Value):
    """Each benchmark in turn, families left out.

    count: components. share: of the variance of all benchmarks that they explain. groups: of families. methods:
    ``components``, ``line`` (scale; NaN predictions are passed over in all methods), ``mean``.
    """

    count: int
    share: float
    groups: int
    each: tuple[BenchmarkError, ...]
    methods: Mapping[str, MethodError]


def benchmarks_from_others(scores: ModelScores, chance: Floats, *, level: float = 0.9) -> BenchmarkErrors | None:
    """score_j = g + (1 − g)·logistic(a + b·S), S components of the other benchmarks, fitted to the other families.

    Beside it the same in ln of the scale instead of S, and the other families' mean. Only models whose scale is known
    count, so that all are judged on the same scores; without a scale the line is left out. None with fewer than three
    benchmarks or three families.

    Source: Ruan, Maddison & Hashimoto 2024, arXiv:2405.10938, where runs are held out by compute; here by family.
    """
    table, family = scores.scores, np.array(scores.family, dtype=object)
    scaled = bool(scores.by) and bool(np.isfinite(scores.scale).any())
    x = np.log(scores.scale)[:, None] if scaled else np.zeros((len(table), 1))
    x = x - np.nanmean(x)
    usable = np.isfinite(x[:, 0]) & (family != "")
    names = sorted(set(family[usable]))
    if table.shape[1] < 3 or len(names) < 3:
        return None
    group = np.full(len(table), -1)
    for at, name in enumerate(names):
        group[(family == name) & usable] = at % min(len(names), _MOST)
    count = min(COMPONENTS, table.shape[1] - 1)
    residuals: dict[str, list[Floats]] = {name: [] for name in METHODS if scaled or name != "line"}
    each = []
    for t, task in enumerate(scores.tasks):
        missed: dict[str, list[Floats]] = {name: [] for name in residuals}
        others = np.delete(table, t, axis=1)
        told = np.isfinite(others).any(axis=1)
        start: dict[str, Panel] = {}
        for out in range(group.max() + 1):
            rows = np.isfinite(table[:, t]) & told & usable
            train, test = np.flatnonzero(rows & (group != out)), np.flatnonzero(rows & (group == out))
            if len(train) < _FEWEST or not len(test):
                continue
            found = fit_components(others[train], count)
            spread = np.sqrt(found.variance)
            features = {"components": found.of(others) / np.where(spread > 0, spread, 1.0), "line": x}
            for name in residuals:
                if name == "mean":
                    missed[name].append(table[test, t] - table[train, t].mean())
                    continue
                own = fit_panel(
                    table[train][:, [t]],
                    features[name][train],
                    np.zeros(len(train), dtype=np.int64),
                    chance[[t]],
                    start=start.get(name) or _blank(features[name].shape[1], chance[[t]]),
                )
                start[name] = own
                missed[name].append(table[test, t] - own.scores(features[name][test], 0)[:, 0])
        if not missed["mean"]:
            continue
        errors = {name: float(np.abs(np.concatenate(off)).mean()) for name, off in missed.items()}
        each.append(BenchmarkError(task, sum(map(len, missed["mean"])), errors))
        for name, off in missed.items():
            residuals[name] += off
    if not each:
        return None
    share = fit_components(table[usable], COMPONENTS).share
    return BenchmarkErrors(
        count, share, int(group.max()) + 1, tuple(each),
        {name: method_error(name, tuple(found), level) for name, found in residuals.items()},
    )  # fmt: skip


def _blank(inputs: int, chance: Floats) -> Panel:
    return Panel(np.zeros(1), np.ones((1, 1)), np.full((inputs, 1), 0.1), np.zeros((1, 1)), chance)
