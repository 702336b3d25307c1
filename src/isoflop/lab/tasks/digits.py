"""Scikit-learn's 1,797 handwritten digits, 8 x 8 pixels, ten classes; D counts images seen."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import MissingExtraError
from isoflop.lab.tasks.base import Inputs, Ints, TaskSpec, shuffled

HELD_OUT_EVERY = 5  # each fifth image is held out: 360 of 1,797


@dataclass(frozen=True, eq=False)
class DigitsTask:
    """Name the digit; pixels between 0 and 1. images: float32 (images, 64); labels: int64 (images,)."""

    training: NDArray[np.float32]
    labels: Ints
    held: NDArray[np.float32]
    held_labels: Ints
    digest: str
    name: str = "digits"
    unit: str = "nats/token"
    context: int = 1
    classes: int = 10
    features: int = 64

    @property
    def unique(self) -> int:
        """U: training images."""
        return len(self.training)

    def batch(self, seed: int, step: int, size: int) -> tuple[Inputs, Ints]:
        """Pixels (size, 64) and digits (size,) of one step."""
        chosen = shuffled(seed, step * size, size, len(self.training))
        return self.training[chosen], self.labels[chosen]

    def held_out(self, size: int) -> tuple[Inputs, Ints]:
        """Pixels and digits of the first ``size`` held-out images."""
        return self.held[:size], self.held_labels[:size]


def digits(spec: TaskSpec | None = None) -> DigitsTask:
    """The digits; ``limit`` in the description keeps the first so many training images."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as missing:
        raise MissingExtraError(
            'the task "digits" needs scikit-learn, which is not installed: pip install "isoflop[lab]"'
        ) from missing
    data = load_digits()
    pixels = (np.asarray(data.data) / 16.0).astype(np.float32)
    labels = np.asarray(data.target, dtype=np.int64)
    held = np.arange(len(labels)) % HELD_OUT_EVERY == 0
    keep = np.flatnonzero(~held)[: spec.limit if spec is not None else None]
    state = hashlib.sha256(pixels.tobytes() + labels.tobytes() + keep.tobytes())
    return DigitsTask(pixels[keep], labels[keep], pixels[held], labels[held], state.hexdigest())
