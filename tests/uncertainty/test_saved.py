"""A saved fit comes back as it was, and a damaged one is refused in a sentence."""

import json
from dataclasses import replace

import numpy as np
import pytest

from isoflop import bootstrap, fit, fix, forecast, law, load_fit, save_fit, student_t
from isoflop.errors import FitError, SavedError
from isoflop.uncertainty import Ensemble


@pytest.fixture
def ensemble(known_runs):
    return bootstrap(fit(law("chinchilla"), known_runs(0.01)), draws=60, seed=5)


def test_a_fit_comes_back_as_it_was(ensemble, tmp_path):
    save_fit(ensemble, tmp_path / "fit.json")
    back = load_fit(tmp_path / "fit.json")
    assert np.array_equal(back.params, ensemble.params)
    assert back.fit.params == ensemble.estimate.params and back.fit.value == ensemble.fit.value
    assert back.fit.law == ensemble.estimate.law or back.fit.law.expression == ensemble.estimate.law.expression
    assert back.fit.data == ensemble.estimate.data and back.fit.search == ensemble.fit.search
    assert back.findings == ensemble.findings and back.fit.findings == ensemble.estimate.findings
    at = {"N": 7e10, "D": 1.4e12}
    assert forecast(back, at).loss == forecast(ensemble, at).loss
    content = json.loads((tmp_path / "fit.json").read_text())
    assert content["versions"]["numpy"] == np.__version__ and content["ensemble"]["seed"] == 5
    assert content["data"]["digest"] == ensemble.estimate.runs.digest


def test_with_its_runs_a_loaded_fit_can_be_bootstrapped_again(ensemble, known_runs, tmp_path):
    save_fit(ensemble, tmp_path / "fit.json")
    with pytest.raises(FitError, match="loaded without its runs"):
        bootstrap(load_fit(tmp_path / "fit.json").fit, draws=60)
    again = bootstrap(load_fit(tmp_path / "fit.json", runs=known_runs(0.01)).fit, draws=60, seed=5)
    assert np.array_equal(again.params, ensemble.params)
    with pytest.raises(SavedError, match="digests differ"):
        load_fit(tmp_path / "fit.json", runs=known_runs(0.02))


def test_other_objectives_and_restricted_laws_survive(known_runs, tmp_path):
    restricted = fix(law("E + A/N^alpha + B/D^beta", domains={"alpha": (0.0, 1.0)}), {"E": 1.8})
    saved = bootstrap(fit(restricted, known_runs(0.01), objective=student_t(5)), draws=40)
    save_fit(saved, tmp_path / "fit.json")
    back = load_fit(tmp_path / "fit.json")
    assert back.fit.objective == saved.fit.objective and back.fit.scale == saved.fit.scale
    assert back.fit.law.fixed == {"E": 1.8}
    assert back.fit.law.params == saved.fit.law.params


def test_a_fit_without_draws_forecasts_without_interval_and_says_so(known_runs, tmp_path):
    fitted = fit(law("chinchilla"), known_runs(0.01))
    save_fit(fitted, tmp_path / "fit.json")
    answer = forecast(load_fit(tmp_path / "fit.json"), {"N": 1e10, "D": 1e12})
    assert answer.law_loss.value == float(fitted.predict({"N": 1e10, "D": 1e12}))
    assert np.isnan(answer.law_loss.low) and np.isnan(answer.law_expected.high)
    # residuals were saved, and model error is judged by them
    assert answer.loss == forecast(Ensemble(fitted, np.empty((0, 5)), method="none", seed=0), answer.at).loss
    assert answer.loss.low < answer.loss.value < answer.loss.high
    assert "no-interval" in {finding.code for finding in answer.findings}


def test_every_cut_and_many_flips_are_refused_in_one_sentence(ensemble, tmp_path):
    save_fit(ensemble, tmp_path / "fit.json")
    whole = (tmp_path / "fit.json").read_bytes()
    damaged = tmp_path / "damaged.json"
    for cut in range(0, len(whole) - 3, 997):
        damaged.write_bytes(whole[:cut])
        with pytest.raises(SavedError, match="damaged.json is not JSON or is cut short"):
            load_fit(damaged)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.update(schema="isoflop.fit/99"), "isoflop.fit/99"),
        (lambda c: c.pop("schema"), "no fit of isoflop"),
        (lambda c: c.pop("params"), "damaged"),
        (lambda c: c["params"].update(alpha="0.3"), "damaged"),
        (lambda c: c["params"].update(alpha=0.3), "its seal does not match"),
        (lambda c: c["law"].update(formula="__import__('os')"), "damaged"),
        (lambda c: c["law"].update(formula="E + A/N^alpha"), "damaged"),
        (lambda c: c["ensemble"]["draws"].pop("alpha"), "damaged"),
        (lambda c: c.update(data=[]), "damaged"),
    ],
)
def test_a_foreign_or_edited_file_is_refused(ensemble, tmp_path, change, says):
    save_fit(ensemble, tmp_path / "fit.json")
    content = json.loads((tmp_path / "fit.json").read_text())
    change(content)
    (tmp_path / "fit.json").write_text(json.dumps(content))
    with pytest.raises(Exception, match=says) as caught:
        load_fit(tmp_path / "fit.json")
    assert type(caught.value).__module__ == "isoflop.errors"


def test_a_failed_save_leaves_the_old_file_whole(ensemble, tmp_path, monkeypatch):
    save_fit(ensemble, tmp_path / "fit.json")
    before = (tmp_path / "fit.json").read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Exception, match="no space to write fit.json"):
        save_fit(ensemble, tmp_path / "fit.json")
    assert (tmp_path / "fit.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["fit.json"]


def test_draws_that_overflowed_are_kept(ensemble, tmp_path):
    """An amplitude may overflow along a valley that the runs leave open; the rest of that draw still counts."""
    params = ensemble.params.copy()
    params[3, 1] = np.inf
    save_fit(replace(ensemble, params=params), tmp_path / "fit.json")
    assert np.array_equal(load_fit(tmp_path / "fit.json").params, params)
