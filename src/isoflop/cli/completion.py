"""Commands as the completion of a shell needs them: the words and helps of their options, from a file.

``options.json`` keeps them, so that a press of the tab key imports no question. ``python -m docs_build.index`` renews
it; a question that it does not know is completed from its module.
"""

from __future__ import annotations

import json
import os
from typing import Any

import click

OPTIONS = os.path.join(os.path.dirname(__file__), "options.json")  # noqa: PTH118, PTH120 - pathlib takes longer


def outline(command: click.Command) -> dict[str, Any]:
    """What the file keeps of a command."""
    own = [each for each in command.params if isinstance(each, click.Option)]
    return {
        "arguments": [[str(each.name), each.nargs] for each in command.params if isinstance(each, click.Argument)],
        "options": [[_declared(each), each.is_flag, each.help] for each in own],
    }


def outlined(name: str) -> click.Command | None:
    """The command of a question that can be completed and not run; None where the file does not know it."""
    with open(OPTIONS, encoding="utf-8") as file:  # noqa: PTH123
        told = json.load(file).get(name)
    if told is None:
        return None
    params: list[click.Parameter] = [
        click.Argument([argument], nargs=nargs, required=False) for argument, nargs in told["arguments"]
    ]
    params += [
        click.Option(declared, is_flag=flag, multiple=not flag, help=help_, default=None)
        for declared, flag, help_ in told["options"]
    ]
    return click.Command(name, params=params)


def _declared(option: click.Option) -> list[str]:
    """The words of an option as they are declared: two with a slash between, where the second turns it off."""
    if option.secondary_opts:
        return [f"{option.opts[0]}/{option.secondary_opts[0]}", str(option.name)]
    return [*option.opts, str(option.name)]
