"""Error against spend: the batch run by run with the other ways beside it, and policies with their median."""

import numpy as np
import pytest

from isoflop import law
from isoflop.planning.design import candidate_grid, design
from isoflop.plots import batch_by_spend, policies_by_spend


def test_the_batch_is_drawn_run_by_run_beside_the_other_ways(axes):
    grid = candidate_grid(["N=10M:1B:4", "D=200M:20B:4"], ["N", "D"])
    found = design([law("chinchilla")], grid, 1e19, "loss at N=7B D=140B", draws=32)
    batch_by_spend(found, axes)
    run_by_run, *others = [each.get_offsets() for each in axes.collections]
    assert list(run_by_run[-1]) == pytest.approx([found.spent, found.errors[-1]])
    assert len(run_by_run) == len(found.rows) and len(others) == len(found.alternatives)
    assert [float(each[0, 0]) for each in others] == pytest.approx([each.spent for each in found.alternatives])
    assert axes.get_xlabel() == "spent (6*N*D)" and "expected error" in axes.get_ylabel()


def test_policies_are_drawn_by_their_median_and_what_failed_is_left_out(axes):
    share = np.array([0.03, 0.1, 0.3])
    errors = {"random": np.array([[0.3, 0.2, 0.1], [0.5, np.nan, 0.1], [0.4, 0.4, 0.1]])}
    policies_by_spend(share, errors, 0.05, axes, goal=(0.12, 1.05))
    assert axes.lines[0].get_ydata() == pytest.approx([0.4, 0.3, 0.1])
    assert [each.get_text() for each in axes.get_legend().get_texts()] == ["random", "whole table"]
