"""Budgets in the table's own accounting of training FLOPs."""

import numpy as np
import pytest

from isoflop import Runs, bootstrap, fit, law
from isoflop.fitting.own_flops import own_flops
from isoflop.laws.optimum import optimum, searched_optimum
from isoflop.laws.training_flops import SIX_ND, TrainingFlops
from isoflop.planning import allocate
from isoflop.uncertainty.extrapolation import usual_budget
from isoflop.uncertainty.saved import load_fit, save_fit

TRUTH = {"E": 1.8, "A": 400.0, "B": 600.0, "alpha": 0.34, "beta": 0.30}
N, D = (each.ravel() for each in np.meshgrid(np.geomspace(1e7, 3e9, 6), np.geomspace(1e9, 1e11, 6)))
LOSS = law("chinchilla").value(TRUTH, {"N": N, "D": D})


def counted(c, *, noise=0.0) -> Runs:
    rng = np.random.default_rng(0)
    return Runs.from_columns({"N": N, "D": D, "C": c, "loss": LOSS * np.exp(rng.normal(0, noise, len(N)))})


@pytest.mark.parametrize(
    ("per", "n_power", "d_power"), [(9.0, 1.0, 1.0), (6.6, 1.0, 1.0), (12.0, 0.95, 1.0), (4.0, 1.02, 0.99)]
)
def test_a_regular_count_is_found(per, n_power, d_power):
    found, told = own_flops(counted(per * N**n_power * D**d_power))
    assert (found.per, found.n_power, found.d_power) == pytest.approx((per, n_power, d_power), rel=1e-6)
    assert [finding.code for finding in told] == ["own-flops"]


@pytest.mark.parametrize("per", [6.0, 6.03, 6e9, 1e-3])
def test_6nd_and_another_unit_are_no_count_of_their_own(per):
    assert own_flops(counted(per * N * D)) == (SIX_ND, ())


def test_a_count_without_a_rule_is_6nd_and_warned_of():
    scatter = np.exp(np.random.default_rng(1).normal(0.2, 0.3, len(N)))
    found, told = own_flops(counted(6 * N * D * scatter))
    assert found == SIX_ND and [(each.code, each.level) for each in told] == [("irregular-flops", "warning")]
    close, told = own_flops(counted(6 * N * D * np.exp(np.random.default_rng(1).normal(0, 0.02, len(N)))))
    assert close == SIX_ND and not told


def test_counts_computed_by_isoflop_are_6nd():
    assert own_flops(Runs.from_columns({"N": N, "D": D, "loss": LOSS}))[0] == SIX_ND


@pytest.mark.parametrize("rule", [TrainingFlops(9.0), TrainingFlops(12.0, 0.95, 1.0), TrainingFlops(4.0, 1.02, 0.99)])
def test_the_optimum_costs_its_budget_and_no_neighbor_is_better(rule):
    params = {name: np.array([value]) for name, value in TRUTH.items()}
    for find in (optimum, searched_optimum):
        best = find(law("chinchilla"), params, 1e21, counted=rule)
        n, d = float(best.n[0]), float(best.d[0])
        assert rule.flops(n, d) == pytest.approx(1e21) and rule.params(d, 1e21) == pytest.approx(n)
        for beside in (0.98, 1.02):
            other = {"N": n * beside, "D": rule.tokens(n * beside, 1e21)}
            assert law("chinchilla").value(TRUTH, other) > float(best.loss[0])


def test_a_plan_costs_what_the_table_says_also_from_a_saved_fit(tmp_path):
    fitted = fit(law("chinchilla"), counted(9 * N * D, noise=0.001))
    ensemble = bootstrap(fitted, draws=40)
    save_fit(ensemble, tmp_path / "fit.json")
    plan, again = (allocate(each, budget=1e22) for each in (ensemble, load_fit(tmp_path / "fit.json")))
    for each in (plan, again):
        assert 9 * each.n.value * each.d.value == pytest.approx(1e22)
        assert 9 * each.band.n[0] * each.band.d[1] == pytest.approx(1e22)
    assert again.n == plan.n and usual_budget(fitted) == float(f"{10 * 9 * (N * D).max():.0e}")
