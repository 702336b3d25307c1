"""Accuracy of a larger model from laws of every option's log p, against the sigmoid of loss, on held-out models."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, FitError
from isoflop.evals.aggregate import clustered, share_interval
from isoflop.evals.items import Items
from isoflop.evals.measures import option_measures, padded, with_measures
from isoflop.fitting import fit, squares
from isoflop.laws import fix, law
from isoflop.runs import Runs
from isoflop.uncertainty.ensemble import Interval
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST: Final = 4  # models to fit to
_EXPONENTS: Final = np.array([0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0])
# draws of the scatter of options around their laws: at most, at least, and numbers drawn in all
_NOISE: Final = 200
_LEAST_NOISE: Final = 10
_DRAWN: Final = 400_000
_CALIBRATED: Final = 2  # largest models whose accuracy decides the scatter
_HALVINGS: Final = 10


@dataclass(frozen=True)
class OptionTable(Value):
    """log p of options: (models, items, options) with −∞ for options that an item lacks; x: (models,), rising.

    right, clusters: (items,).
    """

    models: tuple[str, ...]
    x: Floats
    log_p: Floats
    right: Ints
    clusters: Ints

    def until(self, count: int) -> OptionTable:
        """The ``count`` smallest models."""
        return OptionTable(self.models[:count], self.x[:count], self.log_p[:count], self.right, self.clusters)

    def measure(self, name: str) -> Floats:
        """A measure of every model and item, (models, items)."""
        return np.stack([option_measures(each, self.right)[name] for each in self.log_p])


@dataclass(frozen=True)
class HeldOut(Value):
    """One held-out model.

    measured: its accuracy with the interval of its items. options, sigmoid: forecasts from the smaller models; NaN of
    no fit was found. steps: decades of scale from the largest fitted model.
    """

    model: str
    x: float
    measured: Interval
    options: float
    sigmoid: float
    steps: float


@dataclass(frozen=True)
class OptionForecast(Value):
    """Both forecasts.

    held_out: each model forecast from those smaller than it by the same cut. ahead: at the scale that was asked; None
    where none was. exponent: of the options' laws. mean_options, mean_sigmoid: mean absolute errors over the held-out
    models that both forecast.
    """

    task: str
    scale: str
    held_out: tuple[HeldOut, ...]
    mean_options: float
    mean_sigmoid: float
    exponent: float
    ahead: tuple[float, float, float] | None
    table: OptionTable


def option_table(items: Items, task: str, metric: str, x: Floats) -> OptionTable:
    """The options of the items that every model of known scale saw, models of rising scale."""
    rows = with_measures(items.of(task, metric))
    scale = {name: value for name, value in zip(items.names, x, strict=True) if math.isfinite(value) and value > 0}
    rows = rows.filter(rows["model"].is_in(list(scale))).unique(["model", "item"], keep="first", maintain_order=True)
    models = sorted((name for name in scale if name in set(rows["model"])), key=lambda name: scale[name])
    counts = rows.group_by("item", maintain_order=True).len()
    shared = counts.filter(counts["len"] == len(models))["item"].to_list()
    if not shared:
        raise DataError(f"no item of {task} was seen by every model; give the same items to all")
    at, place = {item: i for i, item in enumerate(shared)}, {name: i for i, name in enumerate(models)}
    rows = rows.filter(rows["item"].is_in(shared))
    matrix = padded(rows["log_p"])
    log_p = np.full((len(models), len(shared), matrix.shape[1]), -np.inf)
    right, labels = np.zeros(len(shared), dtype=np.int64), np.empty(len(shared), dtype=object)
    for row, (model, item, answer, cluster) in enumerate(rows.select("model", "item", "right", "cluster").iter_rows()):
        log_p[place[model], at[item]] = matrix[row]
        right[at[item]] = answer
        labels[at[item]] = item if cluster is None else cluster
    _, clusters = np.unique(labels.astype(str), return_inverse=True)
    return OptionTable(
        tuple(models), np.array([scale[name] for name in models]), log_p, right, clusters.astype(np.int64)
    )


def option_forecast(
    items: Items, task: str, metric: str, scale: str, x: Floats, *, hold_out: int = 2, at: float | None = None,
    level: float = 0.9, seed: int = 0,
) -> OptionForecast:  # fmt: skip
    """Accuracy at a scale beyond the models, by two ways.

    Options: ln p_j = −E_j − A_j·x^(−κ) for each option of each item, with one κ for the task (κ = 0: a + b·ln x); then
    the probability that the right option is the largest, under the scatter of the options around their laws. Sigmoid:
    the mean loss by E + A·x^(−α), then a sigmoid of accuracy in the loss from the chance level.

    Parameters
    ----------
    items, task, metric, scale, x :
        As :func:`isoflop.evals.chain.metric_chain` takes them.
    hold_out :
        How many of the largest models are held out, all at once.
    at :
        A scale to forecast, from all models.
    level, seed :
        Of the intervals of the measured accuracies, and of the scatter.

    Returns
    -------
    OptionForecast
        Errors on the held-out models, and the forecast.

    Raises
    ------
    DataError
        Fewer than four models besides those held out.

    Source: Schaeffer et al. 2024, arXiv:2406.04391 (laws of wrong options are needed); Gadre et al. 2024 (the sigmoid).
    """
    table = option_table(items, task, metric, x)
    count = len(table.models) - hold_out
    if count < LEAST or len(np.unique(table.x[:count])) < LEAST:
        raise DataError(
            f"{task} has {len(table.models)} models of known {scale}, {hold_out} of them held out, and forecasts need "
            f"{LEAST} others of different {scale}; add models or lower --hold-out"
        )
    chance = items.chances.get(task, 0.0)
    small, truth = table.until(count), table.measure("acc")
    held = []
    kappa = _exponent(small)
    for place in range(count, len(table.models)):
        goal = float(table.x[place])
        mean, error, groups = clustered(truth[place], table.clusters)
        held.append(
            HeldOut(
                table.models[place],
                goal,
                share_interval(mean, error, groups, level),
                _by_options(small, goal, kappa, seed),
                _by_sigmoid(small, goal, chance),
                math.log10(goal / small.x[-1]),
            )
        )
    both = [each for each in held if math.isfinite(each.options) and math.isfinite(each.sigmoid)]
    errors = [(abs(e.options - e.measured.value), abs(e.sigmoid - e.measured.value)) for e in both]
    means = np.mean(errors, axis=0) if errors else (math.nan, math.nan)
    whole, ahead = _exponent(table), None
    if at is not None:
        ahead = (at, _by_options(table, at, whole, seed), _by_sigmoid(table, at, chance))
    return OptionForecast(task, scale, tuple(held), float(means[0]), float(means[1]), whole, ahead, table)


def _basis(x: Floats, kappa: float) -> Floats:
    """1 and −x^(−κ) in units of its size in the middle; ln x for κ = 0."""
    logs = np.log(x)
    return logs if kappa == 0 else -np.exp(-kappa * logs)


def _lines(x: Floats, log_p: Floats, kappa: float) -> tuple[Floats, Floats, Floats]:
    """Least squares of each option's log p on the basis: centers, slopes (options,) and residuals (models, options)."""
    z = _basis(x, kappa)
    away = z - z.mean()
    slope = away @ log_p / (away @ away)
    middle = log_p.mean(axis=0)
    return middle, slope, log_p - middle - away[:, None] * slope


def _exponent(table: OptionTable) -> float:
    """κ with which the mean over items of ln p of the right option, less its item's mean, is forecast best.

    Forecast are the last models, each from those before it. The mean decides, because the scatter of single options
    favors whichever κ extrapolates least.
    """
    right = _centered(table)[0][:, np.arange(len(table.right)), table.right].mean(axis=1)[:, None]
    errors = []
    for kappa in _EXPONENTS:
        z, error = _basis(table.x, kappa), 0.0
        for last in range(max(3, len(table.x) - 3), len(table.x)):
            middle, slope, _ = _lines(table.x[:last], right[:last], kappa)
            error += float((middle + (z[last] - z[:last].mean()) * slope - right[last])[0] ** 2)
        errors.append(error)
    return float(_EXPONENTS[int(np.argmin(errors))])


def _centered(table: OptionTable) -> tuple[Floats, NDArray[np.bool_]]:
    """ln p less its mean over the options of an item, (models, items, options), 0 where there is none; and where."""
    there: NDArray[np.bool_] = np.asarray(np.isfinite(table.log_p).all(axis=0))
    own = np.where(there, table.log_p, 0.0)
    return np.where(there, own - (own.sum(axis=2) / np.maximum(1, there.sum(axis=1)))[:, :, None], 0.0), there


@dataclass(frozen=True)
class _Lines(Value):
    """Lines of every option along the basis z: centers and slopes (items, options), and which options there are.

    hit, there: whether an option is the right one, and whether the item has it. variance: of the scatter around the
    lines. place, size: mean and sum of squares of z.
    """

    middle: Floats
    slope: Floats
    hit: NDArray[np.bool_]
    there: NDArray[np.bool_]
    variance: float
    models: int
    place: float
    size: float
    kappa: float

    def accuracy(self, goal: float, variance: float, seed: int) -> float:
        """Share of items whose right option is the largest, over draws of the scatter with this variance.

        Center and slope of each option are drawn towards those of all right, or all wrong, options by the share of
        their variance that the scatter explains (empirical Bayes): slopes of a few models are mostly scatter, and the
        largest of them would be taken for the choice.
        """
        step = float(_basis(np.array([goal]), self.kappa)[0]) - self.place
        told, wide = np.full(self.there.shape, -np.inf), np.zeros(self.there.shape)
        for role in (self.hit & self.there, ~self.hit & self.there):
            center, left = _shrunk(self.middle[role], variance / self.models)
            rise, free = _shrunk(self.slope[role], variance / self.size)
            told[role] = center + step * rise
            wide[role] = math.sqrt(variance + left + step**2 * free)
        rng = np.random.default_rng(seed)
        right, draws = np.argmax(self.hit, axis=1), int(np.clip(_DRAWN / told.size, _LEAST_NOISE, _NOISE))
        hits = sum(
            np.mean(np.argmax(told + wide * rng.standard_normal(told.shape), axis=1) == right) for _ in range(draws)
        )
        return float(hits / draws)


def _by_options(table: OptionTable, goal: float, kappa: float, seed: int) -> float:
    """The chance, over items, that the right option is the largest at the goal.

    Of an item's ln p the mean over its options is taken off, which moves no choice. The scatter is that with which the
    lines give the two largest models the accuracy that they have, and at most that of the residuals: those of small
    models, and of lines that are not straight, would make the choice of large ones too random.
    """
    models, items, options = table.log_p.shape
    own, there = _centered(table)
    flat = own.reshape(models, -1)
    middle, slope, residual = (each.reshape(-1, items, options) for each in _lines(table.x, flat, kappa))
    z = _basis(table.x, kappa)
    hit = np.zeros((items, options), dtype=bool)
    hit[np.arange(items), table.right] = True
    pooled = float((residual**2).sum() / max(1, there.sum() - items) / max(1, models - 2))
    size = float((z - z.mean()) @ (z - z.mean()))
    lines = _Lines(middle[0], slope[0], hit, there, pooled, models, float(z.mean()), size, kappa)
    last = table.x[-_CALIBRATED:]
    wanted = float(table.measure("acc")[-_CALIBRATED:].mean())

    def given(variance: float) -> float:
        return float(np.mean([lines.accuracy(float(each), variance, seed) for each in last]))

    low, high = 0.0, pooled
    if given(pooled) >= wanted:
        return lines.accuracy(goal, pooled, seed)
    for _ in range(_HALVINGS):
        middle_variance = (low + high) / 2
        if given(middle_variance) > wanted:
            low = middle_variance
        else:
            high = middle_variance
    return lines.accuracy(goal, (low + high) / 2, seed)


def _shrunk(values: Floats, error: float) -> tuple[Floats, float]:
    """Values drawn towards their mean by B = τ²/(τ² + σ²), and the variance B·σ² that they keep."""
    if len(values) < 2:
        return values, error
    share = max(0.0, 1 - error / max(float(values.var(ddof=1)), 1e-300))
    return values.mean() + share * (values - values.mean()), share * error


def _by_sigmoid(table: OptionTable, goal: float, chance: float) -> float:
    """The two stages of :func:`isoflop.downstream`, by their laws; NaN where a stage has no fit."""
    loss, accuracy = table.measure("loss").mean(axis=1), table.measure("acc").mean(axis=1)
    try:
        runs = Runs.from_columns({"N": table.x, "loss": loss})
        stage = fit(law("E + A/N^alpha"), runs, starts=16)
        told = float(stage.predict({"N": np.array([goal])})[0])
        sigmoid = fix(law("task-accuracy-to-one"), {"b": chance}) if chance else law("task-accuracy-to-one")
        points = Runs.from_columns({"loss": loss, "accuracy": accuracy})
        second = fit(sigmoid, points, objective=squares(space="raw"), starts=16)
        return float(second.predict({"loss": np.array([told])})[0])
    except (FitError, DataError):
        return math.nan
