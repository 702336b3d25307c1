"""A forecast as a card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from isoflop.findings import Finding
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


def forecasts_card(forecasts: Sequence[Forecast], ensemble: Ensemble) -> Card:
    """Many forecasts: a row for each point."""
    fit = ensemble.fit
    rows = []
    for each in forecasts:
        loss = each.loss
        shown = (format_by_interval(end, loss.low, loss.high) for end in (loss.value, loss.low, loss.high))
        beyond = each.reach_decades
        rows.append(
            (
                *(format_quantity(each.at[name]) for name in fit.law.input_names),
                *shown,
                f"{beyond:.2f}" if math.isfinite(beyond) else "",
            )
        )
    least = min(forecasts, key=lambda each: each.loss.value)
    where = ", ".join(f"{name} = {format_quantity(value)}" for name, value in least.at.items())
    word = fit.law.response.replace("_", " ")
    unit = f" {least.unit}" if fit.law.response == "loss" else ""
    lowest = format_by_interval(least.loss.value, least.loss.low, least.loss.high)
    return Card(
        title=f"{fit.law.name} at {len(forecasts)} {'point' if len(forecasts) == 1 else 'points'}",
        answer=f"The lowest {word} is {lowest}{unit}, at {where}.",
        header=(*fit.law.input_names, word, "low", "high", "decades beyond"),
        rows=tuple(rows),
        findings=_common(forecasts),
        how=f"{sureness(ensemble, least.loss.level)}; each row is one new run, with the scatter of runs",
    )


def _common(forecasts: Sequence[Forecast]) -> tuple[Finding, ...]:
    """Findings of all points once; of those that say how far a point is out, that of the farthest."""
    common = dict.fromkeys(
        finding for each in forecasts for finding in each.findings if finding.code not in ("reach", "far-reach")
    )
    farthest = max(forecasts, key=lambda each: each.reach_decades if math.isfinite(each.reach_decades) else -1.0)
    out = [finding for finding in farthest.findings if finding.code in ("reach", "far-reach")]
    return (*common, *(_of_farthest(finding, len(forecasts)) for finding in out))


def _of_farthest(finding: Finding, count: int) -> Finding:
    says = finding.message if count == 1 else f"at the farthest point {finding.message}"
    return Finding(finding.code, finding.level, says, finding.remedy, finding.rows)
