"""Rounds of a design and its training, with runs of a known law in place of trained ones."""

import numpy as np
import pytest

from isoflop import law
from isoflop.errors import IsoflopError
from isoflop.planning.design import candidate_grid
from isoflop.planning.design.loop import design_loop, width
from isoflop.runs import Runs
from isoflop.uncertainty.ensemble import Interval

CHINCHILLA = law("chinchilla")
GRID = candidate_grid(["N=1M:1B:6", "D=20M:20B:6"], ["N", "D"])
TRUTH = {"E": 1.7, "A": 300.0, "B": 900.0, "alpha": 0.32, "beta": 0.33}
LOSS = "loss at N=7B D=140B"


class Lab:
    """Trains by the law, with 0.3 % of scatter, and keeps what it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, rows):
        self.asked.append(tuple(rows))
        at = {name: GRID.frame[name].to_numpy()[list(rows)] for name in ("N", "D")}
        scatter = np.exp(0.003 * np.random.default_rng(0).standard_normal(len(GRID)))[list(rows)]
        return Runs.from_columns({**at, "loss": CHINCHILLA.value(TRUTH, at) * scatter}, source="trained")


def loop(lab, question=LOSS, budget=1e20, **options):
    options = {"until": 1.01, "draws": 48, "rounds": 3} | options
    return design_loop([CHINCHILLA], [CHINCHILLA], GRID, budget, question, lab, **options)


def test_every_round_keeps_to_the_budget_and_trains_nothing_twice():
    lab = Lab()
    found = loop(lab)
    assert len(found.rounds) == 3 and not found.reached and "3 rounds" in found.stopped
    assert found.spent == pytest.approx(GRID.cost[list(found.rows)].sum()) and found.spent <= 1e20
    assert len(set(found.rows)) == len(found.rows)
    for before, after in zip(lab.asked, lab.asked[1:], strict=False):
        assert after[: len(before)] == before and len(after) > len(before)  # all until then, so that a sweep goes on
    truth = float(CHINCHILLA.value(TRUTH, {"N": 7e9, "D": 1.4e11}))
    assert found.answer.low < truth < found.answer.high
    assert width(found.answer, "relative") < 0.5 * width(found.before, "relative")


def test_it_ends_where_the_interval_is_narrow_enough():
    found = loop(Lab(), until=1.6)
    assert found.reached and len(found.rounds) == 1 and "--until" in found.stopped and found.spent < 0.5e20


def test_the_answer_is_that_of_the_runs_where_they_give_one():
    known = Interval(3e9, 2.9e9, 3.1e9, 0.9)
    answers = iter([None, known])
    found = loop(Lab(), "N* at 1e21", until=1.1, ask=lambda runs: next(answers))
    assert [each.asked for each in found.rounds] == [False, True]
    assert found.reached and found.answer == known


def test_a_candidate_is_trained_as_often_as_allowed_over_all_rounds():
    small = candidate_grid(["N=1M,30M", "D=20M,600M"], ["N", "D"])
    seen = []

    def train(rows):
        seen.append(len(rows))
        at = {name: small.frame[name].to_numpy()[list(rows)] for name in ("N", "D")}
        return Runs.from_columns({**at, "loss": CHINCHILLA.value(TRUTH, at)}, source="trained")

    found = design_loop(
        [CHINCHILLA], [CHINCHILLA], small, 1e18, LOSS, train, until=1.001, rounds=9, draws=32, least_gain=0.0
    )
    assert sorted(found.rows) == [0, 1, 2, 3] and len(seen) < 9 and not found.reached


@pytest.mark.parametrize(
    ("until", "budget", "message"), [(0.0, 1e20, "--until is a positive"), (2.0, 1e10, "cheapest")]
)
def test_bad_input_is_refused_before_anything_is_trained(until, budget, message):
    lab = Lab()
    with pytest.raises(IsoflopError, match=message):
        loop(lab, until=until, budget=budget)
    assert not lab.asked
