"""``isoflop study``: one analysis, described once, performed and kept."""

from __future__ import annotations

from pathlib import Path

import click

from isoflop.cli.options import json_option, print_json


@click.command()
@click.argument("file", metavar="STUDY.toml")
@click.option("-o", "--output", metavar="FOLDER", help="Where the results go; by default STUDY-results beside it.")
@json_option
def study(file: str, output: str | None, as_json: bool) -> None:
    """Perform the analysis that STUDY.toml describes and write its answers to a folder.

    The same study on the same runs writes the same bytes; where results are there already, what differs is named.
    """
    from rich.console import Console

    from isoflop.study import perform, read_study, write_results

    asked = read_study(file)
    place = Path(output) if output else Path(file).with_name(f"{Path(file).stem}-results")
    console = Console(stderr=True)
    if as_json or not console.is_terminal:
        done = perform(asked)
    else:
        with console.status("read the runs") as status:
            done = perform(asked, progress=status.update)
    written = write_results(done, place)
    if as_json:
        print_json(
            {
                "folder": str(written.folder),
                "files": dict(written.files),
                "differs": None if written.before is None else list(written.before),
                "cards": {name: card.as_dict() for name, card in done.cards.items()},
                "refused": done.refused,
            }
        )
        return
    from isoflop.report.terminal import show

    out = Console()
    for card in done.cards.values():
        show(card, out)
        out.print()
    for name, why in done.refused.items():
        out.print(f"{name} has no answer: {why}", highlight=False, markup=False)
    said = f"{len(written.files) + 1} files in {written.folder}"
    if written.before is not None:
        said += (
            f"; others than before: {', '.join(written.before)}" if written.before else "; every byte as it was before"
        )
    out.print(said, highlight=False, markup=False)
