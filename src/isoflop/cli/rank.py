"""``isoflop rank``: which laws forecast best on these runs, and what they say together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.backtest import hold_out_options, scores_as_dict, windows_as_dict
from isoflop.cli.options import (
    draw_picture,
    json_option,
    number_pairs,
    open_runs,
    picture_option,
    print_json,
    progress,
    runs_options,
)

if TYPE_CHECKING:
    from isoflop.validation.rank import Ranking
    from isoflop.validation.stack import StackedForecast


@click.command()
@runs_options
@click.option(
    "--law", "law_texts", multiple=True, metavar="LAW", help="Rank these (repeat it); without it, all that apply."
)
@click.option("--response", default="loss", show_default=True, help="The column that the laws predict.")
@click.option("--at", "points", multiple=True, metavar="N=70B", help="Forecast there with the laws stacked; repeat it.")
@hold_out_options(windows=3, draws=300)
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes: one law in each.")
@picture_option
@json_option
def rank(
    file: str | None,
    columns: tuple[str, ...],
    where: str | None,
    units: tuple[str, ...],
    conventions: tuple[str, ...],
    law_texts: tuple[str, ...],
    response: str,
    points: tuple[str, ...],
    hold_out_text: str | None,
    windows: int,
    per_family: bool,
    objective_text: str,
    draws: int,
    seed: int,
    level: float,
    jobs: int,
    picture: str | None,
    as_json: bool,
) -> None:
    """Rank every law that applies to FILE by what it would have said of the largest runs; --at forecasts with all."""
    from isoflop.fitting import objective
    from isoflop.laws import law
    from isoflop.validation.rank import applicable
    from isoflop.validation.rank import rank as perform
    from isoflop.validation.split import hold_out
    from isoflop.validation.stack import check_point, forecast_stacked

    at = number_pairs(points, "--at")
    runs = open_runs(file, columns, where, units, conventions)
    named = [law(text, columns=runs.headers) for text in dict.fromkeys(law_texts)]
    laws = named or applicable(runs, response=response)
    goal = objective(objective_text)
    check_point(at, laws)
    with progress(len(laws), "rank", quiet=as_json) as advance:
        ranking = perform(
            runs,
            laws=laws,
            response=response,
            hold_out=hold_out(hold_out_text) if hold_out_text else None,
            windows=windows,
            per_family=per_family,
            objective=goal,
            draws=draws,
            level=level,
            seed=seed,
            jobs=jobs,
            progress=advance,
        )
    stacked = None
    if at:
        with progress(len(ranking.ranked), "forecast", quiet=as_json) as advance:
            stacked = forecast_stacked(
                [each.law for each in ranking.ranked],
                [each.weight.value for each in ranking.ranked],
                runs,
                at,
                objective=goal,
                level=level,
                seed=seed,
                progress=advance,
            )
    findings = (*runs.findings, *ranking.findings, *(stacked.findings if stacked else ()))
    from isoflop.report.cards.rank import rank_card, stacked_card

    draw_picture(picture, lambda: rank_card(ranking, findings=findings))
    if as_json:
        print_json(
            {
                "source": ranking.backtest.source,
                "response": ranking.backtest.response,
                **windows_as_dict(ranking.backtest),
                "laws": _laws(ranking),
                "baselines": [
                    {"name": each.name, **scores_as_dict(ranking.backtest.scores(each))}
                    for each in ranking.backtest.baselines
                ],
                "unranked": dict(ranking.unranked),
                "forecast": _forecast(stacked) if stacked else None,
                "findings": [finding.as_dict() for finding in findings],
            }
        )
        return
    from rich.console import Console

    from isoflop.report.terminal import show

    console = Console()
    if stacked is not None:
        show(stacked_card(stacked), console)
        console.print()
    show(rank_card(ranking, findings=findings), console)


def _laws(ranking: Ranking) -> list[dict[str, object]]:
    return [
        {
            "law": each.law.name,
            "same_as": list(each.same_as),
            **scores_as_dict(each.scores),
            "behind": each.behind.as_dict(),
            "tied": each.tied,
            "weight": each.weight.as_dict(),
        }
        for each in ranking.ranked
    ]


def _forecast(stacked: StackedForecast) -> dict[str, object]:
    return {
        "at": dict(stacked.at),
        "loss": stacked.loss.as_dict(),
        "expected": stacked.expected.as_dict(),
        "unit": stacked.unit,
        "between_laws": stacked.between,
        "within_laws": stacked.within,
        "scatter": stacked.scatter,
        "members": [{"law": each.name, "weight": each.weight, "loss": each.loss.as_dict()} for each in stacked.members],
    }
