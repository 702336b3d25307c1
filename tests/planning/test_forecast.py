"""Forecasts: value, interval, reach, and what is refused."""

import math

import numpy as np
import pytest

from isoflop import bootstrap, fit, forecast, law, squares
from isoflop.errors import IsoflopError


@pytest.fixture(scope="module")
def ensemble(make_known_runs):
    return bootstrap(fit(law("chinchilla"), make_known_runs(0.01)), draws=400)


def test_the_value_is_the_law_at_the_fit(ensemble):
    p = ensemble.estimate.params
    got = forecast(ensemble, {"N": 7e10, "D": 1.4e12})
    expected = p["E"] + p["A"] / 7e10 ** p["alpha"] + p["B"] / 1.4e12 ** p["beta"]
    assert got.law_loss.value == got.law_expected.value == pytest.approx(expected, rel=1e-12)
    draws = ensemble.evaluate(lambda q: q["E"] + q["A"] / 7e10 ** q["alpha"] + q["B"] / 1.4e12 ** q["beta"])
    assert (got.law_expected.low, got.law_expected.high) == pytest.approx(np.quantile(draws, [0.05, 0.95]), rel=1e-12)


def test_a_new_run_scatters_more_than_the_curve(ensemble):
    inside = forecast(ensemble, {"N": 1e9, "D": 5e10})
    width, curve = inside.law_loss.high - inside.law_loss.low, inside.law_expected.high - inside.law_expected.low
    # the residuals have a standard deviation of 1 %: a 90 % interval is at least ±1.6 % wide
    assert width / inside.law_loss.value > 0.025 and width > 2 * curve
    assert inside.loss.low < inside.expected.low < inside.expected.high < inside.loss.high


def test_reach_counts_decades_beyond_the_runs(ensemble):
    got = forecast(ensemble, {"N": 1e12, "D": 1e10})
    assert got.reach["N"] == pytest.approx(2.0) and got.reach["D"] == 0.0
    assert got.reach_decades == pytest.approx(2.0)
    below = forecast(ensemble, {"N": 10**6.5, "D": 1e10})
    assert below.reach["N"] == pytest.approx(1.0)


def test_farther_than_the_runs_span_is_doubted(ensemble):
    far = forecast(ensemble, {"N": 1e14, "D": 1e12})
    assert {finding.code for finding in far.findings} >= {"far-extrapolation", "extrapolation"}
    assert "4.0 decades beyond the runs, which span 2.5" in next(
        f.message for f in far.findings if f.code == "far-extrapolation"
    )
    near = forecast(ensemble, {"N": 1e9, "D": 1e10})
    assert {finding.code for finding in near.findings} == set()


def test_intervals_widen_with_distance(ensemble):
    widths = []
    for size in (1e10, 1e11, 1e12, 1e13):
        expected = forecast(ensemble, {"N": size, "D": 100 * size}).expected
        widths.append((expected.high - expected.low) / expected.value)
    assert widths == sorted(widths)


def test_raw_loss_residuals_are_added(make_known_runs):
    raw = bootstrap(fit(law("chinchilla"), make_known_runs(0.01), objective=squares(space="raw")), draws=200)
    got = forecast(raw, {"N": 1e9, "D": 5e10})
    assert got.loss.low < got.expected.low < got.expected.high < got.loss.high


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ({"N": 1e9}, "takes --at N=…, --at D=…; D is missing"),
        ({"N": 1e9, "D": 1e10, "C": 1e20}, "C is no input of it"),
        ({"N": 0.0, "D": 1e10}, "N must be a positive number, not 0"),
        ({"N": math.nan, "D": 1e10}, "N must be a positive number"),
    ],
)
def test_what_cannot_be_asked_is_refused(ensemble, at, says):
    with pytest.raises(IsoflopError, match=says):
        forecast(ensemble, at)
