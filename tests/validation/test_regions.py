"""Regions of curves of known regions: coverage of the change points, false regions on power laws, refusals."""

import numpy as np
import polars as pl
import pytest

from isoflop import Runs, read_runs
from isoflop.errors import DataError
from isoflop.validation.regions import curve_regions, regions


def curve(seed, *, start=0.0, end=1.0, points=25, noise=0.03, correlation=0.0, decades=4.0, exponent=0.3):
    """D and loss; start and end are the change points as shares of the range on a logarithmic axis."""
    rng = np.random.default_rng(seed)
    u = np.linspace(0, 1, points)
    rest = noise * rng.standard_normal(points)
    for k in range(1, points):
        rest[k] = correlation * rest[k - 1] + np.sqrt(1 - correlation**2) * rest[k]
    d = 10 ** (6 + decades * u)
    return d, np.exp(-exponent * decades * np.log(10) * np.clip(u, start, end) + rest)


def held(change, share, decades=4.0):
    place = 10 ** (6 + decades * share)
    return (change.low or 0.0) <= place <= (change.high or np.inf)


def counted(reps, **how):
    found = [curve_regions(*curve(seed, **how)) for seed in range(reps)]
    return sum(each.rises is not None for each in found), sum(each.settles is not None for each in found), found


def test_change_points_exponent_and_law_of_a_clean_curve():
    found = curve_regions(*curve(0, start=0.25, end=0.75, noise=0.003))
    assert (found.start, found.end, found.shape) == ("found", "found", "random guessing, power law, floor")
    assert np.log10(found.rises.value) == pytest.approx(7, abs=0.03)
    assert np.log10(found.settles.value) == pytest.approx(9, abs=0.03)
    assert found.low < 0.3 < found.high and found.exponent == pytest.approx(0.3, abs=0.01)
    assert found.law == "power-d-floor" and found.where.startswith("D > ")
    assert found.plateau == pytest.approx(np.exp(-0.3 * np.log(10)), rel=0.01)


def test_a_power_law_has_no_region_and_a_short_noisy_one_cannot_be_told():
    clean = curve_regions(*curve(1, noise=0.01))
    assert (clean.start, clean.end, clean.shape) == ("not found", "not found", "power law")
    noisy = curve_regions(*curve(1, noise=0.3, points=12, decades=1.0))
    assert noisy.start == noisy.end == "cannot be told"


def test_false_regions_on_power_laws_are_rare():
    rising, settling, _ = counted(20, noise=0.05, points=12)
    assert rising + settling <= 3
    rising, settling, _ = counted(20, noise=0.05, points=30, correlation=0.5)
    assert rising + settling <= 3


def test_a_broken_power_law_is_no_plateau():
    d, loss = curve(2, noise=0.01)
    u = np.linspace(0, 1, len(d))
    broken = curve_regions(d, loss * np.exp(1.5 * np.clip(u - 0.5, None, 0)))  # falls at 46 % of the exponent there
    assert broken.rises is None and broken.settles is None


@pytest.mark.slow
def test_the_correlation_of_short_series_is_not_taken_for_less_than_it_is():
    """Residuals of 25 points lose 0.3 of a correlation of 0.5 to the shape that is fitted to them."""
    _, _, apart = counted(20, start=0.25, end=0.75, noise=0.05)
    _, _, following = counted(20, start=0.25, end=0.75, noise=0.05, correlation=0.5)
    assert np.mean([each.correlation for each in apart]) < 0.2
    assert 0.27 < np.mean([each.correlation for each in following]) < 0.6


@pytest.mark.slow
def test_ninety_percent_intervals_hold_the_change_points():
    """Nominal 90 %; the bound is four binomial standard errors below."""
    _, _, found = counted(100, start=0.25, end=0.75, points=25, noise=0.05)
    kept = [held(each.rises, 0.25) for each in found if each.rises] + [
        held(each.settles, 0.75) for each in found if each.settles
    ]
    assert len(kept) > 180 and np.mean(kept) > 0.81


def test_every_run_of_a_table_is_a_curve_and_short_ones_are_left():
    parts = [
        pl.DataFrame({"run": [f"r{k}"] * 20, "D": (made := curve(k, start=0.3 * k, points=20))[0], "loss": made[1]})
        for k in range(2)
    ]
    short = pl.DataFrame({"run": ["short"] * 3, "D": [1e6, 1e7, 1e8], "loss": [3.0, 2.0, 1.0]})
    told = regions(read_runs(pl.concat([*parts, short])))
    assert [each.name for each in told.curves] == ["r0", "r1"] and told.left == 1
    assert told.curves[0].rises is None and told.curves[1].rises is not None
    with pytest.raises(DataError, match="no curve of .* has 10 values of D or more"):
        regions(Runs.from_columns({"D": [1e6, 1e7], "loss": [2.0, 1.0]}))


def test_curves_without_a_column_of_runs_are_told_apart_by_others_and_refused_as_one():
    parts = [curve(seed, start=start, noise=0.01, points=20) for seed, start in ((1, 0.0), (2, 0.3), (3, 0.0))]
    columns = {
        "D": np.concatenate([d for d, _ in parts]).tolist(),
        "loss": np.concatenate([loss for _, loss in parts]).tolist(),
        "task": np.repeat(["words", "words", "images"], 20).tolist(),
        "model": np.repeat(["a", "b", "a"], 20).tolist(),
    }
    runs = Runs.from_columns(columns)
    with pytest.raises(DataError, match="3 of 60 rows .* several curves; .*--by 'task' --by 'model'"):
        regions(runs)
    found = regions(runs, by=("task", "model"))
    assert [each.name for each in found.curves] == ["words / a", "words / b", "images / a"]
    assert [each.rises is not None for each in found.curves] == [False, True, False]
