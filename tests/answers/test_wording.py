"""How each kind of number is worded, and that no digit is told which its interval does not support."""

import math
from typing import get_args

import pytest

from isoflop.answers import Kind, Quantity
from isoflop.answers.wording import interval, number, plural, told, worded


def of(value, low=None, high=None, kind="number", **more):
    return Quantity("x", value, kind, low, high, 0.9 if low is not None else None, **more)


BARE = {
    "count": (70e9, "70B"),
    "flops": (1.25e24, "1.25e24"),
    "number": (2.345678, "2.346"),
    "share": (0.1234, "12.3%"),
    "change": (-0.01234, "-1.23%"),
    "factor": (3.14159, "3.14×"),
    "integer": (12_345, "12,345"),
    "hours": (36.0, "36 hours"),
    "money": (1_750_000.0, "1.75M"),
}


def test_every_kind_has_a_case():
    assert set(BARE) == set(get_args(Kind))


@pytest.mark.parametrize("kind", BARE)
def test_a_bare_number_is_read_as_its_kind(kind):
    value, words = BARE[kind]
    assert number(value, kind) == words == worded(of(value, kind=kind))


@pytest.mark.parametrize("kind", BARE)
@pytest.mark.parametrize(("value", "words"), [(None, ""), (math.nan, ""), (math.inf, "∞"), (-math.inf, "-∞")])
def test_what_is_no_number_is_worded_for_every_kind(kind, value, words):
    assert number(value, kind) == words == worded(of(value, kind=kind))


def test_long_times_are_told_in_days():
    assert (number(47.9, "hours"), number(720.0, "hours")) == ("47.9 hours", "30 days")


def test_a_change_that_rounds_to_nothing_has_no_sign():
    assert (number(4e-5, "change"), number(-4e-5, "change"), number(6e-5, "change")) == ("±0.00%", "±0.00%", "+0.01%")


@pytest.mark.parametrize(
    ("low", "high", "words", "ends"),
    [
        (2.3, 2.4, "2.346", "2.300–2.400"),  # two digits of the half-width, 0.05
        (2.34, 2.35, "2.3457", "2.3400–2.3500"),
        (1.0, 3.9, "2.3", "1–3.9"),  # ends a factor apart: two significant digits
        (-1.5, 6.0, "2.3", "-1.5 to 6.0"),
    ],
)
def test_digits_of_a_number_are_those_of_its_interval(low, high, words, ends):
    quantity = of(2.345678, low, high)
    assert (worded(quantity), interval(quantity)) == (words, ends)


@pytest.mark.parametrize(
    ("low", "high", "words", "ends"),
    [
        (69e9, 71e9, "70.1B", "69B–71B"),
        (60e9, 80e9, "70B", "60B–80B"),
        (20e9, 200e9, "70B", "20B–200B"),  # a factor of ten leaves one digit
        (1.43e9, 170e9, "70B", "1.4B–170B"),  # and two where it would be a 1, which is coarse
        (0.996e9, 99.6e9, "70B", "1B–100B"),
    ],
)
def test_digits_of_a_count_are_those_of_the_factor_between_its_ends(low, high, words, ends):
    quantity = of(70.123e9, low, high, "count")
    assert (worded(quantity), interval(quantity)) == (words, ends)


def test_an_end_that_is_no_number_leaves_no_interval():
    for low, high in ((None, 3.0), (1.0, None), (math.nan, 3.0)):
        assert not of(2.0, low, high).has_interval and interval(of(2.0, low, high)) == ""


def test_a_limit_is_told_as_one():
    assert worded(of(0.02, kind="share", limit="upper")) == "< 2%"
    assert worded(of(5.0, limit="lower")) == "> 5"


def test_in_a_sentence_a_number_has_its_unit_level_and_promise():
    loss = of(2.345678, 2.3, 2.4, unit="nats/token", interval="PI")
    assert told(loss) == "2.346 nats/token (90% PI 2.300–2.400)"
    assert told(loss, bare=True) == "2.346 nats/token"
    assert told(of(70e9, 69e9, 71e9, "count", unit="parameters")) == "70B (90% CI 69B–71B)"
    assert told(of(70e9, 20e9, 200e9, "count")) == "about 70B (90% CI 20B–200B)"
    assert told(Quantity("x", 7e10, "count", 5e10, 1e11, None, interval="range")) == "about 70B (range 50B–100B)"


def test_nouns_follow_their_number():
    assert [plural(count, "run") for count in (0, 1, 2)] == ["runs", "run", "runs"]


def test_a_limit_is_told_with_its_level():
    limit = Quantity("E", 0.02469, level=0.9, unit="nats/token", limit="upper")
    assert worded(limit) == "< 0.025 (90%)" and interval(limit) == ""
    assert worded(Quantity("A", 1e308, limit="lower")) == "> 1e+308"
