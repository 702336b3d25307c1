"""What can be asked. Each module here declares one question; :func:`questions` lists them as a user meets them.

``index.json`` keeps what a list of questions shows, so that neither a list nor one question imports all the others.
It is no register: a question that it does not know is found by its module. ``python -m docs_build.index`` renews it.
"""

from __future__ import annotations

import importlib
import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from isoflop.questions.base.question import Question

GROUPS = ("Read", "Fit", "Ask", "Test", "Share")
INDEX = os.path.join(os.path.dirname(__file__), "index.json")  # noqa: PTH118, PTH120 - pathlib takes longer than all else here


class Entry(NamedTuple):
    """What is known of a question without importing it: its module in this package, what lists show, who asks it."""

    name: str
    module: str
    group: str
    order: int
    summary: str
    results: tuple[str, ...]
    in_report: str = ""


_listed: dict[tuple[str, ...], dict[str, Entry]] = {}


def listed() -> dict[str, Entry]:
    """An entry for every question by its name, in the order of the groups and within them."""
    modules = _modules()
    if modules not in _listed:
        with open(INDEX, encoding="utf-8") as file:  # noqa: PTH123
            kept = {name: [_entry(name, each) for each in told] for name, told in json.load(file).items()}
        entries = [each for name in modules for each in (kept[name] if name in kept else declared(name))]
        entries.sort(key=lambda each: (GROUPS.index(each.group), each.order, each.name))
        _listed[modules] = {each.name: each for each in entries}
    return _listed[modules]


def declared(module: str) -> tuple[Entry, ...]:
    """What a module of this package declares."""
    return tuple(
        Entry(each.name, module, each.group, each.order, each.summary(), each.results, each.in_report)
        for each in _classes(module)
    )


def question(name: str) -> type[Question] | None:
    """The question of this name, whose module alone is imported; None where there is none."""
    entry = listed().get(name)
    return None if entry is None else next(each for each in _classes(entry.module) if each.name == name)


def questions() -> dict[str, type[Question]]:
    """Every question by its name, in the order of the groups and within them.

    A module of this package that defines a subclass of Question with a name is a question; nothing else lists them.
    """
    return {name: found for name in listed() if (found := question(name)) is not None}


def question_of(result: object) -> type[Question] | None:
    """The question that words this result; None where there is none."""
    kind = type(result)
    wanted = f"{kind.__module__}:{kind.__qualname__}"
    return next((question(each.name) for each in listed().values() if wanted in each.results), None)


def _entry(module: str, told: dict[str, Any]) -> Entry:
    """An entry as the index holds it."""
    return Entry(**{**told, "module": module, "results": tuple(told["results"])})


def _modules() -> tuple[str, ...]:
    """The modules of this package, wherever its path leads."""
    files = (each for folder in __path__ for each in os.listdir(folder))  # noqa: PTH208
    return tuple(sorted({each[:-3] for each in files if each.endswith(".py") and each != "__init__.py"}))


def _classes(module: str) -> list[type[Question]]:
    from isoflop.questions.base.question import Question

    found = importlib.import_module(f"{__name__}.{module}")
    return [
        each
        for each in vars(found).values()
        if isinstance(each, type)
        and issubclass(each, Question)
        and each.__module__ == found.__name__
        and "name" in vars(each)
    ]
