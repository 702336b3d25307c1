"""``isoflop report``: the whole analysis as one file that can be mailed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isoflop.cli.options import json_option, number, open_runs, print_json, progress, runs_options
from isoflop.errors import IsoflopError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.fitting import Fit
    from isoflop.laws import Law
    from isoflop.report.card import Card

_RANK_DRAWS, _BACKTEST_DRAWS = 300, 500  # for each law and window


@click.command()
@runs_options
@click.option(
    "--law",
    "law_texts",
    multiple=True,
    metavar="LAW",
    help="A name or a formula; the first answers, and further ones are ranked with it.  [default: chinchilla]",
)
@click.option("--rank", "ranked", is_flag=True, help="Rank the laws, or with a single one all that apply.")
@click.option("--backtest", "backtested", is_flag=True, help="What the law would have said of the largest runs.")
@click.option("--influence", "influenced", is_flag=True, help="Which runs carry the answer.")
@click.option(
    "--budget", "budget_text", metavar="FLOPS", help="Training FLOPs; ten times the largest run's without it."
)
@click.option("--served", "served_text", metavar="TOKENS", help="Tokens to serve, as 2T: adds the over-trained answer.")
@click.option("--objective", "objective_text", default="huber:1e-3", show_default=True, help="As in isoflop fit.")
@click.option("--draws", default=1000, show_default=True, type=click.IntRange(20, 100_000), help="Bootstrap draws.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--level", default=0.9, show_default=True, help="Level of the intervals.")
@click.option("-o", "--output", default="report.html", show_default=True, metavar="FILE", help=".html or .md")
@json_option
def report(
    file: str | None,
    columns: tuple[str, ...],
    where: str | None,
    units: tuple[str, ...],
    conventions: tuple[str, ...],
    law_texts: tuple[str, ...],
    ranked: bool,
    backtested: bool,
    influenced: bool,
    budget_text: str | None,
    served_text: str | None,
    objective_text: str,
    draws: int,
    seed: int,
    level: float,
    output: str,
    as_json: bool,
) -> None:
    """Fit a law to the runs in FILE and write the answer, the doubts and the evidence to one HTML file, or Markdown."""
    from isoflop.fitting import fit as fit_law
    from isoflop.fitting import objective
    from isoflop.laws import law
    from isoflop.report.report import make_report
    from isoflop.uncertainty import bootstrap
    from isoflop.uncertainty.ensemble import check_level

    check_level(level)
    place = _place(output)
    runs = open_runs(file, columns, where, units, conventions)
    laws = [law(text, columns=runs.headers) for text in dict.fromkeys(law_texts or ("chinchilla",))]
    goal = objective(objective_text)
    fitted = fit_law(laws[0], runs, objective=goal, seed=seed)
    with progress(draws, "bootstrap", quiet=as_json) as advance:
        ensemble = bootstrap(fitted, draws=draws, seed=seed, progress=advance)
    made = make_report(
        ensemble,
        budget=number(budget_text, "--budget") if budget_text else None,
        served=number(served_text, "--served") if served_text else None,
        level=level,
        further=list(
            _further(
                fitted,
                laws,
                ranked=ranked,
                backtested=backtested,
                influenced=influenced,
                seed=seed,
                level=level,
                quiet=as_json,
            )
        ),
    )
    if place.suffix.lower() == ".md":
        from isoflop.report.markdown import report_cards, write_markdown

        cards = report_cards(made)
        with progress(len(cards), "pictures", quiet=as_json) as advance:
            write_markdown(cards, place, title=made.title, progress=advance)
    else:
        from isoflop.report.html import draw_pictures, write_html

        pictures: dict[int, tuple[bytes, bytes]] = {}
        with progress(len(made.cards), "pictures", quiet=as_json) as advance:
            for position in range(len(made.cards)):
                pictures |= draw_pictures(made.cards, only=position)
                advance(1)
        write_html(made, place, pictures=pictures)
    if as_json:
        print_json(
            {
                "report": str(place),
                "bytes": place.stat().st_size,
                "answer": made.answer,
                "sureness": made.sureness,
                "findings": [finding.as_dict() for finding in made.findings],
                "cards": [card.as_dict() for card in made.cards],
            }
        )
        return
    click.echo(made.answer)
    click.echo(made.sureness)
    doubts = sum(finding.level != "note" for finding in made.findings)
    click.echo(f"{doubts or 'nothing'} to doubt. Written to {place} ({place.stat().st_size / 1e6:.2f} MB).")


def _further(
    fitted: Fit,
    laws: list[Law],
    *,
    ranked: bool,
    backtested: bool,
    influenced: bool,
    seed: int,
    level: float,
    quiet: bool,
) -> Iterator[Card]:
    """The cards of what is asked of the runs besides the answer of the first law."""
    from isoflop.report.cards.backtest import backtest_card, coverage_card
    from isoflop.report.cards.influence import influence_card, left_out_card
    from isoflop.report.cards.rank import rank_card
    from isoflop.validation.backtest import backtest, backtest_findings
    from isoflop.validation.influence import influence, refits
    from isoflop.validation.rank import applicable, rank

    runs, goal = fitted.require_runs(), fitted.objective
    if ranked or len(laws) > 1:
        compared = laws if len(laws) > 1 else applicable(runs, response=laws[0].response)
        with progress(len(compared), "rank", quiet=quiet) as advance:
            ranking = rank(
                runs, laws=compared, response=laws[0].response, objective=goal, draws=_RANK_DRAWS, seed=seed,
                level=level, progress=advance,
            )  # fmt: skip
        yield rank_card(ranking, findings=ranking.findings)
    if backtested:
        with progress(len(laws), "backtest", quiet=quiet) as advance:
            result = backtest(
                laws, runs, objective=goal, draws=_BACKTEST_DRAWS, seed=seed, level=level, progress=advance
            )
        yield backtest_card(result, findings=backtest_findings(result))
        yield coverage_card(result)
    if influenced:
        with progress(refits(fitted), "runs left out", quiet=quiet) as advance:
            found = influence(fitted, seed=seed, level=level, progress=advance)
        yield influence_card(found)
        yield left_out_card(found)


def _place(output: str) -> Path:
    """Refuse a place that cannot hold the report before anything is fitted."""
    place = Path(output)
    if place.suffix.lower() not in (".html", ".htm", ".md"):
        raise IsoflopError(f"a report is written as .html or .md, not {place.name!r}; give -o report.html")
    if not place.parent.is_dir():
        raise IsoflopError(f"there is no folder {str(place.parent)!r} for {place.name}; make it, or write elsewhere")
    if place.exists() and not place.is_file():
        raise IsoflopError(f"{str(place)!r} is there and is not a file; write elsewhere")
    return place
