"""Means by group and x: what counts once, what is left out, and where their scatter comes from."""

import numpy as np
import pytest

from isoflop import Runs
from isoflop.errors import DataError
from isoflop.validation.level_scatter import scatter_of, second_differences
from isoflop.validation.levels import group_names, read_levels


def runs_of(**columns):
    return Runs.from_columns(columns)


def test_repeats_of_one_x_are_averaged_and_their_squares_kept():
    runs = runs_of(N=[1e7, 1e7, 1e8, 1e8, 1e8], acc=[0.1, 0.3, 0.5, 0.6, 0.7], kind=["a"] * 5)
    (levels,), findings = read_levels(runs, ["acc"], x="N", by=["kind"])
    assert (levels.group, levels.x.tolist(), levels.count.tolist()) == ("a", [1e7, 1e8], [2, 3])
    assert levels.mean == pytest.approx([0.2, 0.6])
    assert levels.squares == pytest.approx(0.02 + 0.02) and levels.df == 3
    assert not findings


def test_checkpoints_of_one_run_count_once():
    runs = runs_of(N=[1e7] * 4, acc=[0.1, 0.3, 0.4, 0.8], run=["a", "a", "a", "b"])
    (levels,), _ = read_levels(runs, ["acc"], x="N")
    assert levels.mean == pytest.approx([(0.8 / 3 + 0.8) / 2])  # the mean of a's rows, and b's
    assert (levels.count.tolist(), levels.df) == ([2], 1)


def test_missing_and_infinite_cells_are_left_out_and_told():
    runs = runs_of(N=[1e7, 1e8, 1e9, 1e10], acc=[0.1, np.nan, np.inf, 0.4])
    (levels,), (finding,) = read_levels(runs, ["acc"], x="N")
    assert levels.x.tolist() == [1e7, 1e10]
    assert finding.code == "missing-values" and finding.rows == (2, 3)
    with pytest.raises(DataError, match="no row of made in memory has both N and other"):
        read_levels(runs_of(N=[1e7, 1e8], other=[np.nan, np.nan]), ["other"], x="N")


def test_another_input_that_varies_is_a_finding_and_one_that_follows_is_not():
    mixed = runs_of(N=[1e7, 1e7, 1e8], D=[1e9, 2e9, 1e9], loss=[3.0, 2.9, 2.5])
    (finding,) = read_levels(mixed, ["loss"], x="N")[1]
    assert finding.code == "other-input-varies" and "at one N differ in D (at 1 place)" in finding.message
    steady = runs_of(N=[1e7, 1e7, 1e8], D=[1e9, 1e9, 2e9], loss=[3.0, 2.9, 2.5])
    assert read_levels(steady, ["loss"], x="N")[1] == ()


def test_shares_outside_their_range_are_refused_where_items_are_given():
    runs = runs_of(N=[1e7, 1e8], acc=[31.0, 52.0])
    with pytest.raises(DataError, match=r'--derive "share=\(acc\)/100" with --response share'):
        read_levels(runs, ["acc"], x="N", items=100)
    with pytest.raises(DataError, match="leave --items out"):
        read_levels(runs_of(N=[1e7, 1e8], acc=[-1.0, 0.5]), ["acc"], x="N", items=100)
    assert read_levels(runs, ["acc"], x="N")[0][0].mean.tolist() == [31.0, 52.0]


def test_standard_errors_that_are_none_are_refused():
    with pytest.raises(DataError, match="holds negative standard errors"):
        read_levels(runs_of(N=[1e7, 1e8], acc=[0.1, 0.2], se=[0.1, -0.1]), ["acc"], x="N", error="se")
    with pytest.raises(DataError, match="holds no positive standard errors"):
        read_levels(runs_of(N=[1e7, 1e8], acc=[0.1, 0.2], se=[0.0, 0.0]), ["acc"], x="N", error="se")


def test_groups_of_several_columns_and_cells_without_a_name():
    runs = runs_of(N=[1.0, 2.0], loss=[1.0, 2.0], a=["x", ""], b=["1", "2"])
    assert group_names(runs, ["a", "b"]) == ["x, 1", "(none), 2"]


def test_second_differences_find_the_scatter_of_a_line_and_not_its_slope():
    rng = np.random.default_rng(0)
    place = np.sort(rng.uniform(0, 10, 12))
    weight = rng.integers(1, 5, 12).astype(float)
    rows = second_differences(place, weight)
    assert rows @ (3 + 2 * place) == pytest.approx(np.zeros(10), abs=1e-9)
    noise = rng.normal(0, 1, (20_000, 12)) / np.sqrt(weight)
    assert np.var(noise @ rows.T, axis=0) == pytest.approx(np.ones(10), rel=0.05)


def test_the_scatter_is_that_of_repeats_then_given_errors_then_second_differences():
    rng = np.random.default_rng(1)
    n = np.repeat(np.logspace(7, 10, 8), 3)
    noisy = runs_of(N=n, acc=0.1 * np.log10(n) + rng.normal(0, 0.05, n.size), se=np.full(n.size, 0.05))
    (repeats,), _ = read_levels(noisy, ["acc"], x="N")
    found = scatter_of(repeats)
    assert (found.source, found.df) == ("repeats", 16) and found.sd == pytest.approx(0.05, rel=0.4)
    (given,), _ = read_levels(noisy, ["acc"], x="N", error="se")
    assert scatter_of(given).source == "standard errors"
    assert scatter_of(given).error(np.eye(8)[0]) == pytest.approx(0.05 / np.sqrt(3))
    small = runs_of(N=n, acc=noisy["acc"], se=np.full(n.size, 0.005))
    (too_small,), _ = read_levels(small, ["acc"], x="N", error="se")
    assert scatter_of(too_small).source == "repeats"  # which vary by ten times the errors
    (single,), _ = read_levels(noisy.take(np.arange(24) % 3 == 0), ["acc"], x="N")
    assert scatter_of(single).source == "second differences"
    assert scatter_of(single).sd == pytest.approx(0.05, rel=0.6)


def test_the_freedom_of_second_differences_is_that_of_their_simulated_variance():
    (levels,), _ = read_levels(runs_of(N=np.logspace(7, 10, 9), acc=np.arange(9.0) ** 2), ["acc"], x="N")
    scatter = scatter_of(levels)
    noise = np.random.default_rng(2).standard_normal((40_000, 9))
    rows = second_differences(scatter.place, scatter.weight)
    variance = ((noise @ rows.T) ** 2).mean(1)
    assert np.mean(variance) == pytest.approx(1, rel=0.02)
    assert 2 / np.var(variance) == pytest.approx(scatter.freedom, rel=0.05)


def test_repeats_that_scatter_differently_have_a_variance_for_each_size():
    rng = np.random.default_rng(3)
    n, sd = np.repeat(np.logspace(7, 10, 6), 8), np.repeat([0.2, 0.2, 0.1, 0.05, 0.02, 0.02], 8)
    (levels,), _ = read_levels(runs_of(N=n, acc=rng.normal(0, sd)), ["acc"], x="N")
    scatter = scatter_of(levels)
    own = np.array([each.var(ddof=1) for each in levels.values])
    assert scatter.ratio * scatter.sd**2 == pytest.approx((2 * scatter.sd**2 + 7 * own) / 9)
    assert scatter.error(np.eye(6)[0]) > 3 * scatter.error(np.eye(6)[5])
    assert scatter.freedom == 9
    (even,), _ = read_levels(runs_of(N=n, acc=rng.normal(0, 0.1, n.size)), ["acc"], x="N")
    assert scatter_of(even).ratio is None


def test_two_sizes_without_repeats_have_no_scatter():
    (levels,), _ = read_levels(runs_of(N=[1e7, 1e8], acc=[0.1, 0.2]), ["acc"], x="N")
    assert not scatter_of(levels).known
