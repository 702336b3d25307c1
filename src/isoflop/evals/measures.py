"""What each item says of its model: numbers by item, from log-probabilities of options, passes, or members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The measure that is the task's score comes first.
MEASURES: Final[Mapping[str, tuple[str, ...]]] = {
    "options": ("acc", "acc_norm", "log_prob", "p", "p_options", "brier", "loss", "bpb"),
    "passes": ("pass",),
    "members": ("acc", "loss", "total", "aleatoric", "epistemic"),
    "score": ("score",),
}
# Along the chain of a choice among options, from what is trained to what is reported.
CHAIN: Final = ("log_prob", "p", "p_options", "brier", "acc")
BETTER_LOWER: Final = frozenset(("brier", "loss", "bpb", "total", "aleatoric", "epistemic"))


def with_measures(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of one task with a column for each measure of their kind."""
    kind = rows["kind"][0]
    if kind == "options":
        made = option_measures(padded(rows["log_p"]), rows["right"].to_numpy(), _lengths(rows))
    elif kind == "passes":
        made = {"pass": pass_rates(*(rows[each].cast(pl.Float64).fill_null(np.nan).to_numpy()
                                     for each in ("passes", "tries", "goal")))}  # fmt: skip
    elif kind == "members":
        made = member_measures(rows["members"].to_list(), rows["right"].cast(pl.Float64).fill_null(np.nan).to_numpy())
    else:
        return rows
    told = {name: values for name, values in made.items() if np.isfinite(values).any()}
    return rows.with_columns(pl.Series(name, values).fill_nan(None) for name, values in told.items())


def padded(lists: pl.Series, fill: float = -np.inf) -> Floats:
    """Lists of numbers as one matrix (rows, longest), filled up."""
    held = lists.to_list()
    longest = max(len(each) for each in held)
    values = np.full((len(held), longest), fill)
    for at, each in enumerate(held):
        values[at, : len(each)] = each
    return values


def _lengths(rows: pl.DataFrame) -> Floats | None:
    if rows["lengths"].null_count():
        return None
    lengths = padded(rows["lengths"], np.nan)
    return lengths if (np.nan_to_num(lengths, nan=1.0) > 0).all() else None


def option_measures(log_p: Floats, right: NDArray[np.int64], lengths: Floats | None = None) -> dict[str, Floats]:
    """log p_c, p_c, p_c/Σp_j, Σ(p_j/Σp − 1[j=c])² and 1[argmax = c] of each row, (rows,).

    log_p: (rows, options) in nats, −∞ where a row has fewer. lengths: bytes of each option, for ``acc_norm``, the
    argmax of log p per byte, and ``bpb`` of the right option. Of options that tie for the largest each counts as its
    share.

    Source: Schaeffer et al. 2024, arXiv:2406.04391 (the chain).
    """
    at = np.arange(len(log_p))
    own = log_p[at, right]
    highest = log_p.max(axis=1, keepdims=True)
    shifted = np.exp(log_p - np.where(np.isfinite(highest), highest, 0.0))
    total = shifted.sum(axis=1, keepdims=True)
    share = np.divide(shifted, total, out=np.full_like(shifted, np.nan), where=total > 0)
    hit = np.zeros_like(share)
    hit[at, right] = 1.0
    found = {
        "acc": _best(log_p, right),
        "log_prob": own,
        "p": np.exp(own),
        "p_options": share[at, right],
        "brier": ((share - hit) ** 2).sum(axis=1),
        "loss": -own,
    }
    if lengths is not None:
        with np.errstate(invalid="ignore"):
            per_byte = np.where(np.isnan(lengths), -np.inf, log_p / lengths)
        found |= {"acc_norm": _best(per_byte, right), "bpb": -own / np.log(2) / lengths[at, right]}
    return found


def _best(values: Floats, right: NDArray[np.int64]) -> Floats:
    top = values == values.max(axis=1, keepdims=True)
    return np.where(top[np.arange(len(values)), right], 1 / top.sum(axis=1), 0.0)


def pass_rates(passes: Floats, tries: Floats, goal: Floats) -> Floats:
    """(r − 1)/(K − 1) where K tries gave the r passes at which they ended; c/n of fixed tries, or at a cap.

    Unbiased for both, and for tries that end at r passes or at a cap, whichever is first (Girshick, Mosteller & Savage
    1946). r/K is not: it is too high by up to r/(r − 1). With a goal of one pass the estimate is 1 or 0, and unbiased.
    """
    reached = (goal == passes) & np.isfinite(goal)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(tries > 1, (passes - 1) / (tries - 1), 1.0)
        return np.where(reached, inverse, passes / tries)


def member_measures(members: list[list[list[float]]], right: Floats) -> dict[str, Floats]:
    """H[mean p_m], mean H[p_m] and their difference in nats, with accuracy and loss of the mean where known.

    Source: Depeweg et al. 2018, arXiv:1710.07283 (the decomposition).
    """
    names = ("total", "aleatoric", "epistemic", "acc", "loss")
    found = {name: np.full(len(members), np.nan) for name in names}
    for at, held in enumerate(members):
        p = np.asarray(held, dtype=np.float64)
        mean = p.mean(axis=0)
        total, aleatoric = _entropy(mean), float(np.mean([_entropy(each) for each in p]))
        found["total"][at], found["aleatoric"][at] = total, aleatoric
        found["epistemic"][at] = max(0.0, total - aleatoric)
        if np.isfinite(right[at]):
            place = int(right[at])
            top = mean == mean.max()
            found["acc"][at] = top[place] / top.sum()
            found["loss"][at] = -np.log(max(mean[place], np.finfo(float).tiny))
    return found


def _entropy(p: Floats) -> float:
    known = p[p > 0]
    return float(-(known * np.log(known)).sum())
