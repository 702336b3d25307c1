"""Laws that sum over a list in every row, put through every engine that splits, weighs or draws rows."""

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from isoflop import Runs, fit, fix, law, squares
from isoflop.errors import IsoflopError
from isoflop.fitting.table import law_inputs, prepared_runs
from isoflop.planning.downstream import stages
from isoflop.plots.residuals import left_over
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.diagnose import Diagnose
from isoflop.questions.forecast import Forecast
from isoflop.questions.report import Report
from isoflop.uncertainty import bootstrap
from isoflop.validation.averaged import by_lbfgs
from isoflop.validation.backtest import backtest
from isoflop.validation.influence import influence
from isoflop.validation.outliers import outliers
from isoflop.validation.rank import rank
from isoflop.validation.sensitivity import sensitivity
from isoflop.validation.split import hold_out
from isoflop.validation.stack import forecast_stacked

LAW = fix(law("multi-power"), {"C": 2.0, "beta": 0.6, "gamma": 0.65, "B": 300.0})
TRUTH = {"L_0": 2.5, "A": 0.6, "alpha": 0.45}


@pytest.fixture(scope="module")
def runs():
    """Curves of the law itself under schedules of six lengths and three peaks: 18 runs, their checkpoints in rows."""
    parts = []
    for run, (length, top) in enumerate(itertools.product((400, 600, 900, 1300, 1700, 2000), (1e-3, 2e-3, 3e-3))):
        steps = np.arange(50, length + 1, 50)
        rate = top * (0.55 + 0.45 * np.cos(np.pi * steps / length))
        parts.append((steps, rate, [f"r{run}"] * len(steps), steps * 1e4))
    columns = dict(zip(("step", "lr", "run", "D"), map(np.concatenate, zip(*parts, strict=True)), strict=True))
    made = Runs.from_columns({**columns, "loss": np.ones(len(columns["step"]))})
    curve = LAW.value(TRUTH, law_inputs(LAW, made))
    return made.with_column("loss", curve * np.exp(np.random.default_rng(1).normal(0, 0.002, len(curve))))


def test_what_is_held_out_is_predicted_row_by_row(runs):
    result = backtest(LAW, runs, hold_out=hold_out("D:20%"), windows=2, draws=50)
    assert len(result.windows) == 2
    inputs = law_inputs(LAW, runs)
    for number, window in enumerate(result.windows):
        rows = result.held.window == number
        value = result.laws[0].value[rows]
        assert value == pytest.approx(LAW.value(TRUTH, inputs)[window.held], rel=0.01)
        alone = fit(LAW, prepared_runs(LAW, runs).take(window.train))
        one_by_one = [
            float(alone.predict({name: values[[row]] for name, values in inputs.items()})[0])
            for row in result.held.row[rows]
        ]
        assert value == pytest.approx(one_by_one, rel=1e-6)
        assert (result.laws[0].low[rows] < result.laws[0].high[rows]).all()


def test_it_is_ranked_beside_other_laws_and_left_out_of_a_point(runs):
    laws = (LAW, law("E + A/D^alpha"))
    ranking = rank(runs, laws=laws, windows=1, draws=20)
    assert ranking.ranked[0].law == LAW and not ranking.unranked
    stacked = forecast_stacked(laws, [0.9, 0.1], runs, {"D": 1e9}, draws=20)
    (left,) = [each for each in stacked.findings if each.code == "law-left-out"]
    assert left.level == "warning" and "of weight 90%, also takes S1, drop_k" in left.message
    assert [each.name for each in stacked.members] == ["E + A/D^alpha"]


def test_influence_and_sensitivity_ask_its_parameters(runs):
    fitted = fit(LAW, runs)
    found = influence(fitted, draws=40)
    assert [each.answer.name for each in found.effects] == list(TRUTH)
    assert found.decided == "L_0" and np.isfinite(found.effects[0].without).all()
    with pytest.raises(IsoflopError, match="which --at cannot give; leave --at out"):
        influence(fitted, at={"S1": 1.0})


@pytest.mark.slow
def test_sensitivity_of_its_parameters(runs):
    found = sensitivity(LAW, runs, draws=20)
    assert {each.group for each in found.choices} >= {"region", "objective", "solver"}
    assert all(set(each.answers) == set(TRUTH) for each in found.choices if not each.why_not)


def test_a_run_off_its_surface_is_an_outlier(runs):
    loss = runs["loss"].copy()
    loss[40] *= 1.2
    seen = outliers(LAW, runs.with_column("loss", loss))
    assert seen.rows == (41,)


def test_another_routine_ends_at_the_same_optimum(runs):
    base = fit(LAW, runs, objective=squares())
    ended = by_lbfgs(base, runs, mean=False)
    assert ended.value == pytest.approx(base.value, rel=1e-3)


def test_it_is_diagnosed_by_what_has_one_value_a_row(runs):
    answer = ask(Diagnose(), Context(given=bootstrap(fit(LAW, runs), draws=20)))
    worst, residuals = answer.tables[:2]
    assert [column.name for column in worst.columns] == ["row", "S1", "measured", "fitted", "residual"]
    assert [row[0] for row in residuals.rows] == ["S1", "order"]
    for picture in answer.pictures:
        picture.draw(Figure().add_subplot())
    with pytest.raises(IsoflopError, match="against S1, order, not 'drop_k'"):
        left_over(fit(LAW, runs), against="drop_k")


def test_a_point_is_no_question_for_it(runs):
    drawn = bootstrap(fit(LAW, runs), draws=20)
    for question in (Report(), Forecast(at=("S1=1",))):
        with pytest.raises(IsoflopError, match="sums over lists"):
            ask(question, Context(given=drawn))
    with pytest.raises(IsoflopError, match="a chain begins at a point"):
        stages(runs.with_column("score", runs["loss"]), LAW, loss="loss", score="score")
    assert np.isfinite(drawn.interval("alpha").low)
