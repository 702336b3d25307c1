"""``option``: a field of a question that every front end can ask for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from isoflop.errors import IsoflopError, shown
from isoflop.questions.base.kinds import Kind

T = TypeVar("T")


@dataclass(frozen=True)
class Option:
    """One option: name (the key in a study, a form and JSON), kind, default, unit, help, and its flag.

    flag: the word on the command line, without dashes; the name with dashes for underscores where empty. off: the flag
    that turns a Boolean off, for options whose default is on. short: further flags, such as ``-o``. positional: an
    argument instead of a flag; required: whether it must be given. command_line_only: for what has no meaning in a
    study or a form, such as a file to write.
    """

    name: str
    kind: Kind[Any]
    default: Any
    help: str
    unit: str = ""
    flag: str = ""
    off: str = ""
    short: tuple[str, ...] = ()
    positional: bool = False
    required: bool = False
    command_line_only: bool = False

    @property
    def word(self) -> str:
        """The flag: ``--budget``."""
        return f"--{self.flag or self.name.replace('_', '-')}"

    def schema(self) -> dict[str, Any]:
        """The JSON schema of the option, with its default and what it is."""
        default = None if self.default is None else self.kind.plain(self.default)
        told: dict[str, Any] = {**self.kind.schema(), "description": self.help, "default": default}
        return told | ({"unit": self.unit} if self.unit else {})


def option(
    kind: Kind[Any],
    default: Any = None,  # noqa: ANN401 - of the field's own type
    *,
    help: str,
    unit: str = "",
    flag: str = "",
    off: str = "",
    short: tuple[str, ...] = (),
    positional: bool = False,
    required: bool = False,
    command_line_only: bool = False,
) -> Any:  # noqa: ANN401 - a dataclass field, of whatever type its annotation says
    """A dataclass field that is an option of a question; see :class:`Option`."""
    about = {
        "kind": kind, "help": help, "unit": unit, "flag": flag, "off": off, "short": short, "positional": positional,
        "required": required, "command_line_only": command_line_only,
    }  # fmt: skip
    if isinstance(default, Mapping):
        return dataclasses.field(default_factory=lambda: dict(default), metadata={"option": about})
    return dataclasses.field(default=default, metadata={"option": about})


def options_of(cls: Any) -> tuple[Option, ...]:  # noqa: ANN401 - any dataclass
    """The options of a question or of a group of shared options, in the order in which they are declared."""
    found = []
    for each in fields(cls):
        if "option" in each.metadata:
            factory = each.default_factory
            default = each.default if factory is dataclasses.MISSING else factory()
            found.append(Option(name=each.name, default=default, **each.metadata["option"]))
    return tuple(found)


def build(cls: Callable[..., T], values: Mapping[str, object], *, where: Callable[[Option], str]) -> T:
    """A question or a group of options from plain values, each checked by its kind.

    values: by option name; None stands for the default. where: how a message names an option (``--budget`` on the
    command line, ``budget in [plan]`` in a study).
    Raises IsoflopError for a value of a wrong kind, or a name that is no option.
    """
    known = {each.name: each for each in options_of(cls)}
    for name in values:
        if name not in known:
            raise IsoflopError(f"{shown(name)} is no option here; there are {', '.join(known)}")
    for name, each in known.items():
        if each.required and values.get(name) in (None, (), [], {}):
            raise IsoflopError(f"{where(each)} is needed: {each.help[:1].lower()}{each.help[1:]}")
    return cls(
        **{
            name: known[name].kind.convert(each, where(known[name]))
            for name, each in values.items()
            if each is not None
        }
    )
