"""All that a table of items says: scores, differences, laws of pass rates, the chain of a choice, uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError
from isoflop.evals.aggregate import (
    Aggregate,
    Difference,
    Suite,
    aggregates,
    clustered,
    differences,
    main_measures,
    share_interval,
    suites,
)
from isoflop.evals.chain import Chain, metric_chain
from isoflop.evals.emergence import FixedTries, PassLaw, fixed_tries, goal_findings, law_findings, pass_law, rates_of
from isoflop.evals.items import Items, panel, scale_of
from isoflop.evals.lines import log_slope
from isoflop.evals.measures import with_measures
from isoflop.evals.option_forecast import OptionForecast, option_forecast
from isoflop.evals.pass_rate import difficulty, pass_at_k
from isoflop.evals.run_table import run_table
from isoflop.findings import Finding
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import Interval, interval_of
from isoflop.values import Value

Floats = NDArray[np.float64]

_KS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_BEYOND: Final = 10  # times the tries up to which pass@k is forecast
_FIT_DRAWS: Final = 100
MOST_TASKS: Final = 40  # of which laws and chains are made


@dataclass(frozen=True)
class PassAtK(Value):
    """pass@k of one model: measured from c of n with the error of its items, and from Beta-distributed difficulty.

    measured: NaN for k above the tries. exponent: of 1 − pass@k ∝ k^(−a) for large k.
    """

    model: str
    task: str
    k: tuple[int, ...]
    measured: tuple[Interval, ...]
    beta: tuple[Interval, ...]
    exponent: Interval


@dataclass(frozen=True)
class Slope(Value):
    """mean ∝ scale^γ of an ensemble's total, aleatoric or epistemic uncertainty."""

    task: str
    measure: str
    models: int
    gamma: Interval


@dataclass(frozen=True)
class Evaluation(Shown):
    """What the items say.

    Attributes
    ----------
    items :
        What was read.
    scale :
        N, D or C, along which scores are followed; empty where no two models differ in a known one.
    scores, suites, differences :
        Of tasks, of all tasks, and against a baseline.
    pass_laws, fixed, pass_at_k :
        Of tasks with passes and tries, by task; pass@k by model.
    chains, forecasts :
        Of tasks with options, by task.
    slopes :
        Of tasks with an ensemble's members.
    ahead :
        The scale that was asked, None where none was.
    findings :
        Of the items and of what was made of them.
    """

    items: Items
    scale: str
    scores: tuple[Aggregate, ...]
    suites: tuple[Suite, ...]
    differences: tuple[Difference, ...]
    pass_laws: Mapping[str, PassLaw]
    fixed: Mapping[str, FixedTries]
    pass_at_k: tuple[PassAtK, ...]
    chains: Mapping[str, Chain]
    forecasts: Mapping[str, OptionForecast]
    slopes: tuple[Slope, ...]
    ahead: float | None
    level: float
    findings: tuple[Finding, ...] = field(default=())

    @property
    def x(self) -> Floats:
        """The scale of each model, (models,)."""
        return self.items.scale(self.scale)

    def table(self) -> pl.DataFrame:
        """A row a model, a column a measure of a task; see :func:`isoflop.evals.run_table`."""
        return run_table(self.items, self.scores)


def evaluate(
    items: Items,
    *,
    scale: str | None = None,
    baseline: str | None = None,
    at: float | None = None,
    hold_out: int = 1,
    tries: int = 100,
    draws: int = 400,
    level: float = 0.9,
    seed: int = 0,
) -> Evaluation:
    """Scores with sampling errors, and what the kind of the items allows beyond them.

    Parameters
    ----------
    items :
        From :func:`isoflop.evals.read_items`.
    scale :
        N, D or C; by default the first of C, N, D in which models differ.
    baseline :
        A model against which the others are compared, item by item.
    at :
        A scale at which pass rates and accuracies are forecast.
    hold_out :
        Largest models on which forecasts of accuracy are scored.
    tries :
        Fixed tries to which pass rates are compared.
    draws, level, seed :
        Of the intervals.

    Returns
    -------
    Evaluation
        A law, chain or slope is absent where models or items are too few; a finding says which.

    Raises
    ------
    IsoflopError
        A scale or a model that is not there.

    Examples
    --------
    >>> import polars
    >>> from isoflop.evals import evaluate, read_items
    >>> rows = {"model": ["a"] * 4 + ["b"] * 4, "item": [1, 2, 3, 4] * 2, "score": [0, 1, 0, 0, 1, 1, 0, 1]}
    >>> found = evaluate(read_items(polars.DataFrame(rows)), baseline="a")
    >>> [each.value for each in found.scores], found.differences[0].value.value
    ([0.25, 0.75], 0.5)
    """
    name, x = scale_of(items, scale)
    scores = aggregates(items, level=level)
    laws: dict[str, PassLaw] = {}
    fixed: dict[str, FixedTries] = {}
    chains: dict[str, Chain] = {}
    forecasts: dict[str, OptionForecast] = {}
    at_k: list[PassAtK] = []
    slopes: list[Slope] = []
    found: list[Finding] = []
    skipped: dict[str, str] = {}
    measures = main_measures(items)
    for task, metric in items.tasks:
        rows = items.of(task, metric)
        kind, label = rows["kind"][0], task if task not in {**laws, **chains} else f"{task} ({metric})"
        if kind == "passes":
            found += goal_findings(rows.select("goal", "passes", "tries").rows(), task)
            at_k += _at_k(items, task, metric, draws, level, seed)
        if not name or kind == "score" or len(chains) + len(laws) >= MOST_TASKS:
            continue
        try:
            if kind == "passes":
                laws[label] = law = pass_law(rates_of(items, task, metric, x), level=level)
                fixed[label] = fixed_tries(law, tries=tries, draws=draws, seed=seed)
                found += law_findings(law, task)
            elif kind == "options":
                chains[label] = metric_chain(items, task, metric, name, x, draws=draws, level=level, seed=seed)
                forecasts[label] = option_forecast(
                    items, task, metric, name, x, hold_out=hold_out, at=at, level=level, seed=seed
                )
            else:
                slopes += _slopes(items, task, metric, x, level)
        except DataError as error:
            skipped[label] = str(error)
    if skipped:
        first = next(iter(skipped))
        found.append(
            Finding(
                "no-law-of-scores",
                "note",
                f"{len(skipped)} of {len(measures)} tasks have too few models or items for a law: {skipped[first]}",
                "Add models of other sizes, or leave the task out (--task).",
            )
        )
    if not name and len(items.names) > 1:
        found.append(
            Finding(
                "no-scale",
                "note",
                f"no N, D or C is known for two different models of {items.source}: no score is followed along scale.",
                "Give a table with model, N and D of each (--models).",
            )
        )
    return Evaluation(
        items, name, scores, suites(items, scores, level=level),
        differences(items, baseline, level=level) if baseline is not None else (), laws, fixed, tuple(at_k), chains,
        forecasts, tuple(slopes), at, level, (*items.findings, *found),
    )  # fmt: skip


def _at_k(items: Items, task: str, metric: str, draws: int, level: float, seed: int) -> list[PassAtK]:
    """pass@k of each model with two items or more."""
    rows = items.of(task, metric)
    found = []
    for model in items.names:
        own = rows.filter(pl.col("model") == model).group_by("item", maintain_order=True).agg(
            pl.col("cluster").first(), pl.col("passes").sum(), pl.col("tries").sum(), pl.col("goal").count()
        )  # fmt: skip
        if len(own) < 2:
            continue
        passes, tries = own["passes"].cast(pl.Float64).to_numpy(), own["tries"].cast(pl.Float64).to_numpy()
        by_goal = bool(own["goal"].sum())
        labels = own["cluster"].fill_null(own["item"]).to_list()
        names, clusters = np.unique(labels, return_inverse=True)
        rng = np.random.default_rng(seed)
        times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=min(draws, _FIT_DRAWS))
        weights = np.concatenate([np.ones((1, len(own))), times[:, clusters].astype(np.float64)])
        beta = difficulty(passes, tries, weights)
        ks = tuple(k for k in _KS if k <= _BEYOND * tries.max())
        short = 1 - beta.short_of_one(np.array(ks, dtype=np.float64))
        measured = []
        for k in ks:
            if by_goal or k > tries.min():
                measured.append(Interval(math.nan, math.nan, math.nan, level))
                continue
            mean, error, _ = clustered(pass_at_k(passes, tries, k), clusters.astype(np.int64))
            measured.append(share_interval(mean, error, len(names), level))
        told = tuple(interval_of(float(column[0]), column[1:], level=level) for column in short.T)
        exponent = interval_of(float(beta.a[0]), beta.a[1:], level=level)
        if not beta.settled:
            nothing = Interval(math.nan, math.nan, math.nan, level)
            told, exponent = tuple(nothing for _ in ks), nothing
        found.append(PassAtK(model, task, ks, tuple(measured), told, exponent))
    return found


def _slopes(items: Items, task: str, metric: str, x: Floats, level: float) -> list[Slope]:
    rows, found = with_measures(items.of(task, metric)), []
    scale = dict(zip(items.names, x, strict=True))
    for measure in ("total", "aleatoric", "epistemic"):
        matrix = panel(rows, measure, [name for name in items.names if math.isfinite(scale[name])]).shared()
        known = np.array([scale[name] for name in matrix.models])
        if len(np.unique(known)) < 3 or len(np.unique(matrix.clusters)) < 2:
            raise DataError(
                f"{task} has {len(np.unique(known))} models of different scale and {len(matrix.items)} items of all; a "
                "power law needs three and two"
            )
        if (matrix.values.mean(axis=1) > 0).all():
            found.append(Slope(task, measure, len(known), log_slope(known, matrix.values, matrix.clusters, level)))
    return found


def check_scale(asked: Mapping[str, float], scale: str | None) -> tuple[str | None, float | None]:
    """The one scale of ``--at N=70B``, with its value; raises IsoflopError for several, or another than --x names."""
    names: Sequence[str] = list(asked)
    if not names:
        return scale, None
    word = {"params": "N", "tokens": "D", "flops": "C"}.get(names[0], names[0])
    if len(names) > 1 or word not in ("N", "D", "C") or (scale is not None and scale != word):
        raise IsoflopError(
            f"--at names {', '.join(names)}; scores are followed along one scale: give N, D or C"
            + (f", here {scale} (--x)" if scale else "")
        )
    if not asked[names[0]] > 0:
        raise IsoflopError(f"--at {names[0]} is {asked[names[0]]:g}; a scale is above 0")
    return word, asked[names[0]]
