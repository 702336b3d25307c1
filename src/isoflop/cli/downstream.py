"""``isoflop downstream``: the score of a task at a size that nobody has trained, through the task's loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.options import (
    draw_picture,
    json_option,
    number_pairs,
    open_runs,
    pairs,
    picture_option,
    print_json,
    progress,
    runs_options,
)
from isoflop.errors import IsoflopError

if TYPE_CHECKING:
    from isoflop.report.card import Card


@click.command()
@runs_options
@click.option(
    "--task",
    "tasks",
    multiple=True,
    required=True,
    metavar="NAME=LOSS,SCORE",
    help="A task by the headers of its loss and its score, or sums such as 0.3*a+0.7*b; repeat it for several.",
)
@click.option("--at", "points", multiple=True, required=True, metavar="N=70B", help="An input of the law; repeat it.")
@click.option("--law", "law_text", default="chinchilla", show_default=True, help="The law of the loss.")
@click.option("--then", "then_text", default="task-accuracy-to-one", show_default=True, help="From loss to score.")
@click.option(
    "--average", default=1, show_default=True, type=click.IntRange(1, 10_000), help="Checkpoints averaged into one."
)
@click.option(
    "--skip", default=0.0, show_default=True, help="Share of a run's first checkpoints left out of the score."
)
@click.option("--draws", default=1000, show_default=True, type=click.IntRange(20, 100_000), help="Bootstrap draws.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--level", default=0.9, show_default=True, help="Level of the intervals.")
@picture_option
@json_option
def downstream(
    file: str | None,
    columns: tuple[str, ...],
    where: str | None,
    units: tuple[str, ...],
    conventions: tuple[str, ...],
    tasks: tuple[str, ...],
    points: tuple[str, ...],
    law_text: str,
    then_text: str,
    average: int,
    skip: float,
    draws: int,
    seed: int,
    level: float,
    picture: str | None,
    as_json: bool,
) -> None:
    """Forecast scores in two stages from FILE: the task's loss by size and tokens, then the score by that loss."""
    from isoflop.fitting import fit, squares
    from isoflop.fitting.sampling_errors import weighed
    from isoflop.laws import law
    from isoflop.planning.downstream import check_chain, stages
    from isoflop.planning.downstream import downstream as ask
    from isoflop.uncertainty import bootstrap
    from isoflop.uncertainty.ensemble import check_level

    check_level(level)
    at = number_pairs(points, "--at")
    named = {name: _headers(name, text) for name, text in pairs(tasks, "--task").items()}
    runs = open_runs(file, columns, where, units, conventions)
    first_law, then_law = law(law_text), law(then_text)
    check_chain(first_law, then_law)
    answers = {}
    with progress(2 * draws * len(named), "bootstrap", quiet=as_json) as advance:
        for name, (loss, score) in named.items():
            tables = stages(
                runs, first_law, loss=loss, score=score, response=then_law.response, average=average, skip=skip
            )
            first = bootstrap(fit(first_law, tables.finals, seed=seed), draws=draws, seed=seed, progress=advance)
            fitted = fit(then_law, tables.points, objective=squares(space="raw"), seed=seed)
            if tables.errors is not None:
                fitted = fit(then_law, weighed(fitted, tables.errors), objective=fitted.objective, seed=seed)
            second = bootstrap(fitted, draws=draws, seed=seed, progress=advance)
            answers[name] = ask(first, second, at, level=level)
    from isoflop.report.cards.downstream import downstream_card

    def card() -> Card:
        return downstream_card(answers, source=runs.source, law=first_law.name, then=then_law.name)

    draw_picture(picture, card)
    if as_json:
        print_json(
            {
                "at": at,
                "law": first_law.name,
                "then": then_law.name,
                "tasks": {
                    name: {
                        "loss": each.loss.loss.as_dict(),
                        "unit": each.loss.unit,
                        each.response: each.score.as_dict(),
                        "expected": each.expected.as_dict(),
                        "reach_decades": each.loss.reach_decades,
                        "findings": [finding.as_dict() for finding in each.findings],
                    }
                    for name, each in answers.items()
                },
            }
        )
        return
    from rich.console import Console

    from isoflop.report.terminal import show

    show(card(), Console())


def _headers(name: str, text: str) -> tuple[str, str]:
    loss, comma, score = text.partition(",")
    if not (loss.strip() and comma and score.strip()):
        raise IsoflopError(f"--task {name} takes LOSS,SCORE, the headers of its loss and its score, not {text!r}")
    return loss.strip(), score.strip()
