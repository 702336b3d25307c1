"""How far each score of a choice among options follows scale, item by item, along the chain from log p to accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.evals.items import Items, Panel, panel
from isoflop.evals.measures import BETTER_LOWER, CHAIN, with_measures
from isoflop.uncertainty.ensemble import Interval, interval_of
from isoflop.values import Value

Floats = NDArray[np.float64]

HIGH: Final = 0.8  # a correlation above which an item is called predictable
_LEAST: Final = 4  # models: of three, a rank correlation has four values
WORDS: Final[Mapping[str, str]] = {
    "log_prob": "log p", "p": "p", "p_options": "p among options", "brier": "Brier score", "acc": "accuracy",
}  # fmt: skip


@dataclass(frozen=True)
class Link(Value):
    """One score of the chain.

    spearman, pearson: correlation of each item's score with the log of scale, (items,), better scores positive; NaN of
    an item whose score is the same for every model. median: of Spearman's over items, with an interval over clusters of
    items; pearson_median: of Pearson's. high: share of all items with Spearman's above 0.8. constant: share of items
    without a correlation. lost: fall of the mean of Pearson's against the link before, on items that have both; None of
    the first.
    """

    name: str
    spearman: Floats
    pearson: Floats
    median: Interval
    pearson_median: Interval
    high: float
    constant: float
    lost: Interval | None


@dataclass(frozen=True)
class Chain(Value):
    """The links in order; recommended: the score that follows scale best; most_lost: the link at which most is lost.

    wrong: median over items of the correlation, over models, of the right option's p with the summed p of the wrong
    ones. aggregate: Spearman's of the mean over items with scale, by link.
    """

    task: str
    scale: str
    models: int
    items: int
    links: tuple[Link, ...]
    recommended: str
    most_lost: str | None
    wrong: float
    aggregate: Mapping[str, float]


def metric_chain(
    items: Items, task: str, metric: str, scale: str, x: Floats, *, draws: int = 400, level: float = 0.9, seed: int = 0
) -> Chain:
    """Correlation of log p, p, p among options, Brier score and accuracy with log scale, item by item.

    Spearman's cannot part log p from p, which rise together; Pearson's can.

    Parameters
    ----------
    items :
        With log-probabilities of options.
    task, metric :
        Of the items.
    scale, x :
        Name of the scale and its value for each model, NaN where unknown.
    draws, level, seed :
        Of the bootstrap over clusters of items.

    Returns
    -------
    Chain
        The links, where most is lost, and the recommended score.

    Raises
    ------
    DataError
        Fewer than four models of known and different scale, or no item that all of them saw.

    Source: Schaeffer et al. 2024, arXiv:2406.04391.
    """
    rows = with_measures(items.of(task, metric))
    first, known = _known(panel(rows, CHAIN[0], items.names), items.names, x)
    if len(np.unique(known)) < _LEAST:
        raise DataError(
            f"{task} has {len(np.unique(known))} models of different {scale or 'scale'}, and a correlation with scale "
            f"needs {_LEAST}; add models, or give N and D of each (--models FILE)"
        )
    if not first.items:
        raise DataError(f"no item of {task} was seen by every model; give the same items to all")
    log_x = np.log(known)
    rng = np.random.default_rng(seed)
    weights = _resampled(first.clusters, draws, rng)
    links: list[Link] = []
    means = {}
    for name in CHAIN:
        values = _known(panel(rows, name, items.names), items.names, x)[0].values
        values = -values if name in BETTER_LOWER else values
        spearman, pearson = correlations(_ranks(values), _ranks(log_x[:, None])[:, 0]), correlations(values, log_x)
        means[name] = float(correlations(_ranks(values.mean(axis=1)[:, None]), _ranks(log_x[:, None])[:, 0])[0])
        before = links[-1].pearson if links else None
        links.append(
            Link(
                name,
                spearman,
                pearson,
                _median(spearman, weights, level),
                _median(pearson, weights, level),
                float(np.mean(np.nan_to_num(spearman, nan=-1.0) > HIGH)),
                float(np.mean(np.isnan(pearson))),
                None if before is None else _loss(before, pearson, weights, level),
            )
        )
    falls = [each for each in links if each.lost is not None and each.lost.low > 0]
    worst = max(falls, key=lambda each: each.lost.value if each.lost else 0.0, default=None)
    best = max(links, key=lambda each: float(np.mean(np.nan_to_num(each.pearson))))
    return Chain(
        task, scale, len(known), len(first.items), tuple(links), best.name, worst.name if worst else None,
        _with_wrong(rows, items.names, x), means,
    )  # fmt: skip


def _known(matrix: Panel, names: Sequence[str], x: Floats) -> tuple[Panel, Floats]:
    """The models of known scale with the items that all of them saw."""
    scale = dict(zip(names, x, strict=True))
    keep = [at for at, name in enumerate(matrix.models) if math.isfinite(scale[name]) and scale[name] > 0]
    kept = Panel(tuple(matrix.models[at] for at in keep), matrix.items, matrix.clusters, matrix.values[keep]).shared()
    return kept, np.array([scale[name] for name in kept.models])


def correlations(values: Floats, against: Floats) -> Floats:
    """Pearson's correlation of each column of ``values`` (models, items) with ``against``; NaN of a constant."""
    centered, other = values - values.mean(axis=0), against - against.mean()
    spread = np.sqrt((centered**2).sum(axis=0) * (other @ other))
    size = np.abs(values).max(axis=0) * math.sqrt(len(values) * float(other @ other))
    known = spread > 1e-12 * np.where(size > 0, size, 1.0)
    return np.where(known, (other @ centered) / np.where(known, spread, 1.0), np.nan)


def _ranks(values: Floats) -> Floats:
    """Ranks within each column, means where values tie."""
    return np.stack([(values < each).sum(axis=0) + ((values == each).sum(axis=0) + 1) / 2 for each in values])


def _resampled(clusters: NDArray[np.int64], draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Places of items, (draws, …): clusters drawn with replacement, as a list of arrays of equal length."""
    labels, codes = np.unique(clusters, return_inverse=True)
    if len(labels) == len(clusters):
        return rng.integers(0, len(clusters), (draws, len(clusters)))
    members = [np.flatnonzero(codes == code) for code in range(len(labels))]
    width = len(clusters)
    found = np.zeros((draws, width), dtype=np.int64)
    for at in range(draws):
        drawn = np.concatenate([members[code] for code in rng.integers(0, len(labels), len(labels))])
        found[at] = np.resize(drawn, width)
    return found


def _median(values: Floats, places: NDArray[np.int64], level: float) -> Interval:
    known = np.isfinite(values)
    if not known.any():
        return Interval(math.nan, math.nan, math.nan, level)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a draw of constant items alone
        drawn = np.nanmedian(values[places], axis=1)
    return interval_of(float(np.median(values[known])), drawn[np.isfinite(drawn)], level=level)


def _loss(before: Floats, after: Floats, places: NDArray[np.int64], level: float) -> Interval:
    """Mean fall on the items that have both; an item that became constant has lost all of its correlation."""
    fall = before - np.nan_to_num(after)
    fall = np.where(np.isfinite(before), fall, 0.0)
    return interval_of(float(fall.mean()), fall[places].mean(axis=1), level=level)


def _with_wrong(rows: pl.DataFrame, names: Sequence[str], x: Floats) -> float:
    """Median over items of the correlation of the right option's p with the mass of the wrong ones, over models."""
    total = rows.with_columns(
        (pl.col("log_p").list.eval(pl.element().exp()).list.sum() - pl.col("p")).alias("wrong")
    )  # fmt: skip
    right, _ = _known(panel(rows, "p", names), names, x)
    wrong, _ = _known(panel(total, "wrong", names), names, x)
    a, b = _ranks(right.values), _ranks(wrong.values)
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    spread = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    known = spread > 0
    return float(np.median((a * b).sum(axis=0)[known] / spread[known])) if known.any() else math.nan


def survival(values: Floats) -> tuple[Floats, Floats]:
    """Share of items with a correlation above each value; items without a correlation count as below all."""
    ordered = np.sort(values[np.isfinite(values)])
    return ordered, 1 - np.arange(len(ordered)) / len(values) - (len(values) - len(ordered)) / len(values)


__all__ = ["HIGH", "WORDS", "Chain", "Link", "correlations", "metric_chain", "survival"]
