"""Information measures of samples: entropies, mutual information, and the compression that makes them estimable."""

from isoflop.measures.compression import principal_components
from isoflop.measures.information import (
    kozachenko_leonenko_entropy,
    kozachenko_leonenko_information,
    kraskov_information,
)

__all__ = [
    "kozachenko_leonenko_entropy",
    "kozachenko_leonenko_information",
    "kraskov_information",
    "principal_components",
]
