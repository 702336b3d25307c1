"""A forecast as a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.report.card import Card
from isoflop.report.cards.rows import interval_row, sureness
from isoflop.report.pictures import forecast_picture
from isoflop.units import format_by_interval, format_quantity

if TYPE_CHECKING:
    from isoflop.planning import Forecast
    from isoflop.uncertainty import Ensemble


def forecast_card(forecast: Forecast, ensemble: Ensemble) -> Card:
    """A forecast: the loss of one new run, and the curve alone."""
    where = ", ".join(f"{name} = {format_quantity(value)}" for name, value in forecast.at.items())
    loss, expected = forecast.loss, forecast.expected
    shown = format_by_interval(loss.value, loss.low, loss.high)
    unit = f" {forecast.unit}" if ensemble.fit.law.response == "loss" else ""
    return Card(
        title=f"{ensemble.fit.law.name} at {where}",
        answer=f"Expect a {ensemble.fit.law.response.replace('_', ' ')} of {shown}{unit}.",
        header=("", "value", "low", "high", ""),
        rows=(
            interval_row("a new run", loss, "with the scatter of runs"),
            interval_row("the curve", expected, "without it"),
        ),
        findings=forecast.findings,
        how=sureness(ensemble, loss.level)
        + (f"; {forecast.reach_decades:.2f} decades beyond the runs" if forecast.reach else ""),
        picture=forecast_picture(forecast, ensemble),
    )
