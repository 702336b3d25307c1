"""What a wrong size wastes, and plans whose size or tokens are given."""

import numpy as np
import pytest

from isoflop import bootstrap, fit, law
from isoflop.errors import IsoflopError
from isoflop.planning.allocate import allocate
from isoflop.planning.constrained import with_params, with_tokens
from isoflop.planning.published import published
from isoflop.planning.waste import compute_penalty

BUDGET = 1e22


@pytest.fixture(scope="module")
def ensemble(make_known_runs):
    return bootstrap(fit(law("chinchilla"), make_known_runs(0.003)), draws=200)


@pytest.fixture(scope="module")
def plan(ensemble):
    return allocate(ensemble, budget=BUDGET)


def best_loss(p, budget):
    """E + k C^-γ, Chinchilla's loss along its own optima."""
    ab = p["alpha"] + p["beta"]
    scale = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / ab)
    n = scale * (budget / 6) ** (p["beta"] / ab)
    return p["E"] + p["A"] / n ** p["alpha"] + p["B"] / (budget / 6 / n) ** p["beta"]


def test_the_best_size_wastes_nothing(ensemble, plan):
    assert compute_penalty(ensemble, budget=BUDGET, params=plan.n.value).share.value == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("factor", [0.1, 0.5, 4.0])
def test_the_rest_of_the_budget_would_reach_the_same_loss(ensemble, plan, factor):
    size = plan.n.value * factor
    found = compute_penalty(ensemble, budget=BUDGET, params=size)
    p = ensemble.estimate.params
    off = p["E"] + p["A"] / size ** p["alpha"] + p["B"] / (BUDGET / 6 / size) ** p["beta"]
    assert found.loss.value == pytest.approx(off, rel=1e-12)
    assert best_loss(p, BUDGET - found.flops.value) == pytest.approx(off, rel=1e-9)
    assert found.share.value == pytest.approx(found.flops.value / BUDGET)
    # each draw's waste, by the closed form solved for the budget in logarithms
    draws = ensemble.draws
    goal = draws["E"] + draws["A"] / size ** draws["alpha"] + draws["B"] / (BUDGET / 6 / size) ** draws["beta"]
    gamma = draws["alpha"] * draws["beta"] / (draws["alpha"] + draws["beta"])
    needed = BUDGET * ((goal - draws["E"]) / (best_loss(draws, BUDGET) - draws["E"])) ** (-1 / gamma)
    assert (found.flops.low, found.flops.high) == pytest.approx(np.quantile(BUDGET - needed, [0.05, 0.95]), rel=1e-6)


def test_a_law_without_a_closed_form_wastes_the_same():
    # a third term of no weight keeps the closed form from being recognized
    plain = published("chinchilla:epoch")
    n = allocate(plain, budget=BUDGET).n.value
    p = plain.estimate.params
    numeric = law("E + A/N^alpha + B/D^beta + F/(N*D)^gamma")
    made = fit_of(numeric, {**p, "F": 1e-30, "gamma": 0.3})
    assert allocate(made, budget=BUDGET).method == "numeric"
    assert compute_penalty(made, budget=BUDGET, params=3 * n).share.value == pytest.approx(
        compute_penalty(plain, budget=BUDGET, params=3 * n).share.value, rel=1e-6
    )


def fit_of(typed, params):
    from dataclasses import replace

    from isoflop.uncertainty import Ensemble

    plain = published("chinchilla:epoch").estimate
    ordered = {label: params[label] for label in typed.param_names}
    return Ensemble(replace(plain, law=typed, params=ordered), np.empty((0, len(ordered))), method="none", seed=0)


def test_a_given_size_takes_all_the_tokens_that_are_left(ensemble, plan):
    fixed = with_params(ensemble, plan, params=plan.n.value / 8)
    assert 6 * fixed.n * fixed.d == pytest.approx(BUDGET)
    assert fixed.ratio == pytest.approx(fixed.d / fixed.n) and fixed.over == pytest.approx(64)
    assert fixed.waste.loss.value > plan.loss.value
    assert fixed.waste.loss.low < fixed.waste.loss.value < fixed.waste.loss.high


def test_given_tokens_are_the_same_question_from_the_other_side(ensemble, plan):
    by_size = with_params(ensemble, plan, params=plan.n.value / 8)
    by_tokens = with_tokens(ensemble, plan, tokens=by_size.d)
    assert by_tokens.n == pytest.approx(by_size.n)
    assert by_tokens.waste.flops.value == pytest.approx(by_size.waste.flops.value)
    assert "tokens-to-spare" in {each.code for each in by_tokens.findings}
    scarce = with_tokens(ensemble, plan, tokens=plan.d.value / 2)
    assert scarce.findings == () and scarce.n == pytest.approx(2 * plan.n.value)


def test_what_wastes_most_of_a_budget_is_doubted(ensemble, plan):
    assert "far-from-optimal" in {each.code for each in with_params(ensemble, plan, params=1e6).findings}


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda e, p: with_params(e, p, params=0.0), "the model size must be a positive number of parameters, not 0"),
        (lambda e, p: with_tokens(e, p, tokens=-1.0), "the training tokens must be a positive number"),
        (lambda e, p: with_tokens(e, p, tokens=1e30), "leave 1.67e-09 parameters"),
        (lambda e, p: compute_penalty(e, budget=0.0, params=1.0), "the budget must be a positive number of FLOPs"),
        (lambda e, p: compute_penalty(e, budget=1e20, params=float("nan")), "the model size must be a positive number"),
    ],
)
def test_what_cannot_be_asked_is_refused(ensemble, plan, ask, says):
    with pytest.raises(IsoflopError, match=says):
        ask(ensemble, plan)
