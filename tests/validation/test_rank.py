import numpy as np
import pytest

from isoflop import Runs, catalogue, huber, law
from isoflop.errors import DataError
from isoflop.lab.worlds import zipf
from isoflop.validation import contest
from isoflop.validation.contest import FEW_DRAWS
from isoflop.validation.rank import applicable, rank
from isoflop.validation.split import hold_out, split
from isoflop.validation.window_test import WindowTest

FEW = tuple(law(name) for name in ("chinchilla", "kaplan", "chinchilla-tied", "gadre", "power-d-floor"))


def test_applicable_laws_are_those_whose_columns_are_there(known_runs):
    names = {each.name for each in applicable(known_runs())}
    assert {"chinchilla", "kaplan", "power-n-floor", "m1"} <= names
    assert "power-c-floor" not in names  # there is no column of FLOPs
    assert "task-accuracy" not in names and "optimal-params" not in names
    scores = Runs.from_columns({"loss": [2.0, 1.0], "accuracy": [0.3, 0.7]})
    assert {each.name for each in applicable(scores, response="accuracy")} == {
        each.name for each in catalogue().values() if each.response == "accuracy"
    }


def test_the_true_form_comes_first_and_its_twin_is_named(known_runs):
    runs = known_runs(0.002, sizes=9, durations=6)
    ranking = rank(runs, laws=FEW, hold_out=hold_out("N"), draws=100)
    names = [each.law.name for each in ranking.ranked]
    assert names[0] in {"chinchilla", "chinchilla-tied"}
    assert names[-1] == "power-d-floor" and not ranking.ranked[-1].tied
    # laws that draws could not make a tie have fewer of them
    assert [each.draws for each in ranking.ranked] == [100, 100, FEW_DRAWS, FEW_DRAWS]
    assert not any(each.tied for each in ranking.ranked if each.draws < 100)
    # equal exponents are 2·eta, so that the tied law and Gadre's are one form in two spellings
    assert {"chinchilla-tied", "gadre"} in [{each.law.name, *each.same_as} for each in ranking.ranked]
    best = ranking.ranked[0]
    assert best.behind.value == best.behind.low == best.behind.high == 0 and best.tied
    assert sum(each.weight.value for each in ranking.ranked) == pytest.approx(1)
    for each in ranking.ranked:
        assert each.behind.value == pytest.approx(each.scores.are.value - best.scores.are.value, abs=1e-12)


def test_laws_of_one_form_are_fitted_once_and_those_that_a_baseline_beats_not_to_all_runs(known_runs, monkeypatch):
    """The rest of their work could change nothing."""
    fitted, whole = [], []
    fit_windows, fit_all = WindowTest.fitted, contest.fit_from
    monkeypatch.setattr(WindowTest, "fitted", lambda self, each: (fitted.append(each.name), fit_windows(self, each))[1])
    monkeypatch.setattr(contest, "fit_from", lambda each, *a, **k: (whole.append(each.name), fit_all(each, *a, **k))[1])
    laws = [law(name) for name in ("chinchilla", "kaplan-d", "timeseries-d", "amari-noiseless")]
    ranking = rank(known_runs(0.002, sizes=7), laws=laws, hold_out=hold_out("N"), windows=1, draws=20)
    assert fitted == ["chinchilla", "kaplan-d", "amari-noiseless"]
    by_name = {each.law.name: each for each in ranking.ranked}
    assert by_name["kaplan-d"].same_as == ("timeseries-d",)
    beaten = {name for name, each in by_name.items() if each.unweighted.startswith("beaten")}
    assert "amari-noiseless" in beaten and "chinchilla" not in beaten and set(whole) == set(by_name) - beaten
    (one, other) = (each for each in ranking.backtest.laws if each.name in {"kaplan-d", "timeseries-d"})
    assert other.law == law("timeseries-d") and np.array_equal(one.curve, other.curve)


def test_fewer_draws_are_the_first_of_all(known_runs):
    runs = known_runs(0.01)
    cut, _ = split(runs, hold_out("N"), windows=2)
    asked = WindowTest(runs, cut, huber(), draws=40, level=0.9, seed=0)
    stage = asked.judged(asked.fitted(law("chinchilla")))
    assert np.array_equal(asked.drawn(stage, 25).curve, asked.drawn(stage, 40).curve[:25])


def test_laws_that_cannot_be_told_apart_tie(known_runs):
    # exponents 0.348 and 0.366 are nearly one: with this noise no run says that they are two
    runs = known_runs(0.01, sizes=8, seed=2)
    ranking = rank(runs, laws=FEW[:3], hold_out=hold_out("N"), windows=2, draws=100)
    tied = {each.law.name for each in ranking.ranked if each.tied}
    assert {"chinchilla", "chinchilla-tied"} <= tied
    assert "tie" in {finding.code for finding in ranking.findings}


def test_kaplans_form_is_preferred_in_the_zipf_world():
    runs, _ = zipf(seeds=(0,))
    ranking = rank(runs, laws=FEW[:3], hold_out=hold_out("N"), draws=100)
    best, *others = ranking.ranked
    assert best.law.name == "kaplan" and not any(each.tied for each in others)
    assert best.weight.value > 0.8


@pytest.mark.slow
def test_kaplans_form_is_preferred_among_the_whole_catalogue():
    runs, _ = zipf(seeds=(1,))
    ranking = rank(runs, hold_out=hold_out("N"), draws=100)
    # Kaplan's is E + (A/N^alpha + B/D^beta)^k with E = 0, so that the form with E may stand beside it and no other
    assert ranking.ranked[0].law.name in {"kaplan", "skaling"} and len(ranking.ranked) > 10
    assert {each.law.name for each in ranking.ranked if each.tied} == {"kaplan", "skaling"}


def test_laws_that_cannot_be_tested_are_named_with_the_reason(known_runs):
    runs = known_runs(0.01, sizes=5, durations=2)
    ranking = rank(runs, laws=(law("kaplan"), law("farseer")), hold_out=hold_out("N"), windows=1, draws=50)
    assert [each.law.name for each in ranking.ranked] == ["kaplan"]
    assert "9 parameters, and the smallest window leaves 8 runs" in ranking.unranked["farseer"]


def test_runs_that_no_law_fits_are_refused():
    with pytest.raises(DataError, match="no law of the catalogue predicts loss"):
        rank(Runs.from_columns({"color": np.arange(1.0, 9.0), "loss": np.ones(8)}))
    with pytest.raises(DataError, match="2 distinct values"):
        rank(Runs.from_columns({"N": [1e6, 2e6, 4e6], "D": [1e9] * 3, "loss": [3.0, 2.5, 2.2]}))


def test_a_law_applies_where_its_columns_can_be_prepared(known_runs):
    runs = known_runs(0.01, sizes=8)
    assert "muennighoff" not in {each.name for each in applicable(runs)}
    repeated = runs.with_column("epochs", np.where(np.arange(len(runs)) % 2, 1.0, 4.0))
    assert "muennighoff" in {each.name for each in applicable(repeated)}
    ranking = rank(repeated, laws=(law("chinchilla"), law("muennighoff")), hold_out=hold_out("N"), windows=1, draws=20)
    assert {each.law.name for each in ranking.ranked} == {"chinchilla", "muennighoff"}


def test_a_searched_constant_is_a_reason_that_is_listed(known_runs):
    runs = known_runs(0.01, sizes=8)
    curves = runs.with_column("step", np.arange(1.0, len(runs) + 1)).with_column("lr", np.full(len(runs), 1e-3))
    assert "annealing" in {each.name for each in applicable(curves)}
    ranking = rank(curves, laws=(law("kaplan"), law("annealing")), hold_out=hold_out("N"), windows=1, draws=20)
    assert [each.law.name for each in ranking.ranked] == ["kaplan"]
    assert "fix it" in ranking.unranked["annealing"]


def test_processes_give_the_same_ranking(known_runs):
    runs = known_runs(0.01, sizes=6)
    alone, shared = (
        rank(runs, laws=FEW[:3], hold_out=hold_out("N"), windows=1, draws=40, jobs=jobs) for jobs in (1, 2)
    )
    assert [(each.law.name, each.scores, each.behind, each.weight) for each in alone.ranked] == [
        (each.law.name, each.scores, each.behind, each.weight) for each in shared.ranked
    ]


def test_a_fit_that_never_comes_to_rest_is_said(known_runs):
    # four sizes of model are left: Farseer's nine parameters have little to hold on to
    runs = known_runs(0.01, sizes=5, durations=8)
    ranking = rank(runs, laws=(law("power-d"), law("farseer")), hold_out=hold_out("N"), windows=1, draws=20)
    creeping = next(each for each in ranking.backtest.laws if each.name == "farseer")
    assert "not-converged" in {finding.code for finding in creeping.findings}


@pytest.fixture(scope="module")
def epoch_ranking(epoch245):
    laws = [law(name) for name in ("chinchilla", "kaplan", "m4", "farseer", "amari-noiseless", "amari-many-solutions")]
    return rank(epoch245, laws=laws, draws=40)


def test_a_law_beaten_by_a_baseline_or_with_an_error_has_no_weight(epoch_ranking):
    """Farseer's nine parameters miss these held-out runs by three quarters, the lowest loss seen by 7 %."""
    by_name = {each.law.name: each for each in epoch_ranking.ranked}
    base = min(epoch_ranking.backtest.scores(each).are.value for each in epoch_ranking.backtest.baselines)
    assert by_name["farseer"].scores.are.value > 3 * base and by_name["farseer"].unweighted
    assert by_name["m4"].unweighted == "error-level finding not-identified"
    assert by_name["amari-many-solutions"].unweighted.startswith("error-level") or (
        "beaten by the baseline" in by_name["amari-many-solutions"].unweighted
    )
    for each in epoch_ranking.ranked:
        none = (each.weight.value, each.weight.low, each.weight.high) == (0, 0, 0)
        assert none == bool(each.unweighted), each.law.name
    assert sum(each.weight.value for each in epoch_ranking.ranked) == pytest.approx(1)
    (found,) = (each for each in epoch_ranking.findings if each.code == "no-weight")
    assert found.message.startswith("4 of 6 laws have no weight (") and "farseer: " in found.message


def test_a_law_far_worse_than_the_best_does_not_tie(epoch_ranking):
    best = epoch_ranking.ranked[0].scores.are.value
    assert all(each.scores.are.value < 10 * best for each in epoch_ranking.ranked if each.tied)
    assert {each.law.name for each in epoch_ranking.ranked if each.tied} == {"chinchilla"}


def test_two_held_out_runs_do_not_make_a_tie_of_any_error(known_runs):
    """From two held-out runs the interval of the difference holds zero whatever it is; its size says enough."""
    runs = known_runs(0.001, sizes=8, durations=6)
    largest = np.flatnonzero(runs["N"] == runs["N"].max())
    kept = (runs["N"] < runs["N"].max()) | np.isin(np.arange(len(runs)), [largest[2], largest[0]])
    ranking = rank(
        runs.take(kept), laws=(law("chinchilla"), law("A/N^alpha")), hold_out=hold_out("N"), windows=1, draws=40
    )
    best, worse = ranking.ranked
    assert best.law.name == "chinchilla" and best.scores.runs == 2
    assert worse.behind.low <= 0, "the interval alone would call it a tie"
    assert worse.scores.are.value > 10 * best.scores.are.value and not worse.tied
    assert "tie" not in {each.code for each in ranking.findings}


def test_where_every_law_is_beaten_the_weights_stand_and_a_finding_says_so():
    """Losses that fall, and then stay: the lowest seen is the better forecast."""
    n = np.logspace(6, 9, 30)
    noise = np.random.default_rng(3).normal(0, 0.002, 30)
    runs = Runs.from_columns({"N": n, "loss": np.maximum(20 * n**-0.12, 20 * (2e8) ** -0.12) * np.exp(noise)})
    ranking = rank(runs, laws=(law("kaplan-n"), law("A/N^alpha")), hold_out=hold_out("N:20%"), windows=1, draws=40)
    assert "baseline-wins" in {each.code for each in ranking.findings}
    assert not [each for each in ranking.ranked if "beaten" in each.unweighted]
    assert sum(each.weight.value for each in ranking.ranked) == pytest.approx(1)
