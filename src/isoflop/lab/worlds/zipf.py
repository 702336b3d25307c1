"""The Zipf world: a lookup table of the most frequent items, whose expected loss has a closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import zeta

from isoflop.errors import SpecError
from isoflop.runs import Runs

Floats = NDArray[np.float64]

SIZES = tuple(2**k for k in range(4, 15))
TOKENS = tuple(2**k for k in range(5, 18))
ITEMS = 2_000_000


@dataclass(frozen=True)
class ZipfTruth:
    """L ∝ N^-alpha without limit of data, D^-beta without limit of size, and nothing irreducible.

    alpha = a and beta = a / (1 + a) for item probabilities p_i ∝ i^-(1+a). Table and data do not add: an item is lost
    for want of room or for want of data, never for both, so that a law in Kaplan's form comes closer than a sum.
    """

    exponent: float
    alpha: float
    beta: float
    entropy: float = 0.0


def zipf_loss(sizes: ArrayLike, tokens: ArrayLike, *, exponent: float = 0.5, items: int | None = ITEMS) -> Floats:
    """L(N, D) = Σ_{i ≤ N} p_i (1 − p_i)^D + Σ_{i > N} p_i, with p_i = i^-(1+a) / Σ_j j^-(1+a), exactly.

    sizes, tokens: of equal shape (runs,); L is the probability of meeting an item that the table of size N does not
    hold after D draws. ``items`` ends the list of items; ``None`` leaves it endless. Raises SpecError for sizes beyond
    the list.
    """
    size, count = np.broadcast_arrays(np.asarray(sizes, dtype=np.int64), np.asarray(tokens, dtype=np.float64))
    masses = _masses(int(size.max()), exponent, items)
    losses = np.empty(size.shape)
    for draws in np.unique(count):
        # One running sum serves every table size at this number of draws.
        unseen = np.concatenate([[0.0], (masses * np.exp(draws * np.log1p(-masses))).cumsum()])
        here = count == draws
        losses[here] = unseen[size[here]] + _beyond(size[here], exponent, items)
    return losses


def zipf_expected(
    *,
    exponent: float = 0.5,
    sizes: Sequence[int] = SIZES,
    tokens: Sequence[int] = TOKENS,
    items: int | None = ITEMS,
) -> tuple[Runs, ZipfTruth]:
    """Every pair of a size and a count of tokens at its expected loss :func:`zipf_loss`, without noise."""
    size, count = (grid.ravel() for grid in np.meshgrid(sizes, tokens, indexing="ij"))
    losses = zipf_loss(size, count, exponent=exponent, items=items)
    return _runs(size, count, losses, source="the Zipf world, expected losses"), _truth(exponent)


def zipf(
    *,
    exponent: float = 0.5,
    sizes: Sequence[int] = SIZES,
    tokens: Sequence[int] = TOKENS,
    seeds: Sequence[int] = (0, 1, 2),
    items: int | None = ITEMS,
) -> tuple[Runs, ZipfTruth]:
    """L = 1 − Σ p_i over the items i ≤ N that occurred in D draws: tables filled from samples, one a run.

    Runs are independent: each draws its own tokens. Their mean over seeds is :func:`zipf_loss`.
    """
    cells = [(size, count, seed) for count in tokens for seed in seeds for size in sizes]
    masses = _masses(max(sizes), exponent, items)
    losses = np.empty(len(cells))
    for row, (size, count, seed) in enumerate(cells):
        # The counts of the table's items and of all others together: one multinomial draw, however many items exist.
        table = masses[:size]
        counts = np.random.default_rng([seed, size, count]).multinomial(count, np.append(table, 1 - table.sum()))
        losses[row] = 1 - table[counts[:-1] > 0].sum()
    size, count, seed = np.array(cells).T
    return _runs(size, count, losses, source="the Zipf world", seed=seed), _truth(exponent)


def _runs(
    sizes: NDArray[np.int64],
    tokens: NDArray[np.int64],
    losses: Floats,
    *,
    source: str,
    seed: NDArray[np.int64] | None = None,
) -> Runs:
    columns: dict[str, ArrayLike] = {"N": sizes.astype(float), "D": tokens.astype(float), "loss": losses}
    if seed is not None:
        columns["seed"] = seed
    return Runs.from_columns(columns, source=source, units={"loss": "error rate"}, conventions={"N": "total"})


def _truth(exponent: float) -> ZipfTruth:
    return ZipfTruth(exponent, alpha=exponent, beta=exponent / (1 + exponent))


def _masses(count: int, exponent: float, items: int | None) -> Floats:
    """p_1 … p_count."""
    if not exponent > 0 or (items is not None and count > items):
        raise SpecError(
            f"a table of {count} among {'endless' if items is None else items} items with exponent {exponent} is "
            "impossible; give an exponent above 0 and sizes within the items"
        )
    masses: Floats = np.arange(1, count + 1, dtype=np.float64) ** -(1 + exponent) / _total(exponent, items)
    return masses


def _beyond(sizes: NDArray[np.int64], exponent: float, items: int | None) -> Floats:
    """Σ_{i > N} p_i, by the Hurwitz zeta function."""
    rest = zeta(1 + exponent, sizes + 1.0) - (0.0 if items is None else zeta(1 + exponent, items + 1.0))
    share: Floats = rest / _total(exponent, items)
    return share


def _total(exponent: float, items: int | None) -> float:
    return float(zeta(1 + exponent) - (0.0 if items is None else zeta(1 + exponent, items + 1.0)))
