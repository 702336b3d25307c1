"""The sign of a comparison: its probability to be wrong against simulation, and designs for two groups of runs."""

import numpy as np
import polars as pl
import pytest

from isoflop import law
from isoflop.errors import IsoflopError
from isoflop.planning.design import candidate_grid, design
from isoflop.planning.design.posed import pose
from isoflop.planning.design.sign import comparison_of, wrong_sign
from isoflop.runs import Runs

CHINCHILLA = law("chinchilla")
GRID = candidate_grid(["N=1M:1B:4", "D=20M:20B:4"], ["N", "D"])
QUESTION = "which recipe is better at N=100M D=2B"


@pytest.fixture(scope="module")
def two():
    """Runs of two laws on one grid, with 0.3 % of scatter: the new one is better by 2 % at 1e8 and 2e9."""
    rng = np.random.default_rng(0)
    n, d = (each.ravel() for each in np.meshgrid([1e6, 3e6, 1e7, 3e7], [3e7, 1e8, 3e8]))
    constants = {"E": 1.8, "B": 1500.0, "beta": 0.36, "A": 400.0, "alpha": 0.34}
    made = {
        name: CHINCHILLA.value(constants | own, {"N": n, "D": d}) * np.exp(0.003 * rng.standard_normal(len(n)))
        for name, own in (("old", {}), ("new", {"A": 330.0}))
    }
    return Runs.from_columns(
        {
            "recipe": ["old"] * len(n) + ["new"] * len(n), "N": np.tile(n, 2), "D": np.tile(d, 2),
            "loss": np.concatenate([made["old"], made["new"]]),
        }
    )  # fmt: skip


@pytest.mark.parametrize(("mean", "before", "after"), [(0.3, 1.0, 0.4), (-1.0, 0.8, 0.5), (0.0, 1.0, 0.1)])
def test_the_probability_of_a_wrong_sign_is_that_of_simulated_experiments(mean, before, after):
    rng = np.random.default_rng(1)
    learned = mean + np.sqrt(before**2 - after**2) * rng.standard_normal(400_000)
    truth = learned + after * rng.standard_normal(400_000)
    assert wrong_sign(mean, before, after) == pytest.approx((np.sign(truth) != np.sign(learned)).mean(), abs=0.003)


def test_the_probability_falls_with_what_a_batch_leaves_alone():
    after = [wrong_sign(0.5, 1.0, each) for each in (1.0, 0.9, 0.5, 0.1, 0.01, 0.0)]
    assert after == sorted(after, reverse=True) and after[0] == pytest.approx(0.3085, abs=1e-4) and after[-1] == 0
    assert wrong_sign(0.0, 1.0, 1.0) == pytest.approx(0.5)


def test_a_comparison_trains_both_and_says_how_likely_its_sign_is_wrong(two):
    found = design([CHINCHILLA], GRID, 1e19, QUESTION, runs=two, draws=32)
    assert set(found.beliefs) == {"new", "old"} and {each["recipe"] for each in found.chosen} == {"new", "old"}
    assert found.spent <= 1e19 and found.wrong[1] < 0.6 * found.wrong[0]
    gap = np.log(found.now.value)
    assert found.wrong[0] == pytest.approx(wrong_sign(gap, found.errors[0], found.errors[0]))
    assert found.after.low < (1.8 + 330 / 1e8**0.34 + 1500 / 2e9**0.36) / (
        1.8 + 400 / 1e8**0.34 + 1500 / 2e9**0.36
    ) < found.after.high  # fmt: skip


def test_the_groups_are_independent_and_their_order_turns_the_ratio(two):
    posed = pose([CHINCHILLA], GRID, QUESTION, runs=two, draws=32)
    labels = posed.candidates.frame["recipe"].to_numpy()
    apart = labels[:, None] != labels[None]
    assert (posed.known.cov[apart] == 0).all() and len(posed.candidates) == 2 * len(GRID)
    turned = pose([CHINCHILLA], GRID, "which recipe is better, old or new, at N=100M D=2B", runs=two, draws=32)
    assert turned.known.target_mean == pytest.approx(-posed.known.target_mean)
    assert turned.target.name == "loss of old over that of new at N = 100M, D = 2B"


def test_candidates_of_further_groups_keep_their_place_and_are_not_trained(two):
    """A loop trains by the places of candidates, so none may be left out of the list."""
    labels = ["new", "other", "old", "other"] * 4
    pool = type(GRID)(GRID.frame.with_columns(recipe=pl.Series(labels)), GRID.cost, GRID.priced, "pool")
    found = design([CHINCHILLA], pool, 1e20, QUESTION.replace("better", "better, new or old,"), runs=two, draws=32)
    assert len(found.candidates) == len(pool) and {labels[row] for row in found.rows} == {"new", "old"}
    assert [each["cost"] for each in found.chosen] == [pool.cost[row] for row in found.rows]


def test_a_group_without_candidates_is_refused(two):
    pool = type(GRID)(GRID.frame.with_columns(recipe=pl.lit("new")), GRID.cost, GRID.priced, "pool")
    with pytest.raises(IsoflopError, match="no candidate has recipe = old"):
        pose([CHINCHILLA], pool, QUESTION, runs=two, draws=20)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("which kind is better at N=1B D=1B", "no column 'kind'"),
        ("which recipe is better, old or older, at N=1B D=1B", "recipe has no value 'older'; it has new, old"),
        ("which recipe is better, old or old, at N=1B D=1B", "'old' is named twice"),
        ("which N is better at N=1B D=1B", "is between two, and N has 6 values"),
        ("which recipe is better at N=1B", "D is missing"),
    ],
)
def test_a_comparison_that_cannot_be_made_is_answered_in_a_sentence(question, message, two):
    with pytest.raises(IsoflopError, match=message):
        pose([CHINCHILLA], GRID, question, runs=two, draws=20)


def test_before_any_run_the_candidates_tell_the_groups():
    with pytest.raises(IsoflopError, match="the candidates have no column recipe"):
        pose([CHINCHILLA], GRID, QUESTION)
    assert comparison_of("loss at N=1B D=1B") is None


def test_where_all_candidates_of_both_are_trained_that_is_said(two):
    labels = pl.Series(["new", "old", "other", "other"] * 4)
    cost = np.where(labels.to_numpy() == "other", GRID.cost, np.inf)
    pool = type(GRID)(GRID.frame.with_columns(recipe=labels), cost, GRID.priced, "pool")
    with pytest.raises(IsoflopError, match="every candidate of new or old has been trained"):
        design([CHINCHILLA], pool, 1e20, QUESTION.replace("better", "better, new or old,"), runs=two, draws=20)
