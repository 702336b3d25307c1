"""Groups of known laws: who is better where, whether they cross, and what one's compute is worth in the other's."""

import math
from dataclasses import replace

import numpy as np
import pytest

from isoflop import Runs, law
from isoflop.errors import DataError, IsoflopError
from isoflop.fitting import objective
from isoflop.planning.comparison import Group, compare_groups, groups_by

from .conftest import LAWS

DRAWS = 200


def compared(runs, **options):
    groups, _ = groups_by(runs, "recipe")
    return compare_groups(groups, draws=DRAWS, **options)


def codes(found):
    return {each.code for each in found.findings}


def test_laws_that_cross_are_placed_where_they_cross(recipes):
    found = compared(recipes("ab"))
    crossing = found.between("b", "a")
    assert crossing.verdict(0.9) == "cross" and crossing.inside >= 0.9 and crossing.evidence_inside > 0.99
    (place,) = crossing.places
    assert place.low < 1e20 < place.high and place.better == "b"
    assert place.x == pytest.approx(1e20, rel=0.8)
    assert (found.lead.leader, found.lead.other, found.lead.x) == ("b", "a", 1e22)
    assert found.lead.probability > 0.99
    truth = float(LAWS["a"](1e22) - LAWS["b"](1e22))
    assert found.lead.advantage.value == pytest.approx(truth, abs=0.02) and found.lead.advantage.low > 0


def test_the_interval_of_a_crossing_is_where_the_gaps_interval_holds_zero(recipes):
    groups, _ = groups_by(recipes("ab"), "recipe")
    (place,) = compare_groups(groups, draws=DRAWS).crossings[0].places
    ends = [place.low, place.high]
    there = compare_groups(groups, draws=DRAWS, at={"C": ends})
    at_low, at_high = (each.difference for each in there.gaps)
    scale = at_high.high - at_high.low
    assert min(abs(at_low.low), abs(at_low.high)) < 0.05 * scale
    assert min(abs(at_high.low), abs(at_high.high)) < 0.05 * scale


def test_laws_without_noise_give_the_multiplier_that_they_have(recipes):
    found = compared(recipes("ac", noise=1e-6), at={"C": [1e19, 1e21]})
    (factor,) = found.multipliers_at
    assert factor.value == pytest.approx([1.5, 1.5], rel=0.01)
    assert factor.change.value == pytest.approx(1.0, rel=0.02)
    back = compared(recipes("ac", noise=1e-6), at={"C": [1e19, 1e21]}, reference="c").multipliers_at[0]
    assert back.value == pytest.approx([1 / 1.5, 1 / 1.5], rel=0.01)


def test_what_the_reference_never_reaches_is_infinite_and_no_nan(recipes):
    found = compared(recipes("da", noise=0.001))
    (factor,) = found.multipliers_at
    top = factor.at(1)  # at the largest run a lies below d's floor
    assert math.isinf(top.value) and factor.unreached[1] == 1.0
    assert not np.isnan([*factor.value, *factor.low, *factor.high]).any()
    assert factor.change is None
    crossing = found.between("a", "d")
    assert crossing.verdict(0.9) == "do not cross" and not crossing.places and crossing.ever == 0


def test_equal_laws_are_not_told_apart_and_probabilities_sum_to_one(recipes):
    same = recipes("ab", noise=0.004)
    first = same.take(np.array(same.text("recipe")) == "a")
    rng = np.random.default_rng(3)
    again = first.with_column("loss", LAWS["a"](first["C"]) * np.exp(0.004 * rng.standard_normal(len(first))))
    found = compare_groups([Group("one", first), Group("two", again)], draws=DRAWS)
    for scale in found.scales:
        assert sum(scale.best) == pytest.approx(1)
        assert sum(scale.best_with_error) == pytest.approx(1)
    assert found.crossings[0].verdict(0.9) != "cross" or not found.gaps[1].differs


def test_paired_draws_are_three_times_narrower_where_configurations_share_their_noise(recipes):
    runs = recipes("ac", common=0.98, noise=0.01)
    paired, independent = (compared(runs, paired=each) for each in (None, False))
    assert paired.paired and not independent.paired
    for one, other in zip(paired.gaps, independent.gaps, strict=True):
        assert 3 * (one.difference.high - one.difference.low) < other.difference.high - other.difference.low
        assert one.difference.value == pytest.approx(other.difference.value)


def test_groups_that_share_no_configuration_are_drawn_independently(recipes):
    first, second = recipes("a"), recipes("b", high=3e21)
    runs = second.take(second["C"] > 1.5e18)
    found = compare_groups([Group("a", first), Group("b", runs)], draws=DRAWS)
    assert not found.paired and found.curves.joint.shared == {(0, 1): 0}


def test_missing_pairs_are_said(recipes):
    runs = recipes("ab", common=0.9)
    found = compared(runs.take(np.arange(len(runs)) != 20))
    assert found.paired and "missing-pairs" in codes(found)
    assert found.curves.joint.shared == {(0, 1): 15}


def test_model_error_makes_the_gap_wider(recipes):
    found = compared(recipes("ab"))
    for each in found.gaps:
        assert each.with_error.high - each.with_error.low > each.difference.high - each.difference.low


def test_budgets_are_compared_along_the_compute_optimal_frontier(known_runs):
    better = {"E": 1.7, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    groups = [Group("one", known_runs(0.002)), Group("two", known_runs(0.002, truth=better, seed=1))]
    found = compare_groups(groups, draws=60)
    assert found.curves.along.optimal and found.curves.along.x == "C"
    assert found.lead.leader == "two" and found.lead.advantage.low < 0.1172 < found.lead.advantage.high
    along_n = compare_groups(groups, draws=60, x="N", at={"D": [1e11], "N": [1e9]})
    assert along_n.curves.along.held == {"D": 1e11} and [each.x for each in along_n.scales] == [1e9]
    truth = 1.8172 - 1.7
    assert along_n.gaps[0].difference.low < -truth < along_n.gaps[0].difference.high


def test_a_score_is_better_when_higher(recipes):
    runs = recipes("ab")
    score = runs.with_column("accuracy", 3.5 - runs["loss"])
    found = compared(score, law=law("accuracy = 3.5 - E - A/C^alpha"), objective=objective("raw-lsq"))
    assert found.better == "higher" and found.lead.leader == "b" and found.lead.advantage.value > 0
    assert compared(score, law=law("accuracy = 3.5 - E - A/C^alpha"), better="lower").lead.leader == "a"


def test_a_crossing_far_outside_is_a_probability_and_no_place(recipes):
    found = compared(recipes("ab", high=1e20).where("C < 2e19"))
    for each in found.crossings:
        assert all(place.x <= 2e20 for place in each.places)
        assert each.ever >= each.within >= (each.inside or 0)


def test_a_crossing_beyond_the_runs_is_said(recipes):
    found = compared(recipes("ab", noise=0.0003).where("C < 7e19"))
    (place,) = found.crossings[0].places
    assert place.x > found.crossings[0].span[1]
    assert "crossing-outside" in codes(found)


def test_many_groups_cross_with_the_reference_alone(recipes):
    runs = recipes("abcdabcd")
    named = replace(runs, frame=runs.frame.with_columns(recipe=np.repeat([f"g{k}" for k in range(8)], 16)))
    found = compared(named)
    assert len(found.crossings) == 7 and {each.first for each in found.crossings} == {"g0"}


def test_groups_without_overlap_are_said(recipes):
    runs = recipes("ab")
    name, c = np.array(runs.text("recipe")), runs["C"]
    found = compared(runs.take(((name == "a") & (c < 1e20)) | ((name == "b") & (c > 2e20))))
    assert "no-overlap" in codes(found) and found.crossings[0].inside is None


def test_small_groups_are_left_out_and_two_must_be_left(recipes):
    runs = recipes("abc")
    name = np.array(runs.text("recipe"))
    few = runs.take((name != "c") | (runs["C"] < 2e18))
    found = compared(few)
    assert found.names == ("a", "b") and "groups-left-out" in codes(found)
    with pytest.raises(DataError, match=r"needs 4 runs or more in each of two groups; these have fewer: b \(2\)"):
        compared(runs.take((name == "a") | ((name == "b") & (runs["C"] < 2e18))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference": "z"}, "'z' is no group; --reference is one of a, b"),
        ({"x": "N"}, "has no column for N"),
        ({"law": "chinchilla"}, "has no column for"),
        ({"at": {"C": [1e20], "N": [1e8, 1e9]}}, "N is held while C varies, so --at gives it one value, not 2"),
        ({"at": {"D": [1e9]}}, "D is no input of"),
        ({"level": 1.5}, "level"),
        ({"draws": 3}, "3 draws make no interval"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence(recipes, change, message):
    groups, _ = groups_by(recipes("ab"), "recipe")
    if "law" in change:
        change = {"law": law(change["law"])}
    with pytest.raises(IsoflopError, match=message):
        compare_groups(groups, **{"draws": DRAWS} | change)


def test_a_constant_response_is_refused(recipes):
    runs = recipes("ab")
    flat = runs.with_column("loss", np.where(np.array(runs.text("recipe")) == "b", 2.0, runs["loss"]))
    with pytest.raises(DataError, match="loss is 2 in every run of 'b', so nothing scales there"):
        compared(flat)


def test_one_group_and_an_absent_column_are_refused(recipes):
    with pytest.raises(DataError, match="holds the one value 'a', and a comparison needs two groups or more"):
        groups_by(recipes("a"), "recipe")
    with pytest.raises(DataError, match="recipes has no column"):
        groups_by(recipes("ab"), "recip")
    with pytest.raises(DataError, match="two groups or more"):
        compare_groups([Group("a", recipes("a"))])


def test_rows_without_a_group_are_left_out_and_said(recipes):
    runs = recipes("ab")
    names = ["" if k == 3 else name for k, name in enumerate(runs.text("recipe"))]
    groups, notes = groups_by(runs.with_column("recipe", names), "recipe")
    assert [len(each.runs) for each in groups] == [15, 16]
    assert [each.code for each in notes] == ["rows-without-group"]


def test_nothing_that_varies_is_refused(recipes):
    runs = Runs.from_columns({"N": [1e8] * 8, "loss": np.linspace(2, 3, 8), "recipe": list("aaaabbbb")})
    with pytest.raises(DataError, match="none of C, N, D, step varies in two of the groups a, b by a factor of 1.5"):
        compared(runs)


def test_a_parameter_that_is_no_number_is_told_instead_of_compared():
    size = np.geomspace(1e3, 1e6, 8)
    flat, steep = 2 * size**-1e-4, 3 * size**-0.1
    runs = Runs.from_columns(
        {"N": np.tile(size, 2), "loss": np.concatenate([steep, flat]), "recipe": ["steep"] * 8 + ["flat"] * 8}
    )
    groups, _ = groups_by(runs, "recipe")
    with pytest.raises(DataError, match=r"N_0 of 'flat' is too large for a number.*--only.*A/N\^alpha"):
        compare_groups(groups, law=law("timeseries-n"), draws=20, starts=8)
