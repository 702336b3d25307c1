"""``isoflop cost``: parameters, FLOPs, hours and money of a model that nobody has trained."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import click

from isoflop.cli.hardware import NUMBER, WHOLE, Machines, bill_as_dict, hardware_options
from isoflop.cli.options import json_option, print_json

if TYPE_CHECKING:
    from isoflop.accounting import Comparison, Cost, Shape
    from isoflop.findings import Finding

Command = Callable[..., None]


def _shape_options(command: Command) -> Command:
    """The options that describe a model; the command receives them as one ``Shape``."""

    @functools.wraps(command)
    def with_shape(**given: object) -> None:
        from dataclasses import fields

        from isoflop.accounting import Shape

        described = {each.name: given.pop(each.name) for each in fields(Shape)}
        command(shape=Shape(**cast("dict[str, Any]", described)), **given)

    wrapped: Command = with_shape
    for option in reversed(
        (
            click.option("--layers", type=WHOLE, required=True),
            click.option("--width", type=WHOLE, required=True, help="Of the residual stream, d."),
            click.option("--heads", type=WHOLE, required=True, help="Of queries."),
            click.option("--kv-heads", type=WHOLE, help="Of keys and values; by default as many as of queries."),
            click.option("--key-size", type=WHOLE, help="Of one head; by default width / heads."),
            click.option("--ff", "feed_forward", type=WHOLE, help="Feed-forward width; by default 4 × width."),
            click.option("--gated/--plain", default=False, help="Feed-forward with a gate (three matrices), or not."),
            click.option("--vocab", "vocabulary", type=WHOLE, required=True),
            click.option("--context", type=WHOLE, required=True, help="Tokens of a training sequence."),
            click.option("--tied/--untied", default=False, show_default=True, help="Output matrix = embedding table."),
            click.option("--experts", type=WHOLE, default=1, help="Routed experts a layer."),
            click.option("--active-experts", type=WHOLE, default=1, help="Routed experts that a token passes."),
            click.option("--shared-experts", type=WHOLE, default=0, help="Experts that every token passes."),
            click.option("--dense-layers", type=WHOLE, default=0, help="Layers without experts."),
            click.option("--dense-ff", "dense_feed_forward", type=WHOLE, help="Feed-forward width of those layers."),
            click.option("--positions", default="rotary", show_default=True, help="rotary, learned or relative."),
            click.option("--norm", default="rms", show_default=True, help="rms, layer or none."),
            click.option("--layer-norms", type=WHOLE, default=2, show_default=True, help="Norms in a layer."),
            click.option("--qk-norm", "query_key_norm", default="none", show_default=True, help="none, head or full."),
            click.option("--biases", default="none", show_default=True, help="none, qkv or all."),
        )
    ):
        wrapped = option(wrapped)
    return wrapped


@click.command()
@_shape_options
@click.option("--tokens", type=NUMBER, required=True, metavar="15T", help="Training tokens.")
@hardware_options
@click.option("--count", "counted_by", default="exact", show_default=True, help="The count that hours are taken from.")
@json_option
def cost(
    shape: Shape,
    tokens: float,
    hardware: str | None,
    precision: str | None,
    devices: int | None,
    mfu: float | None,
    price: float | None,
    counted_by: str,
    as_json: bool,
) -> None:
    """Count a transformer's parameters and training FLOPs under every convention, then hours and money.

    \b
    isoflop cost --layers 80 --width 8192 --heads 64 --kv-heads 8 --ff 28672 --gated \\
      --vocab 128256 --context 8192 --tokens 15T --hardware h100 --devices 1024 --mfu 0.4 --price 2.5
    """  # noqa: D301 - \b is click's mark of a paragraph not to be wrapped
    from isoflop.accounting import compare, doubts

    machines = Machines(hardware, precision, devices, mfu, price)
    machines.require_hardware()
    comparison = compare(shape, tokens)
    chosen = comparison.row(counted_by).name
    bills = {}
    if hardware is not None:
        bills = {row.name: machines.bill(comparison.total(row.name)) for row in comparison.rows}
    findings = comparison.findings
    if bills:
        findings = (*findings, *doubts(bills[chosen], comparison.parameters))
    if as_json:
        print_json(_as_dict(comparison, bills, chosen, findings))
    else:
        _show(comparison, bills, chosen, findings)


def _as_dict(
    comparison: Comparison, bills: dict[str, Cost], chosen: str, findings: tuple[Finding, ...]
) -> dict[str, object]:
    from dataclasses import asdict

    from isoflop.accounting import decode_flops, prefill_flops

    shape, counted = comparison.shape, comparison.parameters
    conventions = [
        {
            "name": row.name,
            "label": row.label,
            "counts": row.counts,
            "parameters": row.parameters,
            "flops_per_token": row.flops.training,
            "forward_parts": row.flops.parts(),
            "flops": comparison.total(row.name),
            "ratio_to_6nd": comparison.ratio(row.name),
            "hours": bills[row.name].hours if bills else None,
            "money": bills[row.name].money if bills else None,
        }
        for row in comparison.rows
    ]
    bill = bills.get(chosen)
    return {
        "shape": asdict(shape),
        "tokens": comparison.tokens,
        "parameters": {
            "total": counted.total,
            "non_embedding": counted.non_embedding,
            "active": counted.active,
            "parts": counted.parts(),
        },
        "conventions": conventions,
        "count": chosen,
        "serving": {
            "context": shape.context,
            "prefill_flops": prefill_flops(shape, prompt=shape.context),
            "prefill_flops_per_token": prefill_flops(shape, prompt=shape.context) / shape.context,
            "decode_flops_per_token": decode_flops(shape, position=shape.context),
        },
        "cost": None if bill is None else bill_as_dict(bill),
        "findings": [finding.as_dict() for finding in findings],
    }


def _show(comparison: Comparison, bills: dict[str, Cost], chosen: str, findings: tuple[Finding, ...]) -> None:
    from rich.console import Console

    from isoflop.report.card import Card
    from isoflop.report.terminal import show
    from isoflop.units import format_quantity

    header = ["", "N", "FLOPs/token", "FLOPs", "÷ 6ND"]
    header += ["hours"] if bills else []
    header += ["money"] if bills and bills[chosen].money is not None else []
    rows = []
    for row in comparison.rows:
        cells = [
            row.label,
            format_quantity(row.parameters),
            f"{row.flops.training:.3g}",
            f"{comparison.total(row.name):.3g}",
            f"{comparison.ratio(row.name):.3f}",
        ]
        if bills:
            hours, money = bills[row.name].hours, bills[row.name].money
            cells.append(f"{hours:.3g}" if hours < 1000 else f"{hours:,.0f}")
            cells += [format_quantity(money)] if money is not None else []
        rows.append(tuple(cells))
    card = Card(
        title=f"{comparison.shape.layers} layers of {comparison.shape.width:,}",
        answer=_answer(comparison, bills.get(chosen), chosen),
        header=tuple(header),
        rows=tuple(rows),
        findings=findings,
        how=_how(comparison.shape, bills.get(chosen)),
    )
    show(card, Console())


def _answer(comparison: Comparison, bill: Cost | None, chosen: str) -> str:
    from isoflop.units import format_quantity

    counted = comparison.parameters
    sizes = [f"{format_quantity(counted.non_embedding)} without embeddings"]
    if counted.idle:
        sizes.append(f"{format_quantity(counted.active)} active")
    says = f"{format_quantity(counted.total)} parameters ({', '.join(sizes)}); {format_quantity(comparison.tokens)}"
    says += f" tokens take {comparison.total(chosen):.3g} FLOPs ({comparison.row(chosen).label})"
    if bill is None:
        return says + "."
    days = f"{bill.hours:,.3g} hours" if bill.hours < 48 else f"{bill.hours / 24:,.0f} days"
    says += f": {days} on {bill.devices:,} × {bill.hardware.name} at {bill.mfu:.0%} of its {bill.precision} peak"
    return says + (f", for {format_quantity(bill.money)}." if bill.money is not None else ".")


def _how(shape: Shape, bill: Cost | None) -> str:
    from isoflop.accounting import decode_flops, prefill_flops

    prompt = prefill_flops(shape, prompt=shape.context) / shape.context
    new = decode_flops(shape, position=shape.context)
    says = (
        f"{'tied' if shape.tied else 'untied'} output matrix, {shape.positions} positions, {shape.norm} norms, biases: "
        f"{shape.biases}; serving takes {prompt:.3g} FLOPs a token of a {shape.context:,}-token prompt and {new:.3g} "
        f"for a new token after it"
    )
    if bill is None:
        return says
    return f"{says}; peak {bill.hardware.peak[bill.precision]:.4g} FLOP/s: {bill.hardware.source}"
