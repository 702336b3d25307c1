"""N = N_E + ω N_E^(1/3): all parameters from those without embeddings, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

OMEGA = 47_491.0  # Pearce and Song 2024, from the shapes of Chinchilla's models


def all_params(nonembedding: Floats, omega: Floats | float) -> Floats:
    """N = N_E + ω N_E^(1/3) (Pearce and Song 2024, equation 5)."""
    return nonembedding + omega * np.cbrt(nonembedding)


def without_embeddings(params: Floats, omega: float) -> Floats:
    """N_E of N = N_E + ω N_E^(1/3), by bisection on log N_E (to 1e-13)."""
    low, high = np.full(np.shape(params), -30.0), np.log(params)
    for _ in range(60):
        middle = (low + high) / 2
        above = all_params(np.exp(middle), omega) > params
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.exp((low + high) / 2)


def omega_of(nonembedding: Floats, params: Floats) -> float:
    """The median of (N − N_E)/N_E^(1/3): embeddings grow with the width, and N_E with its cube."""
    return float(np.median((params - nonembedding) / np.cbrt(nonembedding)))
