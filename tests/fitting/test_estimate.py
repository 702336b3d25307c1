"""An estimate is a law with numbers; only what was fitted is a fit."""

from dataclasses import fields

import numpy as np
import pytest
from tests.validation.test_borrow import made

from isoflop import allocate, bootstrap, fit, forecast, law, load_fit, save_fit
from isoflop.errors import FitError
from isoflop.fitting import Estimate, Fit
from isoflop.planning.published import published
from isoflop.validation.borrow import family_prior, fit_with_prior


@pytest.fixture(scope="module")
def borrowed():
    runs, _ = made(8, seed=3)
    prior = family_prior(law("chinchilla"), runs, without=["f0"])
    return fit_with_prior(prior, runs.where("family == 'f0' and N < 2e8"), draws=60)


def test_published_constants_are_no_fit():
    chinchilla = published("chinchilla:epoch")
    assert type(chinchilla.estimate) is Estimate
    made_by = {each.name for each in fields(Fit)} - {each.name for each in fields(Estimate)}
    assert made_by == {"objective", "value", "scale", "theta", "centers", "search"}
    assert not any(hasattr(chinchilla.estimate, each) for each in made_by)
    with pytest.raises(FitError, match=r"chinchilla:epoch .* is no fit \(published constants\)"):
        chinchilla.fit  # noqa: B018
    assert allocate(chinchilla, budget=1e22).n.value > 1e9
    assert forecast(chinchilla, {"N": 7e10, "D": 1.4e12}).loss.value == pytest.approx(1.97, abs=0.03)


def test_a_hierarchical_estimate_claims_no_objective(borrowed):
    assert type(borrowed.estimate) is Estimate and not hasattr(borrowed.estimate, "objective")
    assert borrowed.estimate.data.n_runs == 1 and borrowed.estimate.data.residuals
    with pytest.raises(FitError, match="is no fit"):
        bootstrap(borrowed.fit)


def test_what_is_kept_of_the_residuals_are_those_of_the_estimate(borrowed):
    runs = borrowed.estimate.require_runs()
    miss = np.log(borrowed.estimate.predict({name: runs[name] for name in ("N", "D")})) - np.log(runs["loss"])
    assert borrowed.estimate.data.space == "log"
    assert np.array(borrowed.estimate.data.residuals) == pytest.approx(np.sort(miss), abs=1e-9)


@pytest.mark.parametrize("which", ["fit", "published", "borrowed"])
def test_every_estimate_is_saved_and_comes_back(which, known_runs, borrowed, tmp_path):
    ensemble = {
        "fit": lambda: bootstrap(fit(law("chinchilla"), known_runs(0.01)), draws=60),
        "published": lambda: published("chinchilla:epoch"),
        "borrowed": lambda: borrowed,
    }[which]()
    save_fit(ensemble, tmp_path / "kept.json")
    back = load_fit(tmp_path / "kept.json")
    assert type(back.estimate) is type(ensemble.estimate) and back.estimate.data == ensemble.estimate.data
    at = {"N": 1e10, "D": 1e12}
    assert forecast(back, at).loss == forecast(ensemble, at).loss


def test_a_fit_is_an_estimate(known_runs):
    fitted = fit(law("chinchilla"), known_runs(0.01))
    assert isinstance(fitted, Estimate) and bootstrap(fitted, draws=40).fit is fitted
