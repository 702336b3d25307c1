"""What a training costs: C = k · N^p · D^q, 6ND unless a table of runs counts its FLOPs otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from isoflop.units import TRAIN
from isoflop.values import Value

Floats = NDArray[np.float64]
Amount = TypeVar("Amount", float, Floats)


@dataclass(frozen=True)
class TrainingFlops(Value):
    """C = per · N^n_power · D^d_power, FLOPs of a training of N parameters on D tokens.

    The default is 6ND. A table whose C counts attention, logits or recomputation has another factor, and powers
    a little below or above 1.

    Examples
    --------
    >>> TrainingFlops(9.0).tokens(1e9, 9e19)
    10000000000.0

    """

    per: float = TRAIN
    n_power: float = 1.0
    d_power: float = 1.0

    @property
    def power(self) -> float:
        """s = d_power/n_power: along a budget N · D^s is constant."""
        return self.d_power / self.n_power

    def product(self, budget: Amount) -> Amount:
        """N · D^s of every N and D that cost the budget."""
        return (budget / self.per) ** (1 / self.n_power)

    def flops(self, n: Amount, d: Amount) -> Amount:
        """C of N parameters and D tokens."""
        return self.per * n**self.n_power * d**self.d_power

    def tokens(self, n: Amount, budget: Floats | float) -> Amount:
        """D that uses the budget up at a size."""
        return (budget / (self.per * n**self.n_power)) ** (1 / self.d_power)

    def params(self, d: Amount, budget: Floats | float) -> Amount:
        """N that uses the budget up at these tokens."""
        return (budget / (self.per * d**self.d_power)) ** (1 / self.n_power)

    def told(self) -> str:
        """The formula: ``C = 6ND``, ``C = 9ND`` or ``C = 31 N^0.94 D^0.99``."""
        if self.n_power == self.d_power == 1:
            return f"C = {self.per:.3g}ND"
        return f"C = {self.per:.3g} N^{self.n_power:.3g} D^{self.d_power:.3g}"


SIX_ND = TrainingFlops()
