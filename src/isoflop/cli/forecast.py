"""``isoflop forecast``: the loss of a run nobody has trained."""

from __future__ import annotations

import click

from isoflop.cli.options import json_option, number_pairs, open_fit, print_json


@click.command()
@click.argument("fit")
@click.option("--at", "points", multiple=True, required=True, metavar="N=70B", help="An input of the law; repeat it.")
@click.option("--level", default=0.9, show_default=True, help="Level of the interval.")
@json_option
def forecast(fit: str, points: tuple[str, ...], level: float, as_json: bool) -> None:
    """Forecast the loss from FIT: a file of `isoflop fit … --save`, or published constants such as chinchilla:epoch."""
    from isoflop.planning import forecast as ask

    ensemble = open_fit(fit)
    answer = ask(ensemble, number_pairs(points, "--at"), level=level)
    if as_json:
        print_json(
            {
                "at": dict(answer.at),
                "loss": answer.loss.as_dict(),
                "expected": answer.expected.as_dict(),
                "unit": answer.unit,
                "reach_decades": answer.reach_decades,
                "findings": [finding.as_dict() for finding in answer.findings],
            }
        )
        return
    from rich.console import Console

    from isoflop.report.cards.forecast import forecast_card
    from isoflop.report.terminal import show

    show(forecast_card(answer, ensemble), Console())
