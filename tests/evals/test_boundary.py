"""What rows of items must be: each fault is one sentence with the value and what to do, or a finding."""

import polars as pl
import pytest

from isoflop.errors import DataError
from isoflop.evals import aggregates, read_items


def table(**columns):
    return pl.DataFrame({"model": ["a", "a", "b", "b"], "item": [1, 2, 1, 2], **columns}, strict=False)


def codes(items):
    return {each.code for each in items.findings}


@pytest.mark.parametrize(
    "columns, says",
    [
        ({"score": [0.1, -0.2, 0.3, 0.4]}, r"between -0.2 and 0.4, and a score below 0 .*--metric"),
        ({"score": [1, 5, 3, 4]}, r"between 1 and 5, and a score above 1 .*--scale percent"),
        ({"score": [0.1, 250.0, 0.3, 0.4]}, "above 100"),
        ({"score": [0.1, 1.2, 0.3, 0.4]}, "between 0.1 and 1.2, and a score above 1"),
        ({"score": [0.1, 45.0, 0.3, 0.4]}, "between 0.1 and 45, and a score above 1"),
        ({"score": ["0.1", "high", "0.3", "0.4"]}, "not 'high'"),
        ({"log_p": [[-1.0, 0.5]] * 4, "right": [0] * 4}, "at or below 0; give natural logarithms"),
        ({"log_p": [[-1.0]] * 4, "right": [0] * 4}, "1 options .* needs two options or more"),
        ({"log_p": [[-1.0, -2.0]] * 4, "right": [2] * 4}, "the right one is number 2"),
        ({"log_p": [[-1.0, -2.0]] * 4, "right": ["Z"] * 4}, "'Z' is no option"),
        ({"log_p": [[-1.0, -2.0]] * 4}, "no column of the right option"),
        ({"log_p": [[-1.0, -2.0]] * 3 + [[-1.0, -2.0, -3.0]], "right": [0] * 4}, "different numbers of options"),
        ({"log_p": ["[-1, -2]", "a, b", "[-1, -2]", "[-1, -2]"], "right": [0] * 4}, "a list of numbers"),
        ({"passes": [1, 2, 3, 4], "tries": [2, 2, 2, 2]}, "3 passes in 2 tries"),
        ({"passes": [0, 1, 1, 1], "tries": [0, 2, 2, 2]}, "0 passes in 0 tries"),
        ({"passes": [2.5, 1, 1, 1], "tries": [3, 2, 2, 2]}, "passes are whole numbers, not 2.5"),
        (
            {"passes": [3, 1, 1, 1], "tries": [4, 2, 2, 2], "goal": [2] * 4},
            "no more than the number at which tries ended",
        ),
        ({"p_0": [0.5] * 4, "p_1": [0.3] * 4, "label": [0] * 4}, "sum to 0.8; give those of every class"),
        ({"p_0": [1.5] * 4, "p_1": [-0.5] * 4, "label": [0] * 4}, "between 0 and 1"),
        ({"p_0": [0.5] * 4, "p_1": [0.5] * 4, "label": [2] * 4}, "right class outside the classes"),
    ],
)
def test_what_cannot_be_mended_is_refused_with_the_value(columns, says):
    with pytest.raises(DataError, match=says) as told:
        read_items(table(**columns))
    assert "\n" not in str(told.value) and len(str(told.value)) < 600


def test_percent_is_told_by_its_range_and_a_mixture_is_a_warning():
    items = read_items(table(score=[10.0, 55.5, 33.0, 0.5]))
    assert items.rows["score"].to_list() == pytest.approx([0.1, 0.555, 0.33, 0.005])
    mixed = read_items(pl.DataFrame({"model": ["a", "b"], "quiz": [31.0, 46.0], "rare": [0.4, 0.9]}))
    (finding,) = [each for each in mixed.findings if each.code == "percent-scores"]
    assert finding.level == "warning" and "rare were taken for shares" in finding.message
    told = read_items(pl.DataFrame({"model": ["a", "b"], "quiz": [31.0, 46.0], "rare": [0.4, 0.9]}), scale="percent")
    assert told.rows["score"].to_list() == pytest.approx([0.31, 0.46, 0.004, 0.009])
    with pytest.raises(DataError, match="above 1"):
        read_items(pl.DataFrame({"model": ["a", "b"], "quiz": [31.0, 46.0]}), scale="fraction")


def test_duplicates_count_once_and_repeats_are_averaged():
    twice = pl.concat([table(score=[1, 0, 1, 1]), table(score=[1, 0, 1, 1]).head(1)])
    items = read_items(twice)
    assert len(items.rows) == 4 and "duplicate-items" in codes(items)
    repeated = pl.concat([table(score=[1, 0, 1, 1]), table(score=[0, 0, 1, 1]).head(1)])
    several = read_items(repeated)
    assert [each.value for each in aggregates(several)] == [0.25, 1.0] and "several-answers" in codes(several)
    numbered = read_items(repeated.with_columns(repeat=pl.Series([1, 1, 1, 1, 2])))
    assert "several-answers" not in codes(numbered)


def test_two_scores_of_one_model_and_task_are_refused():
    with pytest.raises(DataError, match="'a' has two scores of 'quiz' .*: 0.3 and 0.4"):
        read_items(pl.DataFrame({"model": ["a", "a"], "shots": [0, 5], "quiz": [0.3, 0.4]}))


def test_one_item_all_right_and_all_wrong_are_told():
    one = read_items(pl.DataFrame({"model": ["a", "b"], "item": [1, 1], "score": [1, 0]}))
    assert "one-item" in codes(one) and aggregates(one)[0].interval.low != aggregates(one)[0].interval.low
    right, wrong = read_items(table(score=[1] * 4)), read_items(table(score=[0] * 4))
    assert "constant-scores" in codes(right) and "constant-scores" in codes(wrong)
    ends = [aggregates(each)[0].interval for each in (right, wrong)]
    assert 0.2 < ends[0].low < 1 == ends[0].high and ends[1].low == 0 < ends[1].high < 0.8


def test_options_that_differ_in_number_between_items_have_the_mean_chance():
    frame = table(log_p=[[-1.0, -2.0], [-1.0, -2.0, -3.0, -4.0]] * 2, right=[0] * 4)
    items = read_items(frame)
    assert items.chances["score"] == pytest.approx((1 / 2 + 1 / 4) / 2) and "options-differ" in codes(items)
    assert {each.value for each in aggregates(items) if each.measure == "acc"} == {1.0}


def test_probabilities_that_rounding_moved_are_rescaled_and_those_of_options_above_one_told():
    items = read_items(table(p_0=[0.333] * 4, p_1=[0.66] * 4, label=[0] * 4))
    assert "rescaled-probabilities" in codes(items)
    assert sum(items.rows["members"][0][0]) == pytest.approx(1, abs=1e-12)
    assert "option-mass" in codes(read_items(table(log_p=[[-0.1, -0.2]] * 4, right=[0] * 4)))


def test_chance_and_ceiling_are_declared_or_missing():
    assert "no-chance-level" in codes(read_items(table(score=[0, 1, 1, 1])))
    items = read_items(table(score=[0, 1, 1, 1]), chances={"score": 0.25}, ceilings={"score": 0.9})
    assert items.chances == {"score": 0.25} and items.ceilings == {"score": 0.9}
    for wrong, says in (({"other": 0.2}, "--chance names 'other'"), ({"score": 25.0}, "between 0 and 1")):
        with pytest.raises(DataError, match=says):
            read_items(table(score=[0, 1, 1, 1]), chances=wrong)
    with pytest.raises(DataError, match="the ceiling lies above the chance level"):
        read_items(table(score=[0, 1, 1, 1]), chances={"score": 0.9}, ceilings={"score": 0.5})


def test_losses_and_perplexities_are_no_scores():
    frame = pl.DataFrame({"model": ["a", "a"], "task": ["t", "t"], "metric": ["acc", "ppl"], "value": [0.4, 12.0]})
    items = read_items(frame)
    assert items.tasks == (("t", "acc"),) and "no-score" in codes(items)
    with pytest.raises(DataError, match="holds no score that can be used"):
        read_items(frame, metrics=["ppl"])


def test_a_scale_that_is_no_number_is_named():
    frame = pl.DataFrame({"model": ["a", "b"], "N": ["true", "false"], "quiz": [0.3, 0.4]})
    with pytest.raises(DataError, match="N of a is 'true', no number"):
        read_items(frame).scale("N")
