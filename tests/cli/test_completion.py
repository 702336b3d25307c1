"""Completion from the file of options: the same words and helps as from the commands themselves."""

from pathlib import Path

import click
import pytest
from click.shell_completion import get_completion_class
from docs_build.index import options

from isoflop.cli import isoflop
from isoflop.cli.commands import command_of
from isoflop.cli.completion import OPTIONS, outline, outlined
from isoflop.questions import questions


def test_the_file_says_what_the_commands_take():
    assert Path(OPTIONS).read_text(encoding="utf-8") == options(), "renew it: python -m docs_build.index"


@pytest.mark.parametrize("name", list(questions()))
def test_an_outline_is_completed_as_its_command(name):
    said = []
    for command in (command_of(questions()[name]), outlined(name)):
        found = command.shell_complete(click.Context(command), "--")
        said.append([(each.value, each.help) for each in found])
    assert said[0] == said[1] and len(said[0]) > 3
    assert outline(outlined(name)) == outline(command_of(questions()[name]))


LINES = ("fit", "fit runs.csv --law chinchilla", "fit --law", "fit --curves", "plan --budget")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("begun", ["", "--dr", "x"])
def test_lines_are_completed_as_from_the_questions_themselves(shell, begun, monkeypatch):
    asked = get_completion_class(shell)
    complete = asked(isoflop, {}, "isoflop", "_ISOFLOP_COMPLETE")

    def completed():
        found = [complete.get_completions(line.split(), begun) for line in LINES]
        return [[(each.type, each.value, each.help) for each in line] for line in found]

    light = completed()
    monkeypatch.setattr("isoflop.cli.completion.outlined", lambda name: None)
    assert light == completed()
    assert begun != "--dr" or [value for _, value, _ in light[1]] == ["--draws"]
