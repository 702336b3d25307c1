"""``isoflop laws``: the laws that have a name."""

from __future__ import annotations

import click

from isoflop.cli.options import json_option, print_json


@click.command()
@click.argument("name", required=False)
@json_option
def laws(name: str | None, as_json: bool) -> None:
    """List the laws, or show one: its formula, parameters, published constants and their source."""
    from isoflop.laws import catalogue, law

    chosen = list(catalogue().values()) if name is None else [law(name)]
    if as_json:
        listed = [
            {
                "name": each.name,
                "formula": each.formula,
                "stated": each.stated or each.formula,
                "where": dict(each.where),
                "response": each.response,
                "inputs": {given.name: given.meaning for given in each.inputs},
                "params": {param.name: {"domain": param.domain, "meaning": param.meaning} for param in each.params},
                "reference": each.reference,
                "notes": each.notes,
                "published": [
                    {
                        "key": entry.key,
                        "values": dict(entry.values),
                        "source": entry.source,
                        "label": entry.label,
                        "data": entry.data,
                        "convention": entry.convention,
                        "unit": entry.unit,
                    }
                    for entry in each.published
                ],
            }
            for each in chosen
        ]
        print_json(listed if name is None else listed[0])
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if name is None:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for head in ("name", "formula", "reference"):
            table.add_column(head, overflow="fold")
        for each in chosen:
            table.add_row(each.name, each.stated or each.formula, each.reference)
        console.print(table)
        return
    one = chosen[0]
    symbol = "L" if one.response == "loss" else one.response
    console.print(f"{one.name}:   {symbol} = {one.stated or one.formula}", style="bold", highlight=False, markup=False)
    for label, text in one.where.items():
        console.print(f"  where {label} = {text}", highlight=False, markup=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    for given in one.inputs:
        table.add_row(given.name, "input", given.meaning)
    for param in one.params:
        table.add_row(param.name, str(param.domain), param.meaning)
    console.print(table)
    for text in (one.notes, one.reference):
        if text:
            console.print(text, highlight=False, markup=False)
    for entry in one.published:
        values = ", ".join(f"{key} {value:g}" for key, value in entry.values.items())
        console.print(
            f"{entry.key} ({entry.label}): {values}. {entry.source}; {entry.data}; {entry.convention}; {entry.unit}.",
            highlight=False,
            markup=False,
        )
