"""Pruning: what is kept at each size, where rules change places, and what the exponent becomes."""

import numpy as np
import pytest

from isoflop import Runs
from isoflop.errors import DataError, IsoflopError
from isoflop.planning.selection.pruned import prune

TOTALS = (100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0)


def _table(laws, *, noise=0.01, seeds=6):
    """Runs of L = A/T^alpha for each (rule, share)."""
    rows = {"family": [], "keep": [], "D": [], "loss": [], "seed": []}
    draws = np.random.default_rng(0)
    for (rule, share), (scale, exponent) in laws.items():
        for total in TOTALS:
            for seed in range(seeds):
                rows["family"].append(rule)
                rows["keep"].append(share)
                rows["D"].append(round(share * total))
                rows["loss"].append(scale / total**exponent * np.exp(draws.normal(0, noise)))
                rows["seed"].append(seed)
    return Runs.from_columns(rows)


LAWS = {("random", 1.0): (10.0, 0.5), ("hard", 0.25): (90.0, 0.8), ("easy", 0.25): (12.0, 0.45)}


def test_hard_and_easy_change_places_where_their_laws_cross():
    found = prune(_table(LAWS), at=[100, 3200, 12_800], draws=60)
    names = [each.name for each in found.ways]
    assert names == ["all", "easy 0.25", "hard 0.25"]
    assert [names[each.best] for each in found.sizes] == ["all", "hard 0.25", "hard 0.25"]
    assert [each.measured for each in found.sizes] == [True, True, False]
    (exchange,) = found.exchanges
    assert (exchange.first, exchange.second) == ("easy", "hard")
    assert exchange.total.value == pytest.approx((90 / 12) ** (1 / 0.35), rel=0.05)
    for way, truth in zip(found.ways, (0.5, 0.45, 0.8), strict=True):
        assert way.exponent.value == pytest.approx(truth, abs=0.04)
    far = found.sizes[-1]
    assert far.responses[2].value == pytest.approx(90 / 12_800**0.8, rel=0.1)
    assert far.ratio.value == pytest.approx(9 * 12_800**-0.3, rel=0.1)
    assert "pruning-beyond" in {each.code for each in found.findings}


def test_the_exponent_in_examples_kept_is_that_of_the_best_ways():
    found = prune(_table(LAWS, noise=1e-6), at=[1600, 3200], start=3000, draws=20)
    assert found.frontier.value == pytest.approx(0.8, abs=1e-3) and found.unpruned.value == pytest.approx(0.5, abs=1e-3)


def test_of_ways_equally_good_the_one_that_keeps_fewest_is_chosen():
    laws = {("random", 1.0): (10.0, 0.5), ("hard", 0.5): (10.0, 0.5), ("hard", 0.25): (10.1, 0.5)}
    found = prune(_table(laws, noise=1e-9), start=3000, draws=20)
    assert {found.ways[each.fewest].name for each in found.sizes} == {"hard 0.25"}
    assert {found.ways[each.best].name for each in found.sizes} <= {"all", "hard 0.5"}
    strict = prune(_table(laws, noise=1e-9), start=3000, within=0.001, draws=20)
    assert {strict.ways[each.fewest].name for each in strict.sizes} == {"hard 0.5"}
    assert strict.sizes[0].probability[:2] == pytest.approx((0.5, 0.5), abs=0.01)  # draws of a tie are shared


def test_one_repetition_has_no_intervals():
    found = prune(_table(LAWS, seeds=1), at=[200], draws=20)
    assert np.isnan(found.sizes[0].responses[0].low) and np.isnan(found.sizes[0].probability[0])
    (exchange,) = found.exchanges  # told, but not in how many of no draws
    assert np.isfinite(exchange.total.value) and np.isnan(exchange.probability)
    assert "one-repetition" in {each.code for each in found.findings}


@pytest.mark.parametrize(
    ("laws", "options", "message"),
    [
        ({("random", 1.0): (10.0, 0.5)}, {}, "has 1 way to prune"),
        (LAWS, {"at": [0.5]}, "1 or more, not 0.5"),
        (
            LAWS,
            {"at": [1e5], "start": 3000.0},
            "1 of the 4 sizes .* lie at 3K .* so 100K examples cannot be forecast.*--start",
        ),
        ({("random", 1.5): (10.0, 0.5), ("hard", 0.5): (10.0, 0.5)}, {}, "above 0, up to 1, and row 1 has 1.5"),
        (
            {("random", 1.0): (10.0, 0.5), ("hard", 0.5): (0.0, 0.5)},
            {},
            "loss is a loss or error, above 0, and row 37 has 0 ",
        ),
    ],
)
def test_bad_tables_and_sizes_are_refused(laws, options, message):
    with pytest.raises((DataError, IsoflopError), match=message):
        prune(_table(laws), draws=20, **options)


def test_ways_that_share_no_size_or_seed_are_refused():
    runs = _table(LAWS, seeds=2)
    hard = np.array(runs.text("family")) == "hard"
    with pytest.raises(DataError, match="every way measured"):
        prune(runs.with_column("D", np.where(hard, runs["D"] * 3 + 1, runs["D"])), draws=20)
    with pytest.raises(DataError, match="share no seed"):
        prune(runs.with_column("seed", runs["seed"] + 10 * hard), draws=20)
