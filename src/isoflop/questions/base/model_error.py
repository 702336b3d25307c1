"""The two intervals of a prediction as quantities: with model error, and if the law holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from isoflop.answers import Quantity, of_interval

if TYPE_CHECKING:
    from isoflop.uncertainty import Interval
    from isoflop.uncertainty.prior import Prior

WITH_MODEL_ERROR: Final = "model error included"
IF_LAW_HOLDS: Final = "sampling and scatter alone"


def if_the_law_holds(law_loss: Interval, share: float, *, unit: str, word: str = "loss") -> Iterator[Quantity]:
    """The prediction interval if the law holds, and how much of the default one's width model error adds.

    Nothing where there is no interval, as of published constants.
    """
    if not math.isfinite(law_loss.low):
        return
    yield of_interval(
        "law_loss", law_loss, unit=unit, label=f"{word} if the law holds", promise="PI", note=IF_LAW_HOLDS
    )
    if math.isfinite(share):
        yield Quantity(
            "model_error_share", share, "share", label="model error", note="of the prediction interval's width"
        )


def own_prior(prior: Prior | None) -> Prior | None:
    """The prior, where it is another than the shipped one, of which answers need not speak."""
    if prior is None:
        return None
    from isoflop.uncertainty.prior import shipped_prior

    return None if prior == shipped_prior() else prior


def prior_words(prior: Prior | None) -> str:
    """Where model error comes from, as part of a sentence on method; empty for the shipped prior."""
    return "" if prior is None else f"model error by the prior of {prior.date}: {prior.source}"


def prior_provenance(prior: Prior | None, *, file: str | None) -> dict[str, Any]:
    """The entry of an answer's provenance for a prior that is not the shipped one.

    file: where it was read; None for that of a saved fit, which holds the prior itself.
    """
    if prior is None:
        return {}
    from isoflop.uncertainty.prior import origin_of

    return {"prior": {"file": file, **origin_of(prior)}}
