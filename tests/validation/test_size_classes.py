"""Size classes, Holm's correction, the smallest x near the best, and the front of cost."""

import numpy as np
import pytest
from scipy import stats

from isoflop import Runs
from isoflop.errors import DataError
from isoflop.uncertainty.holm import holm
from isoflop.validation.shape_audit import shapes
from isoflop.validation.size_classes import dunn, size_classes


def test_holm_is_the_textbook_procedure():
    p = [0.01, 0.04, 0.03, 0.005]
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]
    with_gap = holm([0.01, np.nan, 0.04])
    assert with_gap[[0, 2]] == pytest.approx([0.02, 0.04]) and np.isnan(with_gap[1])


def test_dunn_of_two_classes_is_the_root_of_kruskal_and_wallis():
    """z² = H for two classes, with and without ties."""
    rng = np.random.default_rng(0)
    for values in (rng.normal(0, 1, 15), rng.integers(0, 4, 15).astype(float)):
        a, b = values[:6], values[6:]
        (pair,) = dunn([a, b], [0, 1])
        h = stats.kruskal(a, b)
        assert pair.z**2 == pytest.approx(h.statistic) and pair.p == pytest.approx(h.pvalue)
        assert np.sign(pair.z) == np.sign(stats.rankdata(values)[6:].mean() - stats.rankdata(values)[:6].mean())


def test_dunn_on_three_classes_by_hand():
    """Nine values in order: mean ranks 2, 5, 8; z = 3/√(9·10/12·2/3) between neighbors."""
    pairs = dunn([np.array([1.0, 2, 3]), np.array([4.0, 5, 6]), np.array([7.0, 8, 9])], [0, 1, 2])
    z = 3 / np.sqrt(90 / 12 * 2 / 3)
    assert [each.z for each in pairs] == pytest.approx([z, 2 * z, z])
    assert pairs[1].adjusted == pytest.approx(3 * pairs[1].p)


def family(name, x, y):
    return {"family": [name] * len(x), "N": x, "acc": y}


def table(*parts):
    return Runs.from_columns({key: np.concatenate([each[key] for each in parts]) for key in ("family", "N", "acc")})


def test_classes_count_models_once_and_find_the_plateau():
    """Three families of eight sizes; nothing is gained above 8B; 20 repeats of a model are one model."""
    rng, x = np.random.default_rng(2), np.array([5e8, 1.5e9, 2.5e9, 4e9, 7e9, 1.4e10, 3.2e10, 7e10])
    top = np.minimum(np.searchsorted([3e9, 8e9], x), 2) * 0.3
    parts = [
        family(name, np.repeat(x, 20), np.repeat(top + rng.normal(0, 0.004, 8), 20) + rng.normal(0, 0.01, 160))
        for name in "abc"
    ]
    audit = shapes(table(*parts), ["acc"], by=["family"], classes=[3e9, 8e9, 33e9])
    (found,) = audit.classes
    assert found.names == ("≤ 3B", "3B–8B", "8B–33B", "> 33B") and found.count == (9, 6, 6, 3)
    assert found.p < 0.01 and found.plateau(alpha=0.1, delta=audit.delta[0]) == 2
    members = [[each.levels.mean[(x > a) & (x <= b)] for each in audit.rows] for a, b in ((0, 3e9), (3e9, 8e9))]
    assert found.median[:2] == pytest.approx([np.median(np.concatenate(each)) for each in members])


def test_a_test_that_finds_nothing_among_few_models_shows_no_plateau():
    x = np.array([1e8, 2e8, 1e9, 2e9, 1e10, 2e10])
    audit = shapes(table(*(family(name, x, np.log(x) + k / 10) for k, name in enumerate("ab"))), ["acc"], by=["family"])
    found = size_classes([each.levels for each in audit.rows], [5e8, 5e9])
    assert found.p <= 0.1 and any(each.adjusted > 0.1 for each in found.pairs)
    assert found.plateau(alpha=0.1, delta=audit.delta[0]) is None


def test_classes_of_equal_responses_one_class_and_edges():
    x = np.logspace(8, 10, 6)
    same = shapes(table(family("a", x, np.full(6, 0.5))), ["acc"])
    assert (same.classes[0].h, same.classes[0].p) == (0.0, 1.0)
    assert shapes(table(family("a", x, np.log(x))), ["acc"], classes=[1e12]).classes == ()
    with pytest.raises(DataError, match="ascend from above zero, and these are 3B, 1B"):
        shapes(table(family("a", x, np.log(x))), ["acc"], classes=[3e9, 1e9])


def test_the_smallest_x_near_the_best_has_the_coverage_that_it_states():
    rng, t = np.random.default_rng(4), np.linspace(0, 1, 6)
    truth = 1 - np.exp(-5 * t)
    x, delta = 10 ** (8 + 2 * t), 0.1
    wanted = x[np.flatnonzero(truth >= truth.max() - delta)[0]]
    inside, count = 0, 150
    for _ in range(count):
        acc = np.repeat(truth, 3) + rng.normal(0, 0.05, 18)
        near = shapes(Runs.from_columns({"N": np.repeat(x, 3), "acc": acc}), ["acc"], delta=delta).rows[0].near
        assert near.low <= near.value <= near.high
        inside += near.low <= wanted <= near.high
    assert inside / count >= 0.88  # at each end a test of its own, so that 90 % is the least


def test_the_smallest_x_near_the_best_narrows_with_more_seeds():
    def width(seeds):
        rng, x = np.random.default_rng(5), np.logspace(8, 10, 8)
        acc = np.repeat(1 - np.exp(-3 * np.linspace(0, 1, 8)), seeds) + rng.normal(0, 0.03, 8 * seeds)
        near = shapes(Runs.from_columns({"N": np.repeat(x, seeds), "acc": acc}), ["acc"]).rows[0].near
        return near.high / near.low

    assert width(40) < width(3)


def test_the_front_of_cost():
    small, large = np.array([1e8, 1e9, 1e10]), np.array([2e8, 2e9, 5e10])
    runs = table(family("a", small, np.array([0.2, 0.5, 0.6])), family("b", large, np.array([0.1, 0.55, 0.61])))
    audit = shapes(runs, ["acc"], by=["family"])
    assert [(each.group, each.x, each.near) for each in audit.fronts[0]] == [
        ("a", 1e8, False),
        ("a", 1e9, False),
        ("b", 2e9, False),
        ("a", 1e10, True),
        ("b", 5e10, True),
    ]
    loss = shapes(runs.with_column("price", [9.0, 5, 1, 9, 9, 9]), ["acc"], by=["family"], cost="price")
    assert [(each.cost, each.mean) for each in loss.fronts[0]] == [(1, 0.6), (9, 0.61)]
    cheap = shapes(runs, ["acc"], by=["family"], better="lower")
    assert [each.mean for each in cheap.fronts[0]] == [0.2, 0.1]
