"""``isoflop laws``: the laws that have a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.options import json_option, print_json

if TYPE_CHECKING:
    from isoflop.laws import Law


@click.command()
@click.argument("name", required=False)
@json_option
def laws(name: str | None, as_json: bool) -> None:
    """List the laws, or show one: its formula, parameters, published constants and their source."""
    from isoflop.laws import catalogue, law
    from isoflop.laws.unicode import typeset
    from isoflop.runs.prepare import RULES

    chosen = list(catalogue().values()) if name is None else [law(name)]
    if as_json:
        listed = [
            {
                "name": each.name,
                "formula": each.formula,
                "stated": each.stated or each.formula,
                "where": dict(each.where),
                "response": each.response,
                "typeset": list(typeset(each)),
                "inputs": {given.name: given.meaning for given in each.inputs},
                "prepared": {
                    column: {"rule": how.rule, **how.settings, "from": list(RULES[how.rule].needs)}
                    for column, how in each.prepared.items()
                },
                "searched": {constant.name: constant.meaning for constant in each.searched},
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
        print_json({"laws": listed} if name is None else listed[0])
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
    formula, *where = typeset(one)
    console.print(f"{one.name}:   {formula}", style="bold", highlight=False, markup=False)
    for text in where:
        console.print(f"  where {text}", highlight=False, markup=False)
    console.print(f"as text: {one.stated or one.formula}", highlight=False, markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, show_header=False)
    for given in one.inputs:
        table.add_row(given.name, "input", given.meaning + _origin(one, given.name))
    for param in one.params:
        table.add_row(param.name, str(param.domain), param.meaning)
    for searched in one.searched:
        table.add_row(searched.name, "searched", searched.meaning)
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


def _origin(one: Law, column: str) -> str:
    """From which columns one that a table lacks is computed."""
    from isoflop.runs.prepare import RULES

    if column not in one.prepared:
        return ""
    return f" (if absent, computed from {' and '.join(RULES[one.prepared[column].rule].needs)})"
