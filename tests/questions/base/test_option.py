"""Options as fields: declared once, found in order, built from plain values, and told wrong in one sentence."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from isoflop.errors import IsoflopError
from isoflop.questions import questions
from isoflop.questions.base.kinds import Count, Flag, Number, Text, Words
from isoflop.questions.base.option import build, option, options_of


@dataclass(frozen=True)
class Asked:
    name: str = option(Text(), "", required=True, help="What it is called.")
    budget: float | None = option(Number(low=0.0, open=True), unit="FLOPs", help="Compute.")
    max_rows: int = option(Count(low=1), 10, help="Rows.")
    loud: bool = option(Flag(), True, off="quiet", help="Loud.")
    units: Mapping[str, str] = option(Words(), {}, flag="unit", help="Units.")
    kept: int = 3  # no option


def made(**values):
    return build(Asked, values, where=lambda each: each.word)


def test_options_are_found_in_the_order_of_their_fields():
    found = options_of(Asked)
    assert [each.name for each in found] == ["name", "budget", "max_rows", "loud", "units"]
    assert [each.word for each in found] == ["--name", "--budget", "--max-rows", "--loud", "--unit"]
    assert [each.default for each in found] == ["", None, 10, True, {}]


def test_values_are_checked_and_none_stands_for_the_default():
    assert made(name="x", budget="1e21", max_rows=None) == Asked("x", 1e21, 10, True, {})
    assert made(name="x", loud=False, units=["a=b"]) == Asked("x", None, 10, False, {"a": "b"})


def test_a_default_that_can_change_is_not_shared():
    one, other = made(name="x"), made(name="y")
    one.units["a"] = "b"
    assert other.units == {} and options_of(Asked)[-1].default == {}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"name": "x", "budget": "0"}, "--budget is a number above 0, such as 0.5, 70B or 1e24, not '0'"),
        ({"name": "x", "max_rows": 0.5}, "--max-rows is a whole number from 1, not 0.5"),
        ({"name": "x", "color": 1}, "'color' is no option here; there are name, budget, max_rows, loud, units"),
        ({"name": "x", "kept": 1}, "'kept' is no option here"),
        ({"name": "x", "x" * 500: 1}, "…' is no option here"),
        ({}, "--name is needed: what it is called."),
        ({"name": None}, "--name is needed"),
    ],
)
def test_what_cannot_be_built_is_one_sentence(values, says):
    with pytest.raises(IsoflopError) as told:
        made(**values)
    assert says in str(told.value) and "\n" not in str(told.value)


def test_a_message_names_the_option_as_its_front_end_does():
    with pytest.raises(IsoflopError, match=r"budget in \[plan\] is a number above 0"):
        build(Asked, {"name": "x", "budget": -1}, where=lambda each: f"{each.name} in [plan]")


def test_a_schema_has_default_unit_and_help():
    assert options_of(Asked)[1].schema() == {
        "type": ["number", "string"],
        "exclusiveMinimum": 0.0,
        "description": "Compute.",
        "default": None,
        "unit": "FLOPs",
    }


@pytest.mark.parametrize("name", questions())
def test_every_declaration_is_sound(name):
    """Names, flags and helps of a command are distinct and whole, and a default is a value that its kind takes."""
    from isoflop.cli.output import Output

    cls = questions()[name]
    own = [*cls.options(), *(each for _, each in cls.shared_options())]
    output = [each for each in options_of(Output) if each.name not in {one.name for one in cls.options()}]
    words = [
        word for each in (*own, *output) for word in (each.word, *each.short, *([f"--{each.off}"] if each.off else []))
    ]
    assert len(set(words)) == len(words), sorted(words)
    for each in own:
        assert each.help.endswith((".", "…")) and each.help[0].isupper(), each.name
        if each.default is not None and not each.required and each.default != "":
            assert each.kind.convert(each.kind.plain(each.default), each.word) == each.default
    assert cls.summary().endswith((".", ":")) and "\n" not in cls.summary()
    assert set(cls.unused) <= {each.name for group in cls.groups() for each in options_of(group)}
    assert cls.schema()["additionalProperties"] is False
