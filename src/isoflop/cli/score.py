"""``isoflop score``: registered predictions beside what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.options import json_option, number, print_json
from isoflop.errors import IsoflopError

if TYPE_CHECKING:
    from isoflop.planning.register import Prediction


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="PREDICTION.json…")
@click.option("--measured", "measured_text", metavar="LOSS", help="What the run measured; for one prediction.")
@click.option("--runs", "runs_file", metavar="FILE", help="A table with the finished runs, found by their inputs.")
@json_option
def score(files: tuple[str, ...], measured_text: str | None, runs_file: str | None, as_json: bool) -> None:
    """Compare predictions of isoflop register with the runs that were then trained.

    \b
    isoflop score prediction.json --measured 2.31
    isoflop score predictions/*.json --runs finished.csv
    """  # noqa: D301 - \b is click's mark of a paragraph not to be wrapped
    from isoflop.planning.register import load_prediction
    from isoflop.planning.register import score as compare

    if (measured_text is None) == (runs_file is None):
        raise IsoflopError("say what was measured: --measured 2.31 for one prediction, or --runs FILE for several")
    predictions = [load_prediction(file) for file in files]
    if measured_text is not None:
        if len(predictions) > 1:
            raise IsoflopError(f"--measured is one loss for {len(predictions)} predictions; give --runs FILE")
        measured = [number(measured_text, "--measured")]
    else:
        measured = [_found(prediction, str(runs_file)) for prediction in predictions]
    scores = [compare(prediction, value) for prediction, value in zip(predictions, measured, strict=True)]
    if as_json:
        print_json(
            {
                "scores": [
                    {
                        "made": each.prediction.made.isoformat(),
                        "law": each.prediction.law,
                        "at": dict(each.prediction.at),
                        "loss": each.prediction.loss.as_dict(),
                        "measured": each.measured,
                        "error": each.error,
                        "held": each.held,
                        "place": each.place,
                    }
                    for each in scores
                ]
            }
        )
        return
    from rich.console import Console

    from isoflop.report.cards.register import scores_card
    from isoflop.report.terminal import show

    show(scores_card(scores), Console())


def _found(prediction: Prediction, runs_file: str) -> float:
    """The response of the run nearest to what was asked, where one lies within 2 % in every input."""
    from isoflop.planning.register import measured_in
    from isoflop.runs import read_runs

    return measured_in(prediction, read_runs(runs_file))
