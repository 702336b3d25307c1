"""Words for the symbols of formulas: the one table that tables of runs, laws, forecasts and the command line read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, str]] = {
    "params": "N",
    "nonembedding_params": "N_nonembed",
    "active_params": "N_active",
    "tokens": "D",
    "unique_tokens": "U",
    "flops": "C",
    "compute": "C",
}
