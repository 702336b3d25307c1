import numpy as np
import pytest

from isoflop import Runs
from isoflop.validation.baselines import baselines
from isoflop.validation.split import hold_out, split


def said(runs, how="N", response="loss"):
    (window,), _ = split(runs, hold_out(how))
    return window, baselines(runs, window, response=response, inputs=("N", "D"))


def test_each_baseline_by_hand():
    # sizes 1, 2, 4, 8 million on 1 and 10 billion tokens, losses read off two lines in logarithms, one a duration
    n, d = (each.ravel() for each in np.meshgrid([1e6, 2e6, 4e6, 8e6], [1e9, 1e10], indexing="ij"))
    loss = np.where(d > 2e9, 3 * (n / 1e6) ** -0.1, 4 * (n / 1e6) ** -0.05)
    loss[4:6] = [9.0, 2.0]  # at 4 million: the short run is spoilt, the long one is the best of all
    runs = Runs.from_columns({"N": n, "D": d, "loss": loss})
    window, found = said(runs)
    assert runs["N"][window.held].tolist() == [8e6, 8e6]
    assert found["best seen"] == pytest.approx([2.0, 2.0])
    assert found["most-trained run"] == pytest.approx([2.0, 2.0])  # 4 million on 10 billion
    # through (2 million, 4 million) at the held-out run's own duration, one more doubling
    assert found["last two points"] == pytest.approx([9.0 * 9.0 / (4 * 2**-0.05), 2.0 * 2.0 / (3 * 2**-0.1)])


def test_a_pure_power_law_is_what_the_line_knows():
    n = np.logspace(6, 9, 7)
    runs = Runs.from_columns({"N": n, "D": np.full(7, 1e10), "loss": 20 / n**0.1})
    window, found = said(runs)
    assert found["last two points"] == pytest.approx(runs["loss"][window.held], rel=1e-12)


def test_points_of_the_line_lie_apart():
    # 99 and 100 million are one size to a line: the point before the last is 50 million
    runs = Runs.from_columns({"N": [1e7, 5e7, 9.9e7, 1e8, 4e8], "D": [1e9] * 5, "loss": [4.0, 3.0, 9.0, 2.4, 1.0]})
    _, found = said(runs)
    assert found["last two points"] == pytest.approx([2.4 * (2.4 / 3.0) ** 2])


def test_a_score_that_rises_has_its_best_at_the_top():
    runs = Runs.from_columns({"N": [1e6, 1e7, 1e8, 1e9], "D": [1e9] * 4, "accuracy": [0.3, 0.5, 0.4, 0.7]})
    _, found = said(runs, response="accuracy")
    assert (found["best seen"][0], found["most-trained run"][0]) == (0.5, 0.4)
