"""Model error of groups: what other groups tell of shared parameters, and how a group that was not seen departs."""

import numpy as np
import pytest
from tests.uncertainty.test_panel import FLOOR, floors

import isoflop
from isoflop.fitting.panel import fit_panel
from isoflop.uncertainty.ensemble import Ensemble
from isoflop.uncertainty.kriging import Rows, condition
from isoflop.uncertainty.panel import bootstrap_panel
from isoflop.uncertainty.predictive import predictive

AT = {"N": np.array([1e9, 3e11])}


@pytest.fixture(scope="module")
def drawn():
    runs, _ = floors(6, 8)
    panel = fit_panel(FLOOR, runs, share=("A", "alpha"), pool=("E",), objective=isoflop.squares())
    return bootstrap_panel(panel, draws=60)


def test_a_prior_of_the_coordinates_is_that_of_a_linear_model():
    """Without a process the mean and variance are those of Bayes' linear regression, in closed form."""
    rng = np.random.default_rng(0)
    j, r, noise = rng.standard_normal((9, 2)), rng.standard_normal(9), np.full(9, 0.3)
    mean, sd = np.array([0.5, -1.0]), np.array([0.2, 3.0])
    found = condition(Rows(r, j, np.zeros((9, 1)), noise, None, 0.0, (mean, sd)), noise_share=1.0, size=0.0, length=1.0)
    precision = j.T @ j / 0.3 + np.diag(1 / sd**2)
    assert found.beta == pytest.approx(np.linalg.solve(precision, j.T @ r / 0.3 + mean / sd**2))
    at, variance, _ = found.at(np.eye(2), np.zeros((2, 1)))
    assert at == pytest.approx(found.beta) and variance == pytest.approx(np.diag(np.linalg.inv(precision)), rel=1e-6)


def test_what_is_shared_is_as_sure_as_its_draws_and_what_is_pooled_as_groups_differ(drawn):
    fit = drawn.group("f02").estimate
    known = fit.data.rows.known
    alpha = drawn.params[:, 2, FLOOR.param_names.index("alpha")]  # its coordinate is itself
    assert known["alpha"][0] == 0 and known["alpha"][1] == pytest.approx(alpha.std() * np.sqrt(6 / 5))
    pooling = drawn.panel.pooling
    assert known["E"][1] == pytest.approx(pooling.scale[0])
    assert known["E"][0] == pytest.approx(pooling.mean[0] - np.log(fit.params["E"]))
    plain = Ensemble(drawn.panel.group("f02"), drawn.group("f02").params, method="", seed=0)
    wide, narrow = (predictive(each, AT) for each in (plain, drawn.group("f02")))
    assert (narrow.mean[1] / narrow.mean[0] < wide.mean[1] / wide.mean[0]).all()


def test_own_exponents_leave_an_amplitude_to_its_group():
    runs, _ = floors(4, 8)
    draws = bootstrap_panel(fit_panel(FLOOR, runs, share=("A",), objective=isoflop.squares()), draws=20)
    assert draws.group("f00").estimate.data.rows.known == {}


def test_a_group_that_was_not_seen_has_model_error_too_here_and_saved(drawn, tmp_path):
    unseen = drawn.unseen()
    found = predictive(unseen, AT)
    assert found.findings == () and len(unseen.departures) == 6
    assert (found.mean[0] < found.law_mean[0]).all() and (found.mean[1] > found.law_mean[1]).all()
    spread = found.law_mean[1] / found.law_mean[0] - 1
    added = found.mean[1] / found.mean[0] - 1 - spread
    assert added[1] > added[0] > 0  # beyond the runs a law misses more
    assert found.sample(50).shape == (50, 2)
    isoflop.save_fit(unseen, tmp_path / "unseen.json")
    again = predictive(isoflop.load_fit(tmp_path / "unseen.json"), AT)
    assert again.loss[0] == pytest.approx(found.loss[0], rel=1e-12)
    assert again.loss[1] == pytest.approx(found.loss[1], rel=1e-12)
