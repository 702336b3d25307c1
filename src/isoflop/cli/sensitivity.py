"""``isoflop sensitivity``: what small choices do to the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from isoflop.cli.options import (
    draw_picture,
    json_option,
    number,
    number_pairs,
    open_runs,
    picture_option,
    print_json,
    progress,
    runs_options,
)
from isoflop.errors import IsoflopError

if TYPE_CHECKING:
    from isoflop.validation.sensitivity import Sensitivity
    from isoflop.validation.toy import ToyFit, ToyRow


@click.command()
@runs_options
@click.option("--law", "law_text", default="chinchilla", show_default=True, metavar="LAW", help="A name or a formula.")
@click.option(
    "--objective",
    "objective_text",
    default="huber:1e-3",
    show_default=True,
    help="huber:WIDTH, lad, lsq or student-t on log loss; raw- before it for raw loss.",
)
@click.option("--budget", "budget_text", metavar="FLOPS", help="Where N* is asked; by default ten times the largest.")
@click.option("--at", "at_texts", multiple=True, metavar="N=70B", help="Where the forecast is asked; repeat for each.")
@click.option("--draws", default=200, show_default=True, type=click.IntRange(20, 100_000), help="Draws for a choice.")
@click.option("--level", default=0.9, show_default=True, help="Level of the intervals.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--example", type=click.Choice(["toy"]), help="Instead of FILE: a known surface and what spoils it.")
@picture_option
@json_option
def sensitivity(
    file: str | None,
    columns: tuple[str, ...],
    where: str | None,
    units: tuple[str, ...],
    conventions: tuple[str, ...],
    law_text: str,
    objective_text: str,
    budget_text: str | None,
    at_texts: tuple[str, ...],
    draws: int,
    level: float,
    seed: int,
    example: str | None,
    picture: str | None,
    as_json: bool,
) -> None:
    """Fit the runs in FILE again with one choice changed at a time, and table how N*, its exponent and a forecast move.

    Rounding, noise, region, objective, sum or mean, counting of parameters, outliers, starts.
    """
    if example is not None:
        if file is not None:
            raise IsoflopError(f"--example {example} has its own runs; leave out {file!r}, or the example")
        if picture is not None:
            raise IsoflopError(f"--example {example} has no picture; leave --picture out")
        _toy(as_json=as_json)
        return
    from isoflop.fitting import objective
    from isoflop.laws import law
    from isoflop.uncertainty.ensemble import check_level
    from isoflop.validation.sensitivity import MOST_CHOICES
    from isoflop.validation.sensitivity import sensitivity as perform

    check_level(level)
    budget = number(budget_text, "--budget") if budget_text else None
    at = number_pairs(at_texts, "--at")
    runs = open_runs(file, columns, where, units, conventions)
    with progress(MOST_CHOICES, "choices", quiet=as_json) as advance:
        found = perform(
            law(law_text, columns=runs.headers),
            runs,
            objective=objective(objective_text),
            budget=budget,
            at=at,
            level=level,
            draws=draws,
            seed=seed,
            progress=advance,
        )
    from isoflop.report.cards.sensitivity import sensitivity_card

    draw_picture(picture, lambda: sensitivity_card(found))
    if as_json:
        print_json(_plain(found))
        return
    from rich.console import Console

    from isoflop.report.terminal import show

    show(sensitivity_card(found), Console())


def _toy(*, as_json: bool) -> None:
    from isoflop.validation.toy import toy_table

    rows = toy_table()
    if as_json:
        print_json({"example": "toy", "rows": [_plain_row(row) for row in rows]})
        return
    from rich.console import Console

    from isoflop.report.cards.sensitivity import toy_card
    from isoflop.report.terminal import show

    show(toy_card(rows), Console())


def _plain(found: Sensitivity) -> dict[str, Any]:
    return {
        "law": found.fit.law.name,
        "objective": found.fit.objective.name,
        "budget": found.asked.budget,
        "at": dict(found.asked.at),
        "base": {name: interval.as_dict() for name, interval in found.base.items()},
        "choices": [
            {
                "group": each.group,
                "setting": each.setting,
                "n_runs": each.n_runs,
                "answers": {name: interval.as_dict() for name, interval in each.answers.items()},
                "note": each.note,
                "why_not": each.why_not,
            }
            for each in found.choices
        ],
        "findings": [finding.as_dict() for finding in found.findings],
    }


def _plain_row(row: ToyRow) -> dict[str, Any]:
    def plain(fitted: ToyFit) -> dict[str, Any]:
        return {
            "params": dict(fitted.params),
            "exponent_a": fitted.exponent_a,
            "error": fitted.error,
            "squares": fitted.squares,
        }

    return {
        "region": row.region,
        "decimals": row.decimals,
        "milli_loss": row.milli_loss,
        "by_grid": plain(row.by_grid),
        "optimum": plain(row.optimum),
    }
