"""``isoflop plan``: how big a model, on how many tokens, for a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from isoflop.cli.options import json_option, number, open_fit, print_json

if TYPE_CHECKING:
    from isoflop.planning.allocate import Plan
    from isoflop.planning.overtrain import Served


@click.command()
@click.argument("fit")
@click.option("--budget", "budget_text", required=True, metavar="FLOPS", help="Training FLOPs, as 1e24.")
@click.option("--served", "served_text", metavar="TOKENS", help="Tokens to serve, as 2T: adds the over-trained answer.")
@click.option("--within", default=0.002, show_default=True, help="Relative loss that counts as flat.")
@click.option("--level", default=0.9, show_default=True, help="Level of the intervals.")
@json_option
def plan(fit: str, budget_text: str, served_text: str | None, within: float, level: float, as_json: bool) -> None:
    """Plan --budget FLOPs from FIT: a file of `isoflop fit … --save`, or published constants as chinchilla:epoch."""
    from isoflop.planning.allocate import allocate, wasted_compute
    from isoflop.planning.overtrain import for_serving

    ensemble = open_fit(fit)
    answer = allocate(ensemble, budget=number(budget_text, "--budget"), level=level, within=within)
    served = None
    if served_text is not None:
        served = for_serving(ensemble, answer, tokens=number(served_text, "--served"))
    wasted = {
        f"{factor:g}": wasted_compute(ensemble.fit, budget=answer.budget, params=answer.n.value * factor)
        for factor in (0.5, 2.0)
    }
    if as_json:
        print_json(_as_dict(answer, served, wasted))
        return
    from rich.console import Console

    from isoflop.report.cards.plan import plan_card
    from isoflop.report.terminal import show

    show(plan_card(answer, ensemble, served=served, wasted=wasted), Console())


def _as_dict(answer: Plan, served: Served | None, wasted: dict[str, float]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "budget": answer.budget,
        "N": answer.n.as_dict(),
        "D": answer.d.as_dict(),
        "ratio": answer.ratio.as_dict(),
        "loss": answer.loss.as_dict(),
        "exponent_a": answer.exponent_a.as_dict(),
        "method": answer.method,
        "band": {"within": answer.band.within, "N": list(answer.band.n), "D": list(answer.band.d)},
        "wasted_flops": wasted,
    }
    if served is not None:
        said["served"] = {
            "tokens": served.tokens,
            "N": served.n.as_dict(),
            "D": served.d.as_dict(),
            "ratio": served.ratio.as_dict(),
            "compute": served.compute,
            "saved": served.saved,
            "break_even": served.break_even,
        }
    return {**said, "findings": [finding.as_dict() for finding in answer.findings]}
