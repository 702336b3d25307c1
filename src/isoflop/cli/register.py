"""``isoflop register``: write a prediction down before the run is trained."""

from __future__ import annotations

import click

from isoflop.cli.options import json_option, open_fit, print_json
from isoflop.errors import IsoflopError


@click.command()
@click.argument("fit")
@click.option("--at", "words", multiple=True, required=True, metavar="N=70B", help="An input of the law; repeat it.")
@click.option("--note", default="", help="What the prediction is for.")
@click.option("--level", default=0.9, show_default=True, help="Level of the interval.")
@click.option("-o", "--output", default="prediction.json", show_default=True, metavar="FILE", help="A new file.")
@json_option
def register(fit: str, words: tuple[str, ...], note: str, level: float, output: str, as_json: bool) -> None:
    """Write what FIT says of a run to a dated, sealed file, to be scored when the run is done (isoflop score)."""
    from isoflop.planning.points import points_of
    from isoflop.planning.register import register as write

    ensemble = open_fit(fit)
    points = points_of(words, ensemble.fit.law)
    if len(points) != 1:
        raise IsoflopError(f"a prediction is of one run, and --at names {len(points)}; register them one by one")
    made = write(ensemble, points[0], output, level=level, note=note)
    if as_json:
        print_json(
            {
                "made": made.made.isoformat(),
                "at": dict(made.at),
                "loss": made.loss.as_dict(),
                "file": output,
                "seal": made.seal,
            }
        )
        return
    from rich.console import Console

    from isoflop.report.cards.register import prediction_card
    from isoflop.report.terminal import show

    show(prediction_card(made, name=output), Console())
