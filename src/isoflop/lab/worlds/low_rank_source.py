"""A source of tokens whose logits have a power-law spectrum, and whose entropy is known exactly."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import SpecError

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LowRankSource:
    """p(x) p(y|x): one context x and one symbol y a token.

    context_probabilities: p(x), shape (contexts,).
    conditional: p(y|x), shape (contexts, symbols).
    """

    context_probabilities: Floats
    conditional: Floats

    @property
    def contexts(self) -> int:
        """The number of contexts."""
        return len(self.conditional)

    @property
    def symbols(self) -> int:
        """The number of symbols."""
        return len(self.conditional.T)

    @cached_property
    def entropy(self) -> float:
        """H(Y|X) = −Σ p(x) p(y|x) log p(y|x) in nats/token: no model's loss lies below it."""
        return float(-(self.context_probabilities @ (self.conditional * np.log(self.conditional)).sum(axis=1)))

    @cached_property
    def marginal_entropy(self) -> float:
        """H(Y) in nats/token: the best loss of a model that ignores its context."""
        marginal = self.context_probabilities @ self.conditional
        return float(-(marginal * np.log(marginal)).sum())

    def cross_entropy(self, logits: Floats) -> Floats:
        """L = −Σ p(x) p(y|x) log softmax(logits)(y|x) in nats/token; logits (..., contexts, symbols) give (...)."""
        shifted = logits - logits.max(axis=-1, keepdims=True)
        shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        losses: Floats = -np.einsum("x,xy,...xy->...", self.context_probabilities, self.conditional, shifted)
        return losses

    def sample(self, rng: np.random.Generator, shape: tuple[int, int]) -> Indices:
        """Fresh tokens as x · symbols + y, shape (batches, batch), each batch in ascending order."""
        drawn = np.searchsorted(self._cumulative, rng.random(shape))
        return np.sort(drawn, axis=1)

    @cached_property
    def _cumulative(self) -> Floats:
        cumulative: Floats = (self.context_probabilities[:, None] * self.conditional).cumsum()
        cumulative /= cumulative[-1]  # ends at exactly 1, above every uniform draw
        return cumulative


def low_rank_source(
    *,
    contexts: int = 256,
    symbols: int = 128,
    decay: float = 1.0,
    spread: float = 2.0,
    context_power: float = 0.5,
    seed: int = 0,
) -> LowRankSource:
    """p(y|x) = softmax_y Σ_k k^-decay u_xk w_yk with Gaussian u, w; p(x) ∝ rank(x)^-context_power.

    The logits are scaled to the standard deviation ``spread``. The k-th direction carries variance k^(-2 decay), so a
    model of rank r leaves the tail of a power law. The defaults have H(Y|X) = 3.5416 nats.
    """
    if contexts < 1 or symbols < 2 or not spread > 0:
        raise SpecError(
            f"a source with {contexts} contexts, {symbols} symbols and logits of spread {spread} is no source; "
            "give 1 context or more, 2 symbols or more and a spread above 0"
        )
    rng = np.random.default_rng(seed)
    strengths = np.arange(1, symbols + 1) ** -decay
    logits = (rng.standard_normal((contexts, symbols)) * strengths) @ rng.standard_normal((symbols, symbols)).T
    logits *= spread / logits.std()
    conditional = np.exp(logits - logits.max(axis=1, keepdims=True))
    conditional /= conditional.sum(axis=1, keepdims=True)
    frequencies = np.arange(1, contexts + 1) ** -context_power
    return LowRankSource(frequencies / frequencies.sum(), conditional)
