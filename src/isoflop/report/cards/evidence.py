"""What stands behind a fit, as cards: the runs on their way, what is left of each, the surface, and the parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.fitting.table import prepared_runs
from isoflop.plots.residuals import left_over, medians
from isoflop.report.card import Card
from isoflop.report.cards.curves import curves_card
from isoflop.report.cards.likelihood import likelihood_card
from isoflop.report.pictures import contours_picture, draws_picture, match_picture, residuals_picture
from isoflop.uncertainty.profile import profile
from isoflop.units import format_quantity

if TYPE_CHECKING:
    from isoflop.fitting import Fit
    from isoflop.uncertainty import Ensemble

_MISSES = 5  # runs farthest from the law that are named
_PROFILED = 5_000  # rows up to which a profile takes about a second


def evidence_cards(ensemble: Ensemble, *, level: float = 0.9) -> tuple[Card, ...]:
    """The fit against the runs, the residuals against each input and compute, the surface, the widest ridge of draws,
    the profile where the objective is a likelihood, and curves where the table has them.

    Raises FitError for a fit without its runs.
    """
    fit = ensemble.fit
    names = set(fit.law.input_names)
    across = [*fit.law.input_names, *(["C"] if {"N", "D"} <= names else []), "order"]
    cards = [match_card(fit), *(residuals_card(fit, against=each) for each in across)]
    if names == {"N", "D"}:
        cards.append(surface_card(ensemble, level=level))
    if len(ensemble) and len(fit.law.params) > 1:
        cards.append(ridge_card(ensemble, level=level))
    asked = (profile_card(fit, level=level), curves_card(fit.require_runs()))
    return (*cards, *(card for card in asked if card is not None))


def match_card(fit: Fit) -> Card:
    """How close the law comes to the runs, and the runs that it misses most."""
    runs = prepared_runs(fit.law, fit.require_runs())
    measured = runs[fit.law.response]
    fitted = fit.predict({name: runs[name] for name in fit.law.input_names})
    off = 100 * (measured / fitted - 1)
    worst = np.argsort(-np.abs(off))[:_MISSES]
    return Card(
        title="fit against measured",
        answer=(
            f"Half of the {len(runs)} rows lie within {_percent(np.median(np.abs(off)))} of the law, and 95% within "
            f"{_percent(np.quantile(np.abs(off), 0.95))}."
        ),
        header=("row", *fit.law.input_names, "measured", "fitted", "apart"),
        rows=tuple(
            (
                str(int(runs.rows[row])),
                *(format_quantity(float(runs[name][row])) for name in fit.law.input_names),
                f"{measured[row]:.4g}",
                f"{fitted[row]:.4g}",
                f"{off[row]:+.2g}%",
            )
            for row in worst
        ),
        findings=tuple(finding for finding in fit.findings if finding.code == "misfit"),
        how=f"the {len(worst)} rows farthest from the law; all are in the fit",
        picture=match_picture(fit),
    )


def residuals_card(fit: Fit, *, against: str) -> Card:
    """What is left of each run against one input, C or the order of the table."""
    across = {"order": "the order of the table", "C": "compute"}.get(against, against)
    left = left_over(fit, against=against)
    at, middle = medians(left.x, left.rest)
    most, usual = int(np.abs(middle).argmax()), float(np.median(np.abs(left.rest)))
    where = f"row {at[most]:.0f}" if against == "order" else f"{against} = {format_quantity(float(at[most]))}"
    return Card(
        title=f"residuals against {across}",
        answer=(
            f"Medians along {across} leave the law by at most {middle[most]:+.2g} {left.unit}, near {where}; half of "
            f"the runs lie within {usual:.2g} {left.unit}."
        ),
        header=(),
        rows=(),
        findings=(),
        how="medians over ninths of the rows; where they leave zero the law bends otherwise than the runs",
        picture=residuals_picture(fit, against=against),
    )


def surface_card(ensemble: Ensemble, *, level: float) -> Card:
    """The fitted surface and its compute-optimal path."""
    return Card(
        title="the fitted surface",
        answer="Along the path the loss is least for its compute; its band widens where the runs say little.",
        header=(),
        rows=(),
        findings=(),
        how=f"{100 * level:g}% of {len(ensemble)} draws along each budget",
        picture=contours_picture(ensemble, level=level),
    )


def ridge_card(ensemble: Ensemble, *, level: float) -> Card:
    """The two parameters whose draws go together most."""
    x, y, correlation = most_correlated(ensemble)
    return Card(
        title=f"draws of {x} and {y}",
        answer=(
            f"{x} and {y} trade along a ridge (correlation {correlation:.2f}): quote them together, not each alone."
            if abs(correlation) > 0.9
            else f"No two parameters trade strongly; {x} and {y} go together most (correlation {correlation:.2f})."
        ),
        header=(),
        rows=(),
        findings=(),
        how=f"{len(ensemble)} draws, {ensemble.method}",
        picture=draws_picture(ensemble, x, y, level=level),
    )


def profile_card(fit: Fit, *, level: float) -> Card | None:
    """The profile likelihood; None where the objective is none, the fit is without its runs, or they are many."""
    if not fit.objective.likelihood or fit.runs is None or not fit.law.params:
        return None
    if not len(fit.law.params) + 1 < len(fit.runs) <= _PROFILED:
        return None
    return likelihood_card(profile(fit, level=level))


def most_correlated(ensemble: Ensemble) -> tuple[str, str, float]:
    """The pair of parameters with the largest correlation of draws, amplitudes by their logarithm; the amplitude first.

    Needs two parameters and draws.
    """
    law = ensemble.fit.law
    columns = {
        name: np.log(draws) if name in law.linear and (draws > 0).all() else draws
        for name, draws in ensemble.draws().items()
    }
    with np.errstate(invalid="ignore"):
        table = np.nan_to_num(np.corrcoef(np.stack(list(columns.values()))))
    pairs = [(abs(table[i, j]), i, j) for j in range(len(columns)) for i in range(j)]
    _, i, j = max(pairs)
    names = tuple(columns)
    x, y = (names[i], names[j]) if names[i] in law.linear or names[j] not in law.linear else (names[j], names[i])
    return x, y, float(table[i, j])


def _percent(value: float) -> str:
    return f"{value:.2g}%"
