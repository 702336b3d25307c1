"""Which runs decide: exact refits, the curvature beside them, greedy removals; Epoch's 245 runs as the known case."""

import numpy as np
import pytest

from isoflop import fit, fix, huber, influence, law, squares
from isoflop.errors import IsoflopError
from isoflop.fitting import objective
from isoflop.fitting.fit import problem
from isoflop.laws.optimum import closed_form
from isoflop.runs import Runs
from isoflop.validation import influence as influence_module
from isoflop.validation import removal
from isoflop.validation.answers import question
from isoflop.validation.curvature import left_out_by_newton
from isoflop.validation.removal import Refits

CHINCHILLA = law("chinchilla")
GOPHER = 5.76e23


def n_star(fitted, budget):
    return float(closed_form(fitted.law, {k: np.array([v]) for k, v in fitted.params.items()}, budget)[0][0])


@pytest.fixture(scope="module")
def epoch(epoch245):
    return influence(fit(CHINCHILLA, epoch245), budget=GOPHER)


def test_epochs_outliers_move_the_optimum_from_73_to_119_billion(epoch):
    effect = epoch.effect("N*")
    assert effect.value.value == pytest.approx(118.7e9, rel=1e-3)
    (outliers,) = (each for each in epoch.removals if each.how == "outliers")
    assert {epoch.labels[run] for run in outliers.runs[:5]} == {f"row {row}" for row in range(1, 6)}
    assert outliers.values[4] == pytest.approx(73.19e9, rel=1e-3)  # the replication's 240 runs
    (down,) = (each for each in epoch.removals if each.how == "down")
    assert [epoch.labels[run] for run in down.runs[:4]] == ["row 1", "row 2", "row 3", "row 4"]
    codes = [finding.code for finding in epoch.findings]
    assert {"outliers-move", "outliers"} <= set(codes)
    said = next(each for each in epoch.findings if each.code == "outliers-move").message
    assert "N* is 119B with all runs" in said and "row 5 73.2B" in said


@pytest.fixture(scope="module")
def by_squares(epoch245):
    return influence(fit(CHINCHILLA, epoch245, objective=squares(space="raw")), budget=GOPHER)


def test_least_squares_move_further(by_squares):
    (outliers,) = (each for each in by_squares.removals if each.how == "outliers")
    assert by_squares.effect("N*").value.value == pytest.approx(282.6e9, rel=1e-3)
    assert outliers.values[4] == pytest.approx(96.2e9, rel=1e-3)


def test_few_runs_decide_by_squares(by_squares, epoch245):
    """By Huber's loss five to seven runs do as the draws fall, which one in 14 simulated tables does too."""
    few = next(each for each in by_squares.findings if each.code == "few-runs-decide")
    (down,) = (each for each in by_squares.removals if each.how == "down")
    assert len(down.runs) == 3
    selection = few.remedy.rpartition("--where ")[2].strip('".')
    pasted = fit(CHINCHILLA, epoch245.where(selection), objective=squares(space="raw"))
    assert n_star(pasted, GOPHER) == pytest.approx(down.values[-1], rel=1e-5)


def test_left_out_runs_are_those_of_a_fit_without_them(epoch, epoch245):
    effect = epoch.effect("N*")
    for row in (1, 13, 245):
        alone = fit(CHINCHILLA, epoch245.where(f"row != {row}"))
        assert effect.without[row - 1] == pytest.approx(n_star(alone, GOPHER), rel=1e-5)
        for name in ("alpha", "E"):
            assert epoch.effect(name).without[row - 1] == pytest.approx(alone.params[name], rel=1e-5)


def test_removals_are_those_of_a_fit_without_them(epoch, epoch245):
    for path in epoch.removals:
        rows = [epoch.rows[run][0] for run in path.runs[:4]]
        alone = fit(CHINCHILLA, epoch245.where(f"row not in {rows}"))
        assert path.values[3] == pytest.approx(n_star(alone, GOPHER), rel=1e-5)


@pytest.mark.parametrize("text", ["lsq", "raw-lsq", "student-t", "huber:0.05"])
def test_curvature_and_refits_agree_where_the_objective_is_smooth(known_runs, text):
    runs = known_runs(0.005, sizes=9, durations=9)
    found = influence(fit(CHINCHILLA, runs, objective=objective(text)))
    for name in ("N*", "forecast", "alpha", "E"):
        effect = found.effect(name)
        assert effect.agreement > 0.99
        near = effect.answer.change(effect.curvature, effect.value.value)
        assert np.linalg.norm(near - effect.moves) < 0.25 * np.linalg.norm(effect.moves)


def test_curvature_and_refits_agree_to_first_order(known_runs):
    """Each run four times: leaving out one copy is a quarter of the step, and the approximation errs less."""
    runs = known_runs(0.003)
    errors = []
    for copies in (1, 4):
        many = Runs.from_columns({name: np.tile(runs[name], copies) for name in ("N", "D", "loss")})
        effect = influence(fit(CHINCHILLA, many, objective=squares())).effect("forecast")
        near = effect.answer.change(effect.curvature, effect.value.value)
        errors.append(np.linalg.norm((near - effect.moves)[:30]) / np.linalg.norm(effect.moves[:30]))
    assert errors[1] < 0.4 * errors[0]


def test_absolute_deviations_have_no_curvature(known_runs):
    found = influence(fit(CHINCHILLA, known_runs(0.005, sizes=4, durations=4), objective=objective("lad")), draws=40)
    assert found.effect("N*").curvature is None and np.isnan(found.effect("N*").agreement)
    assert np.isfinite(found.effect("N*").without).all()


def test_the_jack_knife_agrees_with_the_bootstrap(known_runs):
    found = influence(fit(CHINCHILLA, known_runs(0.005, sizes=9, durations=9), objective=squares()))
    for name in ("exponent a", "forecast"):
        effect = found.effect(name)
        half = (effect.value.high - effect.value.low) / 2
        assert effect.standard_error == pytest.approx(half / 1.645, rel=0.3)


def test_a_planted_run_is_found_first(known_runs):
    loss = known_runs(0.003)["loss"].copy()
    loss[4] *= 1.15
    found = influence(fit(CHINCHILLA, known_runs(0.003).with_column("loss", loss), objective=squares()))
    assert found.labels[found.strongest("N*", count=1)[0]] == "row 5"
    assert found.outliers.rows == (5,)


@pytest.mark.slow
def test_few_runs_are_said_to_decide_in_few_clean_tables(known_runs):
    """Without outliers the finding may come by chance; measured: 2 of 48."""
    fired = 0
    for text in ("huber:1e-3", "lsq"):
        for seed in range(20):
            fitted = fit(CHINCHILLA, known_runs(0.005, seed=seed), objective=objective(text))
            fired += "few-runs-decide" in [each.code for each in influence(fitted, draws=200).findings]
    assert fired <= 5


def test_checkpoints_of_a_run_go_together(known_runs):
    runs = known_runs(0.003).with_column("run", [f"r{row // 2}" for row in range(30)])
    found = influence(fit(CHINCHILLA, runs))
    assert len(found.labels) == 15 and found.labels[3] == "run r3" and found.rows[3] == (7, 8)
    alone = fit(CHINCHILLA, runs.where("run != 'r3'"))
    assert found.effect("alpha").without[3] == pytest.approx(alone.params["alpha"], rel=1e-5)


def test_a_law_without_an_optimum_is_asked_for_its_forecast(known_runs):
    runs = known_runs(0.003)
    fitted = fit(law("power-d-floor"), runs.where("N > 5e9"))
    found = influence(fitted, at={"D": 1e12})
    assert found.decided == "forecast" and found.asked.budget is None
    assert found.effect("forecast").value.value == pytest.approx(float(fitted.predict({"D": 1e12})))


def test_the_answer_that_decides_can_be_chosen(known_runs):
    found = influence(fit(CHINCHILLA, known_runs(0.003)), decide="alpha")
    (up,) = (each for each in found.removals if each.how == "up")
    assert up.values[0] == pytest.approx(np.nanmax(found.effect("alpha").without))


def test_questions_have_closed_forms(known_runs):
    fitted = fit(CHINCHILLA, known_runs())
    asked = question(fitted, budget=GOPHER)
    p = fitted.params
    assert asked.find("N*").value(fitted) == pytest.approx(n_star(fitted, GOPHER), rel=1e-6)
    assert asked.find("exponent a").value(fitted) == pytest.approx(p["beta"] / (p["alpha"] + p["beta"]), rel=1e-6)
    assert asked.find("forecast").value(fitted) == pytest.approx(float(fitted.predict(asked.at)))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"budget": -1.0}, "the budget must be a positive number of FLOPs, not -1"),
        ({"at": {"N": 1e9}}, "takes --at N=…, --at D=…; D is missing"),
        ({"at": {"N": 1e9, "D": 1e10, "U": 3.0}}, "U is no input of it"),
        ({"decide": "gamma"}, "'gamma' is no answer of this law; there are N*, exponent a, forecast, E, A"),
    ],
)
def test_bad_questions(known_runs, words, says):
    with pytest.raises(IsoflopError) as error:
        influence(fit(CHINCHILLA, known_runs(0.003)), **words)
    assert says in str(error.value)


def test_runs_that_none_can_be_spared_of(known_runs):
    few = known_runs(0.003).where("row <= 6")
    with pytest.raises(IsoflopError, match="6 runs cannot spare one for the 5 parameters of chinchilla"):
        influence(fit(CHINCHILLA, few))
    fewer = fix(CHINCHILLA, {"E": 1.8, "alpha": 0.34, "beta": 0.36})
    assert len(influence(fit(fewer, few, objective=huber())).labels) == 6


def test_a_newton_step_foretells_the_refit_without_a_run(known_runs):
    """Of squares, whose curvature no run changes by leaps: its own move of the optimum, to a hundredth."""
    runs = known_runs(0.003, sizes=8)
    fitted = fit(CHINCHILLA, runs, objective=squares())
    ready = problem(CHINCHILLA, runs, objective=squares())
    gone = np.isin(np.arange(len(runs)), [3, 17])
    ask = Refits(ready, fitted, None)
    start = ask.without(gone, np.array([3]), fitted.theta)[0]
    left = np.flatnonzero(~gone)
    exact = ask.without(gone, left, start)
    near, leverage = left_out_by_newton(ready, fitted, start, gone)
    apart = np.linalg.norm(near[left] - exact, axis=1) / np.linalg.norm(exact - start, axis=1)
    assert np.quantile(apart, 0.9) < 0.1 and np.median(apart) < 0.02
    assert leverage[left].sum() == pytest.approx(5, rel=0.05) and not leverage[gone].any()


@pytest.mark.parametrize("seed", [0, 1])
def test_the_greedy_search_chooses_as_if_it_tried_every_run(known_runs, monkeypatch, seed):
    runs = known_runs(0.01, sizes=10, durations=9, seed=seed)
    fitted = fit(CHINCHILLA, runs)
    monkeypatch.setattr(influence_module, "few_by_chance", lambda *a, **k: None)
    quick = influence(fitted, budget=GOPHER, draws=40)
    monkeypatch.setattr(removal, "_CANDIDATES", len(runs))
    whole = influence(fitted, budget=GOPHER, draws=40)
    for one, other in zip(quick.removals, whole.removals, strict=True):
        assert len(one.runs) > 1 or one.how == "outliers"
        assert one.values == pytest.approx(other.values, rel=1e-6)
