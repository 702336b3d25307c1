import numpy as np
import pytest
from scipy.optimize import minimize

from isoflop import bootstrap, fit, forecast, law, squares
from isoflop.errors import IsoflopError
from isoflop.validation.stack import _stacked, forecast_stacked, stack

TWO = (law("chinchilla"), law("kaplan"))


def test_the_fixed_point_is_the_stacking_optimum():
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 1, (30, 3)) + np.array([0.3, 0.0, 0.1])
    weights = rng.dirichlet(np.ones(30), size=4)
    for row, found in zip(weights, _stacked(scores, weights), strict=True):

        def short(free, row=row):
            share = np.append(free, 1 - free.sum())
            return -row @ np.log(np.maximum(np.exp(scores) @ share, 1e-300))

        best = minimize(
            short,
            [1 / 3, 1 / 3],
            method="SLSQP",
            bounds=[(0, 1)] * 2,
            constraints={"type": "ineq", "fun": lambda free: 1 - free.sum()},
        )
        assert short(found[:2]) == pytest.approx(best.fun, abs=1e-6)


def test_equal_laws_share_and_a_hopeless_one_has_nothing():
    scores = np.column_stack([np.zeros(20), np.zeros(20), np.full(20, -30.0)])
    found = stack(scores, np.arange(20), np.repeat([0, 1], 10))
    assert found.weights == pytest.approx([0.5, 0.5, 0.0], abs=1e-6)
    assert found.draws.sum(axis=1) == pytest.approx(1)


def test_a_small_lead_in_one_window_leaves_the_choice_open():
    # stacking alone would give all to the first, which is ahead by 0.2 nats in each of five runs of one window
    scores = np.column_stack([np.full(5, 2.2), np.full(5, 2.0)])
    one = stack(scores, np.arange(5), np.zeros(5, dtype=np.int64)).weights
    assert one[0] == pytest.approx((1 + 1 / (1 + np.exp(-0.2))) / 2, abs=0.01)
    many = stack(np.tile(scores, (8, 1)), np.arange(40), np.repeat(np.arange(8), 5)).weights
    assert many[0] > one[0]


def test_checkpoints_of_a_run_do_not_outvote_other_runs():
    # law 0 is right about nine rows of one run, law 1 about one row each of two others
    scores = np.array([[0.0, -2.0]] * 9 + [[-2.0, 0.0]] * 2)
    run = np.array([0] * 9 + [1, 2])
    window = np.zeros(11, dtype=np.int64)
    assert stack(scores, run, window).weights[1] > 0.55
    assert stack(scores, np.arange(11), window).weights[0] > 0.75


def test_one_law_alone_is_its_own_forecast(known_runs):
    runs = known_runs(0.01)
    at = {"N": 3e10, "D": 1e12}
    together = forecast_stacked(TWO, [1.0, 0.0], runs, at)
    alone = forecast(bootstrap(fit(TWO[0], runs)), at)
    for promise in ("loss", "expected", "law_loss", "law_expected"):
        own, mixed = getattr(alone, promise), getattr(together, promise)
        assert (mixed.low, mixed.high) == pytest.approx((own.low, own.high), abs=0.03 * (own.high - own.low)), promise
    assert together.between == 0 and min(together.within, together.model_error, together.scatter) > 0
    assert together.members[0].loss == alone.loss
    assert [member.name for member in together.members] == ["chinchilla"]


def test_laws_that_disagree_widen_the_interval(known_runs):
    runs = known_runs(0.003)
    at = {"N": 1e13, "D": 1e15}  # one law has a floor there and the other none
    alone = [forecast_stacked([each], [1.0], runs, at) for each in TWO]
    together = forecast_stacked(TWO, [0.5, 0.5], runs, at)
    low, high = sorted(each.law_loss.value for each in alone)
    for each in (together.loss, together.law_loss):
        assert each.low < low < high < each.high
    assert together.loss.high - together.loss.low > together.law_loss.high - together.law_loss.low
    assert together.between == pytest.approx((high - low) / 2, rel=0.1)
    assert together.between > 3 * together.within


def test_a_point_needs_the_inputs_of_the_laws_that_count(known_runs):
    runs = known_runs(0.01)
    with pytest.raises(IsoflopError, match=r"D is missing: give --at D="):
        forecast_stacked(TWO, [0.6, 0.4], runs, {"N": 1e10})
    with pytest.raises(IsoflopError, match="Q is no input"):
        forecast_stacked(TWO, [0.6, 0.4], runs, {"N": 1e10, "D": 1e12, "Q": 1.0})
    with pytest.raises(IsoflopError, match="N must be a positive number, not -1"):
        forecast_stacked(TWO, [0.6, 0.4], runs, {"N": -1.0, "D": 1e12})
    # by squares: absolute deviations of so wrong a law have a whole line of optima, of which an engine finds any
    only_d = forecast_stacked(
        [law("power-d-floor"), TWO[0]], [1.0, 0.0], runs, {"N": 1e10, "D": 1e12}, objective=squares()
    )
    assert dict(only_d.at) == {"D": 1e12}


def test_flops_that_are_not_given_are_those_of_the_size_and_tokens(known_runs):
    runs = known_runs(0.01)
    runs = runs.with_column("C", 6 * runs["N"] * runs["D"])
    laws = [TWO[0], law("E + A/C^alpha")]
    implied = forecast_stacked(laws, [0.5, 0.5], runs, {"N": 1e10, "D": 1e12})
    given = forecast_stacked(laws, [0.5, 0.5], runs, {"N": 1e10, "D": 1e12, "C": 6e22})
    assert implied.loss == given.loss and dict(implied.at) == dict(given.at)
    assert [finding.code for finding in implied.findings] == ["flops-from-size"]
    assert not given.findings
