"""N* planned at held-out budgets: of a known law, and of public tables against the minima that were measured."""

import numpy as np
import pytest
from benchmarks.forecast_tables import isoflop_tables

from isoflop import Runs, law
from isoflop.errors import IsoflopError
from isoflop.planning.held_out_optima import LAW, METHODS, PLAN, held_out_optima, score_optima

CHINCHILLA = law("chinchilla")
TRUTH = {"E": 1.7, "A": 400.0, "B": 1000.0, "alpha": 0.34, "beta": 0.3}


def best(c):
    """argmin of A/N^α + B/(C/6N)^β, from the derivative."""
    ratio = TRUTH["alpha"] * TRUTH["A"] / (TRUTH["beta"] * TRUTH["B"])
    return (ratio * (c / 6) ** TRUTH["beta"]) ** (1 / (TRUTH["alpha"] + TRUTH["beta"]))


def valley(budgets, noise=1e-4):
    """Nine sizes around the optimum of each budget."""
    c, place = (each.ravel() for each in np.meshgrid(budgets, np.linspace(-1.5, 1.5, 9)))
    n = best(c) * np.exp(place)
    loss = CHINCHILLA.value(TRUTH, {"N": n, "D": c / (6 * n)}) * np.exp(
        np.random.default_rng(0).normal(0, noise, n.size)
    )
    return Runs.from_columns({"N": n, "D": c / (6 * n), "loss": loss})


def test_budgets_above_every_cut_are_planned_from_those_below():
    budgets = np.array([1e18, 2e18, 4e18, 8e18, 16e18])
    found = held_out_optima(CHINCHILLA, valley(budgets), draws=20)
    plans = [each for each in found if each.method == PLAN]
    assert [(each.cut, each.budget) for each in plans] == [
        pytest.approx(each) for each in ((4e18, 8e18), (4e18, 16e18), (8e18, 16e18))
    ]
    assert {each.method for each in found} == set(METHODS)
    for each in plans:
        assert each.basis == "IsoFLOP minima" and each.held
        assert each.off == pytest.approx(
            max(each.n.value / np.exp(each.truth.log_n), np.exp(each.truth.log_n) / each.n.value)
        )
        assert each.n.value == pytest.approx(best(each.budget), rel=0.05)
    score = score_optima(found, PLAN, (0.4, 0.7))
    assert (score.count, score.tables, score.pooled) == (1, 1, 1.0)
    assert score_optima(found, PLAN, (1.0, 1.5)) is None


def test_three_budgets_leave_none_to_hold_out():
    with pytest.raises(IsoflopError, match="3 budgets"):
        held_out_optima(CHINCHILLA, valley(np.array([1e18, 2e18, 4e18])), draws=20)


@pytest.mark.slow
def test_plans_within_half_a_decade_hold_on_public_tables(tables):
    found = []
    for each in isoflop_tables(tables, ["chinchilla", "llama3", "loss-to-loss", "porian"]):
        found += held_out_optima(CHINCHILLA, each.runs, farthest=0.5)
    plan, whole = (score_optima(found, method, (0.0, 0.5)) for method in (PLAN, LAW))
    assert plan.tables == 20 and plan.count >= 70
    assert plan.off <= 1.12 < whole.off and plan.width**2 <= 1.6
    assert plan.coverage >= 0.82 > whole.coverage
