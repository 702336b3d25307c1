"""Renews what is kept of questions beside their modules: ``python -m docs_build.index``.

``src/isoflop/questions/index.json`` for lists of them, ``src/isoflop/cli/options.json`` for the completion of options.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from isoflop.cli.commands import command_of
from isoflop.cli.completion import OPTIONS, outline
from isoflop.questions import INDEX, Entry, declared, questions


def index() -> str:
    """The index as its file holds it: for each module what it declares, a line each."""
    names = sorted(each.stem for each in Path(INDEX).parent.glob("*.py") if each.stem != "__init__")
    lines = [f"{json.dumps(name)}: {json.dumps([_told(each) for each in declared(name)])}" for name in names]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def options() -> str:
    """The words of every question's options as their file holds them, a line each."""
    lines = [f"{json.dumps(name)}: {json.dumps(outline(command_of(each)))}" for name, each in questions().items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _told(entry: Entry) -> dict[str, Any]:
    return {name: value for name, value in entry._asdict().items() if name != "module"}


if __name__ == "__main__":
    Path(INDEX).write_text(index(), encoding="utf-8")
    Path(OPTIONS).write_text(options(), encoding="utf-8")
