"""Many small ReLU networks of one shape trained side by side: each step costs hardly more than one network's.

A *lane* is one network: its own weights, learning rate and batches. Weights carry a leading lane axis, so that twenty
seeds or learning rates are one batched matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from isoflop.lab.schedules import Schedule

Weights = list[Tensor]  # W₁ (lanes, in, hidden), b₁ (lanes, 1, hidden), W₂, b₂ …
Batch = Callable[[int], tuple[Tensor, Tensor]]


def start(sizes: Sequence[int], lanes: int, *, seed: int) -> Weights:
    """Normal weights of variance 2/fan-in (the last layer 1/fan-in), biases zero."""
    draws = torch.Generator().manual_seed(seed)
    weights: Weights = []
    for number, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        spread = math.sqrt((1 if number == len(sizes) - 2 else 2) / fan_in)
        weights.append(spread * torch.randn(lanes, fan_in, fan_out, generator=draws))
        weights.append(torch.zeros(lanes, 1, fan_out))
    return weights


def outputs(weights: Weights, inputs: Tensor) -> Tensor:
    """(lanes, batch, out) from inputs (lanes, batch, in), or (batch, in) that all lanes share."""
    hidden = inputs if inputs.ndim == 3 else inputs.expand(len(weights[0]), *inputs.shape)
    for number in range(0, len(weights), 2):
        hidden = torch.baddbmm(weights[number + 1], hidden, weights[number])
        if number < len(weights) - 2:
            hidden = F.relu(hidden)
    return hidden


def last_hidden(weights: Weights, inputs: Tensor) -> Tensor:
    """(lanes, batch, hidden) of the last hidden layer, after its ReLU."""
    return F.relu(outputs(weights[:-2], inputs))


def losses(outputs: Tensor, targets: Tensor) -> Tensor:
    """Each lane's mean loss: nats for whole-number targets (lanes, batch), squared error for others."""
    if targets.dtype == torch.int64:
        lanes, batch, classes = outputs.shape
        each = F.cross_entropy(outputs.reshape(-1, classes), targets.expand(lanes, batch).reshape(-1), reduction="none")
        return each.view(lanes, batch).mean(dim=1)
    return (outputs - targets).square().mean(dim=(1, 2))


def train(
    weights: Weights,
    batch: Batch,
    *,
    steps: int,
    rates: Sequence[float],
    schedule: Schedule,
    watch: Callable[[int, Weights], bool] | None = None,
    forward: Callable[[Weights, Tensor], Tensor] = outputs,
    decays: Sequence[float] | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] = losses,
) -> Weights:
    """Adam (β = .9, .99) from ``weights`` for ``steps`` steps; ``batch(step)`` gives inputs and targets.

    rates: the peak learning rate of each lane. decays: what is added to each lane's gradient, times its matrices (L2 as
    a loss of half that times the squared norm). loss: each lane's, of what ``forward`` gives and the targets. watch:
    called after every step with its number, from 1; the training ends when it returns true.
    """
    weights = [each.clone().requires_grad_() for each in weights]
    means = [torch.zeros_like(each) for each in weights]
    squares = [torch.zeros_like(each) for each in weights]
    peaks = torch.tensor(list(rates), dtype=torch.float32)
    pulls = None if decays is None else torch.tensor(list(decays), dtype=torch.float32).view(-1, 1, 1)
    for step in range(1, steps + 1):
        inputs, targets = batch(step)
        gradients = torch.autograd.grad(loss(forward(weights, inputs), targets).sum(), weights)
        rate = peaks * schedule.factor(step - 1, steps)
        with torch.no_grad():
            for number, (weight, gradient, mean, square) in enumerate(
                zip(weights, gradients, means, squares, strict=True)
            ):
                if pulls is not None and number % 2 == 0:
                    gradient = gradient + pulls * weight
                mean.lerp_(gradient, 0.1)
                square.lerp_(gradient.square(), 0.01)
                size = (square / (1 - 0.99**step)).sqrt_().add_(1e-8)
                lane_rate = rate.view(-1, *(1,) * (weight.ndim - 1)) / (1 - 0.9**step)
                weight -= lane_rate * mean / size
            if watch is not None and watch(step, weights):
                break
    return [each.detach() for each in weights]


def parameters(sizes: Sequence[int]) -> int:
    """Weights and biases of one network."""
    return sum(fan_in * fan_out + fan_out for fan_in, fan_out in pairwise(sizes))
