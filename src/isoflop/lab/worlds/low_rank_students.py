"""Rank-r softmax students: their loss is computed exactly, so a run has no test noise, only training noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import SpecError
from isoflop.lab.worlds.low_rank_source import LowRankSource

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Indices = NDArray[np.int64]

_FIRST, _SECOND, _TINY = 0.9, 0.99, 1e-8  # Adam's two memories and its floor
_WARMUP, _FLOOR = 0.05, 0.02  # shares of the steps and of the peak learning rate
_INITIAL = 0.3  # standard deviation of the factors at the start


@dataclass(frozen=True)
class Student:
    """q(y | x) = softmax(a_x · B + c): one training run, ``rank`` the length of a_x, ``tokens`` seen once each."""

    rank: int
    tokens: int
    learning_rate: float
    seed: int = 0


def student_parameters(source: LowRankSource, rank: int) -> int:
    """N = rank · (contexts + symbols) + symbols: both factors and the bias."""
    return rank * (source.contexts + source.symbols) + source.symbols


def train_students(source: LowRankSource, students: Sequence[Student], *, batch: int = 128) -> Floats:
    """Exact losses L = −Σ p(x) p(y|x) log q(y|x) after online Adam, in nats/token, shape (students,).

    Each student draws ``tokens // batch`` fresh batches (at least one); warm-up over the first 5 % of the steps, then a
    cosine to 2 % of the peak. Students of equal rank are trained side by side, which changes none of their numbers: two
    students that differ in nothing but the learning rate start alike and see the same tokens.
    """
    for student in students:
        if student.rank < 1 or student.tokens < batch or not student.learning_rate > 0:
            raise SpecError(
                f"{student} cannot be trained; give a rank of 1 or more, at least one batch of {batch} tokens and a "
                "learning rate above 0"
            )
    # Longest first, so that finished students leave from the end of the batch.
    order = sorted(range(len(students)), key=lambda i: (students[i].rank, -students[i].tokens))
    losses = np.empty(len(students))
    for _, group in groupby(order, key=lambda i: students[i].rank):
        members = list(group)
        losses[members] = _train_side_by_side(source, [students[i] for i in members], batch)
    return losses


def train_on_population(source: LowRankSource, rank: int, *, steps: int, learning_rate: float, seed: int) -> float:
    """Exact loss in nats/token after ``steps`` of Adam on the expected gradient: the limit of endless data."""
    rng = np.random.default_rng([seed, rank])
    weights = _initial(rng, source, rank, scale=_INITIAL / rank**0.25)
    adam = _Adam.zeros(weights[None].shape)
    truth = source.conditional.astype(np.float32)
    mass = source.context_probabilities.astype(np.float32)[:, None]
    lane = weights[None]
    for step in range(1, steps + 1):
        factors, symbols, bias = _views(lane, source, rank)
        residual = _softmax(factors[0] @ symbols[0].T + bias[0])
        residual -= truth
        residual *= mass
        gradient = np.concatenate(
            [(residual @ symbols[0]).ravel(), (residual.T @ factors[0]).ravel(), residual.sum(axis=0)]
        )
        rate = learning_rate * 0.5 * (1 + np.cos(np.pi * step / steps)) + 1e-5
        lane -= np.float32(rate) * adam.direction(gradient[None], step)
    return float(_exact_losses(source, lane, rank)[0])


def _train_side_by_side(source: LowRankSource, students: Sequence[Student], batch: int) -> Floats:
    """Students of one rank, longest first."""
    rank = students[0].rank
    steps = np.array([student.tokens // batch for student in students])
    streams: dict[tuple[int, int], tuple[Singles, Indices]] = {}
    for student, count in zip(students, steps, strict=True):
        if (key := (student.tokens, student.seed)) not in streams:
            rng = np.random.default_rng([student.seed, rank, student.tokens])
            streams[key] = _initial(rng, source, rank, scale=_INITIAL), source.sample(rng, (int(count), batch))
    starts, pairs = zip(*(streams[student.tokens, student.seed] for student in students), strict=True)
    weights = np.stack(starts)
    adam = _Adam.zeros(weights.shape)
    peaks = np.array([student.learning_rate for student in students])
    losses = np.empty(len(students))
    running = len(students)
    for step in range(1, int(steps[0]) + 1):
        gradient = _gradient(weights, np.stack([stream[step - 1] for stream in pairs[:running]]), source, rank)
        rates = peaks[:running] * _schedule(step, steps[:running])
        weights -= rates.astype(np.float32)[:, None] * adam.direction(gradient, step)
        if step == steps[running - 1]:
            done = int((steps[:running] == step).sum())
            losses[running - done : running] = _exact_losses(source, weights[running - done :], rank)
            running -= done
            weights, adam = weights[:running], adam.first(running)
    return losses


def _gradient(weights: Singles, pairs: Indices, source: LowRankSource, rank: int) -> Singles:
    """Mean gradient of −log q(y|x) over each student's batch; ``pairs`` (students, batch) sorted along each row."""
    lanes, batch = pairs.shape
    x, y = np.divmod(pairs, source.symbols)
    lane = np.arange(lanes)[:, None]
    factors, symbols, bias = _views(weights, source, rank)
    seen = factors[lane, x]
    residual = _softmax(seen @ symbols.transpose(0, 2, 1) + bias[:, None, :])
    flat = residual.reshape(-1)
    flat[np.arange(lanes * batch) * source.symbols + y.reshape(-1)] -= 1
    residual /= batch
    gradient = np.zeros_like(weights)
    of_factors, of_symbols, of_bias = _views(gradient, source, rank)
    # A batch is sorted by context, so the sums over equal contexts are sums over consecutive rows.
    rows = (lane * source.contexts + x).reshape(-1)
    first = np.concatenate([[0], np.flatnonzero(rows[1:] != rows[:-1]) + 1])
    sums = np.add.reduceat((residual @ symbols).reshape(-1, rank), first, axis=0)
    of_factors[first // batch, x.reshape(-1)[first]] = sums
    np.matmul(residual.transpose(0, 2, 1), seen, out=of_symbols)
    np.sum(residual, axis=1, out=of_bias)
    return gradient


def _schedule(step: int, steps: Indices) -> Floats:
    warm = np.minimum(1.0, step / np.maximum(1.0, _WARMUP * steps))
    shape: Floats = warm * (_FLOOR + (1 - _FLOOR) * 0.5 * (1 + np.cos(np.pi * step / steps)))
    return shape


def _softmax(logits: Singles) -> Singles:
    """Softmax over the last axis, in place."""
    logits -= logits.max(axis=-1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=-1, keepdims=True)
    return logits


def _initial(rng: np.random.Generator, source: LowRankSource, rank: int, *, scale: float) -> Singles:
    """Both factors from N(0, scale²) and a bias of zero, one row of weights."""
    factors = scale * rng.standard_normal(rank * (source.contexts + source.symbols))
    return np.concatenate([factors, np.zeros(source.symbols)]).astype(np.float32)


def _views(weights: Singles, source: LowRankSource, rank: int) -> tuple[Singles, Singles, Singles]:
    """Context factors (students, contexts, rank), symbol factors (students, symbols, rank) and bias, as views."""
    lanes = len(weights)
    middle, end = source.contexts * rank, (source.contexts + source.symbols) * rank
    return (
        weights[:, :middle].reshape(lanes, source.contexts, rank),
        weights[:, middle:end].reshape(lanes, source.symbols, rank),
        weights[:, end:],
    )


def _exact_losses(source: LowRankSource, weights: Singles, rank: int) -> Floats:
    factors, symbols, bias = (view.astype(np.float64) for view in _views(weights, source, rank))
    return source.cross_entropy(factors @ symbols.transpose(0, 2, 1) + bias[:, None, :])


@dataclass(frozen=True)
class _Adam:
    """Adam's two running means, one row a student; the arrays are updated in place."""

    mean: Singles
    square: Singles

    @staticmethod
    def zeros(shape: tuple[int, ...]) -> _Adam:
        return _Adam(np.zeros(shape, np.float32), np.zeros(shape, np.float32))

    def first(self, count: int) -> _Adam:
        return _Adam(self.mean[:count], self.square[:count])

    def direction(self, gradient: Singles, step: int) -> Singles:
        """m̂ / (√v̂ + ε) with both means corrected for their start at zero."""
        self.mean[:] = _FIRST * self.mean + (1 - _FIRST) * gradient
        self.square[:] = _SECOND * self.square + (1 - _SECOND) * gradient**2
        spread = np.sqrt(self.square / np.float32(1 - _SECOND**step))
        spread += np.float32(_TINY)
        direction: Singles = self.mean / np.float32(1 - _FIRST**step) / spread
        return direction
