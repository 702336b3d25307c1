"""Texts that name an option or a command name one that exists; options that are given twice; defaults in the help."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import isoflop as package
from isoflop.cli import isoflop
from isoflop.errors import IsoflopError
from isoflop.questions import questions

SOURCE = Path(package.__file__).parent
# Of other programs: SLURM, Ray, pip, and the workers that the lab starts for itself.
FOREIGN = {
    "force-reinstall",
    "no-deps",
    "cpus-per-task",
    "me",
    "noheader",
    "states",
    "name",
    "signal",
    "full",
    "head",
    "serve",
    "device",
}


VERBS = {"is", "has", "installed", "reads"}  # of sentences whose subject is isoflop


def commands():
    """Every command with the words that lead to it."""

    def walk(command, words):
        yield words, command
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                yield from walk(command.get_command(context, name), (*words, name))

    return dict(walk(isoflop, ()))


def options_of(command):
    found = {"--help"}
    for param in command.params:
        found |= {*param.opts, *param.secondary_opts}
    return found


def lines():
    for path in sorted(SOURCE.rglob("*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            yield f"{path.relative_to(SOURCE)}:{number}", line


def test_every_option_that_a_text_names_exists():
    known = set().union(*(options_of(command) for command in commands().values()))
    named = {
        (place, option)
        for place, line in lines()
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", line)
        if option[2:] not in FOREIGN
    }
    assert len(named) > 100
    assert not sorted(each for each in named if each[1] not in known)


def test_every_command_that_a_text_names_exists():
    known = {words[0] for words in commands() if words}
    named = {
        (place, word)
        for place, line in lines()
        for word in re.findall(r"(?<![\w./-])isoflop ([a-z]+)(?= |`|\)|;|,|$)", line)
        if word not in VERBS
    }
    told = sorted(each for each in named if each[1] not in known)
    assert len(named) > 30 and not told, told


def test_a_subcommand_that_a_text_names_exists():
    """``isoflop datasets get`` was one once; options took its place."""
    groups = {words[0]: command for words, command in commands().items() if len(words) == 1}
    for place, line in lines():
        for name, word in re.findall(r"isoflop (datasets|laws|import|study|sweep) ([a-z]+)\b(?!\.)", line):
            command = groups[name]
            context = click.Context(command)
            if isinstance(command, click.Group):
                assert word in command.list_commands(context), place
            else:
                assert word not in ("get", "list", "show"), place


@pytest.mark.parametrize("name", list(questions()))
def test_an_option_that_is_given_twice_is_refused(name):
    """Click takes the last one, and the first would be forgotten in silence."""
    single = [
        each for each in questions()[name].options() if not (each.kind.repeated or each.kind.flag or each.positional)
    ]
    needed = ["x" for each in questions()[name].options() if each.positional and each.required]
    for option in single:
        done = CliRunner().invoke(isoflop, [name, *needed, option.word, "a", option.word, "b"])
        said = str(done.exception if isinstance(done.exception, IsoflopError) else done.output)
        assert done.exit_code != 0 and f"{option.word} is given 2 times, 'a' and 'b'; choose one" in said


def test_the_same_value_twice_is_no_slip():
    words = ["laws", "chinchilla", "-o", "a.xyz", "-o", "a.xyz"]
    with pytest.raises(IsoflopError, match=r"an answer is written as .html, .htm, .md, .json"):
        CliRunner().invoke(isoflop, words, catch_exceptions=False)


def test_a_default_of_zero_is_told_and_a_required_option_has_none():
    text = " ".join(CliRunner().invoke(isoflop, ["fit", "--help"]).output.split())
    assert "Seed of starts and draws. [default: 0]" in text
    text = " ".join(CliRunner().invoke(isoflop, ["cost", "--help"]).output.split())
    assert "--layers COUNT Layers. --width" in text and "[default: 0]" in text
