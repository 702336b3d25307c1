"""What each choice of the Hitchhiker's protocol does to the error: pairs of laws that differ in that choice alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.uncertainty import Interval
from isoflop.uncertainty.ensemble import interval_of
from isoflop.validation.hitchhiker import Hitchhiker
from isoflop.values import Value

Floats = NDArray[np.float64]

_BOOTSTRAPS = 2_000


@dataclass(frozen=True)
class Comparison(Value):
    """What one choice does to the error, over pairs of laws that differ in it alone.

    helped: in how many pairs the choice made the error smaller. ratio: geometric mean of ARE with the choice over ARE
    without; its interval resamples collections, then families in them, since laws of one family are not independent.
    """

    choice: str
    against: str
    pairs: int
    families: int
    collections: int
    helped: int
    ratio: Interval

    @property
    def verdict(self) -> str:
        """``helps``, ``hurts``, or ``not decided`` by the interval of the ratio; ``one family`` has no interval."""
        if self.families < 2:
            return "one family"
        if self.ratio.high < 1:
            return "helps"
        return "hurts" if self.ratio.low > 1 else "not decided"


def compare_choices(study: Hitchhiker, *, level: float = 0.9, seed: int = 0) -> tuple[Comparison, ...]:
    """The questions of the Guide, answered by pairs of laws that differ in one choice alone."""
    trials = study.trials
    whole = trials.filter((pl.col("share") == 1.0) & ~pl.col("final"))
    plain, cut = whole.filter(~pl.col("cut")), whole.filter("cut")
    final = trials.filter("final")
    checkpointed = plain.join(final.select("family").unique(), on="family", how="semi")
    nearest, smallest = (plain.filter(pl.col("pick") == pick) for pick in ("nearest", "smallest"))
    third = trials.filter((pl.col("share") == 0.3) & ~pl.col("cut") & ~pl.col("final"))
    all_models = plain.filter(pl.col("models") == pl.col("models").max().over("family"))
    known = study.baselines.with_columns(pl.lit(1).alias("one"))
    pairs = (
        ("the first part of training dropped", "kept", cut, plain, ("family", "models", "pick")),
        ("all checkpoints", "final losses alone", checkpointed, final, ("family", "models", "pick")),
        ("all checkpoints but the first", "final losses alone", cut, final, ("family", "models", "pick")),
        ("models nearest in size", "the smallest, as many", nearest, smallest, ("family", "models")),
        ("one model more, farther", "without it", _one_more(nearest), nearest, ("family", "models")),
        (
            "one model more, nearer",
            "without it",
            _one_more(_with_all(smallest, nearest)),
            smallest,
            ("family", "models"),
        ),
        ("three tenths of training", "all of it", third, plain, ("family", "models", "pick")),
        ("the law", "the lowest loss seen", all_models, known.with_columns(are="best_seen"), ("family",)),
        ("the law", "the most trained model", all_models, known.with_columns(are="most_trained"), ("family",)),
    )
    made = [
        _compared(choice, against, with_it, without, on, level=level, seed=seed)
        for choice, against, with_it, without, on in pairs
    ]
    return tuple(each for each in made if each is not None)


def _one_more(trials: pl.DataFrame) -> pl.DataFrame:
    """The trials with one model more, under the number of models without it."""
    return trials.with_columns(pl.col("models") - 1)


def _with_all(smallest: pl.DataFrame, nearest: pl.DataFrame) -> pl.DataFrame:
    """The smallest models, up to all of them, which stand among the nearest."""
    everything = nearest.filter(pl.col("models") == pl.col("models").max().over("family"))
    return pl.concat([smallest, everything])


def _compared(
    choice: str,
    against: str,
    with_it: pl.DataFrame,
    without: pl.DataFrame,
    on: tuple[str, ...],
    *,
    level: float,
    seed: int,
) -> Comparison | None:
    both = with_it.join(without.select(*on, pl.col("are").alias("other")), on=list(on)).filter(
        (pl.col("are") > 0) & (pl.col("other") > 0) & pl.col("are").is_finite() & pl.col("other").is_finite()
    )
    if both.is_empty():
        return None
    gain = np.log(both["are"].to_numpy() / both["other"].to_numpy())
    # one mean a family, families within collections: what is resampled
    means = (
        both.with_columns(gain=pl.Series(gain))
        .group_by("collection", "family", maintain_order=True)
        .agg(pl.col("gain").mean())
        .sort("collection", "family")
    )
    groups = [group["gain"].to_numpy() for group in means.partition_by("collection", maintain_order=True)]
    rng = np.random.default_rng([seed, 7])
    draws = np.array([_resampled(groups, rng) for _ in range(_BOOTSTRAPS)])
    value = float(np.mean([group.mean() for group in groups]))
    interval = interval_of(value, draws, level=level)
    return Comparison(
        choice=choice,
        against=against,
        pairs=both.height,
        families=means.height,
        collections=len(groups),
        helped=int((gain < 0).sum()),
        ratio=Interval(math.exp(interval.value), math.exp(interval.low), math.exp(interval.high), level),
    )


def _resampled(groups: list[Floats], rng: np.random.Generator) -> float:
    """The mean over collections of their families' mean gain, both drawn with replacement."""
    drawn = [groups[each] for each in rng.integers(len(groups), size=len(groups))]
    return float(np.mean([group[rng.integers(len(group), size=len(group))].mean() for group in drawn]))
