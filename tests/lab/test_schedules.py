import math

import pytest

from isoflop.lab.schedules import Schedule


def test_cosine_rises_in_a_line_and_ends_at_its_final_share():
    schedule = Schedule("cosine", warmup=0.1, final=0.1)
    factors = [schedule.factor(step, 1000) for step in range(1000)]
    assert factors[0] == pytest.approx(0.01)
    assert factors[49] == pytest.approx(0.5)
    assert factors[99] == pytest.approx(1.0)
    assert factors[549] == pytest.approx(0.1 + 0.9 * 0.5)  # half-way of the 900 steps after warm-up
    assert factors[-1] == pytest.approx(0.1)
    assert factors[100:] == sorted(factors[100:], reverse=True)


def test_cosine_is_hoffmanns_at_a_quarter():
    schedule = Schedule("cosine", warmup=0, final=0.1)
    assert schedule.factor(249, 1000) == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2)


def test_wsd_stays_and_then_falls_in_a_line():
    schedule = Schedule("wsd", warmup=0, final=0.0, decay=0.2)
    factors = [schedule.factor(step, 100) for step in range(100)]
    assert factors[:80] == [1.0] * 80
    assert factors[89] == pytest.approx(0.5)
    assert factors[-1] == 0.0


def test_constant_and_multistep():
    assert {Schedule("constant", warmup=0).factor(step, 10) for step in range(10)} == {1.0}
    schedule = Schedule("multistep", warmup=0, milestones=(0.8, 0.9), drop=0.316)
    factors = [schedule.factor(step, 100) for step in (79, 80, 89, 90, 99)]
    assert factors == pytest.approx([1, 0.316, 0.316, 0.316**2, 0.316**2])


@pytest.mark.parametrize("kind", ["cosine", "wsd", "constant", "multistep"])
@pytest.mark.parametrize("steps", [1, 2, 7, 100])
def test_every_factor_is_between_zero_and_one(kind, steps):
    schedule = Schedule(kind, warmup=0.3, final=0.0, decay=0.5)
    assert all(0 <= schedule.factor(step, steps) <= 1 for step in range(steps))
