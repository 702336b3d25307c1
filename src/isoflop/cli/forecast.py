"""``isoflop forecast``: the loss of a run nobody has trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from isoflop.cli.options import draw_picture, json_option, open_fit, picture_option, print_json, progress

if TYPE_CHECKING:
    from isoflop.planning import Forecast


@click.command()
@click.argument("fit")
@click.option(
    "--at", "words", multiple=True, metavar="N=70B", help="An input of the law; repeat it. N=1B,3B asks at both."
)
@click.option("--points", metavar="FILE", help="A table with a row for each run to ask about.")
@click.option("--level", default=0.9, show_default=True, help="Level of the interval.")
@picture_option
@json_option
def forecast(
    fit: str, words: tuple[str, ...], points: str | None, level: float, picture: str | None, as_json: bool
) -> None:
    """Forecast the loss from FIT: a file of `isoflop fit … --save`, or published constants such as chinchilla:epoch.

    \b
    isoflop forecast fit.json --at params=70B --at tokens=1.4T
    isoflop forecast fit.json --at N=1B,3B,7B --at D=100B,1T     (all six)
    isoflop forecast fit.json --points runs-to-ask.csv
    """  # noqa: D301 - \b is click's mark of a paragraph not to be wrapped
    from isoflop.planning import forecast as ask
    from isoflop.planning.points import points_in, points_of

    context = click.get_current_context()
    if not words and points is None:
        raise click.UsageError("Missing option '--at', as --at N=70B --at D=1.4T (or --points FILE)", context)
    if words and points is not None:
        raise click.UsageError("--at and --points are different questions; ask one", context)
    ensemble = open_fit(fit)
    asked = points_of(words, ensemble.fit.law) if points is None else points_in(points, ensemble.fit.law)
    answers = []
    with progress(len(asked), "forecasts", quiet=as_json) as advance:
        for each in asked:
            answers.append(ask(ensemble, each, level=level))
            advance(1)
    alone = points is None and len(answers) == 1
    from isoflop.report.cards.forecast import forecast_card, forecasts_card

    draw_picture(picture, lambda: forecast_card(answers[0], ensemble) if alone else forecasts_card(answers, ensemble))
    if as_json:
        print_json(_as_dict(answers[0]) if alone else {"points": [_as_dict(each) for each in answers]})
        return
    from rich.console import Console

    from isoflop.report.terminal import show

    show(forecast_card(answers[0], ensemble) if alone else forecasts_card(answers, ensemble), Console())


def _as_dict(answer: Forecast) -> dict[str, Any]:
    return {
        "at": dict(answer.at),
        "loss": answer.loss.as_dict(),
        "expected": answer.expected.as_dict(),
        "unit": answer.unit,
        "reach_decades": answer.reach_decades,
        "findings": [finding.as_dict() for finding in answer.findings],
    }
