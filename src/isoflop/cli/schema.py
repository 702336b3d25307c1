"""``isoflop schema``: what can be asked and what comes back, as JSON schemas."""

from __future__ import annotations

import click

from isoflop.cli.output import print_json
from isoflop.errors import IsoflopError


@click.command()
@click.argument("name", required=False)
def schema(name: str | None) -> None:
    """JSON schema of the options of question NAME; without NAME, of every answer."""
    from isoflop.answers.schema import answer_schema
    from isoflop.questions import listed, question

    if name is None:
        print_json(answer_schema())
        return
    asked = question(name)
    if asked is None:
        raise IsoflopError(f"there is no question {name[:40]!r}; there are {', '.join(listed())}")
    print_json(asked.schema())
