"""The scale of residuals: logarithm, response, log odds; a score fitted by its log odds stays between 0 and 1."""

import numpy as np
import pytest
from scipy.optimize import least_squares

import isoflop
from isoflop.errors import DataError, FitError
from isoflop.fitting import objective
from isoflop.fitting.objective.space import from_scale, moved, slope, to_scale
from isoflop.uncertainty.predictive import predictive

LAW = "acc ~ c/(1 + (m/N)^a)"


@pytest.fixture(scope="module")
def runs():
    rng = np.random.default_rng(0)
    n = np.geomspace(1e7, 3e9, 24)
    odds = to_scale(0.95 / (1 + (3e8 / n) ** 0.6), "logit") + 0.05 * rng.standard_normal(24)
    return isoflop.Runs.from_columns({"N": n, "acc": from_scale(odds, "logit")})


@pytest.mark.parametrize("space", ["log", "raw", "logit"])
def test_a_scale_and_its_inverse(space):
    score = np.array([0.01, 0.3, 0.5, 0.97])
    assert np.allclose(from_scale(to_scale(score, space), space), score, rtol=1e-14)
    step = 1e-6
    rise = (to_scale(score + step, space) - to_scale(score - step, space)) / (2 * step)
    assert np.allclose(slope(score, space), rise, rtol=1e-6)
    assert np.allclose(to_scale(moved(score, 0.2, space), space), to_scale(score, space) + 0.2)


def test_what_has_no_log_odds_stays():
    assert moved(np.array([-0.1, 0.0, 1.0, 1.2]), 0.5, "logit").tolist() == [-0.1, 0.0, 1.0, 1.2]
    assert np.isfinite(from_scale(np.array([-1e9, 1e9]), "logit")).all()


def test_the_optimum_is_that_of_another_solver(runs):
    found = isoflop.fit(isoflop.law(LAW), runs, objective=isoflop.squares(space="logit"))

    def residual(theta):
        curve = np.exp(theta[0]) / (1 + np.exp(np.exp(theta[2]) * (theta[1] - np.log(runs["N"]))))
        return np.log(curve / (1 - curve)) - np.log(runs["acc"] / (1 - runs["acc"]))

    theirs = least_squares(residual, [np.log(0.9), np.log(2e8), np.log(0.5)], xtol=1e-15, ftol=1e-15, gtol=1e-15)
    assert found.value == pytest.approx(2 * theirs.cost, rel=1e-9)
    assert found.params["a"] == pytest.approx(np.exp(theirs.x[2]), rel=1e-5)
    assert np.allclose(np.sort(found.data.residuals), np.sort(residual(theirs.x)), atol=1e-6)


@pytest.mark.parametrize("text", ["logit-lsq", "logit-huber:0.05", "logit-lad", "logit-student-t"])
def test_every_objective_takes_log_odds(runs, text):
    found = isoflop.fit(isoflop.law(LAW), runs, objective=objective(text))
    assert found.objective.name == text and found.data.space == "logit"
    assert found.params["a"] == pytest.approx(0.6, abs=0.06)


def test_forecasts_are_scores(runs, tmp_path):
    drawn = isoflop.bootstrap(isoflop.fit(isoflop.law(LAW), runs, objective=isoflop.squares(space="logit")), draws=100)
    points = {"N": np.array([1e7, 1e9, 3e10])}
    said = predictive(drawn, points)
    for low, high in (said.loss, said.law_loss, said.mean):
        assert (low > 0).all() and (high < 1).all() and (low < high).all()
    assert (said.law_loss[0] < said.value).all() and (said.value < said.law_loss[1]).all()
    isoflop.save_fit(drawn, tmp_path / "fit.json")
    again = predictive(isoflop.load_fit(tmp_path / "fit.json"), points)
    assert np.allclose(again.loss[1], said.loss[1], rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda acc: 100 * acc, r"24 of 24 runs .* acc ≤ 0 or ≥ 1 .*a percentage: --derive \"share = acc/100\""),
        (
            lambda acc: np.where(np.arange(24) == 3, 1.0, acc),
            r"1 of 24 runs .*\(row 4\).*--where \"acc > 0 and acc < 1\"",
        ),
    ],
)
def test_scores_without_log_odds_are_refused(runs, change, says):
    with pytest.raises(DataError, match=says):
        isoflop.fit(
            isoflop.law(LAW),
            runs.with_column("acc", change(runs["acc"])),
            objective=isoflop.squares(space="logit"),
        )


def test_an_unknown_objective_names_both_prefixes():
    with pytest.raises(FitError, match="raw- or logit-"):
        objective("logits-lsq")


@pytest.mark.parametrize(
    ("file", "where", "derive", "text", "far"),
    [
        (
            "pythia-evals/lambada_by_checkpoint.csv", "acc > 0.02 and tokens > 2e11", {}, "acc = E - A/N^a",
            {"N": [1e8, 1e11, 1e15]},
        ),
        (
            "olmo-ladder/ladder_final_checkpoints.csv", None, {"quiz": "`acc/arc_easy_val_rc_5shot_len_norm`"},
            "quiz = E - A/N^a", {"N": [1e8, 1e11, 1e15]},
        ),
        (
            "observational-scaling/base_llm_benchmark_eval.csv", "finite(C) and finite(MMLU)", {},
            "MMLU = 0.25 + E/(1 + (B/C)^a)", {"C": [1e18, 1e26, 1e32]},
        ),
    ],
)  # fmt: skip
def test_public_scores_are_forecast_between_zero_and_one(tables, file, where, derive, text, far):
    found = isoflop.read_runs(tables / file, where=where, derive=derive)
    top = 0.75 if "0.25" in text else 1.0
    chosen = isoflop.law(text, domains={"E": (0.3, top)})
    drawn = isoflop.bootstrap(
        isoflop.fit(chosen, found, objective=isoflop.squares(space="logit")), draws=40, restarted=0
    )
    said = predictive(drawn, {name: np.array(values) for name, values in far.items()})
    for low, high in (said.loss, said.law_loss, said.mean):
        assert (low > 0).all() and (high < 1).all() and (low < high).all()
    assert (np.diff(said.value) > 0).all()
