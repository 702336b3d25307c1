"""Many groups: blocks side by side against LAPACK, held coordinates, and settled starts against the joint descent."""

import numpy as np
import pytest
from tests.fitting.test_panel import LAW, panel_runs

import isoflop
from isoflop.fitting import panel_search
from isoflop.fitting.grouped import solve_blocks
from isoflop.fitting.native import engine
from isoflop.fitting.panel import fit_panel
from isoflop.fitting.panel_search import refit_panel
from isoflop.fitting.solve import solve_measured
from isoflop.uncertainty.panel import TOLERANCE, repeated


@pytest.mark.parametrize("size", [1, 2, 3, 6, 8])
def test_blocks_are_solved_as_lapack_solves_them(size):
    rng = np.random.default_rng(size)
    root = rng.standard_normal((300, size, size))
    system = root @ root.transpose(0, 2, 1) + 0.1 * np.eye(size)
    system[7] = -system[7]  # no pivot of it is positive
    right = rng.standard_normal((300, size, 4))
    expected = np.linalg.solve(system, right)
    assert np.allclose(solve_blocks(system.copy(), right.copy()), expected, rtol=1e-8, atol=1e-8)


def test_a_block_that_is_no_number_takes_no_step():
    system, right = np.tile(np.eye(2), (250, 1, 1)), np.ones((250, 2, 1))
    system[3, 0, 0] = np.nan
    found = solve_blocks(system, right)
    assert not found[3].any()
    assert (found[4] == 1).all()


@pytest.mark.parametrize("objective", [isoflop.huber(), isoflop.squares(), isoflop.student_t()], ids=str)
def test_held_coordinates_stay_and_the_others_reach_their_optimum(objective, monkeypatch):
    """Shared coordinates are held a little off: the compiled engine ends where NumPy's does."""
    ready = fit_panel(LAW, panel_runs(3, 30), share=("alpha", "beta"), objective=objective).ready
    panel = fit_panel(LAW, panel_runs(3, 30), share=("alpha", "beta"), objective=objective)
    begin = panel.optimum.local[0].copy()
    begin[:, list(ready.shared)] += 0.02
    rows = ready.each_group(np.zeros(3, dtype=np.int64), np.arange(3), held=True)
    scale = panel.optimum.scale[0] if objective.fits_scale else None
    compiled = solve_measured(rows, begin.copy(), scale, tolerance=1e-11)
    monkeypatch.setattr(type(rows), "compiled", False)
    plain = solve_measured(rows, begin.copy(), scale, tolerance=1e-11)
    assert (compiled.theta[:, list(ready.shared)] == begin[:, list(ready.shared)]).all()
    assert compiled.value == pytest.approx(plain.value, rel=1e-7)
    assert np.abs(compiled.theta - begin)[:, list(ready.own)].max() > 1e-3


@pytest.mark.skipif(engine() != "native", reason="only the compiled engine settles groups by themselves")
def test_settled_draws_are_those_of_the_joint_descent(monkeypatch):
    """Twenty groups with Huber's function at 1e-3, weights of a bootstrap."""
    panel = fit_panel(LAW, panel_runs(20, 24), share=("alpha", "beta"))
    weights = np.random.default_rng(0).multinomial(480, np.full(480, 1 / 480), size=10).astype(float)
    settled = refit_panel(panel.ready, repeated(panel.optimum, 10), weights=weights, tolerance=TOLERANCE)
    monkeypatch.setattr(panel_search, "settles", lambda system: False)
    joint = refit_panel(panel.ready, repeated(panel.optimum, 10), weights=weights, tolerance=TOLERANCE)
    assert settled.converged.all()
    assert settled.value == pytest.approx(joint.value, rel=2e-5)
    shared = list(panel.ready.shared)
    assert settled.local[:, 0, shared] == pytest.approx(joint.local[:, 0, shared], abs=2e-3)
