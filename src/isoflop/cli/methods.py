"""``isoflop methods``: Chinchilla's three methods on one table."""

from __future__ import annotations

import click

from isoflop.cli.options import draw_picture, json_option, number, open_runs, picture_option, print_json, runs_options


@click.command()
@runs_options
@click.option("--budget", "budget_text", metavar="FLOPS", help="Where to compare N*; by default ten times the largest.")
@click.option("--law", "law_text", default="chinchilla", show_default=True, help="The law of the parametric fit.")
@click.option("--objective", "objective_text", default="huber:1e-3", show_default=True, help="As in isoflop fit.")
@click.option("--level", default=0.9, show_default=True, help="Level of the intervals.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@picture_option
@json_option
def methods(
    file: str | None,
    columns: tuple[str, ...],
    where: str | None,
    units: tuple[str, ...],
    conventions: tuple[str, ...],
    budget_text: str | None,
    law_text: str,
    objective_text: str,
    level: float,
    seed: int,
    picture: str | None,
    as_json: bool,
) -> None:
    """Compare N* by the envelope of curves, IsoFLOP parabolas and a parametric fit, each with its interval."""
    from isoflop.fitting import fit, objective
    from isoflop.laws import law
    from isoflop.planning.methods import compare_methods
    from isoflop.uncertainty import bootstrap

    runs = open_runs(file, columns, where, units, conventions)
    fitted = fit(law(law_text), runs, objective=objective(objective_text), seed=seed)
    ensemble = bootstrap(fitted, seed=seed)
    budget = number(budget_text, "--budget") if budget_text else 10 * float((6 * runs["N"] * runs["D"]).max())
    answer = compare_methods(ensemble, runs, budget=budget, level=level, seed=seed)
    from isoflop.report.cards.methods import isoflops_card, methods_card

    curves = answer.curves
    draw_picture(
        picture,
        lambda: methods_card(answer, ensemble),
        lambda: None if curves is None else isoflops_card(curves),
    )
    if as_json:
        print_json(
            {
                "budget": answer.budget,
                "methods": [
                    {
                        "name": each.name,
                        "exponent_a": each.exponent_a.as_dict() if each.exponent_a else None,
                        "N": each.n.as_dict() if each.n else None,
                        "D": tokens.as_dict() if (tokens := each.tokens(answer.budget)) else None,
                        "why_not": each.why_not,
                    }
                    for each in answer.methods
                ],
                "budgets": [
                    {
                        "budget": profile.budget,
                        "sizes": len(profile.n),
                        "N": profile.n_best,
                        "loss": profile.loss_best,
                        "bracketed": profile.bracketed,
                    }
                    for profile in answer.profiles
                ],
                "apart": answer.apart,
                "agree": answer.agree,
                "bias_of_parabolas": answer.bias,
                "findings": [finding.as_dict() for finding in (*runs.findings, *fitted.findings, *answer.findings)],
            }
        )
        return
    from rich.console import Console

    from isoflop.report.terminal import show

    show(methods_card(answer, ensemble), Console())
