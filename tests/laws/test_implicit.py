"""The solver of implicit laws: the answer, and how many evaluations it takes where the unknown is next to an end."""

import numpy as np
import pytest

from isoflop.laws.implicit import solve_unknown


def saturating(low, high, alpha, goal):
    """log((u − low)/(high − u)^alpha) = goal, with a count of the evaluations."""
    calls = []

    def equation(unknown):
        calls.append(1)
        with np.errstate(all="ignore"):
            above, below = unknown - low, high - unknown
            return np.log(above / below**alpha) - goal, 1 / above + alpha / below

    return equation, calls


def test_unknown_between_its_ends():
    goal = np.linspace(-3, 3, 7)
    equation, calls = saturating(1.0, 3.0, 1.0, goal)
    # with alpha = 1 the equation is the logistic function's
    assert solve_unknown(equation, np.array(1.0), np.array(3.0), (7,)) == pytest.approx(1 + 2 / (1 + np.exp(-goal)))
    assert len(calls) < 10


@pytest.mark.parametrize("goal", [-45.0, -38.0, -20.0, 20.0, 38.0, 45.0])
def test_unknown_that_rounding_cannot_tell_from_an_end_is_found_quickly(goal):
    equation, calls = saturating(1.0, 3.0, 1.0, np.array([goal]))
    (unknown,) = solve_unknown(equation, np.array(1.0), np.array(3.0), (1,))
    end = 1.0 if goal < 0 else 3.0
    assert unknown == pytest.approx(1 + 2 / (1 + np.exp(-goal)), rel=1e-15) and unknown == pytest.approx(end, rel=1e-8)
    assert len(calls) <= 16


def test_no_root_is_nan():
    (unknown,) = solve_unknown(lambda u: (np.log(u - 1) - np.log(4.0), 1 / (u - 1)), np.array(1.0), np.array(3.0), (1,))
    assert np.isnan(unknown)
