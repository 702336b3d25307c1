"""``isoflop study``: one analysis, described once, performed and kept."""

from __future__ import annotations

from pathlib import Path

import click

from isoflop.cli.output import json_flag, print_json


@click.command()
@click.argument("file", metavar="STUDY.toml")
@click.option("-o", "--output", metavar="FOLDER", help="Folder of the results.  [default: STUDY-results beside it]")
@click.option("--verbose", is_flag=True, help="Show findings in full, with their remedies.")
@json_flag
def study(file: str, output: str | None, verbose: bool, as_json: bool) -> None:
    """Perform the analysis that STUDY.toml describes and write its answers to a folder.

    The same study on the same runs writes the same bytes; where results are there already, the files that differ are
    named.
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
                "answers": {name: each.to_dict() for name, each in done.answers.items()},
                "refused": done.refused,
            }
        )
        return
    from isoflop.render.screen import standard_output
    from isoflop.render.terminal import show

    out = standard_output()
    for each in done.answers.values():
        show(each, out, verbose=verbose)
        out.print()
    for name, why in done.refused.items():
        out.print(f"{name} has no answer: {why}")
    told = f"{len(written.files) + 1} files in {written.folder}"
    if written.before is not None:
        changed = ", ".join(written.before)
        told += f"; changed: {changed}" if changed else "; every byte as before"
    out.print(told)
