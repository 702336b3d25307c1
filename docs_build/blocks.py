"""The blocks of code of a page: run in the order in which they stand, in one folder and one Python namespace a page.

``console``: lines after ``$`` are commands of isoflop, which are run, and their output is shown below them; a number
behind the word, as in ``console 12``, is how many lines of it. ``python``: is run, and what it prints is shown.
``toml title="NAME"``: is written to a file of that name. ``bash``: needs what only the reader has; its commands are
checked against the options that there are.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from docs_build import runner

BLOCK: Final = re.compile(r"^```(?P<kind>[a-z]+)(?P<about>[^\n]*)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
_COMMAND: Final = re.compile(r"^(?:\$ )?(isoflop (?:[^\n\\]|\\.|\\\n)*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One block of a page: its kind, what stands behind the kind, and its code."""

    kind: str
    about: str
    code: str


@dataclass
class Page:
    """The blocks of one page as they are run: its Python names are kept from block to block."""

    names: dict[str, object] = field(default_factory=lambda: {"__name__": "page"})

    def run(self, block: Block) -> str:
        """What the block prints. Raises for a command that fails, and what Python raises."""
        if block.kind == "console":
            return "".join(self._command(line) for line in commands(block))
        if block.kind == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(block.code, "page", "exec"), self.names)  # noqa: S102 - the page's own code
            return runner.without_place(printed.getvalue())
        if block.kind == "toml" and (named := re.search(r'title="([^"]+)"', block.about)):
            Path(named[1]).write_text(block.code, encoding="utf-8")
        return ""

    def _command(self, line: str) -> str:
        code, output = runner.run(line)
        if code:
            raise RuntimeError(f"{line!r} ended with {code}: {output}")
        return output


def blocks(markdown: str) -> Iterator[Block]:
    """The blocks of a page, in order."""
    for found in BLOCK.finditer(markdown):
        yield Block(found["kind"], found["about"].strip(), found["code"])


def commands(block: Block) -> list[str]:
    """The commands of a block, each on one line."""
    return [found.replace("\\\n", " ") for found in _COMMAND.findall(block.code)]


def has_code(markdown: str) -> bool:
    """Whether anything on the page is run."""
    return any(each.kind in ("console", "python") for each in blocks(markdown))


def with_output(markdown: str) -> str:
    """The page with what its blocks print, after each."""
    page = Page()

    def shown(found: re.Match[str]) -> str:
        block = Block(found["kind"], found["about"].strip(), found["code"])
        if block.kind not in ("console", "python", "toml"):
            return found[0]
        if block.kind == "console":
            told = ""
            for line in commands(block):
                told += f"$ {line}\n" + head(page.run(Block("console", "", line)), block.about)
            return f"```console\n{told}```"
        output = page.run(block)
        return found[0] + (f"\n\n```text\n{head(output, '')}```" if output else "")

    with runner.folder():
        return BLOCK.sub(shown, markdown)


def head(output: str, most: str) -> str:
    """Its first lines, as many as ``most`` says, where it says a number."""
    lines = [each.rstrip() for each in output.splitlines()]
    if most.isdigit() and len(lines) > int(most):
        lines = [*lines[: int(most)], "…"]
    return "".join(f"{each}\n" for each in lines)


def unknown_options(line: str) -> list[str]:
    """The words of a command that no command or option of isoflop is."""
    from isoflop.cli import isoflop

    words = shlex.split(line, comments=True)[1:]
    command: click.Command = isoflop
    context = click.Context(isoflop)
    while words and isinstance(command, click.Group):
        below = command.get_command(context, words[0])
        if below is None:
            return [] if words[0].startswith("-") else [words[0]]
        command, words = below, words[1:]
    known = {"--help", "-h"}.union(*({*each.opts, *each.secondary_opts} for each in command.params))
    return [each for each in words if each.startswith("-") and each.partition("=")[0] not in known]
