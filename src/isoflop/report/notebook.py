"""Results in a notebook: the card as an HTML fragment that needs nothing from outside."""

from __future__ import annotations

from base64 import b64encode
from functools import singledispatch
from html import escape

import numpy as np

from isoflop.answers import Picture
from isoflop.fitting import Fit
from isoflop.planning import Forecast, Plan
from isoflop.planning.answer import answer
from isoflop.planning.downstream import Downstream
from isoflop.planning.methods import Methods
from isoflop.planning.parabolas import Parabolas
from isoflop.planning.reconcile import Recount
from isoflop.planning.repeat import Repeat
from isoflop.plots.canvas import render
from isoflop.report.card import Card
from isoflop.report.cards.backtest import backtest_card
from isoflop.report.cards.check import check_card
from isoflop.report.cards.downstream import downstream_card
from isoflop.report.cards.finish import finish_card
from isoflop.report.cards.fit import fit_card
from isoflop.report.cards.forecast import forecast_card
from isoflop.report.cards.hitchhiker import hitchhiker_card
from isoflop.report.cards.influence import influence_card
from isoflop.report.cards.likelihood import likelihood_card
from isoflop.report.cards.methods import isoflops_card, methods_card
from isoflop.report.cards.plan import plan_card
from isoflop.report.cards.rank import rank_card
from isoflop.report.cards.reconcile import recount_card
from isoflop.report.cards.repeat import repeat_card
from isoflop.report.cards.sensitivity import sensitivity_card
from isoflop.runs import Runs
from isoflop.runs.checks import check as check_table
from isoflop.uncertainty import Ensemble
from isoflop.uncertainty.profile import Profile
from isoflop.validation.backtest import Backtest, backtest_findings
from isoflop.validation.check import check, groups
from isoflop.validation.finish import Finish
from isoflop.validation.hitchhiker import Hitchhiker, compare_choices, error_grid
from isoflop.validation.influence import Influence
from isoflop.validation.rank import Ranking
from isoflop.validation.sensitivity import Sensitivity

_MARKS = {"error": "✗", "warning": "?", "note": "·"}
_LEVEL = 0.9
_ROWS, _GROUPS = 5_000, 4  # a notebook does not wait for more surfaces than these to be fitted
_NUMERIC = ("", *"+-−0123456789")


@singledispatch
def card_of(result: object) -> Card | None:
    """The card that shows a result by itself; None for what has none."""
    return None


@card_of.register
def _card(result: Card) -> Card:
    return result


@card_of.register
def _runs(result: Runs) -> Card:
    quick = len(result) <= _ROWS and groups(result) <= _GROUPS
    return check_card(result, check(result) if quick else check_table(result))


@card_of.register
def _fit(result: Fit) -> Card:
    without_draws = Ensemble(result, np.empty((0, len(result.law.params))), method="no draws yet", seed=0)
    return fit_card(without_draws, level=_LEVEL, findings=result.findings)


@card_of.register
def _ensemble(result: Ensemble) -> Card:
    return fit_card(result, level=_LEVEL, findings=(*result.fit.findings, *result.findings))


@card_of.register
def _forecast(result: Forecast) -> Card:
    return forecast_card(result, result.ensemble)


@card_of.register
def _plan(result: Plan) -> Card:
    asked = answer(result.ensemble, budget=result.budget, level=result.n.level, within=result.band.within)
    return plan_card(asked, result.ensemble)


@card_of.register
def _methods(result: Methods) -> Card:
    return methods_card(result, result.ensemble)


@card_of.register
def _parabolas(result: Parabolas) -> Card:
    return isoflops_card(result)


@card_of.register
def _profile(result: Profile) -> Card:
    return likelihood_card(result)


@card_of.register
def _backtest(result: Backtest) -> Card:
    return backtest_card(result, findings=backtest_findings(result))


@card_of.register
def _ranking(result: Ranking) -> Card:
    return rank_card(result, findings=result.findings)


@card_of.register
def _influence(result: Influence) -> Card:
    return influence_card(result)


@card_of.register
def _sensitivity(result: Sensitivity) -> Card:
    return sensitivity_card(result)


@card_of.register
def _finish(result: Finish) -> Card:
    return finish_card(result)


@card_of.register
def _hitchhiker(result: Hitchhiker) -> Card:
    return hitchhiker_card(result, compare_choices(result, level=_LEVEL), error_grid(result))


@card_of.register
def _repeat(result: Repeat) -> Card:
    return repeat_card((result,), None)


@card_of.register
def _recount(result: Recount) -> Card:
    return recount_card({result.ensemble.fit.law.name: result})


@card_of.register
def _downstream(result: Downstream) -> Card:
    first, second = result.first.fit, result.second.fit
    return downstream_card(
        {second.law.response: result}, source=second.data.source, law=first.law.name, then=second.law.name
    )


def html(result: object) -> str | None:
    """A result's card as HTML; None where it has no card. Every text of it is escaped."""
    card = card_of(result)
    return None if card is None else card_html(card)


def card_html(card: Card) -> str:
    """Title, answer, table, picture, what to doubt, how; one ``div`` that takes the notebook's own colours."""
    parts = [f"<h4>{escape(card.title)}</h4>", f"<p>{escape(card.answer)}</p>"]
    if card.rows:
        parts.append(_table(card))
    if card.picture is not None:
        parts.append(_image(card.picture))
    if card.findings:
        listed = "".join(
            f"<li><b>{_MARKS[each.level]}</b> {escape(f'{each.message} {each.remedy}')}</li>" for each in card.findings
        )
        parts.append(f'<ul style="list-style:none;padding-left:0">{listed}</ul>')
    if card.how:
        parts.append(f"<p><small>{escape(card.how)}</small></p>")
    return f'<div class="isoflop-card">{"".join(parts)}</div>'


def _table(card: Card) -> str:
    right = [
        position > 0 and all(row[position][:1] in _NUMERIC for row in card.rows) for position in range(len(card.header))
    ]
    sides = [f'style="text-align:{"right" if each else "left"}"' for each in right]
    head = "".join(f"<th {side}>{escape(cell)}</th>" for cell, side in zip(card.header, sides, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td {side}>{escape(cell)}</td>" for cell, side in zip(row, sides, strict=True)) + "</tr>"
        for row in card.rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _image(picture: Picture) -> str:
    """The picture inside the document, on its own light paper, so that it reads in a dark notebook too."""
    data = b64encode(render(picture.draw, format="svg", size=picture.size)).decode()
    return (
        f'<img alt="{escape(picture.alt)}" src="data:image/svg+xml;base64,{data}" '
        f'style="width:100%;max-width:{picture.size[0] * 100:.0f}px">'
    )
