"""The project's estimators held to worlds whose truth is known: where they are right, where biased, and by how much."""

import numpy as np
import pytest

from isoflop import bootstrap, fit, huber, law, squares
from isoflop.lab.worlds import low_rank, low_rank_population, random_features_data, random_features_width, zipf
from isoflop.runs import Runs

ADDITIVE = "A/N^alpha + B/D^beta"
# Constants of Besiroglu et al. 2024 for the additive world.
TRUE = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}


def share_of_params(p):
    """The exponent a in N_opt ∝ C^a."""
    return p["beta"] / (p["alpha"] + p["beta"])


def log_residuals(fitted, runs):
    inputs = {name: runs[name] for name in fitted.law.input_names}
    return np.log(fitted.law.value(fitted.params, inputs)) - np.log(runs["loss"])


def isoflop_parabolas(runs):
    """The exponent a through the minima of one parabola a budget, loss against log N."""
    budgets = np.unique(runs["budget"])
    minima = []
    for budget in budgets:
        at = runs.take(runs["budget"] == budget)
        curvature, tilt, _ = np.polyfit(np.log(at["N"]), at["loss"], 2)
        assert curvature > 0
        minima.append(-tilt / 2 / curvature)
    return np.polyfit(np.log(budgets), minima, 1)[0]


# --- the low-rank source: a known entropy, approached not quite as a power law


@pytest.fixture(scope="module")
def trained():
    return low_rank()


@pytest.mark.slow
def test_exponents_of_trained_students(trained):
    # Published from one seed: .527 by the parametric fit, .540 by the parabolas. Six other seeds gave .488 to .520 and
    # .474 to .513: the published pair lies at the edge of what noise does to these two numbers.
    runs, _ = trained
    draws = bootstrap(fit(law("chinchilla"), runs), draws=500)
    parametric = draws.interval(share_of_params)
    assert parametric.value == pytest.approx(0.53, abs=0.06)
    parabolas = isoflop_parabolas(runs)
    assert parabolas == pytest.approx(0.54, abs=0.08)
    assert parametric.low < parabolas < parametric.high


@pytest.mark.slow
def test_fitted_floor_lies_below_the_entropy(trained):
    # Published: 3.405 against 3.5416. Six seeds gave 3.413 to 3.448, so .09 to .13 too low; the 90 % intervals end at
    # 3.50 to 3.51, for they know the noise of the runs and not that the law is an approximation.
    runs, truth = trained
    fitted = fit(law("chinchilla"), runs)
    floor = bootstrap(fitted, draws=500).interval("E")
    assert truth.entropy - 0.2 < floor.value < truth.entropy - 0.05
    assert floor.high > truth.entropy - 0.06
    # What gives the misfit away: without the smallest budget the floor rises beyond its own standard error.
    later = bootstrap(fit(law("chinchilla"), runs.where("budget > 3e8")), draws=500).interval("E")
    assert floor.value + 0.02 < later.value < truth.entropy
    assert later.high > truth.entropy - 0.025


def test_floor_from_sizes_alone_is_biased_low():
    # Published: 3.914 from all seven sizes, 3.808 from the five smallest, against 3.9722; N there leaves out the bias.
    runs, truth = low_rank_population()
    without_bias = Runs.from_columns({"N": runs["N"] - 256, "loss": runs["loss"], "rank": runs["rank"]})
    floors = [
        fit(law("E + A/N^alpha"), rows, objective=squares(space="raw")).params["E"] - truth.entropy
        for rows in (without_bias, without_bias.where("rank <= 16"))
    ]
    assert floors == pytest.approx([-0.058, -0.164], abs=0.02)


# --- Zipf: the law is Kaplan's, not a sum


@pytest.mark.parametrize("objective", [huber(), squares()], ids=lambda each: each.name)
def test_the_right_form_is_the_better_fit(objective):
    runs, truth = zipf()
    sums = fit(law(ADDITIVE), runs, objective=objective)
    kaplan = fit(law("kaplan"), runs, objective=objective)
    assert kaplan.value < 0.5 * sums.value
    assert np.std(log_residuals(kaplan, runs)) < 0.5 * np.std(log_residuals(sums, runs))
    assert kaplan.params["alpha_N"] == pytest.approx(truth.alpha, abs=0.04)
    assert kaplan.params["alpha_D"] == pytest.approx(truth.beta, abs=0.01)
    assert sums.params["alpha"] > truth.alpha + 0.12


def test_published_fits_of_zipf():
    # by squares of log loss: additive .675, .326, rms .139; Kaplan's form .524, .330, rms .056; other samples here
    runs, _ = zipf()
    sums, kaplan = (fit(law(form), runs, objective=squares()) for form in (ADDITIVE, "kaplan"))
    assert [sums.params["alpha"], sums.params["beta"]] == pytest.approx([0.675, 0.326], abs=0.015)
    assert [kaplan.params["alpha_N"], kaplan.params["alpha_D"]] == pytest.approx([0.524, 0.330], abs=0.01)
    assert np.std(log_residuals(sums, runs)) == pytest.approx(0.139, abs=0.015)
    assert np.std(log_residuals(kaplan, runs)) == pytest.approx(0.056, abs=0.015)


def test_a_wrong_form_has_a_narrow_interval_about_a_wrong_exponent():
    runs, truth = zipf()
    wrong = bootstrap(fit(law(ADDITIVE), runs, objective=squares()), draws=300).interval("alpha")
    assert truth.alpha < wrong.low
    right = bootstrap(fit(law("kaplan"), runs, objective=squares()), draws=300).interval("alpha_N")
    assert right.low - 0.02 < truth.alpha < right.high


# --- random features: one exponent, twice


@pytest.mark.parametrize(("world", "axis"), [(random_features_data, "D"), (random_features_width, "N")])
@pytest.mark.parametrize("alpha", [1.0, 2.0])
def test_spectrum_exponent_is_recovered(world, axis, alpha):
    runs, truth = world(alpha=alpha)
    fitted = fit(law(f"A/{axis}^alpha"), runs, objective=squares())
    assert fitted.params["alpha"] == pytest.approx(truth.alpha, abs=0.1)


# --- an additive world: nothing is misspecified, so intervals must hold what they promise


def additive_runs(seed, *, noise):
    """Five budgets of nine sizes about the optimum, with log-normal noise."""
    budgets, shares = (each.ravel() for each in np.meshgrid(np.geomspace(1e18, 1e21, 5), np.geomspace(0.2, 5, 9)))
    params = 0.12 * np.sqrt(budgets / 6) * shares
    tokens = budgets / 6 / params
    exact = law("chinchilla").value(TRUE, {"N": params, "D": tokens})
    noisy = exact * np.exp(noise * np.random.default_rng([1, seed]).standard_normal(len(exact)))
    return Runs.from_columns({"N": params, "D": tokens, "loss": noisy})


@pytest.mark.parametrize("objective", [huber(), squares()], ids=lambda each: each.name)
def test_intervals_cover_the_truth_of_an_additive_world(objective):
    worlds = 100
    quantities = {"E": "E", "alpha": "alpha", "beta": "beta", "a": share_of_params}
    truth = {**TRUE, "a": share_of_params(TRUE)}
    held = dict.fromkeys(quantities, 0)
    centers = dict.fromkeys(quantities, 0.0)
    for seed in range(worlds):
        runs = additive_runs(seed, noise=0.003)
        draws = bootstrap(fit(law("chinchilla"), runs, objective=objective), draws=150, restarted=0)
        for name, quantity in quantities.items():
            interval = draws.interval(quantity, level=0.9)
            held[name] += interval.low <= truth[name] <= interval.high
            centers[name] += interval.value / worlds
    # 90 of 100 with a standard error of 3; Huber's median-like fit is held to the lower end only, its bootstrap is wide
    assert min(held.values()) >= 81
    if objective.word == "lsq":
        assert max(held.values()) <= 97
    assert centers == pytest.approx({name: truth[name] for name in quantities}, rel=0.01)
