"""N* from the runs that show it: IsoFLOP minima, runs near the optimum, or the law."""

from dataclasses import replace

import numpy as np
import pytest

from isoflop import Runs, bootstrap, fit, law, load_fit, save_fit
from isoflop.errors import IsoflopError
from isoflop.planning import allocate, optimal_plan
from isoflop.planning.along import plans_along
from isoflop.planning.isoflop_minima import isoflop_minima
from isoflop.planning.published import published
from isoflop.planning.sizes import best_n, sizes
from isoflop.uncertainty import Ensemble

CHINCHILLA = law("chinchilla")
TRUTH = {"E": 1.7, "A": 400.0, "B": 1000.0, "alpha": 0.34, "beta": 0.3}
BUDGETS = np.array([1e18, 3e18, 1e19, 3e19, 1e20])


def best(c):
    """argmin of A/N^α + B/(C/6N)^β, from the derivative."""
    p = TRUTH
    ratio = p["alpha"] * p["A"] / (p["beta"] * p["B"])
    return (ratio * (c / 6) ** p["beta"]) ** (1 / (p["alpha"] + p["beta"]))


def valley(noise=0.0, *, seed=0, wide=2.5, count=9, budgets=BUDGETS, off=None):
    """Sizes around the optimum of each budget, e^±wide; off changes the loss by the distance in log N."""
    c, place = (each.ravel() for each in np.meshgrid(budgets, np.linspace(-wide, wide, count)))
    n = best(c) * np.exp(place)
    loss = CHINCHILLA.value(TRUTH, {"N": n, "D": c / (6 * n)})
    loss = loss * np.exp(np.random.default_rng(seed).normal(0, noise, len(n)) if noise else 0.0)
    if off is not None:
        loss = loss * np.exp(off(place))
    return Runs.from_columns({"N": n, "D": c / (6 * n), "loss": loss})


def test_minima_lie_where_the_derivative_is_zero():
    found = isoflop_minima(valley(1e-5))
    assert found.budgets == pytest.approx(BUDGETS)
    # a parabola through a valley that is not one is off by a few per cent
    assert np.exp([each.log_n for each in found.minima]) == pytest.approx(best(BUDGETS), rel=0.06)
    assert found.exponent == pytest.approx(TRUTH["beta"] / (TRUTH["alpha"] + TRUTH["beta"]), abs=0.01)
    assert found.n_at(1e21).value == pytest.approx(best(1e21), rel=0.1)


def test_the_interval_is_that_of_the_line_and_its_drift():
    found = isoflop_minima(valley(1e-3))
    inside, beyond = found.n_at(1e19), found.n_at(1e22)
    assert found.beyond(1e19) == 0 and found.beyond(1e22) == pytest.approx(2)
    assert found.sd(1e22) ** 2 > (0.2 * 2) ** 2 > found.sd(1e19) ** 2
    for each in (inside, beyond):
        # symmetric in log N
        assert each.high / each.value == pytest.approx(each.value / each.low)
    assert beyond.high / beyond.low > inside.high / inside.low


@pytest.mark.parametrize("seed", range(4))
def test_steep_sides_decide_the_law_and_not_the_minima(seed):
    """Small models far from the optimum are 4 % worse than the law: the law's optimum moves, the minima do not."""
    honest = valley(5e-4, seed=seed)
    bent = valley(5e-4, seed=seed, off=lambda place: np.where(place < -1.7, 0.04, 0.0))
    at = 1e21
    minima = [isoflop_minima(each).n_at(at).value for each in (honest, bent)]
    laws = [fit(CHINCHILLA, each) for each in (honest, bent)]
    by_law = [allocate(bootstrap(each, draws=20), budget=at).n.value for each in laws]
    assert abs(np.log(minima[1] / minima[0])) < 0.05
    assert abs(np.log(by_law[1] / by_law[0])) > 4 * abs(np.log(minima[1] / minima[0]))


def test_a_run_off_its_parabola_is_left_out_and_named():
    runs = valley(2e-4, count=17)
    compute, place = 6 * runs["N"] * runs["D"], np.log(runs["N"] / best(6 * runs["N"] * runs["D"]))
    wrong = int(np.flatnonzero(np.isclose(compute, 1e19) & (np.abs(place - 0.3) < 0.16))[0])
    loss = np.array(runs["loss"])
    loss[wrong] *= 1.03
    found = isoflop_minima(runs.with_column("loss", loss))
    assert found.n_at(1e21).value == pytest.approx(isoflop_minima(runs).n_at(1e21).value, rel=0.05)
    (finding,) = [each for each in found.findings if each.code == "off-parabola"]
    assert list(finding.rows) == [int(runs.rows[wrong])]


def test_fewer_than_three_budgets_or_minima_at_the_edge_are_no_minima():
    with pytest.raises(IsoflopError, match="needs three"):
        isoflop_minima(valley(1e-4, budgets=BUDGETS[:2]))
    small = valley(1e-4)
    left = small.take(small["N"] < 0.8 * best(6 * small["N"] * small["D"]))
    with pytest.raises(IsoflopError, match="has 0 budgets"):
        isoflop_minima(left)


def test_the_plan_says_what_it_rests_on_and_what_the_law_says():
    ensemble = bootstrap(fit(CHINCHILLA, valley(1e-3)), draws=60)
    plan = optimal_plan(ensemble, budget=1e21)
    assert plan.basis == "IsoFLOP minima" and plan.law.basis == "law"
    assert plan.n == isoflop_minima(ensemble.estimate.runs).n_at(1e21)
    assert plan.law.n == allocate(ensemble, budget=1e21).n
    assert plan.shift == pytest.approx(plan.n.value / plan.law.n.value)
    assert 6 * plan.n.value * plan.d.value == pytest.approx(1e21)
    assert (6 * plan.n.low * plan.d.high, 6 * plan.n.high * plan.d.low) == pytest.approx((1e21, 1e21))
    low, high = plan.band.n
    assert low < plan.n.value < high


def test_forecasts_that_are_lowest_elsewhere_are_told(epoch240):
    """Beyond Epoch's runs the forecasts follow residuals of all of them to a third of the size of the minima's plan."""
    honest = bootstrap(fit(CHINCHILLA, valley(1e-3)), draws=40)
    assert "forecasts-lower-elsewhere" not in {each.code for each in optimal_plan(honest, budget=3e22).findings}
    plan = optimal_plan(bootstrap(fit(CHINCHILLA, epoch240), draws=40), budget=5.76e23)
    (told,) = [each for each in plan.findings if each.code == "forecasts-lower-elsewhere"]
    assert "N = 32B (1.90" in told.message and plan.n.low > 3.2e10


def scattered(noise=0.003, count=80):
    """Sizes and tokens at random: no two runs share a budget."""
    rng = np.random.default_rng(3)
    n, d = 10 ** rng.uniform(7.5, 10, count), 10 ** rng.uniform(9, 11.5, count)
    loss = CHINCHILLA.value(TRUTH, {"N": n, "D": d}) * np.exp(rng.normal(0, noise, count))
    return Runs.from_columns({"N": n, "D": d, "loss": loss})


def test_without_budgets_the_runs_near_the_optimum_decide():
    ensemble = bootstrap(fit(CHINCHILLA, scattered()), draws=60)
    plan = optimal_plan(ensemble, budget=1e23)
    assert plan.basis == "runs near the optimum"
    assert plan.n.high / plan.n.low > plan.law.n.high / plan.law.n.low  # far-off runs make a law too sure
    assert "open-optimum" in {each.code for each in plan.findings}


def test_minima_that_scatter_leave_the_plan_to_the_runs_near_the_optimum():
    """Of 80 runs at random 21 share three budgets within a factor of three: a line through their minima says little."""
    shared, rest = valley(2e-2, seed=3, count=7, budgets=np.array([1e19, 1.6e19, 2.6e19])), scattered()
    runs = Runs.from_columns({name: np.append(shared[name], rest[name]) for name in ("N", "D", "loss")})
    alone, plan = (
        isoflop_minima(runs).n_at(2.6e20),
        optimal_plan(bootstrap(fit(CHINCHILLA, runs), draws=60), budget=2.6e20),
    )
    assert plan.basis == "runs near the optimum"
    assert plan.n.high / plan.n.low < alone.high / alone.low and plan.n.low < best(2.6e20) < plan.n.high


def test_few_runs_leave_the_law_with_the_error_that_such_optima_had(known_runs):
    ensemble = bootstrap(fit(CHINCHILLA, known_runs(0.003, sizes=4, durations=3)), draws=60)
    plan = optimal_plan(ensemble, budget=1e23)
    assert plan.basis == "law" and plan.n.value == pytest.approx(plan.law.n.value)
    assert plan.n.low < plan.law.n.low and plan.n.high > plan.law.n.high


def test_one_ratio_of_tokens_to_parameters_determines_no_optimum(known_runs):
    runs = known_runs(0.003, sizes=9, durations=9)
    n = np.logspace(7, 10, 20)
    ladder = Runs.from_columns({"N": n, "D": 20 * n, "loss": CHINCHILLA.value(TRUTH, {"N": n, "D": 20 * n})})
    for table, expected in ((runs, False), (ladder, True)):
        ensemble = bootstrap(fit(CHINCHILLA, table), draws=30)
        codes = {each.code: each.level for each in optimal_plan(ensemble, budget=1e22).findings}
        assert (codes.get("undetermined-optimum") == "error") == expected


def test_published_constants_are_planned_as_they_are():
    constants = published("chinchilla:epoch")
    assert sizes(constants).runs is None
    assert optimal_plan(constants, budget=5.76e23) == allocate(constants, budget=5.76e23)


def test_a_saved_fit_plans_as_its_table_does(tmp_path):
    ensemble = bootstrap(fit(CHINCHILLA, valley(1e-3)), draws=40)
    save_fit(ensemble, tmp_path / "fit.json")
    here, there = (optimal_plan(each, budget=1e21) for each in (ensemble, load_fit(tmp_path / "fit.json")))
    assert there.basis == here.basis
    assert (there.n.low, there.n.value, there.n.high) == pytest.approx(
        (here.n.low, here.n.value, here.n.high), rel=1e-6
    )
    assert best_n(ensemble.fit, 1e21) == pytest.approx(here.n.value)


def test_a_law_without_an_optimum_is_planned_from_the_minima():
    upward = law("E + A/N^alpha + B*D^beta")  # no loss rises with the tokens: the runs refuse it, and their minima stay
    flat = Ensemble(
        replace(fit(CHINCHILLA, valley(1e-3)), law=upward, params={**TRUTH, "B": 1e-6}),
        np.empty((0, 5)), method="none", seed=0,
    )  # fmt: skip
    plan = optimal_plan(flat, budget=1e21)
    assert plan.basis == "IsoFLOP minima" and plan.law is None and plan.least_loss is None and plan.shift == 1.0
    assert "law-without-optimum" in {each.code for each in plan.findings}


@pytest.mark.parametrize("make", [lambda: valley(1e-3), scattered])
def test_plans_along_are_the_plans_of_each_budget(make):
    ensemble = bootstrap(fit(CHINCHILLA, make()), draws=60)
    along = plans_along(ensemble, budget=1e22)
    for place in (5, 30, 48):
        plan = optimal_plan(ensemble, budget=float(along.budgets[place]))
        assert tuple(along.n[:, place]) == pytest.approx((plan.n.value, plan.n.low, plan.n.high), rel=1e-9)
        assert tuple(along.loss[:, place]) == pytest.approx((plan.loss.value, plan.loss.low, plan.loss.high), rel=1e-9)
        assert tuple(along.prediction[:, place]) == pytest.approx((plan.prediction.low, plan.prediction.high), rel=1e-9)
        assert tuple(along.band[:, place]) == pytest.approx(plan.band.n, rel=1e-6)
        middle = along.valley[0, place, len(along.factors) // 2]
        assert middle == pytest.approx(plan.loss.value, rel=1e-9)
    runs = ensemble.estimate.runs
    assert along.budgets[-1] == pytest.approx(1e3 * max(1e22, float((6 * runs["N"] * runs["D"]).max())))
