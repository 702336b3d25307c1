"""Digits as tensors, in a training part and a held-out part, and small networks trained on them side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from _networks import Weights, start, train
from torch import Tensor

from isoflop.lab.schedules import Schedule

SIDE = 8  # pixels


def digits_parts(training: int, *, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images (examples, 64) between 0 and 1 and labels: the training part, then the held-out part."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    x = torch.tensor(images[order] / 16, dtype=torch.float32)
    y = torch.tensor(labels[order], dtype=torch.int64)
    return x[:training], y[:training], x[training:], y[training:]


def digit_tasks(seed: int) -> dict[str, Callable[[Tensor], Tensor]]:
    """Ways to ask for held-out digits: as they are, and changed as no network was trained for."""
    draws = torch.Generator().manual_seed(seed)

    def moved(images: Tensor) -> Tensor:
        return images.view(-1, SIDE, SIDE).roll(1, dims=2).flatten(1)

    def hidden(images: Tensor) -> Tensor:
        square = images.view(-1, SIDE, SIDE).clone()
        square[:, SIDE // 2 :] = 0
        return square.flatten(1)

    return {
        "as they are": lambda images: images,
        "noisy": lambda images: images + 0.35 * torch.randn(images.shape, generator=draws),
        "moved": moved,
        "half hidden": hidden,
    }


def epochs(
    x: Tensor,
    targets: Tensor,
    sizes: Sequence[int],
    *,
    count: int,
    batch: int = 50,
    rate: float = 2e-3,
    seed: int = 1,
    decays: Sequence[float] | None = None,
    each: Callable[[int, Weights], None] | None = None,
) -> Weights:
    """Adam at a constant rate over shuffled batches; targets (lanes, examples) give the number of lanes.

    each: called with the number of epochs done and the weights, before the first and after every one.
    """
    lanes, examples = targets.shape
    steps = examples // batch
    weights = start(sizes, lanes, seed=seed)
    if each is not None:
        each(0, weights)
    orders = np.random.default_rng(seed)
    order = torch.from_numpy(orders.permutation(examples))

    def draw(step: int) -> tuple[Tensor, Tensor]:
        nonlocal order
        place = (step - 1) % steps
        if place == 0 and step > 1:
            order = torch.from_numpy(orders.permutation(examples))
        rows = order[place * batch : (place + 1) * batch]
        return x[rows], targets[:, rows]

    def watch(step: int, now: Weights) -> bool:
        if each is not None and step % steps == 0:
            each(step // steps, [weight.detach() for weight in now])
        return False

    return train(
        weights, draw, steps=count * steps, rates=[rate] * lanes, schedule=Schedule("constant", warmup=0.0),
        watch=watch, decays=decays,
    )  # fmt: skip
