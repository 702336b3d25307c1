"""``isoflop influence``: which runs carry the answer."""

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

if TYPE_CHECKING:
    from isoflop.validation.influence import Influence


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
@click.option(
    "--answer", "decide", metavar="NAME", help="What the removals are chosen for: N*, 'exponent a', forecast, alpha, …"
)
@click.option("--show", "shown", default=10, show_default=True, type=click.IntRange(1, 10_000), help="Runs to list.")
@click.option("--level", default=0.9, show_default=True, help="Level of the intervals.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@picture_option
@json_option
def influence(
    file: str | None,
    columns: tuple[str, ...],
    where: str | None,
    units: tuple[str, ...],
    conventions: tuple[str, ...],
    law_text: str,
    objective_text: str,
    budget_text: str | None,
    at_texts: tuple[str, ...],
    decide: str | None,
    shown: int,
    level: float,
    seed: int,
    picture: str | None,
    as_json: bool,
) -> None:
    """Leave every run in FILE out in turn, and find the few whose removal moves N*, its exponent or a forecast most."""
    from isoflop.fitting import fit, objective
    from isoflop.laws import law
    from isoflop.uncertainty.ensemble import check_level
    from isoflop.validation.influence import influence as perform
    from isoflop.validation.influence import refits

    check_level(level)
    budget = number(budget_text, "--budget") if budget_text else None
    at = number_pairs(at_texts, "--at")
    runs = open_runs(file, columns, where, units, conventions)
    fitted = fit(law(law_text, columns=runs.headers), runs, objective=objective(objective_text), seed=seed)
    with progress(refits(fitted), "runs left out", quiet=as_json) as advance:
        found = perform(fitted, budget=budget, at=at, decide=decide, level=level, seed=seed, progress=advance)
    from isoflop.report.cards.influence import influence_card, left_out_card

    draw_picture(picture, lambda: influence_card(found, count=shown), lambda: left_out_card(found, count=shown))
    if as_json:
        print_json(_plain(found))
        return
    from rich.console import Console

    from isoflop.report.terminal import show

    show(influence_card(found, count=shown), Console())


def _plain(found: Influence) -> dict[str, Any]:
    return {
        "law": found.fit.law.name,
        "objective": found.fit.objective.name,
        "n_runs": len(found.labels),
        "budget": found.asked.budget,
        "at": dict(found.asked.at),
        "answers": {
            each.answer.name: {
                **each.value.as_dict(),
                "jackknife_standard_error": each.standard_error,
                "curvature_correlation": each.agreement,
            }
            for each in found.effects
        },
        "runs": [
            {
                "run": label,
                "rows": list(rows),
                "without": {each.answer.name: float(each.without[place]) for each in found.effects},
                "curvature": {
                    each.answer.name: float(each.curvature[place])
                    for each in found.effects
                    if each.curvature is not None
                },
            }
            for place, (label, rows) in enumerate(zip(found.labels, found.rows, strict=True))
        ],
        "decided": found.decided,
        "removals": [
            {
                "how": each.how,
                "runs": [found.labels[run] for run in each.runs],
                "rows": [list(found.rows[run]) for run in each.runs],
                "values": list(each.values),
                "left_interval": each.left_interval,
            }
            for each in found.removals
        ],
        "usual_count": found.usual,
        "fewest_by_chance": found.fewest,
        "outliers": [
            {"row": each.row, "away": each.away, "reasons": list(each.reasons)} for each in found.outliers.found
        ],
        "findings": [finding.as_dict() for finding in found.findings],
    }
