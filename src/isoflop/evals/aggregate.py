"""Scores of tasks and of suites with their sampling errors, and differences of models that saw the same items."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri, stdtr, stdtrit

from isoflop.errors import DataError, shown
from isoflop.evals.items import Items, cluster_sums, panel
from isoflop.evals.measures import MEASURES, with_measures
from isoflop.uncertainty.ensemble import Interval
from isoflop.uncertainty.holm import holm
from isoflop.values import Value

Floats = NDArray[np.float64]
_SHARES = frozenset(("acc", "acc_norm", "pass", "score", "p", "p_options"))


@dataclass(frozen=True)
class Aggregate(Value):
    """A measure of one model on one task.

    value: the mean over items; error: its standard error over clusters of items, NaN where nothing tells it. items:
    how many; interval: of the mean over such items.
    """

    model: str
    task: str
    metric: str
    measure: str
    value: float
    error: float
    items: int
    interval: Interval


@dataclass(frozen=True)
class Difference(Value):
    """A model against another on the items that both saw.

    error: of the mean difference over clusters. p: of no difference, two-sided; adjusted: corrected by Holm over all
    differences that were asked. correlation: of the two models over items. unpaired: the error without pairing.
    """

    model: str
    baseline: str
    task: str
    metric: str
    value: Interval
    error: float
    unpaired: float
    items: int
    p: float
    adjusted: float


def clustered(values: Floats, clusters: NDArray[np.int64]) -> tuple[float, float, int]:
    """x̄, its standard error √(G/(G−1)·Σ_g(Σ_{i∈g}(x_i − x̄))²)/n, and the number G of clusters.

    Source: Liang & Zeger 1986 (cluster-robust variance); Miller 2024, arXiv:2411.00640 (for evaluations).
    """
    mean = float(values.mean())
    _, codes = np.unique(clusters, return_inverse=True)
    sums = cluster_sums(values - mean, codes)
    count = len(sums)
    if count < 2:
        return mean, math.nan, count
    return mean, math.sqrt(count / (count - 1) * float(sums @ sums)) / len(values), count


def share_interval(mean: float, error: float, count: float, level: float) -> Interval:
    """Jeffreys' interval of a share, with the number of items that would give this error: m(1 − m)/σ².

    It lies within [0, 1], and says something of a share of 0 or 1, where the error is 0 and the number of items counts.
    """
    if not math.isfinite(error):
        return Interval(mean, math.nan, math.nan, level)
    effective = mean * (1 - mean) / error**2 if error > 0 else count
    effective = max(1.0, effective)
    low, high = betaincinv(
        mean * effective + 0.5, (1 - mean) * effective + 0.5, [(1 - level) / 2, (1 + level) / 2]
    )  # fmt: skip
    return Interval(mean, min(float(low), mean), max(float(high), mean), level)


def interval_around(mean: float, error: float, clusters: int, level: float) -> Interval:
    """x̄ ± t_{G−1}·σ."""
    if not math.isfinite(error) or clusters < 2:
        return Interval(mean, math.nan, math.nan, level)
    half = float(stdtrit(clusters - 1, (1 + level) / 2)) * error
    return Interval(mean, mean - half, mean + half, level)


def aggregates(items: Items, *, level: float = 0.9) -> tuple[Aggregate, ...]:
    """Mean of each measure over the items of each task, by model, with errors over clusters of items.

    The score of a whole task keeps the error that came with it, else √(p(1 − p)/n) of its number of items.
    """
    found = []
    for task, metric in items.tasks:
        rows = with_measures(items.of(task, metric))
        kind = rows["kind"][0]
        whole = rows.filter(rows["item"].is_null())
        for model, value, count, error in whole.select("model", "score", "n", "stderr").iter_rows():
            told = math.nan if error is None else error
            if error is None and count:
                told = math.sqrt(value * (1 - value) / count)
            number = count or (value * (1 - value) / told**2 if told and math.isfinite(told) else 0)
            interval = share_interval(value, told if number else math.nan, number, level)
            found.append(Aggregate(model, task, metric, "score", value, told, round(number), interval))
        if len(whole) == len(rows):
            continue
        for measure in MEASURES[kind]:
            if measure not in rows.columns:
                continue
            matrix = panel(rows, measure, items.names)
            for model, values in zip(matrix.models, matrix.values, strict=True):
                seen = np.isfinite(values)
                mean, error, count = clustered(values[seen], matrix.clusters[seen])
                if measure in _SHARES:
                    interval = share_interval(mean, error, count, level)
                else:
                    interval = interval_around(mean, error, count, level)
                found.append(Aggregate(model, task, metric, measure, mean, error, int(seen.sum()), interval))
    order = {name: at for at, name in enumerate(items.names)}
    return tuple(sorted(found, key=lambda each: order[each.model]))


@dataclass(frozen=True)
class Suite(Value):
    """The mean over tasks of one model: of scores, and of scores between chance level (0) and ceiling (1).

    above_chance: how many tasks lie above their chance level by Holm's correction over the tasks; None where no chance
    level is known.
    """

    model: str
    tasks: int
    score: Interval
    normalized: Interval | None
    above_chance: int | None


def suites(items: Items, scores: tuple[Aggregate, ...], *, level: float = 0.9) -> tuple[Suite, ...]:
    """Σ_t s_t/T of the models that have every task, with error √(Σσ_t²)/T: tasks count alike, and are independent."""
    measures = main_measures(items)
    main: dict[str, list[Aggregate]] = {}
    for each in scores:
        if each.measure == measures[each.task, each.metric]:
            main.setdefault(each.model, []).append(each)
    tasks, found = measures.keys(), []
    for model in items.names:
        own = main.get(model, [])
        if len(own) < max(2, len(tasks)):
            continue
        value, error = np.array([each.value for each in own]), np.array([each.error for each in own])
        low = np.array([items.chances.get(each.task, math.nan) for each in own])
        high = np.array([items.ceilings.get(each.task, 1.0) for each in own])
        spread = high - low
        normal = None
        if np.isfinite(low).all():
            normal = _normal(float(((value - low) / spread).mean()), error / spread, level)
        found.append(
            Suite(model, len(own), _normal(float(value.mean()), error, level), normal, _above(value, error, low))
        )
    return tuple(found)


def _normal(mean: float, errors: Floats, level: float) -> Interval:
    error = math.sqrt(float(errors @ errors)) / len(errors) if np.isfinite(errors).all() else math.nan
    half = float(ndtri((1 + level) / 2)) * error
    return Interval(mean, mean - half, mean + half, level)


def _above(value: Floats, error: Floats, low: Floats) -> int | None:
    known = np.isfinite(low) & np.isfinite(error)
    if not known.any():
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.where(error[known] > 0, (value - low)[known] / error[known], np.sign((value - low)[known]) * math.inf)
    p = np.where(np.isnan(away), 1.0, 1 - stdtr(math.inf, np.nan_to_num(away, posinf=40.0, neginf=-40.0)))
    return int((holm(p.tolist()) < 0.05).sum())


def main_measures(items: Items) -> Mapping[tuple[str, str], str]:
    """The measure that is the score of each task and metric."""
    kinds = items.rows.select("task", "metric", "kind").unique(["task", "metric"], maintain_order=True)
    return {(task, metric): MEASURES[kind][0] for task, metric, kind in kinds.iter_rows()}


def differences(items: Items, baseline: str, *, level: float = 0.9) -> tuple[Difference, ...]:
    """Every model against one, task by task, on the items that both saw: mean difference with its error over clusters.

    Raises
    ------
    DataError
        No such model, or no other that saw an item of its.
    """
    if baseline not in items.names:
        raise DataError(f"--baseline names {shown(baseline)}, and the models are {', '.join(items.names[:8])}")
    found: list[Difference] = []
    for (task, metric), measure in main_measures(items).items():
        matrix = panel(with_measures(items.of(task, metric)), measure, items.names)
        if baseline not in matrix.models:
            continue
        base = matrix.values[matrix.models.index(baseline)]
        for model, values in zip(matrix.models, matrix.values, strict=True):
            both = np.isfinite(values) & np.isfinite(base)
            if model == baseline or both.sum() < 2:
                continue
            mean, error, count = clustered((values - base)[both], matrix.clusters[both])
            apart = math.hypot(*(clustered(each[both], matrix.clusters[both])[1] for each in (values, base)))
            p = math.nan
            if error > 0:
                p = 2 * float(stdtr(count - 1, -abs(mean) / error))
            elif error == 0:
                p = 1.0 if mean == 0 else 0.0
            interval = interval_around(mean, error, count, level)
            found.append(
                Difference(model, baseline, task, metric, interval, error, apart, int(both.sum()), p, math.nan)
            )
    if not found:
        raise DataError(
            f"no model saw two items that {shown(baseline)} saw; differences need items, not scores of tasks"
        )
    adjusted = holm([each.p for each in found])
    return tuple(
        Difference(each.model, each.baseline, each.task, each.metric, each.value, each.error, each.unpaired, each.items,
                   each.p, float(value))
        for each, value in zip(found, adjusted, strict=True)
    )  # fmt: skip
