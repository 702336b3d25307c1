"""A run under way, and its end, as cards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from isoflop.report.card import Card
from isoflop.report.cards.rows import interval_row
from isoflop.report.pictures import finish_picture
from isoflop.uncertainty.ensemble import interval_of
from isoflop.units import format_by_interval, format_quantity

if TYPE_CHECKING:
    from isoflop.validation.finish import Finish, Truncation

_MEANINGS = {
    "L_0": "loss after unlimited training",
    "A": "reducible loss at an area of 1",
    "alpha": "exponent of the area",
    "C": "loss saved by a unit of annealing area",
    "lambda": "share of a fall of the rate that is left after a step",
}


def finish_card(said: Finish) -> Card:
    """The loss at the end, the curve's own, and the constants behind it."""
    shown = format_by_interval(said.loss.value, said.loss.low, said.loss.high)
    level = said.loss.level
    constants = [
        interval_row(name, interval_of(float(np.median(draws)), draws, level=level), meaning)
        for (name, meaning), draws in zip(_MEANINGS.items(), said.params.T, strict=True)
    ]
    earlier = (
        "what is usual" if not said.earlier else f"{said.earlier} earlier {'run' if said.earlier == 1 else 'runs'}"
    )
    return Card(
        title=f"{said.run} at step {format_quantity(said.end)}",
        answer=(
            f"Expect a loss of {shown} {said.unit}; it is {said.last_loss:.4g} at step {format_quantity(said.seen)}."
        ),
        header=("", "value", "low", "high", ""),
        rows=(
            interval_row("the last loss", said.loss, "with the scatter of single losses"),
            interval_row("the curve", said.expected, "without it"),
            *constants,
        ),
        findings=said.findings,
        how=(
            f"annealing law; rates to come: {said.schedule}; {100 * level:.6g}% intervals over {len(said.params)} "
            f"draws, widened for how far the law itself misses; {earlier} as the prior"
        ),
        picture=finish_picture(said),
    )


def truncations_card(found: Sequence[Truncation], *, source: str, level: float) -> Card:
    """Finished runs, as they would have been forecast on the way."""
    rows = []
    for cut in found:
        rows.append(
            (
                f"{cut.share:.0%}",
                f"{cut.are:.2%}",
                f"{cut.bias:+.2%}",
                f"{cut.held} of {cut.runs} ({cut.held / cut.runs:.0%})",
                f"{cut.naive:.2%}",
            )
        )
    best = found[len(found) // 2]
    return Card(
        title=f"ends forecast on the way, {source}",
        answer=(
            f"With {best.share:.0%} of the steps done the last loss was missed by {best.are:.2%} on average; "
            f"taking the loss at that step for the last misses by {best.naive:.2%}."
        ),
        header=("steps done", "ARE", "bias", "held", "ARE of the loss then"),
        rows=tuple(rows),
        findings=(),
        how=f"held: ends inside the {100 * level:.6g}% interval; an end is the mean of a run's last 2 % of losses",
    )
