"""Fits of real runs against published and independently recomputed numbers, and what a fit doubts."""

import numpy as np
import pytest
from scipy.optimize import linprog

from isoflop import Runs, absolute, fit, fix, huber, law, read_runs, squares, student_t, tie
from isoflop.errors import DataError, FitError
from isoflop.fitting import objective
from isoflop.fitting.fit import problem
from isoflop.fitting.solve import solve

CHINCHILLA = law("chinchilla")


@pytest.mark.parametrize("seed", range(5))
def test_huber_on_240_runs_reaches_the_optimum_from_any_starts(epoch240, seed):
    found = fit(CHINCHILLA, epoch240, objective=huber(1e-3), seed=seed)
    assert found.value == pytest.approx(0.0010182740178, rel=1e-9)
    assert found.params["A"] == pytest.approx(477.826, abs=5e-4)
    assert found.params["B"] == pytest.approx(2143.417, abs=5e-4)
    assert found.params["E"] == pytest.approx(1.81722, abs=5e-6)
    assert found.params["alpha"] == pytest.approx(0.34731, abs=5e-6)
    assert found.params["beta"] == pytest.approx(0.36717, abs=5e-6)
    assert found.search.reached >= 0.8 * found.search.starts


def test_absolute_deviations_on_240_runs_are_the_published_headline(epoch240):
    found = fit(CHINCHILLA, epoch240, objective=absolute())
    # 1.1294946996 was reported for this optimum; the optimum itself is 4e-8 lower (see LOG.md)
    assert found.value <= 1.1294946996 * (1 + 1e-9)
    assert found.value == pytest.approx(1.1294946537, rel=1e-9)
    assert found.params["A"] == pytest.approx(482.0057, abs=1e-3)
    assert found.params["B"] == pytest.approx(2085.434, abs=5e-3)
    assert found.params["E"] == pytest.approx(1.816864, abs=1e-6)
    assert found.params["alpha"] == pytest.approx(0.347813, abs=1e-6)
    assert found.params["beta"] == pytest.approx(0.365854, abs=1e-6)


def test_absolute_deviations_are_certified_by_a_linear_programme(epoch240):
    # At an optimum of Σ|r| no small step lowers the linearized sum: solved here by another solver altogether.
    found = fit(CHINCHILLA, epoch240, objective=absolute())
    ready = problem(CHINCHILLA, epoch240, objective=absolute())
    value, jacobian = ready.kernel.value_and_jacobian(found.theta[None], 0, 240)
    residual, slope = value[0] - ready.target, jacobian[0].T
    n, k = slope.shape
    # minimize Σ t subject to −t ≤ r + J s ≤ t, |s| ≤ 1e-4
    above = np.hstack([slope, -np.eye(n)])
    below = np.hstack([-slope, -np.eye(n)])
    bounds = [(-1e-4, 1e-4)] * k + [(0, None)] * n
    cost = np.concatenate([np.zeros(k), np.ones(n)])
    best = linprog(cost, np.vstack([above, below]), np.concatenate([-residual, residual]), bounds=bounds)
    assert best.success
    assert found.value - best.fun < 2e-7


def test_raw_least_squares_on_240_runs(epoch240):
    found = fit(CHINCHILLA, epoch240, objective=squares(space="raw"))
    assert found.value == pytest.approx(0.0832038, abs=5e-8)
    assert found.params == pytest.approx(
        {"E": 1.8828, "A": 567.80, "B": 7581.8, "alpha": 0.3576, "beta": 0.4276}, rel=5e-5
    )


def test_huber_on_all_245_runs(epoch245):
    found = fit(CHINCHILLA, epoch245)
    assert found.value == pytest.approx(0.00182601052, rel=1e-8)
    assert found.params == pytest.approx(
        {"E": 1.89134, "A": 495.73, "B": 12845.6, "alpha": 0.34931, "beta": 0.45305}, rel=1e-5
    )


def test_llama3_isoflop_runs_by_raw_least_squares(tables):
    runs = read_runs(tables / "isoflop-collection" / "isoflops_extract.csv", where="experiment == 'llama_3__raw_loss'")
    found = fit(CHINCHILLA, runs, objective=squares(space="raw")).params
    assert found["E"] == pytest.approx(0.6047, abs=5e-5)
    assert found["alpha"] == pytest.approx(0.3100, abs=5e-5)
    assert found["beta"] == pytest.approx(0.3136, abs=5e-5)


@pytest.mark.parametrize("word", ["huber:1e-3", "raw-huber:1e-3", "lad", "lsq", "raw-lsq", "student-t"])
def test_parameters_in_thousands_change_only_the_amplitude(epoch240, word):
    one = fit(CHINCHILLA, epoch240, objective=objective(word))
    thousands = epoch240.with_column("N", epoch240["N"] / 1000)
    two = fit(CHINCHILLA, thousands, objective=objective(word))
    alpha = one.params["alpha"]
    assert two.params["A"] == pytest.approx(one.params["A"] * 1000**-alpha, rel=1e-9)
    for name in ("E", "B", "alpha", "beta"):
        assert two.params[name] == pytest.approx(one.params[name], rel=1e-9)
    assert two.value == pytest.approx(one.value, rel=1e-9)


@pytest.mark.parametrize("word", ["huber:1e-3", "lad", "lsq", "student-t"])
@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_weights_times_a_constant_change_nothing(epoch240, word, factor):
    ready = problem(CHINCHILLA, epoch240, objective=objective(word))
    starts = ready.starts(count=8, seed=3)
    ones = np.ones((len(starts), 240))
    plain = solve(ready.kernel, ready.target, starts, ready.objective, weights=ones)
    scaled = solve(ready.kernel, ready.target, starts, ready.objective, weights=ones * factor)
    assert scaled.value / factor == pytest.approx(plain.value, rel=1e-9)
    best = plain.value.argmin()
    assert scaled.theta[best] == pytest.approx(plain.theta[best], rel=1e-5)


def test_student_t_is_a_maximum_of_the_likelihood_that_scipy_computes(epoch240):
    from scipy.stats import t

    found = fit(CHINCHILLA, epoch240, objective=student_t(4))
    residual = np.log(found.predict({"N": epoch240["N"], "D": epoch240["D"]})) - np.log(epoch240["loss"])
    likelihood = t.logpdf(residual, 4, scale=found.scale).sum()
    assert found.value == pytest.approx(-likelihood, rel=1e-12)
    for name in found.params:
        for factor in (0.9999, 1.0001):
            moved = CHINCHILLA.value(
                {**found.params, name: found.params[name] * factor}, {"N": epoch240["N"], "D": epoch240["D"]}
            )
            assert t.logpdf(np.log(moved) - np.log(epoch240["loss"]), 4, scale=found.scale).sum() < likelihood


@pytest.mark.parametrize("word", ["huber:1e-3", "lad", "lsq", "student-t", "raw-huber:1e-3", "raw-lsq"])
def test_optimum_is_not_beaten_by_scipy(known_runs, word):
    from scipy.optimize import minimize

    runs = known_runs(0.01)
    chosen = objective(word)
    found = fit(CHINCHILLA, runs, objective=chosen)

    def cost(logs):
        e, a, b, alpha, beta = logs
        curve = np.exp(e) + np.exp(a) / runs["N"] ** alpha + np.exp(b) / runs["D"] ** beta
        r = curve - runs["loss"] if chosen.space == "raw" else np.log(curve / runs["loss"])
        size = np.abs(r)
        if chosen.word == "huber":
            return np.where(size <= 1e-3, r**2 / 2, 1e-3 * (size - 5e-4)).sum()
        if chosen.word == "student-t":
            from scipy.stats import t

            return -t.logpdf(r, 4, scale=found.scale).sum()
        return size.sum() if chosen.word == "lad" else (r**2).sum()

    start = [np.log(found.params[name]) for name in ("E", "A", "B")] + [found.params["alpha"], found.params["beta"]]
    assert cost(start) == pytest.approx(found.value, rel=1e-9)
    best = minimize(cost, start, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-14, "maxiter": 4000})
    assert best.fun >= found.value - 1e-7 * abs(found.value)


def test_fixed_and_tied_laws_fit_worse_and_keep_their_word(epoch240):
    free = fit(CHINCHILLA, epoch240)
    fixed = fit(fix(CHINCHILLA, {"E": 1.69}), epoch240)
    tied = fit(tie(CHINCHILLA, {"beta": "alpha"}), epoch240)
    assert fixed.value > free.value and tied.value > free.value
    at = {"N": np.array([1e9]), "D": np.array([1e11])}
    rest = fixed.params["A"] / 1e9 ** fixed.params["alpha"] + fixed.params["B"] / 1e11 ** fixed.params["beta"]
    assert fixed.predict(at)[0] == pytest.approx(1.69 + rest, rel=1e-12)


def test_a_million_rows_are_fitted(known_runs):
    rng = np.random.default_rng(0)
    n, d = 10 ** rng.uniform(7, 10, 200_000), 10 ** rng.uniform(9, 12, 200_000)
    truth = {"E": 1.8, "A": 400.0, "B": 1000.0, "alpha": 0.34, "beta": 0.34}
    loss = CHINCHILLA.value(truth, {"N": n, "D": d}) * np.exp(rng.normal(0, 0.01, n.size))
    runs = Runs.from_columns({"N": n, "D": d, "loss": loss})
    found = fit(CHINCHILLA, runs, objective=squares())
    assert found.params == pytest.approx(truth, rel=0.01)
    ready = problem(CHINCHILLA, runs, objective=squares())  # the optimum of all rows, not of the sample searched
    begin = ready.coords.from_params(np.array([[truth[name] for name in CHINCHILLA.param_names]]), found.centers)
    assert found.value == pytest.approx(ready.solve(begin, tolerance=1e-13).value[0], rel=1e-11)


def codes(found):
    return {finding.code for finding in found.findings}


def test_too_narrow_and_collinear_runs_are_doubted():
    n = np.logspace(8, 8.5, 12)
    loss = CHINCHILLA.value({"E": 1.8, "A": 400, "B": 1000, "alpha": 0.34, "beta": 0.34}, {"N": n, "D": 20 * n})
    found = fit(CHINCHILLA, Runs.from_columns({"N": n, "D": 20 * n, "loss": loss}))
    assert {"narrow-range", "collinear"} <= codes(found)
    assert codes(found) & {"not-identified", "at-bound"}


def test_two_sizes_are_doubted(known_runs):
    assert "few-sizes" in codes(fit(CHINCHILLA, known_runs(0.001, sizes=2)))


def test_a_term_that_the_runs_do_not_show_is_at_its_bound(known_runs):
    runs = known_runs(0.001, truth={"E": 1e-12, "A": 480.0, "B": 2000.0, "alpha": 0.3, "beta": 0.3})
    found = fit(CHINCHILLA, runs.with_column("loss", runs["loss"] - 0.1))
    assert "at-bound" in codes(found)
    assert any("E is at its bound" in finding.message for finding in found.findings)


def test_a_law_of_another_shape_is_a_misfit(known_runs):
    runs = known_runs(0.001, sizes=8, durations=8)
    assert "structured-residuals" in codes(
        fit(law("E + A/N^alpha + B/D^alpha"), runs.with_column("loss", runs["loss"] + 50 / runs["N"] ** 0.25))
    )
    assert "structured-residuals" not in codes(fit(CHINCHILLA, runs))


def test_clean_runs_raise_no_doubt(known_runs):
    assert codes(fit(CHINCHILLA, known_runs(0.003, sizes=8, durations=8))) == set()


def test_few_runs_for_the_parameters_are_doubted(known_runs):
    assert "few-runs" in codes(fit(CHINCHILLA, known_runs(0.001, sizes=3, durations=3)))


@pytest.mark.parametrize("rows", [1, 4])
def test_fewer_runs_than_parameters_are_refused(known_runs, rows):
    runs = known_runs(0.001)
    few = runs.take(np.arange(len(runs)) < rows)
    with pytest.raises(FitError, match=f"{rows} runs? cannot determine the 5 parameters"):
        fit(CHINCHILLA, few)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (0.0, r"1 of 30 runs of .* has D ≤ 0 \(row 8\); drop them with --where \"D > 0\""),
        (-3.0, "D ≤ 0"),
        (np.nan, "no value of D"),
        (np.inf, "not finite of D"),
    ],
)
def test_values_that_no_law_can_use_are_named_by_row(known_runs, value, says):
    runs = known_runs(0.001)
    tokens = runs["D"].copy()
    tokens[7] = value
    with pytest.raises(DataError, match=says):
        fit(CHINCHILLA, runs.with_column("D", tokens))


def test_a_formula_without_a_finite_value_is_refused(known_runs):
    runs = known_runs(0.001)
    with pytest.raises(FitError, match="no finite value at any of the starts"):
        fit(law("log(0 - A*N)"), runs)
