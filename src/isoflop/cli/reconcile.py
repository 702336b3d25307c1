"""``isoflop reconcile``: Kaplan against Chinchilla, and what counting does to an exponent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from isoflop.cli.options import (
    draw_picture,
    json_option,
    number,
    open_fit,
    open_runs,
    picture_option,
    print_json,
    runs_options,
)
from isoflop.cli.repeat import is_fit
from isoflop.errors import IsoflopError

if TYPE_CHECKING:
    from isoflop.planning.counting import Counted, Step
    from isoflop.planning.reconcile import Recount
    from isoflop.report.card import Card

_PUBLISHED = ("chinchilla:hoffmann", "chinchilla:hoffmann-tex", "chinchilla:epoch")


@click.command()
@runs_options
@click.option("--omega", "omega_text", metavar="47491", help="Embedding parameters of a model with one besides.")
@click.option("--from", "low_text", metavar="790", help="Smallest size without embeddings; by default Kaplan's.")
@click.option("--to", "high_text", metavar="1.58B", help="Largest size without embeddings; by default Kaplan's.")
@click.option(
    "--by", metavar="COLUMN,…", help="Columns of the table: an exponent for each group of runs, step by step."
)
@click.option(
    "--spread", metavar="COLUMN", help="With --by: standard deviation of log N, where rows are minima already."
)
@click.option("--draws", default=1000, show_default=True, type=click.IntRange(20, 1_000_000), help="Bootstrap draws.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--level", default=0.9, show_default=True, help="Level of the intervals.")
@picture_option
@json_option
def reconcile(
    file: str | None,
    columns: tuple[str, ...],
    where: str | None,
    units: tuple[str, ...],
    conventions: tuple[str, ...],
    omega_text: str | None,
    low_text: str | None,
    high_text: str | None,
    by: str | None,
    spread: str | None,
    draws: int,
    seed: int,
    level: float,
    picture: str | None,
    as_json: bool,
) -> None:
    """What an exponent becomes when parameters are counted without embeddings, as Kaplan et al. did.

    FILE is a saved fit or published constants as LAW:KEY: the exponent over a range of sizes. Or it is a table of
    runs: fitted in both counts, or with --by one exponent a group. Without FILE: Chinchilla's constants, as printed,
    unrounded and refitted by Epoch.

    \b
    isoflop reconcile
    isoflop reconcile runs.csv
    isoflop reconcile runs.csv --by warmup,decay,count --where "dataset == 'rw'"
    """  # noqa: D301 - \b is click's mark of a paragraph not to be wrapped
    from isoflop.planning.counting import by_group, count_both_ways
    from isoflop.planning.reconcile import KAPLAN, OMEGA, recount
    from isoflop.report.cards.reconcile import counted_card, recount_card, steps_card

    omega = None if omega_text is None else number(omega_text, "--omega")
    table = file is not None and not is_fit(file)
    if not table:
        if any((columns, where, units, conventions, by, spread)):
            raise IsoflopError("--column, --where, --unit, --convention, --by and --spread describe a table; name one")
        low = KAPLAN[0] if low_text is None else number(low_text, "--from")
        high = KAPLAN[1] if high_text is None else number(high_text, "--to")
        again = {
            name: recount(open_fit(name), omega=OMEGA if omega is None else omega, sizes=(low, high), level=level)
            for name in ([file] if file else _PUBLISHED)
        }
        _tell(
            {"laws": [_recount(name, each) for name, each in again.items()]},
            recount_card(again),
            picture=picture,
            as_json=as_json,
        )
        return
    if low_text is not None or high_text is not None:
        raise IsoflopError("--from and --to are for a law; a table is read over its own sizes (--where keeps some)")
    if spread is not None and by is None:
        raise IsoflopError("--spread goes with --by: it weighs rows that are minima already")
    runs = open_runs(file, columns, where, units, conventions)
    if by is not None:
        groups = [each.strip() for each in by.split(",") if each.strip()]
        if not groups:
            raise IsoflopError(f"--by takes columns of the table, as --by warmup,decay, not {by!r}")
        steps = by_group(runs, groups, spread=spread, draws=draws, seed=seed, level=level)
        _tell(
            {"steps": [_step(each) for each in steps]}, steps_card(steps, runs.source), picture=picture, as_json=as_json
        )
        return
    counted = count_both_ways(runs, omega=omega, draws=draws, seed=seed, level=level)
    _tell(_counted(counted), counted_card(counted), picture=picture, as_json=as_json)


def _tell(content: dict[str, Any], card: Card, *, picture: str | None, as_json: bool) -> None:
    draw_picture(picture, lambda: card)
    if as_json:
        print_json({**content, "findings": [finding.as_dict() for finding in card.findings]})
        return
    from rich.console import Console

    from isoflop.report.terminal import show

    show(card, Console())


def _recount(name: str, each: Recount) -> dict[str, Any]:
    return {
        "law": name,
        "omega": each.omega,
        "sizes": list(each.sizes),
        "slope": each.slope.as_dict(),
        "small": each.small.as_dict(),
        "large": each.large.as_dict(),
        "peak": each.peak.as_dict(),
        "peak_at": each.peak_at.as_dict(),
        "loss_slope": each.loss_slope.as_dict(),
        "curve": {"N": each.curve[0].tolist(), "exponent": each.curve[1].tolist()},
    }


def _counted(answer: Counted) -> dict[str, Any]:
    return {
        "source": answer.source,
        "omega": answer.omega,
        "omega_source": answer.omega_source,
        "ways": [
            {
                "name": way.name,
                "exponent_a": None if way.exponent_a is None else way.exponent_a.as_dict(),
                "why_not": way.why_not,
            }
            for way in answer.ways
        ],
        "recounted": _recount("chinchilla", answer.recounted),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "group": dict(step.labels),
        "runs": step.runs,
        "budgets": step.budgets,
        "exponent_a": None if step.exponent_a is None else step.exponent_a.as_dict(),
        "changed": list(step.changed),
        "change": step.change,
        "why_not": step.why_not,
    }
