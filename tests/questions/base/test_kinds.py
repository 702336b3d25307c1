"""Every kind of option: what it takes, what it gives back, and one sentence for everything else."""

import math

import pytest

from isoflop.errors import IsoflopError
from isoflop.questions import questions
from isoflop.questions.base.kinds import (
    Choice,
    Count,
    Duration,
    Flag,
    Kind,
    Number,
    Numbers,
    Points,
    Text,
    Texts,
    Words,
)
from isoflop.questions.base.option import options_of
from isoflop.questions.base.specs import FitSpec, LawSpec, LevelSpec, RunsSpec

WHERE = "--thing"
# kind → what it takes with the checked value, and what it refuses with a part of the sentence
CASES = {
    "text": (Text("LAW"), {"a": "a", " b ": " b "}, {"": "a text (LAW)", "  ": "a text", 3: "not 3", None: "not None"}),
    "choice": (
        Choice("KIND", ("rms", "layer")),
        {"rms": "rms"},
        {"rm": "one of rms, layer, not 'rm'", 1: "not 1", "": "not ''"},
    ),
    "flag": (Flag(), {True: True, False: False}, {"yes": "true or false, not 'yes'", 1: "not 1", None: "not None"}),
    "number": (
        Number(),
        {"70B": 70e9, "1.4T": 1.4e12, "1,000": 1e3, 7: 7.0, "-.5": -0.5, 1e-300: 1e-300},
        {
            "": "a finite number",
            "x": "not 'x'",
            "nan": "not 'nan'",
            "inf": "not 'inf'",
            "1e999": "not '1e999'",
            math.nan: "not nan",
            math.inf: "not inf",
            10**400: "not a whole number of 401 digits",
            True: "not True",
            (1,): "not (1,)",
            "70 Bn": "such as 0.5, 70B or 1e24, not '70 Bn'",
            "1,5": "not '1,5'",
        },
    ),
    "positive": (
        Number(low=0.0, open=True),
        {"1e-9": 1e-9},
        {"0": "a number above 0", "-0.0": "above 0", "-1": "not '-1'"},
    ),
    "level": (
        Number(low=0.0, high=1.0, open=True),
        {"0.9": 0.9},
        {"1": "between 0 and 1, not '1'", "0": "between 0 and 1", "90": "between 0 and 1", "90%": "not '90%'"},
    ),
    "at most": (Number(high=2.0), {"2": 2.0, -9: -9.0}, {"2.1": "a number up to 2, not '2.1'"}),
    "from": (Number(low=0.0), {"0": 0.0}, {"-1": "a number from 0, such as"}),
    "count": (
        Count(low=20, high=1_000_000),
        {"20": 20, "8K": 8000, 1e6: 1_000_000},
        {
            "19": "a whole number from 20 to 1,000,000, not '19'",
            "1000001": "from 20 to 1,000,000",
            "20.5": "whole",
            "nan": "whole",
            "inf": "whole",
            "x": "not 'x'",
            True: "not True",
            10**400: "whole",
            None: "not None",
        },
    ),
    "any count": (Count(low=1), {"1": 1}, {"0": "a whole number from 1, not '0'", str(2**60): "whole number from 1"}),
    "duration": (
        Duration(),
        {"30d": 720.0, "36h": 36.0, "2w": 336.0, "1.5 days": 36.0, "1K hours": 1000.0},
        {
            "3": "such as 30d, 36h or 2w, not '3'",
            "d": "such as",
            "-3d": "above 0",
            "0h": "above 0",
            "1e999d": "above 0",
            30: "not 30",
            "30 min": "not '30 min'",
        },
    ),
    "texts": (
        Texts("NAME"),
        {"a": ("a",), ("a", "b"): ("a", "b"), (): ()},
        {3: "a list of texts", ("a", ""): "(NAME)"},
    ),
    "points": (
        Points(),
        {"N=1B,3B": ("N=1B,3B",), ("N=1", "D=2"): ("N=1", "D=2")},
        {5: "a list of texts, not 5", ("",): "N=70B"},
    ),
    "words": (
        Words("loss=UNIT"),
        {
            "loss = nats/token": {"loss": "nats/token"},
            ("a=b=c", "d=e"): {"a": "b=c", "d": "e"},
            ("a=1", "a=1"): {"a": "1"},
        },
        {
            "loss": "takes loss=UNIT, not 'loss'",
            "=x": "not '=x'",
            "x=": "not 'x='",
            3: "takes loss=UNIT, not 3",
            ("a=1", "a=2"): "--thing a is given twice, '1' and '2'; choose one",
        },
    ),
    "numbers": (
        Numbers("N=70B"),
        {"N=70B": {"N": 70e9}, ("N=1", "D=2e9"): {"N": 1.0, "D": 2e9}},
        {
            "N": "takes N=70B, not 'N'",
            "N=x": "--thing N is a finite number",
            ("N=1", "N=2"): "given twice",
            1: "takes N=70B",
        },
    ),
}


def test_every_kind_in_use_has_cases():
    used = {type(each.kind) for cls in (*questions().values(), RunsSpec, LawSpec, FitSpec, LevelSpec)
            for each in options_of(cls)}  # fmt: skip
    assert used <= {type(kind) for kind, _, _ in CASES.values()}


@pytest.mark.parametrize("name", CASES)
def test_what_a_kind_takes(name):
    kind, taken, _ = CASES[name]
    for given, value in taken.items():
        found = kind.convert(list(given) if isinstance(given, tuple) else given, WHERE)
        assert found == value and type(found) is type(value), given


@pytest.mark.parametrize("name", CASES)
def test_a_checked_value_survives_a_file(name):
    """What TOML and JSON hold reads back as the same value."""
    kind, taken, _ = CASES[name]
    for value in taken.values():
        assert kind.convert(kind.plain(value), WHERE) == value


@pytest.mark.parametrize("name", CASES)
def test_every_bad_value_is_one_sentence(name):
    kind, _, refused = CASES[name]
    for given, says in refused.items():
        with pytest.raises(IsoflopError) as told:
            kind.convert(list(given) if isinstance(given, tuple) and name != "number" else given, WHERE)
        sentence = str(told.value)
        assert sentence.startswith(WHERE) and says in sentence and "\n" not in sentence, (given, sentence)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "given", ["x" * 10_000, "\udcff", "\0", [["x"]], {"a": {"b": 1}}, {1: "x\0"}, object(), 1j, b"N=1"]
)
def test_what_nobody_means_is_one_short_sentence_or_a_value(name, given):
    kind = CASES[name][0]
    try:
        kind.convert(given, WHERE)
    except IsoflopError as error:
        sentence = str(error)
        assert sentence.startswith(WHERE) and len(sentence) < 400 and "\n" not in sentence
        sentence.encode()  # a lone surrogate would break a pipe


def test_a_kind_without_values_takes_none():
    with pytest.raises(IsoflopError, match="--thing takes no value"):
        Kind().convert("x", WHERE)


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (Text(), {"type": "string"}),
        (Choice("K", ("a", "b")), {"enum": ["a", "b"]}),
        (Flag(), {"type": "boolean"}),
        (Number(low=0.0, open=True), {"type": ["number", "string"], "exclusiveMinimum": 0.0}),
        (Number(low=0.0, high=2.0), {"type": ["number", "string"], "minimum": 0.0, "maximum": 2.0}),
        (Count(low=1, high=9), {"type": "integer", "minimum": 1, "maximum": 9}),
        (Duration(), {"type": "string"}),
        (Texts(), {"type": "array", "items": {"type": "string"}}),
        (Words(), {"type": "object", "additionalProperties": {"type": "string"}}),
        (Numbers(), {"type": "object", "additionalProperties": {"type": ["number", "string"]}}),
    ],
)
def test_schemas(kind, schema):
    assert kind.schema() == schema
