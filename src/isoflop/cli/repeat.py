"""``isoflop repeat``: what tokens are worth that are seen again."""

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
    progress,
    runs_options,
)
from isoflop.errors import IsoflopError

if TYPE_CHECKING:
    from isoflop.planning.repeat import Pass, Repeat, Spent
    from isoflop.runs import Runs
    from isoflop.uncertainty import Ensemble


@click.command()
@runs_options
@click.option("--unique", "unique_text", required=True, metavar="100B", help="Unique tokens that there are.")
@click.option("--params", "params_text", metavar="7B", help="The model size; by default the best one for --budget.")
@click.option("--budget", "budget_text", metavar="FLOPS", help="Training FLOPs: adds the best size and epochs.")
@click.option("--worth", default=0.1, show_default=True, help="Stop where one more epoch is worth less than this.")
@click.option("--draws", default=1000, show_default=True, type=click.IntRange(20, 1_000_000), help="Bootstrap draws.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--level", default=0.9, show_default=True, help="Level of the intervals.")
@picture_option
@json_option
def repeat(
    file: str | None,
    columns: tuple[str, ...],
    where: str | None,
    units: tuple[str, ...],
    conventions: tuple[str, ...],
    unique_text: str,
    params_text: str | None,
    budget_text: str | None,
    worth: float,
    draws: int,
    seed: int,
    level: float,
    picture: str | None,
    as_json: bool,
) -> None:
    """What repeated tokens are worth, where to stop, and the best size and epochs, by Muennighoff and by Lovelace.

    FILE is a table of runs with unique tokens or epochs, to which both laws are fitted; or a saved fit; or published
    constants as LAW:KEY. Without FILE: muennighoff:c4 and lovelace:datablations.

    \b
    isoflop repeat --unique 100B --params 7B --budget 1e23
    isoflop repeat runs.csv --unique 4B --params 2.8B
    """  # noqa: D301 - \b is click's mark of a paragraph not to be wrapped
    from isoflop.planning.repeat import PUBLISHED, fit_repeats, with_unique
    from isoflop.planning.repeat import repeat as ask

    unique = number(unique_text, "--unique")
    params = None if params_text is None else number(params_text, "--params")
    budget = None if budget_text is None else number(budget_text, "--budget")
    if params is None and budget is None:
        raise click.UsageError("repeating needs --params 7B, or --budget 1e22", click.get_current_context())
    described = any((columns, where, units, conventions))
    runs: Runs | None = None
    if file is None or is_fit(file):
        if described:
            raise IsoflopError("--column, --where, --unit and --convention describe a table of runs; name one")
        ensembles: tuple[Ensemble, ...] = tuple(open_fit(each) for each in ([file] if file else PUBLISHED))
    else:
        runs = with_unique(open_runs(file, columns, where, units, conventions))
        with progress(2 * draws, "bootstrap of both laws", quiet=as_json) as advance:
            ensembles = fit_repeats(runs, draws=draws, seed=seed, progress=advance)
    answers = tuple(
        ask(each, unique=unique, params=params, budget=budget, least=worth, level=level) for each in ensembles
    )
    from isoflop.report.cards.repeat import repeat_card

    draw_picture(picture, lambda: repeat_card(answers, runs))
    if as_json:
        print_json(_as_dict(answers, runs))
        return
    from rich.console import Console

    from isoflop.report.terminal import show

    show(repeat_card(answers, runs), Console())


def is_fit(file: str) -> bool:
    """Whether the argument names a saved fit or published constants rather than a table."""
    from pathlib import Path

    path = Path(file)
    return path.suffix == ".json" if path.exists() else ":" in file or path.suffix == ".json"


def _as_dict(answers: tuple[Repeat, ...], runs: Runs | None) -> dict[str, Any]:
    first = answers[0]
    return {
        "unique": first.unique,
        "params": first.params,
        "budget": None if first.best is None else first.best.budget,
        "worth": first.least,
        "laws": [_law(each, runs) for each in answers],
        "findings": [
            finding.as_dict()
            for finding in (
                *(runs.findings if runs is not None else ()),
                *(finding for each in answers for finding in (*each.ensemble.fit.findings, *each.findings)),
            )
        ],
    }


def _law(each: Repeat, runs: Runs | None) -> dict[str, Any]:
    from isoflop.planning.repeat import explained, published_explains

    fit = each.ensemble.fit
    level = each.stop.level
    return {
        "law": fit.law.name,
        "source": fit.data.source,
        "constants": {name: each.ensemble.interval(name, level=level).as_dict() for name in fit.law.param_names},
        "r_squared": None if runs is None else explained(fit.law, fit.params, runs),
        "r_squared_published": None if runs is None else published_explains(fit.law, runs),
        "N": each.params,
        "epochs": [_pass(one) for one in each.passes],
        "stop": each.stop.as_dict(),
        "lowest": each.lowest.as_dict(),
        "best": None if each.best is None else _spent(each.best),
    }


def _pass(one: Pass) -> dict[str, Any]:
    return {
        "epochs": one.epochs,
        "loss": one.loss.as_dict(),
        "fresh": one.fresh.as_dict(),
        "next_worth": one.worth.as_dict(),
        "next_gain": one.gain.as_dict(),
    }


def _spent(best: Spent) -> dict[str, Any]:
    return {
        "N": best.n.as_dict(),
        "D": best.d.as_dict(),
        "epochs": best.epochs.as_dict(),
        "loss": best.loss.as_dict(),
        "loss_without_repeats": best.once.as_dict(),
        "loss_with_plenty": best.plenty.as_dict(),
    }
