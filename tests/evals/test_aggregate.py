"""Means with errors over clusters, intervals of shares, suites, and differences on the same items."""

import numpy as np
import polars as pl
import pytest

from isoflop.errors import DataError
from isoflop.evals import aggregates, differences, read_items, suites
from isoflop.evals.aggregate import clustered, share_interval
from isoflop.uncertainty.holm import holm


def test_without_clusters_the_error_is_that_of_a_mean():
    values = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    mean, error, count = clustered(values, np.arange(5))
    assert (mean, count) == (0.6, 5) and error == pytest.approx(values.std(ddof=1) / 5**0.5)


def test_items_of_one_cluster_count_as_much_as_they_differ():
    values, clusters = np.repeat([0.0, 1.0, 1.0, 0.0, 1.0], 4), np.repeat(np.arange(5), 4)
    # four copies of each item tell nothing more
    assert clustered(values, clusters)[1] == pytest.approx(clustered(values[::4], np.arange(5))[1])
    assert clustered(values, np.arange(20))[1] < 0.55 * clustered(values, clusters)[1]


def test_intervals_of_clustered_shares_cover_in_simulation():
    rng, held = np.random.default_rng(0), 0
    for _ in range(400):
        ability = rng.beta(2, 6, 40)  # 40 passages with three questions each
        hits = rng.binomial(1, np.repeat(ability, 3)).astype(float)
        mean, error, count = clustered(hits, np.repeat(np.arange(40), 3))
        told = share_interval(mean, error, count, 0.9)
        held += told.low <= 0.25 <= told.high
    assert 0.86 <= held / 400 <= 0.94


def test_intervals_of_shares_stay_between_0_and_1_and_are_jeffreys():
    told = share_interval(1.0, 0.0, 50, 0.9)
    assert 0.93 < told.low < 1 and told.high == 1
    from scipy.stats import beta

    plain = share_interval(0.3, (0.3 * 0.7 / 60) ** 0.5, 60, 0.9)
    assert (plain.low, plain.high) == pytest.approx(tuple(beta.ppf([0.05, 0.95], 18.5, 42.5)))


def made(rng, items=200, gain=0.05, tasks=1):
    rows = []
    for task in range(tasks):
        base = rng.beta(0.5, 0.5, items)
        for model, more in (("small", 0.0), ("large", gain)):
            hit = rng.binomial(1, np.clip(base + more, 0, 1))
            rows.append(pl.DataFrame({"model": model, "task": f"t{task}", "item": np.arange(items), "score": hit}))
    return read_items(pl.concat(rows), chances={f"t{k}": 0.25 for k in range(tasks)})


def test_pairs_take_off_what_items_have_in_common():
    found = [differences(made(np.random.default_rng(seed)), "small")[0] for seed in range(20)]
    assert np.mean([each.unpaired / each.error for each in found]) > 1.2
    values, errors = np.array([each.value.value for each in found]), np.array([each.error for each in found])
    assert values.std(ddof=1) == pytest.approx(errors.mean(), rel=0.3)
    same = [differences(made(np.random.default_rng(seed), gain=0.0, items=80), "small")[0].p for seed in range(30)]
    assert np.mean(np.array(same) < 0.1) == pytest.approx(0.1, abs=0.12)


def test_differences_of_several_tasks_are_corrected_and_need_items():
    items = made(np.random.default_rng(0), gain=0.1, tasks=4)
    found = differences(items, "small")
    assert [each.adjusted for each in found] == pytest.approx(list(holm([each.p for each in found])))
    assert {each.model for each in found} == {"large"} and all(each.items == 200 for each in found)
    with pytest.raises(DataError, match="--baseline names 'huge', and the models are small, large"):
        differences(items, "huge")
    whole = read_items(pl.DataFrame({"model": ["a", "b"], "quiz": [0.3, 0.4]}))
    with pytest.raises(DataError, match="no model saw two items that 'a' saw"):
        differences(whole, "a")


def test_suites_count_tasks_alike_between_chance_and_ceiling():
    frame = pl.DataFrame({"model": ["a", "b", "c"], "x": [0.4, 0.7, 0.5], "y": [0.3, 0.25, None],
                          "x_stderr": [0.03, 0.03, 0.03], "y_stderr": [0.04, 0.04, 0.04]})  # fmt: skip
    items = read_items(frame, chances={"x": 0.25, "y": 0.25}, ceilings={"x": 0.85})
    first, second = suites(items, aggregates(items))
    assert (first.model, second.model) == ("a", "b")  # c lacks a task
    assert first.score.value == pytest.approx(0.35)
    assert (first.score.high - first.score.low) / 2 == pytest.approx(1.6449 * (0.03**2 + 0.04**2) ** 0.5 / 2, rel=1e-3)
    assert first.normalized.value == pytest.approx((0.15 / 0.6 + 0.05 / 0.75) / 2)
    assert (first.above_chance, second.above_chance) == (1, 1)
