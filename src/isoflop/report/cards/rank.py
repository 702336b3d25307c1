"""A ranking of laws, and the forecast of the laws together, as cards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from isoflop.findings import Finding
from isoflop.report.card import Card
from isoflop.report.cards.backtest import between, percent
from isoflop.report.cards.rows import count_of_runs, interval_row
from isoflop.report.pictures import rank_picture
from isoflop.units import decimals_for, format_quantity

if TYPE_CHECKING:
    from isoflop.validation.rank import Ranking
    from isoflop.validation.stack import StackedForecast

_MOST = 12  # laws shown; those far behind are counted


def rank_card(ranking: Ranking, *, findings: Sequence[Finding]) -> Card:
    """Laws by their error on held-out runs: how far behind the best, tied or not, and their weights in the stack."""
    best = ranking.ranked[0]
    rows = []
    shown = [
        each for place, each in enumerate(ranking.ranked) if place < _MOST or each.tied or each.weight.value > 0.01
    ]
    for each in shown:
        verdict = "best" if each is best else "ties" if each.tied else f"+{percent(each.behind)}"
        rows.append(
            (
                each.law.name,
                percent(each.scores.are),
                verdict,
                "" if each is best else between(each.behind),
                f"{each.scores.covered} of {each.scores.rows}",
                f"{each.weight.value:.2f}",
            )
        )
    for base in ranking.backtest.baselines:
        scores = ranking.backtest.scores(base)
        rows.append((base.name, percent(scores.are), "baseline", "", "", ""))
    left = len(ranking.ranked) - len(shown)
    tied = [each for each in ranking.ranked[1:] if each.tied]
    told = f"; {len(tied)} of the others tie{'s' if len(tied) == 1 else ''} with it" if tied else "; no other law ties"
    cuts = ", ".join(window.says for window in ranking.backtest.windows[:4])
    same = ", ".join(" = ".join((each.law.name, *each.same_as)) for each in ranking.ranked if each.same_as)
    heaviest = max(ranking.ranked, key=lambda each: each.weight.value)
    return Card(
        title=f"laws on {ranking.backtest.source}",
        answer=(
            f"Of {len(ranking.ranked)} laws that differ here, {best.law.name} comes closest to the runs it was not "
            f"shown ({percent(best.scores.are)} off on average){told}. In a stack {heaviest.law.name} weighs most "
            f"({heaviest.weight.value:.2f})."
        ),
        header=("", "ARE", "behind", "between", "held", "weight"),
        rows=tuple(rows),
        findings=tuple(findings),
        how="; ".join(
            part
            for part in (
                f"{count_of_runs(best.scores.runs)} held out: {cuts}",
                "behind: mean relative error minus the best law's, paired by run (above 100 % counts as 100 %); "
                "weight: in a stack, by the log density that each law's forecasts gave to what was measured",
                f"said the same: {same}" if same else "",
                f"{left} laws further behind are not shown" if left > 0 else "",
                f"not ranked: {'; '.join(f'{name} ({why})' for name, why in ranking.unranked.items())}"
                if ranking.unranked
                else "",
            )
            if part
        ),
        picture=rank_picture(ranking),
    )


def stacked_card(stacked: StackedForecast) -> Card:
    """A stacked forecast: its interval, how much of it is the choice of the law, and what each law says."""
    where = ", ".join(f"{name} = {format_quantity(value)}" for name, value in stacked.at.items())
    places = max(2, decimals_for(stacked.loss.low, stacked.loss.high) + 1)
    rows = [
        interval_row("a new run", stacked.loss, "with the scatter of runs"),
        interval_row("the curve", stacked.expected, "without it"),
        *(
            (label, f"± {size:.{places}f}", "", "", meaning)
            for label, size, meaning in (
                ("between laws", stacked.between, "standard deviation from the choice of the law"),
                ("within laws", stacked.within, "from the sample of runs"),
                ("scatter", stacked.scatter, "of a new run about its curve"),
            )
        ),
        *(interval_row(f"  {each.name}", each.loss, f"weight {each.weight:.2f}") for each in stacked.members),
    ]
    total = stacked.between**2 + stacked.within**2
    share = stacked.between**2 / total if total > 0 and math.isfinite(total) else math.nan
    tells = "" if math.isnan(share) else f"; the choice of law makes {share:.0%} of the curve's variance"
    shown = interval_row("", stacked.loss, "")
    return Card(
        title=f"stacked laws at {where}",
        answer=f"Expect {shown[1]} {stacked.unit}, between {shown[2]} and {shown[3]}{tells}.",
        header=("", "value", "low", "high", ""),
        rows=tuple(rows),
        findings=(),
        how=f"{100 * stacked.loss.level:g}% intervals of the mixture of {len(stacked.members)} laws, each refitted to "
        "all runs",
    )
