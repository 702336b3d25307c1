"""Shapes without a law: false alarms and power in simulations, exact shapes, and what cannot be told."""

import numpy as np
import pytest

from isoflop import Runs
from isoflop.errors import DataError
from isoflop.validation.level_scatter import scatter_of
from isoflop.validation.levels import Levels
from isoflop.validation.shape import Null, shape_tests, verdict
from isoflop.validation.shape_audit import shapes
from isoflop.validation.unimodal import unimodal_fit

CURVES = {
    "flat": lambda t: 0 * t,
    "line": lambda t: t,
    "saturating": lambda t: 1 - np.exp(-6 * t),
    "plateau": lambda t: np.minimum(2 * t, 1),
    "step": lambda t: (t > 0.3) * 1.0,
    "U": lambda t: 4 * (t - 0.5) ** 2,
    "late U": lambda t: np.where(t < 0.75, 1 - t / 0.75, (t - 0.75) / 0.25 * 0.6),
    "M": lambda t: np.sin(3.5 * np.pi * t),
}


def levels_of(x, y):
    """Levels of responses (sizes, seeds)."""
    mean = y.mean(1)
    squares = float(((y - mean[:, None]) ** 2).sum())
    return Levels("a", "acc", x, mean, np.full(len(x), float(y.shape[1])), squares, y.size - len(x), None, tuple(y))


def called(name, *, sizes, seeds, sd, times, delta=0.05):
    """The shapes found in simulations of one curve."""
    rng, t = np.random.default_rng(7), np.linspace(0, 1, sizes)
    null = Null(0, simulations=999)
    found = []
    for _ in range(times):
        levels = levels_of(10 ** (8 + 2 * t), CURVES[name](t)[:, None] + sd * rng.standard_normal((sizes, seeds)))
        tests = shape_tests(levels, scatter_of(levels), null, delta=delta, alpha=0.1)
        found.append((verdict(tests, tests.p, alpha=0.1), tests))
    return found


def rate(found, *shapes_of):
    return np.mean([shape in shapes_of for shape, _ in found])


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_trend_is_found_in_noise_at_the_nominal_rate(seeds):
    found = called("flat", sizes=8, seeds=seeds, sd=1.0, times=600)
    assert 0.06 <= np.mean([tests.p.trend <= 0.1 for _, tests in found]) <= 0.14


@pytest.mark.parametrize("name", ["line", "saturating", "plateau", "step"])
@pytest.mark.parametrize(("sizes", "seeds"), [(5, 3), (8, 1), (9, 3)])
def test_a_monotone_response_is_seldom_found_to_turn(name, sizes, seeds):
    """At nominal 10 %, where the quadratic test of both ends finds a turn in up to every saturating response."""
    found = called(name, sizes=sizes, seeds=seeds, sd=0.05, times=100)
    assert rate(found, "U", "inverted U", "several turns") <= 0.14


@pytest.mark.parametrize(("name", "seeds"), [("U", 1), ("U", 3), ("late U", 3)])
def test_a_clear_turn_is_found(name, seeds):
    assert rate(called(name, sizes=8, seeds=seeds, sd=0.08, times=60), "U") >= 0.9


def test_a_reversal_is_found_along_a_plateau_at_the_nominal_rate_and_is_no_turn_below_delta():
    """A steep rise and a long plateau: the stretches that rise are left out of the null distribution."""
    found = called("plateau", sizes=8, seeds=5, sd=0.02, times=400)
    assert 0.06 <= np.mean([tests.p.reversal <= 0.1 for _, tests in found]) <= 0.14
    assert rate(found, "U", "inverted U", "several turns") <= 0.01


def test_two_turns_are_not_called_a_u():
    assert rate(called("M", sizes=15, seeds=3, sd=0.05, times=20), "several turns") >= 0.9


def test_a_plateau_is_told_by_equivalence_and_not_by_a_gain_that_is_not_significant():
    precise = called("plateau", sizes=8, seeds=5, sd=0.02, times=60)
    assert rate(precise, "rising to a plateau") >= 0.95
    assert rate(precise, "rising") <= 0.05
    assert rate(called("plateau", sizes=8, seeds=3, sd=0.2, times=60), "rising to a plateau") <= 0.1
    assert rate(called("line", sizes=8, seeds=5, sd=0.02, times=60), "rising") >= 0.9


def test_a_change_of_delta_over_the_last_third_is_called_a_plateau_at_the_nominal_rate():
    """The least favorable gain: exactly delta from the beginning of the last third on."""
    rng, t = np.random.default_rng(3), np.linspace(0, 1, 10)
    null, count = Null(0, simulations=999), 0
    truth = np.where(t < 2 / 3, 1.5 * t, 1 + 0.05 * (t - 2 / 3) * 3)
    for _ in range(600):
        levels = levels_of(10 ** (8 + 2 * t), truth[:, None] + 0.02 * rng.standard_normal((10, 3)))
        count += shape_tests(levels, scatter_of(levels), null, delta=0.05, alpha=0.1).p.level_end <= 0.1
    assert 0.06 <= count / 600 <= 0.14


def test_flatness_is_shown_only_within_delta():
    assert rate(called("flat", sizes=6, seeds=5, sd=0.01, times=40), "flat") >= 0.8
    assert rate(called("flat", sizes=6, seeds=5, sd=0.1, times=40), "flat") == 0


def test_exact_shapes_need_no_scatter():
    x = np.logspace(7, 10, 7)
    for y, shape in ((np.log(x), "rising"), (-np.log(x), "falling"), (np.full(7, 0.25), "flat")):
        rows = shapes(Runs.from_columns({"N": x, "acc": y}), ["acc"]).rows
        assert rows[0].shape == shape, shape


def test_the_unit_and_the_base_of_x_do_not_matter():
    rng = np.random.default_rng(5)
    n, y = np.repeat(np.logspace(7, 10, 6), 3), rng.normal(0, 1, 18)
    one = shapes(Runs.from_columns({"N": n, "acc": y}), ["acc"]).rows[0]
    two = shapes(Runs.from_columns({"N": n / 1e6, "acc": 5 - 100 * y}), ["acc"]).rows[0]
    assert (one.p.trend, one.p.reversal) == (two.p.trend, two.p.reversal)
    assert one.tests.direction == -two.tests.direction


def test_one_and_two_sizes():
    def only(n, acc):
        audit = shapes(Runs.from_columns({"N": n, "acc": acc}), ["acc"])
        return audit.rows[0], [each.code for each in audit.findings]

    row, codes = only([1e7], [0.2])
    assert (row.shape, row.tests.reason, codes) == ("cannot be told", "one size only", ["shape-untested"])
    row, codes = only([1e7, 1e8], [0.2, 0.4])
    assert row.tests.reason == "two sizes without repeats or standard errors" and codes == ["shape-untested"]
    row, codes = only([1e7, 1e7, 1e7, 1e8, 1e8, 1e8], [0.20, 0.21, 0.19, 0.40, 0.41, 0.42])
    assert (row.shape, codes) == ("rising", [])


def test_holm_over_groups_and_responses():
    rng = np.random.default_rng(8)
    n = np.tile(np.repeat(np.logspace(7, 10, 5), 2), 10)
    task = np.repeat([f"t{k}" for k in range(10)], 10)
    runs = Runs.from_columns({"N": n, "acc": rng.normal(0.5, 0.02, n.size), "task": task})
    raw, corrected = (shapes(runs, ["acc"], by=["task"], correct=each) for each in (False, True))
    assert (raw.corrected, corrected.corrected) == (1, 10)
    for one, two in zip(raw.rows, corrected.rows, strict=True):
        assert two.p.trend >= one.p.trend
    least = min(each.p.trend for each in raw.rows)
    assert min(each.p.trend for each in corrected.rows) == pytest.approx(min(1, 10 * least))


def test_delta_has_a_default_and_must_be_positive():
    runs = Runs.from_columns({"N": [1e7, 1e8, 1e9], "acc": [0.1, 0.2, 0.5]})
    assert shapes(runs, ["acc"]).delta == pytest.approx((0.02,))
    with pytest.raises(DataError, match="above zero, not -1"):
        shapes(runs, ["acc"], delta=-1.0)


def test_a_loss_that_rises_is_inverse_scaling():
    x = np.repeat(np.logspace(7, 9, 5), 2)
    wiggle = np.tile([0.001, -0.001], 5)
    up = Runs.from_columns({"N": x, "loss": np.log(x) / 10 + wiggle, "acc": np.log(x) / 100 + wiggle})
    loss, acc = shapes(up, ["loss", "acc"]).rows
    assert loss.worsens and not acc.worsens
    assert [each.code for each in shapes(up, ["loss"]).findings] == ["inverse-scaling"]
    assert not shapes(up, ["loss"], better="higher").rows[0].worsens


@pytest.mark.parametrize("up", [True, False])
def test_the_unimodal_fit_is_the_best_of_all_turns(up):
    rng = np.random.default_rng(9)
    y, w = rng.normal(0, 1, 6), rng.uniform(0.5, 2, 6)
    fit, at = unimodal_fit(y, w, up=up)
    steps = np.diff(fit) * (1 if up else -1)
    assert (steps[:at] <= 1e-9).all() and (steps[at:] >= -1e-9).all()
    best = float((w * (y - fit) ** 2).sum())
    for _ in range(3000):  # no nearby unimodal means are closer
        turn, other = rng.integers(0, 6), fit + rng.normal(0, 0.1, 6)
        sign = -1 if up else 1
        left = sign * np.maximum.accumulate(sign * other[: turn + 1])
        right = sign * np.maximum.accumulate((sign * other[turn:])[::-1])[::-1]
        trial = np.concatenate([left[:-1], [sign * max(sign * left[-1], sign * right[0])], right[1:]])
        assert float((w * (y - trial) ** 2).sum()) >= best - 1e-9
