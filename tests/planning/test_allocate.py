"""Plans: closed form against numeric optimum, published allocations, the band, waste, and serving."""

import numpy as np
import pytest

from isoflop import bootstrap, fit, forecast, law
from isoflop.errors import IsoflopError
from isoflop.fitting.estimate import DataSummary, Estimate
from isoflop.laws.optimum import closed_form, optimum, searched_optimum
from isoflop.planning.allocate import allocate
from isoflop.planning.answer import answer
from isoflop.planning.overtrain import inference_aware
from isoflop.planning.published import published

PRINTED = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
TEX = {"E": 1.6934, "A": np.exp(6.0073404), "B": np.exp(6.0179186), "alpha": 0.33917084, "beta": 0.2849083}
EPOCH = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}


def arrays(params):
    return {label: np.array([value]) for label, value in params.items()}


@pytest.mark.parametrize(
    ("params", "budget", "n", "ratio", "loss"),
    [
        (PRINTED, 5.76e23, 3.219e10, 92.6, None),
        (TEX, 5.76e23, 4.031e10, 59.1, None),
        (EPOCH, 5.76e23, 7.225e10, 18.4, 1.9744),
        (EPOCH, 1e21, 2.78e9, 21.6, 2.3055),
        (EPOCH, 1e26, None, 16.1, None),
    ],
)
def test_published_constants_give_the_carded_allocations(params, budget, n, ratio, loss):
    best = optimum(law("chinchilla"), arrays(params), budget)
    assert best.inside[0]
    if n is not None:
        assert best.n[0] == pytest.approx(n, rel=1.5e-3)
    assert best.d[0] / best.n[0] == pytest.approx(ratio, rel=4e-3)
    if loss is not None:
        assert best.loss[0] == pytest.approx(loss, abs=6e-5)


FARSEER = "farseer:S=-0.021,s=0.0049,q=0.169,Q=-6.287,B=88.01,b=0.1,E=0.424,A=0.124,a=0.1206"


def test_a_law_that_turns_is_planned_in_its_valley_and_says_where_it_turns():
    """The printed law falls to a loss of .004 at N = C/6; its valley lies at 6.45e9, its crest at 7.3e10 (brute
    force).
    """
    made = published(FARSEER)
    plan = allocate(made, budget=1e22)
    assert plan.n.value == pytest.approx(6.45e9, rel=5e-3)
    assert plan.loss.value == pytest.approx(0.8261, abs=1e-4)
    (said,) = [each for each in plan.findings if each.code == "law-turns"]
    assert "falls again above N = 7.3" in said.message
    with pytest.raises(IsoflopError, match="no compute-optimal size at 1e.24 FLOPs: .* larger models"):
        allocate(made, budget=1e24)  # the valley is gone there
    assert "law-turns" not in {each.code for each in allocate(published("chinchilla:epoch"), budget=1e22).findings}


@pytest.mark.parametrize("name", ["chinchilla", "skaling", "kaplan"])
def test_numeric_and_closed_form_agree(name):
    rng = np.random.default_rng(0)
    each = law(name)
    ranges = {"E": (0.5, 2), "alpha": (0.15, 0.7), "beta": (0.15, 0.7), "k": (0.2, 2.0)}
    ranges |= {"alpha_N": (0.05, 0.2), "alpha_D": (0.05, 0.2)}
    logs = {"A": (3, 8), "B": (3, 10), "N_c": (27, 33), "D_c": (27, 33)}
    params = {
        key: rng.uniform(*ranges[key], 200) if key in ranges else np.exp(rng.uniform(*logs[key], 200))
        for key in each.param_names
    }
    for budget in (1e18, 1e21, 1e25):
        n, d = closed_form(each, params, budget)
        searched = searched_optimum(each, params, budget)
        inside = searched.inside
        assert inside.mean() > 0.9
        assert n[inside] == pytest.approx(searched.n[inside], rel=1e-8)
        assert d[inside] == pytest.approx(searched.d[inside], rel=1e-8)
        best = optimum(each, params, budget)
        assert np.array_equal(best.n[inside], n[inside])
        assert best.loss[inside] == pytest.approx(searched.loss[inside], rel=1e-14)


@pytest.mark.parametrize(
    "changed", [{"beta": -0.1}, {"alpha": -0.1}, {"A": 0.0}, {"k": -0.5}, {"A": 1e-300}], ids=lambda each: str(each)
)
def test_draws_without_a_minimum_are_searched_for_their_end(changed):
    each = law("skaling")
    usual = {"E": 1.7, "A": 3.8e4, "B": 4.6e5, "alpha": 0.6, "beta": 0.65, "k": 0.5}
    params = {key: np.array([value, changed.get(key, value), value]) for key, value in usual.items()}
    best, searched = optimum(each, params, 1e21), searched_optimum(each, params, 1e21)
    assert best.inside.tolist() == searched.inside.tolist() == [True, False, True]
    assert best.n == pytest.approx(searched.n, rel=1e-8) and best.loss == pytest.approx(searched.loss, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("E + A/N^alpha + B/D^beta", True),
        ("A/N^alpha + B/D^alpha", True),
        ("1.69 + 2*A/N^alpha + B*D^(-beta)", True),
        ("E + A/N^alpha + B/D^beta + F/(N*D)^gamma", False),
        ("((N_c/N)^(alpha/beta) + D_c/D)^beta", True),
        ("E + (A/N^alpha + B/D^beta)^k", True),
        ("E + F*(A/N^alpha + B/D^beta)^k", True),
        ("E + (A/N^alpha + B/D^beta + F)^k", True),
        ("E + (A/N^alpha + B/D^beta)^k + F/N^alpha", False),
        ("E + (A/N^alpha + B/D^beta)^(N^k)", False),
        ("E + (A/(N + F)^alpha + B/D^beta)^k", False),
        ("E + A*exp(-N)/N^alpha + B/D^beta", False),
    ],
)
def test_the_closed_form_is_recognised_by_the_formula(text, known):
    typed = law(text)
    ones = {label: np.array([0.5]) for label in typed.param_names}
    assert (closed_form(typed, ones, 1e20) is not None) == known


def test_kaplans_form_has_the_exponent_of_its_constants():
    # for ((N_c/N)^(a/b) + D_c/D)^b the optimum has D ∝ N^(a/b), so N ∝ C^(1/(1 + a/b))
    each = law("kaplan")
    params = arrays({"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103})
    one, two = (optimum(each, params, budget).n[0] for budget in (1e21, 1e22))
    assert np.log10(two / one) == pytest.approx(1 / (1 + 0.076 / 0.103), rel=1e-9)


@pytest.fixture
def ensemble(known_runs):
    return bootstrap(fit(law("chinchilla"), known_runs(0.003)), draws=200)


def test_a_plan_pushes_every_number_through_the_draws(ensemble):
    plan = allocate(ensemble, budget=1e23)
    p = ensemble.estimate.params
    a = p["beta"] / (p["alpha"] + p["beta"])
    scale = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
    assert plan.n.value == pytest.approx(scale * (1e23 / 6) ** a, rel=1e-9)
    assert plan.d.value == pytest.approx(1e23 / 6 / plan.n.value, rel=1e-12)
    assert plan.exponent_a.value == pytest.approx(a, rel=1e-9)
    exponents = ensemble.evaluate(lambda q: q["beta"] / (q["alpha"] + q["beta"]))
    assert (plan.exponent_a.low, plan.exponent_a.high) == pytest.approx(np.quantile(exponents, [0.05, 0.95]), rel=1e-8)
    for each in (plan.n, plan.d, plan.ratio, plan.loss, plan.exponent_a):
        assert each.low < each.value < each.high
    assert plan.method == "closed form"


def test_the_band_is_flat_and_no_wider(ensemble):
    plan = allocate(ensemble, budget=1e22, within=0.001)
    for n, d in zip(plan.band.n, reversed(plan.band.d), strict=True):
        assert 6 * n * d == pytest.approx(1e22, rel=1e-9)
        loss = float(ensemble.estimate.predict({"N": n, "D": d}))
        assert loss / plan.law_loss.value == pytest.approx(1.001, rel=1e-9)
    assert plan.band.n[0] < plan.n.value < plan.band.n[1]


def tokens_at(p, n, loss):
    return (p["B"] / (loss - p["E"] - p["A"] / n ** p["alpha"])) ** (1 / p["beta"])


def test_serving_many_tokens_asks_for_a_smaller_model(ensemble):
    plan = allocate(ensemble, budget=1e22)
    few, many = (inference_aware(ensemble, plan, tokens=tokens) for tokens in (1e9, 1e13))
    assert many.n.value < few.n.value <= plan.n.value * 1.001
    assert few.n.value == pytest.approx(plan.n.value, rel=0.05)
    for each in (few, many):
        assert float(ensemble.estimate.predict({"N": each.n.value, "D": each.d.value})) == pytest.approx(
            plan.law_loss.value, rel=1e-6
        )
        # no neighbor is cheaper
        for factor in (0.97, 1.03):
            n = each.n.value * factor
            rest = (
                plan.law_loss.value
                - ensemble.estimate.params["E"]
                - ensemble.estimate.params["A"] / n ** ensemble.estimate.params["alpha"]
            )
            d = (ensemble.estimate.params["B"] / rest) ** (1 / ensemble.estimate.params["beta"])
            assert 6 * n * d + 2 * n * each.tokens > each.compute.value * (1 - 1e-9)
    assert 0 < many.saved.low < many.saved.value < many.saved.high < 1
    assert many.flops.value == pytest.approx(6 * many.n.value * many.d.value, rel=1e-12)
    at_break_even = many.break_even.value
    half = plan.n.value / 2
    d = tokens_at(ensemble.estimate.params, half, plan.law_loss.value)
    assert 6 * half * d + 2 * half * at_break_even == pytest.approx(1e22 + 2 * plan.n.value * at_break_even, rel=1e-6)


def made(text, **params):
    typed = law(text)
    return Estimate(typed, params, DataSummary("made", "nats/token", ranges={"N": (1e7, 1e10), "D": (1e9, 1e12)}))


def test_a_law_without_an_optimum_says_so(ensemble):
    from isoflop.uncertainty import Ensemble

    flat = made("E + A/N^alpha + B/D^beta", E=1.0, A=400.0, alpha=0.3, B=1e-300, beta=0.3)
    with pytest.raises(IsoflopError, match="falls all the way to larger models"):
        allocate(Ensemble(flat, np.array([list(flat.params.values())]), method="none", seed=0), budget=1e21)


@pytest.mark.parametrize("budget", [0.0, -1.0, float("nan"), float("inf")])
def test_a_budget_must_be_positive(ensemble, budget):
    with pytest.raises(IsoflopError, match="the budget must be a positive number of FLOPs"):
        allocate(ensemble, budget=budget)


def test_a_law_without_tokens_cannot_plan(known_runs):
    alone = bootstrap(fit(law("power-n"), known_runs(0.01)), draws=30)
    with pytest.raises(IsoflopError, match="a plan needs a law in N and D; power-n has N"):
        allocate(alone, budget=1e21)


def test_the_loss_of_a_plan_is_that_of_its_model_and_the_new_run_contains_it(ensemble):
    for budget in (1e21, 1e23, 1e25):
        plan = allocate(ensemble, budget=budget)
        there = forecast(ensemble, {"N": plan.n.value, "D": plan.d.value})
        pairs = [(plan.loss, there.expected), (plan.prediction, there.loss)]
        pairs += [(plan.law_loss, there.law_expected), (plan.law_prediction, there.law_loss)]
        for one, other in pairs:
            assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), rel=1e-9)
        assert plan.model_error_share == pytest.approx(there.model_error_share, rel=1e-6)
        for mean, run in ((plan.loss, plan.prediction), (plan.law_loss, plan.law_prediction)):
            assert run.low < mean.low < mean.high < run.high
        # each draw at its own best size does no worse than at that of the plan
        assert plan.least_loss.low <= plan.law_loss.low and plan.least_loss.high <= plan.law_loss.high
        assert plan.least_loss.value == pytest.approx(plan.law_loss.value, rel=1e-12)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({}, "compute-optimal"),
        ({"params": 1e9}, "given size"),
        ({"tokens": 1e12}, "given tokens"),
        ({"served": 1e13}, "inference-aware"),
    ],
)
def test_one_model_is_recommended(ensemble, asked, why):
    found = answer(ensemble, budget=1e23, **asked)
    best = found.recommended
    assert best.why == why and best.flops.value == pytest.approx(6 * best.n.value * best.d.value, rel=1e-9)
    there = forecast(ensemble, {"N": best.n.value, "D": best.d.value})
    assert best.loss == there.expected and best.prediction == there.loss
    if why == "compute-optimal":
        assert best.n == found.plan.n and best.d == found.plan.d
    elif why == "inference-aware":
        assert best.n == found.served.n and best.n.value < found.plan.n.value
        # as far from N* as the law's own answer is from its optimum, at the same training and serving compute
        own = inference_aware(ensemble, found.plan.law, tokens=1e13 * found.plan.shift)
        assert best.n.value == pytest.approx(own.n.value * found.plan.shift, rel=1e-9)
        assert found.served.compute.value == pytest.approx(own.compute.value, rel=1e-9)
    else:
        assert (best.n.value, best.d.value) == (found.fixed.n, found.fixed.d)
        at = {"N": best.n.value / found.plan.shift, "D": best.d.value * found.plan.shift}
        assert found.fixed.waste.loss.value == pytest.approx(float(ensemble.estimate.predict(at)), rel=1e-9)
    # shapes are looked for at the model that is recommended
    assert found.shapes.wanted == best.n.value
