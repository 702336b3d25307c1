"""The remedy of a finding as each front end words it: an option, a field and a button of the page, an argument."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import Any, Final, Literal

from isoflop.findings import Finding
from isoflop.patterns import pattern

FrontEnd = Literal["command", "page", "python"]

# An option with its value, where one stands behind it: in quotes, an equation, a number, a file, or parts with a colon.
_OPTION: Final = pattern(
    r"""(?<![\w-])--(?P<flag>[a-z](?:[a-z-]*[a-z])?)
    (?:[ ](?P<value>"[^"]*"|'[^']*'|[^\s,;()]*=[^\s,;()]*[^\s,;().]|\d+(?:\.\d+)?|\w+:[\d.]*\d|[A-Z]+\.[a-z]+))?""",
    re.VERBOSE,
)
_QUESTION: Final = pattern(r"(?<![\w./-])isoflop (?P<name>[a-z]+)")

# The labels of the fields that the page has for every question; other options are labeled by their names.
FIELDS: Final = {
    "where": "Only rows where",
    "unit": "unit of the loss",
    "convention": "N counts",
    "column": "All options of reading",
    "law": "A formula, or a name",
    "objective": "objective",
    "draws": "bootstrap draws",
    "resample-by": "resampled by",
    "fix": "fixed to values",
    "tie": "tied to others",
    "domain": "domain: real, positive, or low:high",
    "inference-tokens": "inference tokens",
}
_PARAMETER: Final = {"fix": "fix()", "tie": "tie()", "law": "law()", "save": "save_fit()"}  # functions, in Python
_FUNCTIONS: Final = {"import": "import_logs"}
_APPLIED: Final = {"where", "unit", "convention"}  # what the page can do by a button, as it reads the table again


def remedy(finding: Finding, front_end: FrontEnd) -> str:
    """What to do, with options and questions in the words of the front end."""
    if front_end == "command":
        return finding.remedy
    option, question = (_field, _menu) if front_end == "page" else (_argument, _function)
    return _QUESTION.sub(lambda found: question(found["name"]), _OPTION.sub(option, finding.remedy))


def reworded(findings: tuple[Finding, ...], front_end: FrontEnd) -> tuple[Finding, ...]:
    """The findings with their remedies in the words of the front end."""
    return tuple(replace(each, remedy=remedy(each, front_end)) for each in findings)


def reading(finding: Finding) -> dict[str, Any] | None:
    """What the page's button changes in how the table is read; None where the remedy is no such change, or a choice."""
    stated = [found for found in _OPTION.finditer(finding.remedy) if found["flag"] in _APPLIED and found["value"]]
    if len(stated) != 1 or finding.remedy[stated[0].end() :].startswith(" or "):
        return None
    flag, value = stated[0]["flag"], _bare(stated[0]["value"])
    if flag == "where":
        return {"where": value}
    name, _, word = value.partition("=")
    return None if word in ("", "…") else {"units" if flag == "unit" else "conventions": {name: word}}


def _bare(value: str | None) -> str:
    """The value without the quotes that the shell needs."""
    return value[1:-1] if value and value[0] == value[-1] and value[0] in "\"'" else value or ""


def _field(found: re.Match[str]) -> str:
    label = FIELDS.get(found["flag"], _names().get(found["flag"], found["flag"]).replace("_", " "))
    value = _bare(found["value"])
    return f"“{label}”" + (f": {value}" if value else "")


def _argument(found: re.Match[str]) -> str:
    flag, value = found["flag"], _bare(found["value"])
    if flag in _PARAMETER:
        inside = _mapping(value) if "=" in value else repr(value) if value else ""
        return f"{_PARAMETER[flag][:-1]}{inside})"
    name = _names().get(flag, flag.replace("-", "_"))
    if not value:
        return f"{name}="
    if name in ("columns", "units", "conventions", "domains", "derive", "at") and "=" in value:
        return f"{name}={_mapping(value)}"
    return f"{name}={_literal(value)}"


def _mapping(pair: str) -> str:
    name, _, value = pair.partition("=")
    return f"{{{name.strip()!r}: {_literal(value.strip())}}}"


def _literal(value: str) -> str:
    return value if re.fullmatch(r"[\d.]+", value) else repr(value)


def _menu(name: str) -> str:
    return f"the question “{name}”"


def _function(name: str) -> str:
    import isoflop

    called = _FUNCTIONS.get(name, name)
    return f"{called}()" if called in isoflop.__all__ else f"isoflop {name}"


@cache
def _names() -> dict[str, str]:
    """Flag → name of every option of a question, and of the options that questions share."""
    from isoflop.questions import questions

    every = [
        each
        for cls in questions().values()
        for each in (*cls.options(), *(option for _, option in cls.shared_options()))
    ]
    return {each.word.removeprefix("--"): each.name for each in every}
