"""Rows that count by how well they were measured."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from isoflop import Runs, bootstrap, fit, huber, law, squares, student_t
from isoflop.errors import DataError, FitError
from isoflop.fitting.sampling_errors import weighed
from isoflop.fitting.table import WEIGHT

SCORE = law("task-accuracy-to-one")
TRUTH = {"b": 0.25, "k": 6.0, "L_0": 0.8}
RAW = squares(space="raw")


def scores(seed, *, beyond=0.005, rows=40):
    """Accuracies on 50 to 20,000 questions, and their standard errors."""
    rng = np.random.default_rng(seed)
    loss = np.linspace(0.65, 1.6, rows)
    right = SCORE.value(TRUTH, {"loss": loss}) + beyond * rng.normal(size=rows)
    questions = rng.choice([50, 500, 20_000], size=rows)
    measured = rng.binomial(questions, np.clip(right, 0, 1)) / questions
    errors = np.sqrt(measured * (1 - measured) / (questions - 1))
    return Runs.from_columns({"loss": loss, "accuracy": measured}), errors


@pytest.mark.parametrize("objective", [RAW, huber(1e-2, space="raw"), student_t(4, space="raw")], ids=str)
def test_a_weight_of_two_is_two_rows(objective):
    runs, _ = scores(0)
    twice = np.arange(len(runs)) % 3 == 0
    heavy = replace(runs, frame=runs.frame.with_columns(pl.Series(WEIGHT, 1.0 + twice)))
    rows = np.repeat(np.arange(len(runs)), 1 + twice)
    doubled = Runs.from_columns({name: runs[name][rows] for name in ("loss", "accuracy")})
    weighted, plain = fit(SCORE, heavy, objective=objective), fit(SCORE, doubled, objective=objective)
    assert weighted.params == pytest.approx(plain.params, rel=1e-6)
    assert weighted.value == pytest.approx(plain.value, rel=1e-9)


def test_weights_come_nearer_to_the_truth_and_draws_know_it():
    missed, told = {"plain": [], "weighed": []}, []
    for seed in range(30):
        runs, errors = scores(seed)
        plain = fit(SCORE, runs, objective=RAW)
        better = fit(SCORE, weighed(plain, errors), objective=RAW)
        missed["plain"].append(plain.params["L_0"] - TRUTH["L_0"])
        missed["weighed"].append(better.params["L_0"] - TRUTH["L_0"])
        if seed < 5:
            told.append(np.std(bootstrap(better, draws=100, seed=0, restarted=0).draws["L_0"]))
    spread = {name: np.sqrt(np.mean(np.square(each))) for name, each in missed.items()}
    assert spread["weighed"] < 0.7 * spread["plain"]
    assert 0.6 < np.mean(told) / spread["weighed"] < 1.6


def test_what_sampling_does_not_explain_is_found_and_said():
    runs, errors = scores(0, beyond=0.05, rows=1000)
    errors[:5], errors[7] = np.nan, 0.0
    better = weighed(fit(SCORE, runs, objective=RAW), errors)
    [said] = [each.message for each in better.findings if each.code == "weighed"]
    assert "beyond them it scatters by 0.05" in said
    weight = better[WEIGHT]
    assert weight.mean() == pytest.approx(1)
    assert 1 < weight.max() / np.median(weight) < 2  # no row outweighs the others by much


@pytest.mark.parametrize("errors", [np.full(40, np.nan), np.zeros(40), np.full(40, -0.1)])
def test_errors_that_say_nothing_are_refused(errors):
    with pytest.raises(DataError, match="errors of accuracy in made in memory are missing, all 0, or negative"):
        weighed(fit(SCORE, scores(0)[0], objective=RAW), errors)


def test_errors_of_logarithms_are_relative_errors():
    runs, errors = scores(0)
    errors = errors + 0.01
    weight = weighed(fit(SCORE, runs, objective=squares()), errors)[WEIGHT]
    order = np.argsort(errors / runs["accuracy"])
    assert np.all(np.diff(weight[order]) <= 1e-12) and weight[order[0]] > weight[order[-1]]


def test_an_objective_whose_weights_are_no_precision_is_refused():
    runs, errors = scores(0)
    with pytest.raises(FitError, match="sampling errors make weights for lsq, not for raw-huber:0.01"):
        weighed(fit(SCORE, runs, objective=huber(1e-2, space="raw")), errors)
