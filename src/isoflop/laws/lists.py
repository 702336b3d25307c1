"""``Lists``: an input that holds a list of values in every row, such as the changes of a learning rate so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Lists(Value):
    """values: all lists one after another; offsets: (rows + 1,), where each row's list begins.

    ``lists[rows]`` are the lists of some rows, by their numbers, a mask or a slice, as an array's rows are taken.
    """

    values: Floats
    offsets: Ints

    @staticmethod
    def of(each: Iterable[Iterable[float]]) -> Lists:
        """The lists of rows, one after another.

        >>> Lists.of([[1, 2], [], [3]])[[2, 0]].values.tolist()
        [3.0, 1.0, 2.0]
        """
        rows = [np.asarray(list(values), dtype=np.float64) for values in each]
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
        return Lists(np.concatenate([*rows, np.empty(0)]), offsets)

    @property
    def counts(self) -> Ints:
        """How many values each row has, (rows,)."""
        return np.diff(self.offsets)

    @property
    def shape(self) -> tuple[int]:
        """The shape of an input with one value a row."""
        return (len(self),)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, rows: NDArray[np.bool_] | Ints | slice | list[int]) -> Lists:
        chosen = np.arange(len(self))[rows]
        counts = self.counts[chosen]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        places = np.arange(offsets[-1]) + np.repeat(self.offsets[chosen] - offsets[:-1], counts)
        return Lists(self.values[places], offsets)
