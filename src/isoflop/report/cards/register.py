"""Registered predictions, and what became of them, as cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from isoflop.report.card import Card
from isoflop.report.cards.rows import interval_row
from isoflop.units import format_by_interval, format_quantity

if TYPE_CHECKING:
    from isoflop.planning.register import Prediction, Score


def prediction_card(prediction: Prediction, *, name: str) -> Card:
    """A prediction that has been written down."""
    loss = prediction.loss
    shown = format_by_interval(loss.value, loss.low, loss.high)
    return Card(
        title=f"registered {prediction.made:%Y-%m-%d %H:%M} UTC: {prediction.law} at {_place(prediction.at)}",
        answer=f"A {prediction.response.replace('_', ' ')} of {shown} is expected; {name} keeps it.",
        header=("", "value", "low", "high", ""),
        rows=(interval_row("a new run", loss, f"{100 * loss.level:.6g}% interval, with the scatter of runs"),),
        findings=(),
        how=f"runs: {prediction.source}; seal {prediction.seal[:16]}…",
    )


def scores_card(scores: Sequence[Score]) -> Card:
    """Predictions beside what was measured."""
    rows = []
    for each in scores:
        loss = each.prediction.loss
        ends = (loss.low, loss.high)
        rows.append(
            (
                f"{each.prediction.made:%Y-%m-%d}",
                f"{each.prediction.law} at {_place(each.prediction.at)}",
                *(format_by_interval(value, *ends) for value in (loss.value, *ends)),
                f"{each.measured:.5g}",
                f"{each.error:+.2%}",
                {True: "held", False: "missed", None: "no interval"}[each.held],
                "" if each.place is None else f"{each.place:.0%}",
            )
        )
    asked = [each for each in scores if each.held is not None]
    held = sum(bool(each.held) for each in asked)
    mean = sum(abs(each.error) for each in scores) / len(scores)
    first = scores[0]
    answer = (
        f"Measured {first.measured:.5g}, {first.error:+.2%} from the prediction."
        if len(scores) == 1
        else f"{len(scores)} predictions missed by {mean:.2%} on average; {held} of {len(asked)} intervals held."
    )
    return Card(
        title="registered predictions, scored",
        answer=answer,
        header=("made", "prediction", "value", "low", "high", "measured", "error", "interval", "place"),
        rows=tuple(rows),
        findings=(),
        how="place: share of the predicted draws below what was measured; error: (measured − predicted)/predicted",
    )


def _place(at: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {format_quantity(value)}" for name, value in at.items())
