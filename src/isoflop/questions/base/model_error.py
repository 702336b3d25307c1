"""The two intervals of a prediction as quantities: with model error, and if the law holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from isoflop.answers import Quantity, of_interval

if TYPE_CHECKING:
    from isoflop.uncertainty import Interval

WITH_MODEL_ERROR: Final = "model error included"
IF_LAW_HOLDS: Final = "sampling and scatter alone"


def if_the_law_holds(law_loss: Interval, share: float, *, unit: str, word: str = "loss") -> Iterator[Quantity]:
    """The prediction interval if the law holds, and how much of the default one's width model error adds."""
    yield of_interval(
        "law_loss", law_loss, unit=unit, label=f"{word} if the law holds", promise="PI", note=IF_LAW_HOLDS
    )
    if math.isfinite(share):
        yield Quantity(
            "model_error_share", share, "share", label="model error", note="of the prediction interval's width"
        )
