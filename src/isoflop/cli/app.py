"""``isoflop app``: the local page."""

from __future__ import annotations

from pathlib import Path

import click

from isoflop.cli.output import json_flag
from isoflop.errors import IsoflopError


@click.command()
@click.argument("file", required=False)
@click.option("--port", default=8642, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Another one than loopback needs --token.")
@click.option("--token", metavar="WORD", help="Asked of every request; for hosts and machines that others use too.")
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening it.")
@click.option("--state", metavar="FOLDER", type=click.Path(), help="Where sessions are kept.")
@click.option("--prior", metavar="FILE", help="Prior of the model error, written by isoflop calibrate.")
@json_flag
def app(
    file: str | None,
    port: int,
    host: str,
    token: str | None,
    no_browser: bool,
    state: str | None,
    prior: str | None,
    as_json: bool,
) -> None:
    """Open a page on this machine to explore runs, fit laws and plan budgets. FILE: a table, or a store, to begin."""
    from isoflop.app.serve import serve
    from isoflop.faults import state_folder
    from isoflop.runs.store import is_store

    root = Path(state) if state else state_folder()
    if root.exists() and not root.is_dir():
        raise IsoflopError(f"--state {str(root)!r} is a file and no folder; name another")
    if file is not None and not Path(file).is_file() and not is_store(Path(file)):
        raise IsoflopError(
            f"there is no file {file!r}, and no store; check the path, or start without one and pick a data set"
        )
    say = _say_json if as_json else click.echo
    serve(
        root=root,
        table=Path(file) if file else None,
        prior=Path(prior) if prior else None,
        host=host,
        port=port,
        token=token,
        browser=not (no_browser or as_json),
        say=say,
    )


def _say_json(sentence: str) -> None:
    from isoflop.cli.output import print_json

    print_json({"says": sentence})
