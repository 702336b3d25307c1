"""Repeated tokens: Muennighoff's closed forms, published numbers, Lovelace's rise, and the best use of a budget."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from isoflop import Runs, allocate, bootstrap, fit, fix, huber, law, read_runs
from isoflop.errors import DataError, IsoflopError
from isoflop.planning.published import published
from isoflop.planning.repeat import explained, fit_repeats, published_explains, repeat, with_unique

MUENNIGHOFF, LOVELACE = published("muennighoff:c4"), published("lovelace:datablations")
R_D = MUENNIGHOFF.estimate.params["r_D"]


def test_a_small_model_sees_effective_tokens_as_the_paper_writes_them():
    # 1B parameters are fewer than U_N for 100B tokens, so only tokens lose worth
    said = repeat(MUENNIGHOFF, unique=100e9, params=1e9)
    for each in said.passes:
        expected = 1 + R_D * (1 - math.exp(-(each.epochs - 1) / R_D))
        assert each.fresh.value == pytest.approx(expected, rel=1e-7)
        following = 1 + R_D * (1 - math.exp(-each.epochs / R_D))
        assert each.worth.value == pytest.approx(following - expected, rel=1e-5)
    # four epochs are almost as good as fresh tokens, forty are worth little more than thirty
    assert said.passes[2].fresh.value == pytest.approx(3.7257, abs=1e-4)


@pytest.mark.parametrize("least", [0.5, 0.1, 0.02])
def test_where_to_stop_is_where_the_next_pass_is_worth_less(least):
    said = repeat(MUENNIGHOFF, unique=100e9, params=1e9, least=least)
    worth = np.array([R_D * (math.exp(-(e - 1) / R_D) - math.exp(-e / R_D)) for e in range(1, 300)])
    exact = 1 + int(np.argmax(worth < least))
    assert said.stop.value == pytest.approx(exact, rel=0.06 if exact > 64 else 1e-12)
    assert said.lowest.value == math.inf  # by this law the loss never rises


def test_by_lovelace_the_loss_rises_in_the_end():
    said = repeat(LOVELACE, unique=4e9, params=2.8e9)
    p = LOVELACE.estimate.params
    epochs = np.arange(2.0, 200)
    loss = (
        p["E"]
        + p["A"] / 2.8e9 ** p["alpha"]
        + p["B"] / (epochs * 4e9) ** p["beta"]
        + p["P"] * (epochs - 1) ** p["delta"] * (2.8 / 4) ** p["kappa"]
    )
    assert said.lowest.value == epochs[loss.argmin()]
    assert said.passes[4].loss.value == pytest.approx(loss[14], rel=1e-12)  # 16 epochs
    assert said.stop.value < said.lowest.value


@pytest.mark.parametrize("ensemble", [MUENNIGHOFF, LOVELACE], ids=["muennighoff", "lovelace"])
@pytest.mark.parametrize(("unique", "budget"), [(100e9, 1e23), (1e9, 1e21), (4e9, 5e19)])
def test_the_best_use_of_a_budget_is_found(ensemble, unique, budget):
    best = repeat(ensemble, unique=unique, budget=budget).best
    predict = ensemble.estimate.predict

    def loss(log_n):
        return float(predict({"N": np.exp(log_n), "D": budget / 6 / np.exp(log_n), "U": unique}))

    around = np.linspace(np.log(best.n.value) - 3, np.log(best.n.value) + 3, 4001)
    assert best.loss.value <= min(map(loss, around)) + 1e-9
    found = minimize_scalar(loss, bounds=(around[0], around[-1]), method="bounded", options={"xatol": 1e-10})
    assert best.loss.value <= found.fun + 1e-12
    assert 6 * best.n.value * best.d.value == pytest.approx(budget)
    assert best.epochs.value == pytest.approx(max(1.0, best.d.value / unique))
    assert best.plenty.value <= best.loss.value <= best.once.value
    single = float(predict({"N": budget / 6 / unique, "D": unique, "U": unique}))
    assert best.once.value == pytest.approx(single)


def test_with_tokens_to_spare_nothing_is_repeated():
    best = repeat(MUENNIGHOFF, unique=1e14, budget=1e21).best
    p = MUENNIGHOFF.estimate.params
    scale = (p["A"] / p["B"]) ** (1 / (2 * p["alpha"]))
    assert best.n.value == pytest.approx(scale * math.sqrt(1e21 / 6), rel=1e-6)
    assert best.epochs.value == 1.0
    assert best.loss.value == pytest.approx(best.once.value, rel=1e-12) == pytest.approx(best.plenty.value)


@pytest.fixture(scope="module")
def paper182(tables):
    return read_runs(tables / "datablations" / "parametric_fit_runs_paper182.csv")


def test_published_constants_explain_the_runs_as_carded(paper182, tables):
    every = read_runs(tables / "datablations" / "parametric_fit_runs.csv")
    assert (len(paper182), len(every)) == (182, 296)
    each = law("muennighoff")
    assert published_explains(each, paper182) == pytest.approx(0.7722046084968408, abs=1e-12)
    # without decay; the later runs are far beyond what the law was fitted to
    plain = {**MUENNIGHOFF.estimate.params, "r_D": 1e12, "r_N": 1e12}
    assert explained(each, plain, paper182) == pytest.approx(0.4451684378759986, abs=1e-5)
    assert published_explains(each, every) == pytest.approx(0.44704197, abs=1e-8)


def test_the_recomputed_constants_of_lovelace_are_those_of_the_182_runs(paper182, tables):
    found = fit(law("lovelace"), paper182, objective=huber(1e-3))
    assert found.params == pytest.approx(LOVELACE.estimate.params, rel=2e-6)
    assert explained(found.law, found.params, paper182) == pytest.approx(0.96126, abs=1e-5)
    every = read_runs(tables / "datablations" / "parametric_fit_runs.csv")
    assert published_explains(law("lovelace"), every) == pytest.approx(0.77469, abs=1e-5)


def test_the_papers_two_worths_refitted_have_intervals_that_hold_them(paper182):
    """r_D* and r_N* near the printed pair, with the paper's own five constants fixed and runs redrawn."""
    values = MUENNIGHOFF.estimate.params
    near = law("muennighoff", domains={"r_D": (8.0, 30.0), "r_N": (3.0, 10.0)})
    given = {key: values[key] for key in ("E", "A", "B", "alpha", "beta")}
    ensemble = bootstrap(fit(fix(near, given), paper182, objective=huber(1e-3)), draws=300)
    assert ensemble.fit.value == pytest.approx(0.015825937, abs=5e-9)
    for name in ("r_D", "r_N"):
        interval = ensemble.interval(name)
        assert interval.value == pytest.approx(values[name], rel=2e-3)
        assert interval.low < values[name] < interval.high


def runs_of_lovelace(noise=0.002):
    rng = np.random.default_rng(0)
    rows = [
        (n, u * e, u) for n in (1e8, 4e8, 1.6e9, 6e9) for u in (4e8, 2e9, 1e10) for e in (1, 2, 5, 12, 30) if n < 40 * u
    ]
    n, d, u = np.array(rows).T
    loss = LOVELACE.estimate.predict({"N": n, "D": d, "U": u})
    return Runs.from_columns({"N": n, "D": d, "U": u, "loss": loss * np.exp(rng.normal(0, noise, len(n)))})


def test_both_laws_are_fitted_with_draws_and_every_number_has_an_interval():
    runs = runs_of_lovelace()
    muennighoff, lovelace = fit_repeats(runs, draws=60)
    assert (muennighoff.estimate.law.name, lovelace.estimate.law.name) == ("muennighoff", "lovelace")
    assert explained(lovelace.estimate.law, lovelace.estimate.params, runs) > 0.999
    said = repeat(lovelace, unique=2e9, params=1.6e9, budget=1e20)
    truth = repeat(LOVELACE, unique=2e9, params=1.6e9, budget=1e20)
    for mine, true in zip(said.passes[1:], truth.passes[1:], strict=True):
        assert mine.loss.low < mine.loss.high and mine.fresh.low < mine.fresh.high
        assert mine.loss.value == pytest.approx(true.loss.value, rel=0.01)
    for label in ("n", "d", "epochs", "loss", "once", "plenty"):
        mine, true = getattr(said.best, label), getattr(truth.best, label)
        assert mine.low <= mine.value <= mine.high and mine.value == pytest.approx(true.value, rel=0.25)
    assert said.stop.low <= said.stop.value <= said.stop.high


def test_epochs_stand_for_unique_tokens():
    runs = Runs.from_columns({"N": [1e8] * 2, "D": [4e9, 8e9], "epochs": [1.0, 4.0], "loss": [3.0, 2.9]})
    made = with_unique(runs)
    assert made["U"].tolist() == [4e9, 2e9] and [each.code for each in made.findings] == ["unique-from-epochs"]
    named = runs.with_column("U", [4e9, 4e9])
    assert with_unique(named) is named


def test_tokens_an_epoch_are_the_unique_ones(tables):
    runs = read_runs(tables / "datablations" / "loss_curves_colpret.csv.gz")
    assert runs.columns["U"].header == "tokens_per_epoch" and runs["U"].min() == 1.25e9


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        ({"unique": 0.0, "params": 1e9}, "the unique tokens must be a positive number of tokens, not 0"),
        ({"unique": 1e9, "params": -1.0}, "the model size must be a positive number of parameters, not -1"),
        ({"unique": 1e9, "budget": 0.0}, "the budget must be a positive number of FLOPs, not 0"),
        ({"unique": 1e9}, "give its size \\(--params 7B\\) or a budget"),
        ({"unique": 1e9, "params": 1e9, "least": 0.0}, "the marginal value at which to stop lies between 0 and 1"),
        ({"unique": 1e9, "params": 1e9, "shown": (0,)}, "epochs to show are whole numbers from 1 to 64"),
    ],
)
def test_what_cannot_be_asked_is_refused(ask, says):
    with pytest.raises(IsoflopError, match=says):
        repeat(MUENNIGHOFF, **ask)


def test_a_law_without_unique_tokens_is_refused():
    with pytest.raises(IsoflopError, match="needs a law in N, D and U .* chinchilla has N, D"):
        repeat(published("chinchilla:epoch"), unique=1e9, params=1e9)


def test_runs_without_repeats_are_refused(known_runs):
    runs = known_runs(0.01)
    with pytest.raises(DataError, match="has no column for U"):
        fit_repeats(runs)
    with pytest.raises(IsoflopError, match="saw a token twice"):
        fit_repeats(runs.with_column("U", runs["D"]))


def test_a_plan_for_such_a_law_points_here():
    with pytest.raises(IsoflopError, match="muennighoff has N, D, U: ask isoflop repeat"):
        allocate(MUENNIGHOFF, budget=1e22)


def test_a_draw_beyond_all_numbers_is_left_out():
    from isoflop import Ensemble

    fit_of = LOVELACE.estimate
    good = np.array([fit_of.params[name] for name in fit_of.law.param_names])
    wild = good.copy()
    wild[list(fit_of.law.param_names).index("B")] = np.inf
    draws = np.stack([good * 0.999, good, good * 1.001, wild])
    said = repeat(Ensemble(fit_of, draws, method="by hand", seed=0), unique=4e9, params=2.8e9, budget=1e20)
    alone = repeat(Ensemble(fit_of, draws[:3], method="by hand", seed=0), unique=4e9, params=2.8e9, budget=1e20)
    assert said.passes[3].loss == alone.passes[3].loss and said.passes[3].gain == alone.passes[3].gain
    assert (said.stop, said.lowest) == (alone.stop, alone.lowest)
    assert said.best.loss == alone.best.loss
