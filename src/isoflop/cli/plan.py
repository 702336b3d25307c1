"""``isoflop plan``: how big a model, on how many tokens, for a budget."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from isoflop.cli.hardware import DURATION, WHOLE, Machines, bill_as_dict, hardware_options
from isoflop.cli.options import draw_picture, json_option, number, open_fit, picture_option, print_json

if TYPE_CHECKING:
    from isoflop.planning.answer import Answer
    from isoflop.planning.constrained import Fixed
    from isoflop.planning.overtrain import Served
    from isoflop.planning.shapes import Built
    from isoflop.planning.waste import Waste


@click.command()
@click.argument("fit")
@click.option("--budget", "budget_text", metavar="FLOPS", help="Training FLOPs, as 1e24.")
@click.option(
    "--deadline", type=DURATION, metavar="30d", help="Instead of --budget: all that the hardware can do by then."
)
@click.option("--params", "params_text", metavar="8B", help="A model size that is given: how long to train it.")
@click.option("--tokens", "tokens_text", metavar="2T", help="Tokens that are given: how big a model.")
@click.option("--served", "served_text", metavar="TOKENS", help="Tokens to serve, as 2T: adds the over-trained answer.")
@hardware_options
@click.option("--vocab", "vocabulary", type=WHOLE, default=32_000, show_default=True, help="Of the shapes proposed.")
@click.option("--context", type=WHOLE, default=2_048, show_default=True, help="Of the shapes proposed.")
@click.option(
    "--gated/--plain", default=True, show_default=True, help="Feed-forward of the shapes with a gate, or not."
)
@click.option("--tied/--untied", default=False, show_default=True, help="Whether their output matrix is the embedding.")
@click.option("--within", default=0.002, show_default=True, help="Relative loss that counts as flat.")
@click.option("--level", default=0.9, show_default=True, help="Level of the intervals.")
@picture_option
@json_option
def plan(
    fit: str,
    budget_text: str | None,
    deadline: float | None,
    params_text: str | None,
    tokens_text: str | None,
    served_text: str | None,
    hardware: str | None,
    precision: str | None,
    devices: int | None,
    mfu: float | None,
    price: float | None,
    vocabulary: int,
    context: int,
    gated: bool,
    tied: bool,
    within: float,
    level: float,
    picture: str | None,
    as_json: bool,
) -> None:
    """Plan a budget from FIT: a file of `isoflop fit … --save`, or published constants such as chinchilla:epoch.

    \b
    isoflop plan fit.json --budget 1e24 --hardware h100 --devices 512 --price 2.5
    isoflop plan fit.json --deadline 30d --hardware h100 --devices 512
    isoflop plan fit.json --budget 1e24 --params 8B       (or --tokens 2T, or --served 10T)
    """  # noqa: D301 - \b is click's mark of a paragraph not to be wrapped
    from isoflop.planning.answer import answer
    from isoflop.planning.shapes import Template

    machines = Machines(hardware, precision, devices, mfu, price)
    machines.require_hardware()
    budget = _budget(budget_text, deadline, machines)
    asked = {"--params": params_text, "--tokens": tokens_text, "--served": served_text}
    given = {name: number(text, name) for name, text in asked.items() if text is not None}
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} are different questions; ask one", click.get_current_context())
    ensemble = open_fit(fit)
    said = answer(
        ensemble,
        budget=budget,
        params=given.get("--params"),
        tokens=given.get("--tokens"),
        served=given.get("--served"),
        bill=machines.bill if hardware is not None else None,
        deadline=deadline,
        template=Template(vocabulary, context, gated, tied),
        within=within,
        level=level,
    )
    from isoflop.report.cards.plan import plan_card

    draw_picture(picture, lambda: plan_card(said, ensemble))
    if as_json:
        print_json(_as_dict(said))
        return
    from rich.console import Console

    from isoflop.report.terminal import show

    show(plan_card(said, ensemble), Console())


def _budget(text: str | None, deadline: float | None, machines: Machines) -> float:
    """--budget as it was given, or what the machines can do by the deadline."""
    if (text is None) == (deadline is None):
        raise click.UsageError(
            "a plan takes --budget FLOPS, or --deadline 30d with --hardware, and one of the two",
            click.get_current_context(),
        )
    if text is not None:
        return number(text, "--budget")
    if machines.hardware is None:
        raise click.UsageError("--deadline needs --hardware, such as h100", click.get_current_context())
    return machines.flops_within(deadline or 0.0)


def _as_dict(said: Answer) -> dict[str, Any]:
    plan, bill = said.plan, said.cost
    return {
        "budget": plan.budget,
        "N": plan.n.as_dict(),
        "D": plan.d.as_dict(),
        "ratio": plan.ratio.as_dict(),
        "loss": plan.loss.as_dict(),
        "exponent_a": plan.exponent_a.as_dict(),
        "method": plan.method,
        "band": {"within": plan.band.within, "N": list(plan.band.n), "D": list(plan.band.d)},
        "wasted": {factor: _waste(each, said) for factor, each in said.waste.items()},
        "fixed": None if said.fixed is None else _fixed(said.fixed, said),
        "served": None if said.served is None else _served(said.served),
        "shapes": [_shape(each, said) for each in said.shapes.built],
        "shapes_for": {"N": said.shapes.wanted, "convention": said.shapes.convention},
        "cost": None if bill is None else {**bill_as_dict(bill), "deadline_hours": said.deadline},
        "findings": [finding.as_dict() for finding in said.findings],
    }


def _waste(each: Waste, said: Answer) -> dict[str, Any]:
    bill = said.priced(each.flops.value)
    return {
        "N": each.params,
        "loss": each.loss.as_dict(),
        "flops": each.flops.as_dict(),
        "share": each.share.as_dict(),
        "hours": None if bill is None else bill.hours,
        "money": None if bill is None else bill.money,
    }


def _fixed(each: Fixed, said: Answer) -> dict[str, Any]:
    return {
        "given": each.given,
        "N": each.n,
        "D": each.d,
        "ratio": each.ratio,
        "over": each.over,
        "loss": each.waste.loss.as_dict(),
        "wasted": _waste(each.waste, said),
    }


def _served(each: Served) -> dict[str, Any]:
    return {
        "tokens": each.tokens,
        "N": each.n.as_dict(),
        "D": each.d.as_dict(),
        "ratio": each.ratio.as_dict(),
        "flops": each.flops.as_dict(),
        "compute": each.compute.as_dict(),
        "saved": each.saved.as_dict(),
        "break_even": each.break_even.as_dict(),
    }


def _shape(each: Built, said: Answer) -> dict[str, Any]:
    bill = said.priced(each.flops)
    return {
        **asdict(each.shape),
        "N": each.n,
        "N_total": each.total,
        "D": each.d,
        "loss": each.loss,
        "above": each.above,
        "flops": each.flops,
        "ratio_to_budget": each.ratio,
        "hours": None if bill is None else bill.hours,
        "money": None if bill is None else bill.money,
    }
