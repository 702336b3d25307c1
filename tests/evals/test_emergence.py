"""The law exp(-c·N^(-α)) of pass rates: recovery, forecasts, curvature with its power and false alarms, fixed tries."""

import numpy as np
import polars as pl
import pytest

from isoflop import Runs, fit, law, squares
from isoflop.errors import DataError
from isoflop.evals import evaluate, read_items
from isoflop.evals.emergence import Rates, fixed_tries, pass_law, rates_of
from isoflop.evals.items import scale_of
from isoflop.evals.lines import mean_covariance
from isoflop.evals.measures import pass_rates

SIZES = np.logspace(7.5, 9.5, 6)
C, ALPHA = 300.0, 0.2


def rate(size, bend=0.0):
    logs = np.log(np.asarray(size, dtype=float))
    return np.exp(-np.exp(np.log(C) - ALPHA * logs + bend * (logs - np.log(SIZES).mean()) ** 2))


def tried(rng, *, items=100, goal=2, cap=None, tries=None, sizes=SIZES):
    """Items of passes by models whose rate is the law's."""
    true = rate(sizes)
    rows = {"model": np.repeat([f"m{k}" for k in range(len(sizes))], items), "N": np.repeat(sizes, items),
            "item": np.tile(np.arange(items), len(sizes))}  # fmt: skip
    p = np.repeat(true, items)
    if tries is not None:
        return read_items(pl.DataFrame({**rows, "passes": rng.binomial(tries, p), "tries": np.full(len(p), tries)}))
    waits = np.stack([rng.geometric(p) for _ in range(goal)])
    total = np.cumsum(waits, axis=0)
    used = total[-1] if cap is None else np.minimum(total[-1], cap)
    passes = (total <= used).sum(axis=0)
    return read_items(pl.DataFrame({**rows, "passes": passes, "tries": used, "goal": np.full(len(p), goal)}))


def law_of(items):
    return pass_law(rates_of(items, "score", "score", scale_of(items, "N")[1]))


def law_drawn(rng, *, bend=0.0, scatter=0.0, items=100, goal=2, tries=None):
    """The law of simulated rates, without a table between."""
    true = np.exp(-np.exp(np.log(-np.log(rate(SIZES, bend))) + rng.normal(0, scatter, 6)))[:, None]
    if tries is None:
        total = goal + rng.negative_binomial(goal, true, (6, items)).astype(float)
        each = pass_rates(np.full_like(total, goal), total, np.full_like(total, goal))
    else:
        each = rng.binomial(tries, true, (6, items)) / tries
    names = tuple("abcdef")
    zero = tuple(np.array(names)[each.mean(axis=1) == 0])
    covariance = mean_covariance(each, np.arange(items))
    return pass_law(Rates(names, SIZES, each.mean(axis=1), covariance, zero, items, np.zeros(6), each))


def test_the_exponent_is_recovered_and_its_interval_holds_it():
    rng = np.random.default_rng(0)
    found = [law_drawn(rng) for _ in range(100)]
    values = np.array([each.alpha.value for each in found])
    assert values.mean() == pytest.approx(ALPHA, rel=0.03)
    assert sum(each.alpha.low <= ALPHA <= each.alpha.high for each in found) >= 80
    assert sum(each.c.low <= C <= each.c.high for each in found) >= 80
    ahead = [each.at(1e10) for each in found]
    truth = float(rate(1e10))
    assert sum(each.low <= truth <= each.high for each in ahead) >= 76
    assert np.mean([each.value for each in ahead]) == pytest.approx(truth, rel=0.1)


def test_a_hundred_fixed_tries_do_not_recover_what_tries_until_a_pass_do():
    rng = np.random.default_rng(1)
    until, fixed, none = [], [], 0
    for _ in range(60):
        until.append(law_drawn(rng, items=5, goal=4).alpha.value)
        try:
            fixed.append(law_drawn(rng, items=5, tries=100).alpha.value)
        except DataError:
            none += 1
    assert np.median(until) == pytest.approx(ALPHA, rel=0.05) and np.std(until) < 0.02
    assert np.std(fixed) > 3 * np.std(until) and abs(np.median(fixed) - ALPHA) > 3 * abs(np.median(until) - ALPHA)
    told = fixed_tries(law_drawn(rng, items=5, goal=4), draws=200)
    assert told.unseen[0] > 0.8 > 0.01 > told.unseen[-1]  # the smallest model shows nothing, the largest something
    assert told.alpha.high - told.alpha.low > 0.06


@pytest.mark.parametrize("bend, least, most", [(0.0, 0.0, 0.12), (0.06, 0.85, 1.0), (-0.06, 0.85, 1.0)])
def test_curvature_is_found_where_it_is_and_seldom_where_it_is_not(bend, least, most):
    rng = np.random.default_rng(2)
    shapes = [law_drawn(rng, bend=bend).shape for _ in range(100)]
    assert least <= np.mean([each != "straight" for each in shapes]) <= most
    assert {"convex": 1, "concave": -1}.get(max(set(shapes), key=shapes.count), 0) == np.sign(bend)


def test_models_that_scatter_do_not_raise_the_alarm():
    rng = np.random.default_rng(3)
    found = [law_drawn(rng, scatter=0.2) for _ in range(100)]
    assert np.mean([each.shape != "straight" for each in found]) <= 0.14
    assert np.median([each.beyond for each in found]) == pytest.approx(0.2, rel=0.35)


def test_the_line_is_the_one_that_fit_draws_through_the_table():
    evaluation = evaluate(tried(np.random.default_rng(4), items=200), draws=20)
    table = evaluation.table()
    runs = Runs.from_columns({"N": table["N"], "y": table["score/neg_log_pass"]})
    other = fit(law("y = c*N^(-alpha)"), runs, objective=squares())
    # they differ by the correction for the bias of ln(-ln p)
    assert evaluation.pass_laws["score"].alpha.value == pytest.approx(other.params["alpha"], rel=0.015)


def test_caps_and_goals_are_told():
    found = evaluate(tried(np.random.default_rng(5), cap=3_000), draws=20)
    codes = {each.code: each.message for each in found.findings}
    assert "reached the cap (at most 3,000 tries)" in codes["capped-tries"]
    assert found.pass_laws["score"].alpha.value == pytest.approx(ALPHA, rel=0.12)
    assert "single-pass-goal" in {
        each.code for each in evaluate(tried(np.random.default_rng(5), goal=1, items=20), draws=20).findings
    }
    few = evaluate(tried(np.random.default_rng(6), items=3, tries=20), draws=20)
    assert {"no-law-of-scores", "no-passes"} & {each.code for each in few.findings}


def test_a_law_needs_three_models_with_passes():
    items = tried(np.random.default_rng(0), sizes=SIZES[-2:])
    with pytest.raises(DataError, match="2 models have a pass rate above 0 and below 1, and a law needs three"):
        law_of(items)
    three = law_of(tried(np.random.default_rng(0), sizes=SIZES[-3:]))
    assert three.shape == "unknown" and np.isnan(three.p_value)


def test_one_item_has_the_error_of_its_tries():
    items = tried(np.random.default_rng(7), items=1, goal=400)
    rates = rates_of(items, "score", "score", scale_of(items, "N")[1])
    # (r-1)/(K-1) of 400 passes has a relative error near 1/20
    assert np.sqrt(np.diag(rates.covariance)) / rates.p == pytest.approx(np.full(6, 0.05), rel=0.06)
    assert law_of(items).alpha.value == pytest.approx(ALPHA, rel=0.1)
