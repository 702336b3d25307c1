"""``--resample-by``: every question that bootstraps takes it, in each front end, and its answer says so."""

import numpy as np
import pytest

from isoflop import Runs, backtest, law, read_runs
from isoflop.app.requests import specs_of
from isoflop.study.spec import parse_study, study_toml


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a table whose sizes share errors of 1 %."""
    rng = np.random.default_rng(3)
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(8, 10, 7), np.logspace(9.6, 11.6, 5)))
    truth = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    errors = np.tile(rng.normal(0, 0.01, 7), 5) + rng.normal(0, 0.003, 35)
    loss = law("chinchilla").value(truth, {"N": n, "D": d}) * np.exp(errors)
    runs = Runs.from_columns({"N": n, "D": d, "loss": loss, "family": np.resize(["a", "b", "c", "d"], 35)})
    runs.to_polars().write_csv(tmp_path / "runs.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def width(answer, name="alpha"):
    quantity = answer["quantities"][name]
    return quantity["high"] - quantity["low"]


def test_a_fit_says_what_was_resampled(asked, place):
    usual = asked("fit", "runs.csv", "--law", "chinchilla", "--draws", 100)
    assert usual["provenance"]["resampled_by"] == "N"
    assert usual["provenance"]["draws_by"] == "bootstrap over N (7 groups)"
    assert "errors-shared" in {each["code"] for each in usual["findings"]}
    apart = asked("fit", "runs.csv", "--law", "chinchilla", "--draws", 100, "--resample-by", "run")
    assert apart["provenance"]["resampled_by"] == "run" and "bootstrap over runs" in apart["method"]
    assert width(usual) > 1.5 * width(apart)
    own = asked("fit", "runs.csv", "--law", "chinchilla", "--draws", 100, "--resample-by", "family")
    assert own["provenance"]["draws_by"] == "bootstrap over family (4 groups)"


@pytest.mark.parametrize(
    ("words", "table"),
    [
        (("plan", "runs.csv", "--budget", "1e22"), None),
        (("forecast", "runs.csv", "--at", "N=1e11", "--at", "D=1e12"), None),
        (("diagnose", "runs.csv"), None),
        (("influence", "runs.csv", "--budget", "1e22"), "answers"),
        (("sensitivity", "runs.csv", "--budget", "1e22"), "choices"),
    ],
    ids=lambda words: words[0] if isinstance(words, tuple) else "",
)
def test_another_unit_gives_other_intervals(asked, place, words, table):
    several = [asked(*words, "--draws", 30, "--resample-by", unit) for unit in ("run", "family")]
    assert several[0] != several[1]
    if table is None:
        assert [each["provenance"]["resampled_by"] for each in several] == ["run", "family"]


def test_a_study_and_the_page_take_it(place):
    study = parse_study('law = "chinchilla"\nresample_by = "N"\n[runs]\nsource = "runs.csv"\n[fit]\n')
    assert study.fit.resample_by == "N" and 'resample_by = "N"' in study_toml(study)
    _, spec, _ = specs_of({"law": "chinchilla", "resample_by": "N", "draws": 40, "seed": 0})
    assert spec.resample_by == "N"


def test_a_forecast_from_a_saved_fit_remembers(asked, place):
    asked("fit", "runs.csv", "--law", "chinchilla", "--draws", 40, "--resample-by", "family", "--save", "fit.json")
    told = asked("forecast", "fit.json", "--at", "N=1e11", "--at", "D=1e12")["provenance"]
    assert (told["resampled_by"], told["draws_by"]) == ("family", "bootstrap over family (4 groups)")


def test_a_column_that_is_not_there_is_refused_in_a_sentence(cli, place):
    code, _, error = cli("fit", "runs.csv", "--law", "chinchilla", "--resample-by", "sise")
    assert code == 2 and "no column 'sise'" in error
    code, _, error = cli("plan", "chinchilla:epoch", "--budget", "1e22", "--resample-by", "N")
    assert code == 2 and "--resample-by is for a table" in error
    code, _, error = cli("fit", "runs.csv", "--law", "chinchilla", "--by", "family", "--resample-by", "N")
    assert code == 2 and "the fit of groups resamples runs within them; leave --resample-by out" in error


def test_a_hold_outs_draws_are_of_the_unit(place):
    runs = read_runs(place / "runs.csv")
    apart, together = (
        backtest(law("chinchilla"), runs, draws=40, resample_by=unit).laws[0] for unit in ("run", "family")
    )
    assert np.array_equal(apart.value, together.value) and np.array_equal(apart.low, together.low)
    assert not np.array_equal(apart.law_low, together.law_low)
