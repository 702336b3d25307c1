"""Laws of data mixtures: recovery, held-out mixtures of real runs, the best mixture of a simulated world."""

import itertools
import json

import numpy as np
import polars as pl
import pytest

from isoflop.errors import DataError, IsoflopError
from isoflop.planning.mixtures import FORMS, MixtureTable, fit_mixtures, mixture_table, plan_mixture, validate_mixtures
from isoflop.planning.mixtures.plan import optimum, projected
from isoflop.runs import Runs


def mixtures(count, domains, seed=0):
    """Shares with many zeros, as sweeps of mixtures have."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(domains, 0.5), size=count)
    shares[shares < 0.5 / domains] = 0
    return shares / shares.sum(axis=1, keepdims=True)


def named(shares, losses):
    domains = tuple(f"d{k}" for k in range(shares.shape[1]))
    return MixtureTable(domains, shares, tuple(f"t{k}" for k in range(losses.shape[1])), losses)


def world(domains, tasks=3, seed=1):
    """A true exponential law: each task is helped by some domains."""
    rng = np.random.default_rng(seed)
    effects = rng.uniform(-0.5, 0.6, (tasks, domains))
    return lambda shares: 1.6 + np.exp(shares @ effects.T)


@pytest.mark.parametrize("domains", [3, 17])
def test_an_exponential_world_is_forecast_exactly(domains):
    true, shares = world(domains), mixtures(4 * domains + 20, domains)
    law = fit_mixtures(named(shares, true(shares)))
    unseen = mixtures(30, domains, seed=9)
    assert law.loss(unseen) == pytest.approx(true(unseen), rel=2e-3)
    assert law.floor == pytest.approx(np.full(3, 1.6), rel=0.1)


def test_bimix_and_powers_are_forecast_where_they_are_true():
    shares = np.random.default_rng(0).dirichlet(np.ones(4), size=60)
    unseen = np.random.default_rng(1).dirichlet(np.full(4, 3.0), size=30)
    small = shares.min() / 2
    f, alpha = np.array([0.6, 0.4, 0.9, 0.7]), np.array([0.1, 0.25, 0.08, 0.3])

    def bimix(r):
        return (f / (r + small) ** alpha).sum(axis=1)[:, None]

    law = fit_mixtures(named(shares, bimix(shares)), "bimix")
    assert law.loss(unseen) == pytest.approx(bimix(unseen), rel=2e-3)

    slopes, drops = np.array([0.1, -0.2, 0.3, 0.0]), np.array([0.05, 0.02, 0.1, 0.01])

    def powers(r):
        return np.exp(1 + r @ slopes - np.log(r + small) @ drops)[:, None]

    law = fit_mixtures(named(shares, powers(shares)), "exponential-power")
    assert law.loss(unseen) == pytest.approx(powers(unseen), rel=5e-3)  # the ridge draws the effects together


@pytest.mark.parametrize("form", FORMS)
def test_slopes_are_the_derivatives(form):
    shares = mixtures(40, 4)
    law = fit_mixtures(named(shares, world(4)(shares)), form)
    at = np.array([0.3, 0.4, 0.2, 0.1])
    for k in range(4):
        step = 1e-6 * np.eye(4)[k]
        numeric = (law.loss(at + step) - law.loss(at - step)) / 2e-6
        assert law.slope(at)[:, k] == pytest.approx(numeric, rel=1e-5, abs=1e-8)


def test_the_nearest_mixture_is_the_nearest():
    rng = np.random.default_rng(0)
    grid = np.array([each for each in itertools.product(np.linspace(0, 1, 41), repeat=3) if abs(sum(each) - 1) < 1e-9])
    for _ in range(20):
        point, cap = rng.normal(0.3, 0.5, 3), rng.uniform(0.4, 1, 3)
        found = projected(point, cap)
        assert found.sum() == pytest.approx(1) and np.all(found >= 0) and np.all(found <= cap + 1e-9)
        allowed = grid[np.all(grid <= cap + 1e-9, axis=1)]
        assert ((found - point) ** 2).sum() <= ((allowed - point) ** 2).sum(axis=1).min() + 1e-6


@pytest.mark.parametrize("form", ["exponential", "bimix"])
def test_the_optimum_is_that_of_a_grid(form):
    shares = np.random.default_rng(0).dirichlet(np.ones(3), size=50)
    law = fit_mixtures(named(shares, world(3)(shares)), form)
    weights, cap = np.array([0.5, 0.3, 0.2]), np.array([0.5, 0.7, 0.6])
    best = optimum(law, weights, cap)
    grid = np.array([[a, b, 1 - a - b] for a in np.linspace(0, 1, 201) for b in np.linspace(0, 1, 201) if a + b <= 1])
    grid = grid[np.all(grid <= cap + 1e-9, axis=1)]
    assert float(law.loss(best) @ weights) <= float((law.loss(grid) @ weights).min()) + 1e-9
    assert best.sum() == pytest.approx(1) and np.all(best <= cap + 1e-9)


def test_the_plan_beats_the_best_mixture_that_was_tried():
    """In a world with scarce domains: the true loss of the plan against that of every mixture that the limits allow."""
    true, shares = world(7, seed=3), mixtures(60, 7, seed=3)
    measured = true(shares) * np.exp(np.random.default_rng(5).normal(0, 0.002, (60, 3)))
    unique, tokens = np.array([500e9, 450e9, 200e9, 400e9, 150e9, 500e9, 250e9]), 1e12
    plan = plan_mixture(named(shares, measured), tokens=tokens, unique=unique, epochs=2, draws=10)
    found = np.array([each.share.value for each in plan.domains])
    assert found.sum() == pytest.approx(1)
    assert all(each.epochs <= 2 + 1e-6 for each in plan.domains)
    allowed = np.all(shares <= 2 * unique / tokens + 1e-9, axis=1)
    assert allowed.sum() >= 10
    assert true(found).mean() < true(shares[allowed]).mean(axis=1).min() - 0.002
    assert plan.loss.value == pytest.approx(true(found).mean(), rel=2e-3) and plan.loss.low < plan.loss.high
    # every share may move within its near-optimal range, and the best lies inside
    for each in plan.domains:
        assert each.near[0] <= each.share.value <= each.near[1] <= each.cap + 1e-9
    assert any(each.near[1] - each.near[0] > 0.05 for each in plan.domains)


def redpajama(tables, experiment, size, step):
    frame = pl.read_csv(tables / "data-mixing-laws" / "losses_long.csv.gz").filter(
        (pl.col("experiment") == experiment)
        & (pl.col("model_size") == size)
        & (pl.col("step") == step)
        & pl.col("proportions").is_not_null()
    )
    wide = frame.group_by("proportions", "val_domain").agg(pl.col("loss").mean())
    wide = wide.pivot("val_domain", index="proportions", values="loss").drop_nulls().sort("proportions")
    shares = np.array([[float(each) for each in text.split("-")] for text in wide["proportions"]])
    tasks = tuple(each for each in wide.columns if each != "proportions")
    weights = json.loads((tables / "data-mixing-laws" / "valid_weight.json").read_text())
    table = MixtureTable(
        tuple(f"d{k}" for k in range(shares.shape[1])),
        shares / shares.sum(axis=1, keepdims=True),
        tasks,
        wide.select(tasks).to_numpy(),
    )
    return table, [weights.get(each, 0.0) for each in tasks]


@pytest.mark.parametrize(
    ("experiment", "size", "count", "error", "rank"),
    [
        ("RedPajama", "160M", 21, 0.0035, 0.8),
        pytest.param("5Mix", "410M", 26, 0.0035, 0.9, marks=pytest.mark.slow),
    ],
)
def test_real_mixtures_that_were_held_out(tables, experiment, size, count, error, rank):
    table, weights = redpajama(tables, experiment, size, 30000)
    assert len(table) == count
    scores = validate_mixtures(table, weights=weights, forms=("exponential", "exponential-power"))
    assert scores[0].form == "exponential-power" and scores[0].error < error and scores[0].rank > rank
    assert [each.error for each in scores] == sorted(each.error for each in scores)
    # the data mixing law itself is far below a forecast by the mean of the other mixtures
    plain = next(each for each in scores if each.form == "exponential")
    assert plain.error < 0.6 * plain.naive


def runs_of(**columns):
    return Runs.from_columns({name: np.asarray(values, dtype=float) for name, values in columns.items()})


@pytest.mark.parametrize(
    ("runs", "domains", "says"),
    [
        (
            runs_of(a=[0.5, 0.2], b=[0.4, 0.8], loss=[3, 2.9]),
            ["a", "b"],
            r"do not add up to 1 \(row 1: 0.9\): name every",
        ),
        (runs_of(a=[50, 20], b=[50, 80], loss=[3, 2.9]), ["a", "b"], "divide them by 100"),
        (runs_of(a=[1, 1], loss=[3, 2.9]), ["a"], "two domains or more, and a was named"),
        (
            runs_of(a=[-0.1, 0.2], b=[1.1, 0.8], loss=[3, 2.9]),
            ["a", "b"],
            r"share that is negative or missing \(row 1\)",
        ),
        (runs_of(a=[0.5, 0.2], b=[0.5, 0.8], loss=[3, 0]), ["a", "b"], r"a loss that is not positive \(row 2\)"),
        (runs_of(a=[0.5, 0.5], b=[0.5, 0.5], loss=[3, 2.9]), ["a", "b"], "share of a is 0.5 in every run"),
        (runs_of(a=[0.5, 0.2], b=[0.5, 0.8], loss=[3, 2.9]), ["a", "a"], "a is named twice"),
    ],
)
def test_what_is_no_table_of_mixtures_is_refused(runs, domains, says):
    with pytest.raises(DataError, match=says):
        mixture_table(runs, domains)


def test_a_table_of_mixtures_keeps_zero_shares_and_their_rounding():
    found = mixture_table(runs_of(a=[0, 0.333, 1], b=[1, 0.666, 0], loss=[3, 2.9, 2.8]), ["a", "b"])
    assert found.shares.sum(axis=1) == pytest.approx(np.ones(3)) and found.shares[0].tolist() == [0, 1]


def test_limits_that_no_mixture_meets_are_refused():
    shares = mixtures(20, 3)
    table = named(shares, world(3)(shares))
    with pytest.raises(DataError, match="add up to 0.6 of the mixture"):
        plan_mixture(table, caps=[0.2, 0.2, 0.2])
    with pytest.raises(DataError, match="add up to 0.3 of the mixture"):
        plan_mixture(table, tokens=1e12, unique=[1e11, 1e11, 1e11], epochs=1)
    for settings, says in (
        ({"caps": [0.5, 0.5]}, "3 numbers, one a domain"),
        ({"tokens": 1e12}, "belong together"),
        ({"tokens": 1e12, "unique": [1e12, 0, 1e12]}, "positive numbers"),
        ({"within": 0.0}, "between 0 and 1"),
    ):
        with pytest.raises(IsoflopError, match=says):
            plan_mixture(table, **settings)
    with pytest.raises(DataError, match="needs 4 mixtures or more for 3 domains"):
        fit_mixtures(table.take(np.arange(3)))
    with pytest.raises(DataError, match="2 weights were given for 3 losses"):
        validate_mixtures(table, weights=[1, 1])
