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
    from isoflop.questions import questions

    if name is None:
        print_json(answer_schema())
        return
    if name not in questions():
        raise IsoflopError(f"there is no question {name[:40]!r}; there are {', '.join(questions())}")
    print_json(questions()[name].schema())
