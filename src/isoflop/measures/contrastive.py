"""Information by a trained critic (InfoNCE), and compression by an autoencoder: both need PyTorch (isoflop[lab])."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike

from isoflop.errors import DataError, IsoflopError
from isoflop.measures.samples import Floats, as_samples, pairs_of, varying

if TYPE_CHECKING:
    from torch import Tensor

_BATCH: Final = 256
_WIDTH: Final = 64
_FEW: Final = 100


def infonce_information(x: ArrayLike, y: ArrayLike, *, steps: int = 400, seed: int = 0) -> float:
    """I(X; Y) ≥ log K + ⟨f(xᵢ, yᵢ) − log Σⱼ exp f(xᵢ, yⱼ)⟩ over K pairs, f a trained critic, in nats.

    x: (samples, dimensions of X); y: (samples, dimensions of Y). The critic is g(x)·h(y) of two small networks, trained
    on one half of the pairs and evaluated on the other, and the other way around. A lower bound, and never above log K,
    K being half the samples: of 2,000 samples no more than 6.9 nats. Van den Oord et al. 2018 (arXiv 1807.03748).

    Raises DataError for fewer than 100 pairs, and IsoflopError without PyTorch.
    """
    return float(infonce_terms(x, y, steps=steps, seed=seed).mean())


def infonce_terms(x: ArrayLike, y: ArrayLike, *, steps: int = 400, seed: int = 0) -> Floats:
    """The terms whose mean is :func:`infonce_information`, one a sample."""
    torch = _torch("InfoNCE")
    first, second = (_standard(varying(side, name)) for side, name in zip(pairs_of(x, y), "XY", strict=True))
    samples = len(first)
    if samples < _FEW:
        raise DataError(f"{samples} pairs do not train a critic; give {_FEW} or more")
    order = np.random.default_rng(seed).permutation(samples)
    halves = order[: samples // 2], order[samples // 2 :]
    told = np.empty(samples)
    sides = [torch.tensor(side, dtype=torch.float32) for side in (first, second)]
    for number, (learned, held) in enumerate((halves, halves[::-1])):
        critic = _critic(torch, [side[learned] for side in sides], steps, 2 * seed + number)
        with torch.no_grad():
            scores = _scores(critic, [side[held] for side in sides])
            gap = torch.diagonal(scores) - torch.logsumexp(scores, dim=1)
        told[held] = gap.double().numpy() + math.log(len(held))
    return told


def autoencoded(points: ArrayLike, count: int, *, steps: int = 600, seed: int = 0) -> tuple[Floats, float]:
    """Z = encoder(X) of ``count`` dimensions, each scaled to variance one, and the share of variance that is decoded.

    points: (samples, dimensions). Encoder and decoder are networks with one hidden layer of 64 beside a linear map, so
    that they begin near principal components; what they lose is lost to any information measured of Z, which is
    therefore a lower bound. Raises DataError for a count that is no compression, IsoflopError without PyTorch.
    """
    torch = _torch("an autoencoder")
    table = _standard(varying(as_samples(points, least=_FEW)))
    samples, dimensions = table.shape
    if not 1 <= count < dimensions:
        raise DataError(f"{count} dimensions do not compress points of {dimensions}; ask for 1 to {dimensions - 1}")
    x = torch.tensor(table, dtype=torch.float32)
    draws = torch.Generator().manual_seed(seed)
    _, _, directions = np.linalg.svd(table, full_matrices=False)
    linear = torch.tensor(directions[:count].T.copy(), dtype=torch.float32)
    into, out = _network(torch, dimensions, count, draws), _network(torch, count, dimensions, draws)
    weights = [linear.clone(), linear.T.clone(), *into, *out]
    weights[4].zero_()
    weights[8].zero_()

    def encode(rows: Tensor) -> Tensor:
        return rows @ weights[0] + _forward(torch, weights[2:6], rows)

    def loss(rows: Tensor) -> Tensor:
        code = encode(rows)
        return (code @ weights[1] + _forward(torch, weights[6:10], code) - rows).square().mean()

    _minimize(torch, weights, lambda step: loss(x[_rows(torch, samples, draws)]), steps)
    with torch.no_grad():
        code = encode(x).double().numpy()
        kept = 1 - float(loss(x)) / float(x.square().mean())
    spread = code.std(axis=0)
    if (spread < 1e-9).any():
        raise DataError("the autoencoder left a dimension constant; ask for fewer")
    return (code - code.mean(axis=0)) / spread, kept


def _torch(what: str) -> Any:  # noqa: ANN401 - a module
    try:
        import torch
    except ImportError:
        raise IsoflopError(f'{what} needs PyTorch; install it with pip install "isoflop[lab]"') from None
    return torch


def _standard(table: Floats) -> Floats:
    return np.asarray((table - table.mean(axis=0)) / table.std(axis=0))


def _network(torch: Any, into: int, out: int, draws: Any) -> list[Tensor]:  # noqa: ANN401
    """W₁, b₁, W₂, b₂ of one hidden layer."""
    return [
        torch.randn(into, _WIDTH, generator=draws) * math.sqrt(2 / into),
        torch.zeros(_WIDTH),
        torch.randn(_WIDTH, out, generator=draws) / math.sqrt(_WIDTH),
        torch.zeros(out),
    ]


def _forward(torch: Any, weights: list[Tensor], rows: Tensor) -> Tensor:  # noqa: ANN401
    return torch.relu(rows @ weights[0] + weights[1]) @ weights[2] + weights[3]


def _critic(torch: Any, sides: list[Tensor], steps: int, seed: int) -> list[Tensor]:  # noqa: ANN401
    draws = torch.Generator().manual_seed(seed)
    weights = [w for side in sides for w in _network(torch, side.shape[1], _WIDTH // 2, draws)]

    def loss(step: int) -> Tensor:
        rows = _rows(torch, len(sides[0]), draws)
        scores = _scores(weights, [side[rows] for side in sides])
        return (torch.logsumexp(scores, dim=1) - torch.diagonal(scores)).mean()

    _minimize(torch, weights, loss, steps)
    return weights


def _scores(weights: list[Tensor], sides: list[Tensor]) -> Tensor:
    """f(xᵢ, yⱼ) = g(xᵢ)·h(yⱼ), (pairs, pairs)."""
    import torch

    one, other = (_forward(torch, weights[k : k + 4], side) for k, side in zip((0, 4), sides, strict=True))
    return one @ other.T / math.sqrt(_WIDTH / 2)


def _rows(torch: Any, samples: int, draws: Any) -> Tensor:  # noqa: ANN401
    return torch.randperm(samples, generator=draws)[:_BATCH]


def _minimize(torch: Any, weights: list[Tensor], loss: Any, steps: int) -> None:  # noqa: ANN401
    """Adam with a rate that falls to nothing; the weights are changed in place, and need no gradient afterwards."""
    for weight in weights:
        weight.requires_grad_()
    adam = torch.optim.Adam(weights, lr=3e-3)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for step in range(steps):
        adam.zero_grad()
        loss(step).backward()
        adam.step()
        rate.step()
    for weight in weights:
        weight.requires_grad_(requires_grad=False)
