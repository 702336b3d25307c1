"""``isoflop datasets``: the public run tables and the runs in the box, and how to have them here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from isoflop.runs.datasets import Box, Dataset, SourceFile, Table


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def datasets(context: click.Context, as_json: bool) -> None:
    """List the public run tables: source, licence, rows, size, and the laws that they suit."""
    if context.invoked_subcommand is not None:
        return
    from isoflop.runs.datasets import boxes
    from isoflop.runs.datasets import datasets as registered

    listed = [_box_facts(box) for box in boxes()] + [_facts(dataset) for dataset in registered()]
    if as_json:
        click.echo(json.dumps({"datasets": listed}, indent=2, ensure_ascii=False))
    else:
        _print_list(listed)


@datasets.command(short_help="Download a data set and check it.")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def get(name: str, as_json: bool) -> None:
    """Download a data set at its pinned commit, check its SHA-256 and keep it in the cache.

    NAME is a data set, or DATASET/TABLE for the file of one table.
    """
    from isoflop.runs.datasets import boxes
    from isoflop.runs.datasets import get as obtain

    box = next((box for box in boxes() if box.name == name.partition("/")[0]), None)
    if box is not None:
        said: dict[str, Any] = {
            "name": box.name,
            "citation": box.citation,
            "licences": [box.licence],
            "files": [{"path": str(box.folder / f"{table}.parquet"), "from": "package"} for table in box.tables],
            "mirror_only": [],
        }
    else:
        got = obtain(name)
        said = {
            "name": got.dataset.name,
            "citation": got.dataset.citation,
            "licences": list(dict.fromkeys(each.file.source.licence for each in got.obtained)),
            "files": [
                {
                    "path": str(each.path),
                    "from": each.origin,
                    "bytes": each.path.stat().st_size,
                    "source": str(each.file.source),
                    "licence": each.file.source.licence,
                }
                for each in got.obtained
            ],
            "mirror_only": [file.label for file in got.left],
        }
    if as_json:
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
        return
    for file in said["files"]:
        click.echo(file["path"])
    if said["mirror_only"]:
        click.echo(f"not to be downloaded (derived; mirror only): {', '.join(said['mirror_only'])}")
    click.echo(f"licence: {', '.join(said['licences'])}")
    click.echo(f"cite: {said['citation']}")


def _print_list(listed: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table as Grid
    from rich.text import Text

    from isoflop.units import format_quantity

    console = Console(highlight=False)
    widest = max((len(table["name"]) for each in listed for table in each["tables"]), default=0)
    for each in listed:
        console.print(Text.assemble((each["name"], "bold"), "  ", each["title"]))
        grid = Grid.grid(padding=(0, 2))
        grid.add_column(no_wrap=True, min_width=widest)
        grid.add_column(justify="right", no_wrap=True, min_width=12)
        grid.add_column(justify="right", no_wrap=True, min_width=6)
        grid.add_column(no_wrap=True)
        for table in each["tables"]:
            size = f"{format_quantity(table['bytes'])}B"
            grid.add_row(table["name"], f"{table['rows']:,} rows", size, table["state"])
        console.print(Padding(grid, (0, 0, 0, 2)))
        origins = dict.fromkeys((_origin(table), table["licence"]) for table in each["tables"])
        for origin, licence in origins:
            console.print(Padding(Text(f"{origin}; licence: {licence}", overflow="fold"), (0, 0, 0, 2)))
        console.print(Padding(Text(f"suits {'; '.join(each['laws'])}"), (0, 0, 1, 2)))
    console.print("Fetch one with: isoflop datasets get NAME")


def _origin(table: dict[str, Any]) -> str:
    if "repository" not in table:
        return "trained by isoflop's lab"
    made = "from" if table["derived"] is None else "made from"
    return f"{made} {table['repository']}@{table['commit'][:7]} {table['path']}".rstrip()


def _state(file: SourceFile) -> str:
    from isoflop.runs.datasets.download import present

    here = present(file)
    if here == "mirror":
        return "in the mirror"
    if here == "cache":
        return "in the cache"
    return "to download" if file.derived is None else "derived; mirror only"


def _facts(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "kind": "public",
        "title": dataset.title,
        "citation": dataset.citation,
        "laws": list(dataset.laws),
        "tables": [_table_facts(dataset, table) for table in dataset.tables],
    }


def _table_facts(dataset: Dataset, table: Table) -> dict[str, Any]:
    file = table.file
    return {
        "name": dataset.full_name(table),
        "rows": table.rows,
        "bytes": file.copy.bytes,
        "state": _state(file),
        "licence": file.source.licence,
        "repository": file.source.repository,
        "commit": file.source.commit,
        "path": file.path,
        "file": file.copy.name,
        "sha256": file.copy.sha256,
        "derived": file.derived,
        "where": table.where,
    }


def _box_facts(box: Box) -> dict[str, Any]:
    import polars as pl

    tables = []
    for table in box.tables:
        with box.path(table) as path:
            rows = pl.scan_parquet(path).select(pl.len()).collect().item()
            tables.append(
                {
                    "name": box.full_name(table),
                    "rows": rows,
                    "bytes": path.stat().st_size,
                    "state": "in the package",
                    "licence": box.licence,
                }
            )
    return {
        "name": box.name,
        "kind": "box",
        "title": box.title,
        "citation": box.citation,
        "laws": list(box.laws),
        "tables": tables,
    }
