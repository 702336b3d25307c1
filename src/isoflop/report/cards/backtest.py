"""A backtest as a card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from isoflop.findings import Finding
from isoflop.report.card import Card
from isoflop.report.cards.rows import count_of_runs
from isoflop.report.pictures import backtest_picture, coverage_picture

if TYPE_CHECKING:
    from isoflop.uncertainty import Interval
    from isoflop.validation.backtest import Backtest
    from isoflop.validation.score import Scores

_MOST_WINDOWS = 12  # shown one by one


def backtest_card(result: Backtest, *, findings: Sequence[Finding]) -> Card:
    """A backtest: each law's and each baseline's scores, over all windows and one by one."""
    rows = []
    for each in (*result.laws, *result.baselines):
        rows.append((each.name, *score_cells(result.scores(each))))
        if 1 < len(result.windows) <= _MOST_WINDOWS and each.law is not None:
            rows += [
                (f"  {window.says}", *score_cells(result.scores(each, window=number)))
                for number, window in enumerate(result.windows)
            ]
    best = min(result.laws, key=lambda each: result.scores(each).are.value)
    scores = result.scores(best)
    first = result.windows[0].says
    cuts = f"with {first}" if len(result.windows) == 1 else f"of {len(result.windows)} windows ({first} the first)"
    return Card(
        title=f"backtest on {result.source}",
        answer=(
            f"Not shown the runs {cuts}, {best.name} misses their {result.response.replace('_', ' ')} by "
            f"{percent(scores.are)} on average; its {100 * result.level:g} % intervals held {scores.covered} of "
            f"{scores.rows}."
        ),
        header=("", "ARE", "between", "bias", "worst", "held", "log score"),
        rows=tuple(rows),
        findings=tuple(findings),
        how=(
            f"{count_of_runs(scores.runs)} held out; objective {result.objective.name}, {result.draws} draws a window, "
            f"seed {result.seed}; ARE: mean |measured − forecast| / measured, with that mean's interval over runs; "
            "held: measured values inside the interval of a new run; log score: mean log density at what was measured, "
            "in units of relative loss, higher is better"
        ),
        picture=backtest_picture(result),
    )


def coverage_card(result: Backtest) -> Card:
    """How often each law's intervals held what was measured, beside their level."""
    shares = {each.name: result.scores(each).coverage for each in result.laws}
    rows = [
        (name, f"{share.value:.0%}", f"{share.low:.0%}", f"{share.high:.0%}") for name, share in shares.items() if share
    ]
    below = [name for name, share in shares.items() if share is not None and share.high < result.level]
    said = "are too narrow"
    return Card(
        title=f"how often intervals held, {result.source}",
        answer=(
            f"The {100 * result.level:g}% intervals of {', '.join(below)} {said}: less often than that they held what "
            "was measured."
            if below
            else f"As far as these rows tell, each law's {100 * result.level:g}% intervals hold as often as they say."
        ),
        header=("", "held", "low", "high"),
        rows=tuple(rows),
        findings=(),
        how="share of the rows held out, with its interval over runs",
        picture=coverage_picture(result),
    )


def score_cells(scores: Scores) -> tuple[str, ...]:
    """ARE, its interval, bias, worst error, how many were held, log score."""
    held = "" if scores.covered is None else f"{scores.covered} of {scores.rows}"
    log_score = "" if scores.log_score is None else f"{scores.log_score.value:.2f}"
    return (
        percent(scores.are),
        between(scores.are),
        f"{scores.bias.value:+.2%}",
        f"{scores.worst:.2%}",
        held,
        log_score,
    )


def percent(interval: Interval) -> str:
    """The value as a percentage."""
    return f"{interval.value:.2%}"


def between(interval: Interval) -> str:
    """The ends as percentages; empty for a single run."""
    if not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return ""
    return f"{interval.low:.2%} – {interval.high:.2%}"
