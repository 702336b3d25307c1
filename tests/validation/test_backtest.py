import numpy as np
import pytest

from isoflop import Runs, bootstrap, datasets, fit, forecast, law
from isoflop.errors import DataError, FitError, IsoflopError
from isoflop.fitting import squares, student_t
from isoflop.validation.backtest import backtest, backtest_findings
from isoflop.validation.split import hold_out

CHINCHILLA = law("chinchilla")


@pytest.mark.parametrize("objective", [None, squares(), student_t(), squares(space="raw")])
def test_a_weighted_refit_is_the_fit_without_those_runs(known_runs, objective):
    runs = known_runs(0.01, sizes=7, durations=5, seed=3)
    result = backtest(CHINCHILLA, runs, hold_out=hold_out("N"), windows=2, objective=objective, draws=1000)
    for number, window in enumerate(result.windows):
        alone = fit(CHINCHILLA, runs.take(window.train), objective=objective)
        rows = result.held.window == number
        row = result.held.row[rows]
        expected = alone.predict({"N": runs["N"][row], "D": runs["D"][row]})
        assert result.laws[0].value[rows] == pytest.approx(expected, rel=1e-6)
        ensemble = bootstrap(alone, draws=1000, seed=1)
        for place in (0, -1):
            there = forecast(ensemble, {"N": runs["N"][row[place]], "D": runs["D"][row[place]]}).loss
            width = there.high - there.low
            assert result.laws[0].low[rows][place] == pytest.approx(there.low, abs=0.12 * width)
            assert result.laws[0].high[rows][place] == pytest.approx(there.high, abs=0.12 * width)


def test_a_true_law_without_noise_is_exact_and_beats_what_needs_no_law(known_runs):
    result = backtest(CHINCHILLA, known_runs(), hold_out=hold_out("N/4"), draws=50)
    scores = result.scores(result.laws[0])
    assert scores.are.value < 1e-8
    assert all(result.scores(base).are.value > 0.003 for base in result.baselines)
    assert not [finding for finding in backtest_findings(result) if finding.code == "baseline-wins"]


def test_a_wrong_law_is_told_off(known_runs):
    runs = known_runs(0.002, sizes=8)
    result = backtest([CHINCHILLA, law("power-d")], runs, hold_out=hold_out("N"), draws=200)
    codes = {finding.code: finding.message for finding in backtest_findings(result)}
    assert "power-d" in codes["baseline-wins"]
    for model_error in (True, False):
        good, bad = (result.scores(each, model_error=model_error) for each in result.laws)
        assert good.are.value < bad.are.value and good.log_score.value > bad.log_score.value
        assert good.covered >= 4
    assert bad.covered < 4  # if power-d held; its model error is in its residuals, and the default interval has it


@pytest.mark.slow
def test_intervals_hold_nine_new_runs_in_ten(known_runs):
    inside = total = 0
    for seed in range(60):
        result = backtest(CHINCHILLA, known_runs(0.01, sizes=7, seed=seed), hold_out=hold_out("N"), draws=300)
        scores = result.scores(result.laws[0])
        inside, total = inside + scores.covered, total + scores.rows
    assert total == 300
    assert 0.86 < inside / total < 0.98  # 0.95: half a decade out they are a little wide


def test_families_are_predicted_each_from_its_own(known_runs):
    runs = known_runs(0.003, sizes=6, seed=1)
    twice = Runs.from_columns(
        {
            "N": np.tile(runs["N"], 2),
            "D": np.tile(runs["D"], 2),
            "loss": np.concatenate([runs["loss"], 3 * runs["loss"]]),
            "family": np.repeat(["plain", "tripled"], len(runs)),
        }
    )
    joint = backtest(CHINCHILLA, twice, hold_out=hold_out("N"), per_family=True, draws=100)
    alone = backtest(CHINCHILLA, runs, hold_out=hold_out("N"), draws=100)
    plain, tripled = (joint.scores(joint.laws[0], window=number) for number in (0, 1))
    assert plain.are.value == pytest.approx(alone.scores(alone.laws[0]).are.value, rel=1e-6)
    assert tripled.are.value == pytest.approx(plain.are.value, rel=1e-4)
    assert joint.scores(joint.laws[0]).runs == 10


def test_the_largest_size_in_the_box_was_foreseen():
    result = backtest(CHINCHILLA, datasets.load("python-bytes"), hold_out=hold_out("N"))
    scores = result.scores(result.laws[0])
    assert (scores.covered, scores.rows) == (4, 4)
    assert scores.are.value < 0.006
    assert all(result.scores(base).are.value > 2 * scores.are.value for base in result.baselines)


def test_bad_questions_are_refused_in_a_sentence(known_runs):
    runs = known_runs(0.01)
    with pytest.raises(DataError, match="needs 3"):
        backtest(CHINCHILLA, runs, hold_out=hold_out("N:90%"))
    with pytest.raises(DataError, match="leaves 3 to fit, where 6 are needed"):
        backtest(CHINCHILLA, known_runs(0.01, sizes=4, durations=1), hold_out=hold_out("N"))
    with pytest.raises(FitError, match="chinchilla predicts loss and task-accuracy accuracy"):
        backtest([CHINCHILLA, law("task-accuracy")], runs)
    with pytest.raises(IsoflopError, match="needs a law"):
        backtest([], runs)
    with pytest.raises(IsoflopError, match="10 draws"):
        backtest(CHINCHILLA, runs, draws=10)


def test_a_parameter_at_its_bound_is_said_of_a_hold_out(known_runs):
    runs = known_runs(0.01)
    runs = runs.with_column("U", runs["D"])  # nothing is repeated, so the constants of repeating run away
    result = backtest(law("muennighoff"), runs, draws=20)
    bound = [each for each in result.laws[0].findings if each.code == "at-bound"]
    assert bound and all(each.message.startswith("muennighoff without ") for each in bound)
