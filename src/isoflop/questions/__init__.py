"""What can be asked. Each module here declares one question; :func:`questions` lists them as a user meets them."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isoflop.questions.base.question import Question

_found: dict[tuple[str, ...], dict[str, type[Question]]] = {}


def questions() -> dict[str, type[Question]]:
    """Every question by its name, in the order of the groups and within them.

    A module of this package that defines a subclass of Question with a name is a question; nothing else lists them.
    """
    from isoflop.questions.base.question import GROUPS, Question

    modules = tuple(sorted(each.name for each in pkgutil.iter_modules(__path__) if not each.ispkg))
    if modules not in _found:
        classes = []
        for name in modules:
            module = importlib.import_module(f"{__name__}.{name}")
            classes += [
                each
                for each in vars(module).values()
                if isinstance(each, type)
                and issubclass(each, Question)
                and each.__module__ == module.__name__
                and "name" in vars(each)
            ]
        classes.sort(key=lambda each: (GROUPS.index(each.group), each.order, each.name))
        _found[modules] = {each.name: each for each in classes}
    return _found[modules]


def question_of(result: object) -> type[Question] | None:
    """The question that words this result; None where there is none."""
    kind = type(result)
    wanted = f"{kind.__module__}:{kind.__qualname__}"
    return next((each for each in questions().values() if wanted in each.results), None)
