"""The docstrings of public names have their sections, and these name what the signature has."""

import ast
import dataclasses
import inspect
import re
import textwrap
from itertools import pairwise

import pytest
from docs_build.names import further, public

import isoflop

DOCUMENTED = {**public(), **further()}
NAMES = sorted(DOCUMENTED)
CLASSES = [name for name in NAMES if inspect.isclass(DOCUMENTED[name])]
FUNCTIONS = [name for name in NAMES if name not in CLASSES]
# a reader calls their methods; those of Objective are for its subclasses
WITH_METHODS = ("Fit", "Ensemble", "Runs", "Forecast", "Plan", "Law", "Interval", "Finding")
METHODS = [
    f"{name}.{method}"
    for name in WITH_METHODS
    for method, thing in inspect.getmembers(getattr(isoflop, name), inspect.isfunction)
    if not method.startswith("_")
]


def sections(thing):
    """Heading → lines of a docstring in numpy's style; what stands before the first heading under ''."""
    found, heading = {"": []}, ""
    for line in inspect.cleandoc(inspect.unwrap(thing).__doc__ or "").splitlines():
        if re.fullmatch(r"-{3,}", line):
            heading = found[heading].pop()
            assert heading not in found, f"two sections {heading}"
            found[heading] = []
        else:
            found[heading].append(line)
    return found


def entries(lines):
    """The names that a section explains, each followed by a text further in."""
    named = []
    for line, after in pairwise([*lines, ""]):
        if line and not line.startswith(" "):
            assert after.startswith("    "), f"{line!r} is not explained"
            named += [each.strip() for each in line.removesuffix(" :").split(",")]
    return named


def find(name):
    first, *parts = name.split(".")
    thing = DOCUMENTED[first]
    for part in parts:
        thing = getattr(thing, part)
    return inspect.unwrap(thing)


def errors():
    """Name → error: all that the imported package defines, and Python's own that it documents."""
    kinds, waiting = {"TypeError": TypeError}, [isoflop.IsoflopError]
    while waiting:
        kind = waiting.pop()
        kinds[kind.__name__] = kind
        waiting += kind.__subclasses__()
    return kinds


def raised(function):
    """The names of the package's errors that the body raises itself."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    calls = (each.exc for each in ast.walk(tree) if isinstance(each, ast.Raise) and isinstance(each.exc, ast.Call))
    return {call.func.id for call in calls if isinstance(call.func, ast.Name)} & {*errors()}


def test_the_names_are_found():
    assert len(FUNCTIONS) >= 30 and {"Fit", "Runs", "Law"} <= {*CLASSES}
    assert {"Fit.predict", "Ensemble.interval", "Runs.where", "Law.value"} <= {*METHODS}


@pytest.mark.parametrize("name", [*FUNCTIONS, *METHODS])
def test_parameters_are_those_of_the_signature(name):
    signature = inspect.signature(find(name))
    takes = [each for each in signature.parameters if each not in ("self", "cls")]
    assert entries(sections(find(name)).get("Parameters", [])) == takes


@pytest.mark.parametrize("name", [*FUNCTIONS, *METHODS])
def test_what_is_returned_is_said(name):
    returns = inspect.signature(find(name)).return_annotation
    named = entries(sections(find(name)).get("Returns", []))
    if returns in (None, "None"):
        assert not named
    else:
        assert len(named) == 1
        # the type's own name, so that the reference links it
        assert named[0].split(".")[-1].casefold() in re.sub(r"Floats|NDArray", "ndarray", returns).casefold()


@pytest.mark.parametrize("name", [*FUNCTIONS, *METHODS])
def test_errors_are_named(name):
    documented = tuple(errors()[each] for each in entries(sections(find(name)).get("Raises", [])))
    missing = [each for each in raised(find(name)) if not issubclass(errors()[each], documented)]
    assert not missing


@pytest.mark.parametrize("name", [each for each in NAMES if each != "IsoflopError"])
def test_there_is_an_example(name):
    assert any(line.startswith(">>> ") for line in sections(DOCUMENTED[name]).get("Examples", []))


@pytest.mark.parametrize("name", [each for each in CLASSES if each not in ("IsoflopError", "Objective")])
def test_attributes_are_the_fields(name):
    fields = [each.name for each in dataclasses.fields(getattr(isoflop, name)) if not each.name.startswith("_")]
    assert sorted(entries(sections(getattr(isoflop, name))["Attributes"])) == sorted(fields)


@pytest.mark.parametrize("name", [*NAMES, *METHODS])
def test_the_first_line_is_a_sentence(name):
    parts = sections(find(name))
    assert parts[""][0].endswith((".", ":")) and not (len(parts[""]) > 1 and parts[""][1])
    # no paragraph that explains parameters outside their section, as in "draws: how many"
    prose = "\n".join(parts[""])
    if inspect.isfunction(find(name)):
        for each in inspect.signature(find(name)).parameters:
            assert not re.search(rf"^{each}(, \w+)*: ", prose, re.MULTILINE), each
    assert not re.search(r"^Raises ", prose, re.MULTILINE)
