"""Rank correlations with a response: against SciPy's, with groups, columns held fixed, and what is refused."""

import numpy as np
import pytest
from scipy import stats

import isoflop
from isoflop.errors import DataError
from isoflop.validation.correlation import correlate


def _runs(count=40, seed=0, **more):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=count)
    columns = {"x": x, "gap": x + 0.4 * rng.normal(size=count), "other": rng.normal(size=count)}
    return isoflop.Runs.from_columns({**columns, **more})


def test_values_are_those_of_scipy_and_p_is_adjusted_for_all():
    runs = _runs()
    found = correlate(runs, "gap")
    assert [each.measure for each in found.measures] == ["x", "other"]
    first, second = found.measures
    assert first.rho.value == pytest.approx(stats.spearmanr(runs["x"], runs["gap"]).statistic)
    assert first.rho.low < first.rho.value < first.rho.high < 1
    assert first.strength == "strong" and second.strength == "cannot be told"
    assert first.adjusted == pytest.approx(2 * first.p) and second.adjusted >= second.p
    assert second.behind.value == pytest.approx(abs(first.rho.value) - abs(second.rho.value))
    assert second.behind.low > 0  # the other measure is certainly weaker


def test_repeats_of_a_setting_are_one_point():
    """Ten copies of eight settings must not look like eighty settings."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 8))
    setting = np.repeat(np.arange(8), 10)
    runs = isoflop.Runs.from_columns(
        {
            "x": a[setting] + 1e-3 * rng.normal(size=80),
            "gap": b[setting] + 1e-3 * rng.normal(size=80),
            "setting": [f"s{k}" for k in setting],
        }
    )
    alone, grouped = (correlate(runs, "gap", ["x"], by=by).measures[0] for by in ((), ("setting",)))
    assert grouped.groups == 8 and alone.groups == 80
    widths = [each.rho.high - each.rho.low for each in (grouped, alone)]
    assert widths[0] > 2 * widths[1]


def test_what_is_held_fixed_cannot_be_what_two_columns_share():
    rng = np.random.default_rng(2)
    size = rng.normal(size=60)
    columns = {"size": size, "x": size + 0.5 * rng.normal(size=60), "gap": size + 0.5 * rng.normal(size=60)}
    runs = isoflop.Runs.from_columns(columns)
    assert correlate(runs, "gap", ["x"]).measures[0].strength == "strong"
    beside = correlate(runs, "gap", ["x"], given=["size"]).measures[0]
    assert beside.strength == "cannot be told"
    ranks = [stats.rankdata(runs[name]) for name in ("x", "gap", "size")]
    left = [each - np.polyval(np.polyfit(ranks[2], each, 1), ranks[2]) for each in ranks[:2]]
    assert beside.rho.value == pytest.approx(np.corrcoef(*left)[0, 1])


def test_perfect_agreement_has_an_interval_too():
    runs = isoflop.Runs.from_columns({"x": np.arange(8.0), "gap": np.arange(8.0) ** 3})
    (found,) = correlate(runs, "gap").measures
    assert found.rho.value == pytest.approx(1) and 0.5 < found.rho.low < 0.99 and found.rho.high >= found.rho.value


@pytest.mark.parametrize(
    ("columns", "measures", "says"),
    [
        ({"x": [1.0, 2, 3, 4], "gap": [1.0, 2, 3, 5]}, ["x"], "gap has values in 4 runs; an interval needs 5"),
        ({"x": [1.0] * 6, "gap": [1.0, 2, 3, 4, 5, 6]}, ["x"], "x is 1 in every row"),
        ({"x": [1.0, 2, 3, 4, 5, 6], "gap": [2.0] * 6}, ["x"], "gap is 2 in every row"),
        ({"x": ["a"] * 6, "gap": [1.0, 2, 3, 4, 5, 6]}, ["x"], "holds text where numbers are needed"),
        ({"x": [1.0] * 6, "gap": [1.0, 2, 3, 4, 5, 6]}, [], "no measure to set beside gap: x is 1 in every row"),
        ({"gap": [1.0, 2, 3, 4, 5, 6]}, ["y"], "no column 'y'"),
        ({"gap": [1.0, 2, 3, 4, 5, 6]}, ["gap"], "gap is the response gap itself"),
        ({"x": [np.nan] * 6, "gap": [1.0, 2, 3, 4, 5, 6]}, ["x"], "0 groups of rows, too few"),
    ],
)
def test_bad_columns_are_refused_in_one_sentence(columns, measures, says):
    with pytest.raises(DataError, match=says):
        correlate(isoflop.Runs.from_columns(columns), "gap", measures)


def test_columns_that_cannot_count_are_told_and_left_out():
    spoiled = [*map(str, range(39)), "diverged"]
    runs = _runs(still=np.ones(40), label=[f"r{k}" for k in range(40)], spoiled=spoiled, seed=list(range(40)))
    found = correlate(runs, "gap")
    assert set(found.passed) == {"still", "spoiled"} and "in every row" in found.passed["still"]
    assert "'diverged' (row 40)" in found.passed["spoiled"]
    assert {each.measure for each in found.measures} == {"x", "other"}  # a seed measures nothing


@pytest.mark.parametrize(("given", "by", "says"), [
    (["gap"], [], "gap is the response gap itself"),
    (["still"], [], "still does not vary, so nothing is to be held fixed"),
    ([], ["half"], "gap has values in 2 groups of half; an interval needs 5"),
])  # fmt: skip
def test_what_no_measure_could_go_with_is_told_by_its_cause(given, by, says):
    runs = _runs(still=np.ones(40), half=["a", "b"] * 20)
    with pytest.raises(DataError, match=says):
        correlate(runs, "gap", given=given, by=by)
