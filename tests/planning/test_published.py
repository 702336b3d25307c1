"""Published constants can be asked, without pretending to be sure."""

import math

import pytest

from isoflop import allocate, forecast, law
from isoflop.errors import FormulaError
from isoflop.planning.published import published


def test_a_published_law_forecasts_without_an_interval():
    answer = forecast(published("chinchilla:epoch"), {"N": 70e9, "D": 1.4e12})
    expected = 1.8172 + 482.01 / 70e9**0.3478 + 2085.43 / 1.4e12**0.3658
    assert answer.loss.value == pytest.approx(expected, rel=1e-12)
    assert math.isnan(answer.loss.low) and math.isnan(answer.reach_decades)
    assert "no-interval" in {finding.code for finding in answer.findings}


def test_a_published_law_plans():
    plan = allocate(published("chinchilla:epoch"), budget=5.76e23)
    assert plan.n.value == pytest.approx(7.225e10, rel=1e-3)
    assert plan.ratio.value == pytest.approx(18.4, rel=5e-3)
    assert math.isnan(plan.n.low) and plan.exponent_a.value == pytest.approx(0.5126, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("chinchilla:hofman", "no published constants 'hofman'; there are chinchilla:hoffmann"),
        ("power-n:any", "no constants of power-n are on record"),
        ("chinchila:epoch", "the nearest are chinchilla"),
    ],
)
def test_what_is_not_on_record_is_refused_with_what_is(text, says):
    with pytest.raises(FormulaError, match=says):
        published(text)


@pytest.mark.parametrize(("key", "tokens", "nats"), [("image-8", 8 * 8 * 3, 601), ("image-16", 16 * 16 * 3, 2027)])
def test_henighans_limits_are_the_nats_of_an_image(key, tokens, nats):
    # with compute without end, 3.13 nats a token of 192, and 2.64 of 768
    answer = forecast(published(f"henighan-c:{key}"), {"C": 1e200})
    assert answer.unit == "nats/token" and answer.loss.value * tokens == pytest.approx(nats, abs=0.6)


def test_the_selection_of_step_laws_runs_is_on_record():
    assert "within 0.25 % of the lowest loss" in law("step-law-lr").notes
