"""What a task is: a stream of batches that depends on (seed, step) alone, and held-out batches that never change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Inputs = NDArray[np.int64] | NDArray[np.float32]


@dataclass(frozen=True)
class TaskSpec:
    """A task by name, as a sweep's description gives it.

    name: ``python-text``, ``text`` (needs ``path``) or ``digits``.
    context: bytes a window of text; of no meaning for images.
    path: a text file or a folder of text files, for ``text``.
    limit: keep only the first so many bytes of the training text (unique data for studies of repetition).
    vocabulary: how many byte values a text has; those from ``vocabulary`` - 1 up are read as that last one.
    """

    name: str = "python-text"
    context: int = 128
    path: str | None = None
    limit: int | None = None
    vocabulary: int = 256


class Task(Protocol):
    """Batches as arrays; a *token* is what D counts: a byte of text, or an image.

    unit: the loss unit, ``nats/byte`` for text and ``nats/token`` for images.
    unique: U, how many different training tokens there are.
    classes: how many outputs the model has; ``features`` how many inputs an image has (0 for text).
    digest: SHA-256 of everything that decides the batches.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - the class says what each is
    @property
    def unit(self) -> str: ...  # noqa: D102
    @property
    def unique(self) -> int: ...  # noqa: D102
    @property
    def context(self) -> int: ...  # noqa: D102
    @property
    def classes(self) -> int: ...  # noqa: D102
    @property
    def features(self) -> int: ...  # noqa: D102
    @property
    def digest(self) -> str: ...  # noqa: D102

    def batch(self, seed: int, step: int, size: int) -> tuple[Inputs, Ints]:
        """Inputs and targets of one optimiser step: the ``size`` windows (or images) that follow step ``step`` - 1."""
        ...

    def held_out(self, size: int) -> tuple[Inputs, Ints]:
        """Inputs and targets of up to ``size`` held-out windows (or images), the same in every call."""
        ...


def shuffled(seed: int, first: int, size: int, items: int) -> Ints:
    """Item numbers at places first … first + size - 1 of an endless stream: one permutation of ``items`` an epoch.

    The permutation of epoch e comes from the seed sequence (seed, e), so any step can be drawn without the ones
    before it; a resumed training reads what an unbroken one would have read. No item repeats within an epoch.
    """
    places = np.arange(first, first + size)
    drawn = np.empty(size, dtype=np.int64)
    for epoch in range(first // items, (first + size - 1) // items + 1):
        here = places // items == epoch
        drawn[here] = _permutation(seed, epoch, items)[places[here] % items]
    return drawn


_last: dict[tuple[int, int, int], Ints] = {}


def _permutation(seed: int, epoch: int, items: int) -> Ints:
    key = (seed, epoch, items)
    if key not in _last:
        while len(_last) >= 2:  # an epoch and the next are all that a step can touch
            _last.pop(next(iter(_last)))
        _last[key] = np.random.Generator(np.random.PCG64([seed, epoch])).permutation(items)
    return _last[key]
