"""Inputs that hold a list in every row: taken by rows as arrays are, and summed row by row."""

import numpy as np
import pytest
from tests.laws.cases import CASES

from isoflop import law
from isoflop.errors import FormulaError
from isoflop.laws import evaluate as module
from isoflop.laws.lists import Lists

ROWS = [[1.0, 2.0], [], [3.0], [4.0, 5.0, 6.0]]
LISTS = Lists.of(ROWS)


@pytest.mark.parametrize(
    "rows",
    [np.array([3, 0, 0]), np.array([True, False, True, True]), slice(1, 4), slice(None), np.array([], dtype=int), [-1]],
    ids=str,
)
def test_rows_are_taken_as_an_array_s(rows):
    taken = LISTS[rows]
    expected = [ROWS[place] for place in np.arange(4)[rows]]
    assert len(taken) == taken.shape[0] == len(expected)
    assert taken.values.tolist() == [value for each in expected for value in each]
    assert taken.counts.tolist() == [len(each) for each in expected]


def falls(rows, seed=0):
    """Lists of the three inputs of the multi-power law, of 0 to 6 values a row, and each row's own."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 7, rows)
    each = {
        "drop_k": [rng.uniform(-1e-5, 2e-5, count) for count in counts],
        "rate_k": [rng.uniform(1e-4, 3e-4, count) for count in counts],
        "area_k": [rng.uniform(0.01, 1.0, count) for count in counts],
    }
    return {name: Lists.of(values) for name, values in each.items()}, each


@pytest.mark.parametrize("most", [1, 7, 2_000_000])  # pairs at once: any block gives the same
def test_every_row_and_draw_is_the_value_of_its_own_list(monkeypatch, most):
    monkeypatch.setattr(module, "_PAIRS", most)
    each, truth = law("multi-power"), CASES["multi-power"].truth
    lists, own = falls(9)
    area = np.linspace(0.5, 2.0, 9)
    draws = {name: value * np.array([[1.0], [1.1], [0.9]]) for name, value in truth.items()}
    together = each.value(draws, {"S1": area, **lists})
    assert together.shape == (3, 9)
    for draw in range(3):
        for row in range(9):
            params = {name: float(values[draw, 0]) for name, values in draws.items()}
            alone = each.value(params, {"S1": area[row], **{name: values[row] for name, values in own.items()}})
            assert together[draw, row] == pytest.approx(float(alone), rel=1e-13)
    at_truth = each.value(truth, {"S1": area, **lists})
    assert at_truth == pytest.approx(together[0], rel=1e-14)


def test_a_single_row_has_a_list_too():
    each, truth = law("multi-power"), CASES["multi-power"].truth
    lists, own = falls(9)
    row = int(np.argmax([len(values) for values in own["drop_k"]]))
    few = {name: values[[row]] for name, values in lists.items()}
    alone = each.value(truth, {"S1": 0.7, **{name: values[row] for name, values in own.items()}})
    assert each.value(truth, {"S1": np.array([0.7]), **few}) == pytest.approx([float(alone)], rel=1e-13)


def test_a_list_outside_a_sum_is_refused():
    loose = law("E + A/N^alpha", inputs=["N"])
    with pytest.raises(FormulaError, match=r"N has a list of values in every row; write it inside a total"):
        loose.value({"E": 1.0, "A": 2.0, "alpha": 0.3}, {"N": LISTS})
