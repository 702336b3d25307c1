"""Decision accuracy: pairs by hand, the coverage of its interval, and what cannot be decided."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from isoflop import Runs
from isoflop.errors import DataError
from isoflop.validation.decisions import decisions, jackknife_share


def runs_of(means, *, seeds=1, noise=0.0, scales=(1e8, 1e9), response="loss"):
    """Runs of recipes (recipes, scales)."""
    means = np.asarray(means, dtype=float)
    rng = np.random.default_rng(0)
    recipes, count = means.shape
    shape = (recipes, count, seeds)
    return Runs.from_columns(
        {
            "N": np.broadcast_to(np.array(scales)[None, :, None], shape).ravel(),
            "recipe": np.repeat([f"r{k}" for k in range(recipes)], count * seeds),
            response: (means[:, :, None] + noise * rng.standard_normal(shape)).ravel(),
        }
    )


def test_pairs_by_hand_and_correlations_by_scipy():
    rng = np.random.default_rng(1)
    means = rng.normal(3, 1, (7, 3))
    found = decisions(runs_of(means, scales=(1e7, 1e8, 1e9)), by=["recipe"])
    assert found.target == 1e9 and [each.scale for each in found.decisions] == [1e7, 1e8]
    for column, each in enumerate(found.decisions):
        here, there = means[:, column], means[:, 2]
        right = [(here[i] < here[j]) == (there[i] < there[j]) for i, j in combinations(range(7), 2)]
        assert each.pairs == len(right) == 21
        assert each.accuracy.value == pytest.approx(np.mean(right))
        assert each.kendall == pytest.approx(2 * np.mean(right) - 1)
        assert each.spearman == pytest.approx(stats.spearmanr(here, there).statistic)
        picked = int(here.argmin())
        assert each.picked == f"r{picked}" and each.regret == pytest.approx(there[picked] - there.min())


def test_more_is_better_for_a_score():
    loss = runs_of([[3.0, 2.0], [2.9, 2.2]], response="loss")
    score = runs_of([[3.0, 2.0], [2.9, 2.2]], response="acc")
    assert decisions(loss, ["loss"], by=["recipe"]).decisions[0].picked == "r1"
    assert decisions(score, ["acc"], by=["recipe"]).decisions[0].picked == "r0"
    forced = decisions(score, ["acc"], by=["recipe"], better="lower")
    assert forced.decisions[0].picked == "r1"


def test_ties_count_one_half():
    found = decisions(runs_of([[1.0, 1.0], [1.0, 2.0], [2.0, 3.0]]), by=["recipe"]).decisions[0]
    assert found.accuracy.value == pytest.approx((0.5 + 1 + 1) / 3)
    same = decisions(runs_of([[1.0, 1.0], [1.0, 2.0]]), by=["recipe"]).decisions[0]
    assert same.accuracy.value == 0.5 and np.isnan(same.kendall)


def test_sizes_that_differ_by_a_vocabulary_are_one_scale():
    n = [1.00e8, 1.02e8, 1.01e8, 1.00e9, 1.03e9, 1.02e9]
    runs = Runs.from_columns({"N": n, "recipe": list("abcabc"), "loss": [3.0, 3.1, 3.2, 2.0, 2.1, 2.2]})
    found = decisions(runs, by=["recipe"])
    assert found.target == 1.02e9 and found.decisions[0].accuracy.value == 1.0
    assert found.decisions[0].recipes == ("a", "b", "c")


def test_pairs_that_seeds_cannot_tell_apart_at_the_target():
    """Two pairs of recipes are equal at the target: what is decided about them is noise."""
    truth = [[3.0, 2.0], [3.2, 2.0], [3.4, 2.5], [3.6, 2.5]]
    (found,) = decisions(runs_of(truth, seeds=5, noise=0.01), by=["recipe"]).decisions
    assert found.apart == pytest.approx(4 / 6) and found.accuracy_apart == 1.0
    (single,) = decisions(runs_of(truth), by=["recipe"]).decisions
    assert np.isnan(single.apart) and np.isnan(single.accuracy_apart)


@pytest.mark.parametrize("recipes", [4, 6, 10, 25])
@pytest.mark.parametrize("rho", [0.0, 0.8, 0.97])
def test_the_interval_covers_the_accuracy_of_recipes_like_these(recipes, rho):
    """Normal recipes correlated by ρ between the scales: P(a pair is in order) = 1/2 + arcsin(ρ)/π."""
    rng, truth, inside, count = np.random.default_rng(2), 0.5 + np.arcsin(rho) / np.pi, 0, 300
    for _ in range(count):
        small = rng.normal(0, 1, recipes)
        large = rho * small + np.sqrt(1 - rho**2) * rng.normal(0, 1, recipes)
        order = (1 + np.sign(small[:, None] - small) * np.sign(large[:, None] - large)) / 2
        found = jackknife_share(order, level=0.9)
        inside += found.low <= truth <= found.high
    assert inside / count >= 0.86


def test_recipes_that_miss_a_scale_are_compared_where_they_are():
    runs = runs_of([[3.0, 2.0], [3.1, 2.1], [3.2, 2.2]], scales=(1e8, 1e9))
    partial = runs.take(np.array([True, True, False, True, True, True]))  # r1 has no small run
    found = decisions(partial, by=["recipe"])
    assert found.decisions[0].recipes == ("r0", "r2")
    codes = [each.code for each in found.findings]
    assert codes == ["few-recipes"] and "1 pair:" in found.findings[0].message


def test_a_target_may_be_named():
    runs = runs_of(np.random.default_rng(4).normal(0, 1, (5, 3)), scales=(1e7, 1e8, 1e9))
    found = decisions(runs, by=["recipe"], target=1.01e8)
    assert found.target == 1e8 and [each.scale for each in found.decisions] == [1e7]
    with pytest.raises(DataError, match="no run has N = 5B; --target is one of 10M, 100M, 1B"):
        decisions(runs, by=["recipe"], target=5e9)
    with pytest.raises(DataError, match="both at N = 10M and at one smaller N"):
        decisions(runs, by=["recipe"], target=1e7)


def test_what_cannot_be_decided_is_refused_in_a_sentence():
    runs = runs_of([[3.0, 2.0], [3.1, 2.1]])
    with pytest.raises(DataError, match="between recipes, and there is none named; name their column with --by"):
        decisions(runs, by=[])
    with pytest.raises(DataError, match=r"there is one \(r0\)"):
        decisions(runs.where("recipe == 'r0'"), by=["recipe"])
    with pytest.raises(DataError, match="share only one value of N"):
        decisions(runs.where("N > 5e8"), by=["recipe"])
    apart = Runs.from_columns({"N": [1e8, 2e8, 4e8, 8e8], "recipe": list("abab"), "loss": [4.0, 3, 2, 1]})
    with pytest.raises(DataError, match="share no value of N"):
        decisions(apart, by=["recipe"])
    with pytest.raises(DataError, match="no column 'acc'"):
        decisions(runs, ["acc"], by=["recipe"])


def test_another_input_that_differs_between_recipes_is_a_finding():
    columns = {"N": [1e8, 1e8, 1e9, 1e9], "recipe": list("abab"), "loss": [3.0, 3.1, 2.0, 2.1]}
    unequal = decisions(Runs.from_columns({**columns, "D": [1e9, 2e9, 1e10, 1e10]}), by=["recipe"])
    found = next(each for each in unequal.findings if each.code == "other-input-varies")
    assert found.message.startswith("Recipes at one N differ in D (at 1 place)")
    equal = decisions(Runs.from_columns({**columns, "D": [1e9, 1e9, 1e10, 1e10]}), by=["recipe"])
    assert [each.code for each in equal.findings] == ["few-recipes"]
