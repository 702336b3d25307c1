"""Parameters borrowed from other families: intervals that know it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from isoflop import Runs, forecast, law
from isoflop.errors import DataError
from isoflop.runs import datasets
from isoflop.validation.borrow import family_prior, fit_with_prior

SIZES = np.array([1e8, 3e8, 1e9, 3e9, 1e10])
CHINCHILLA = law("chinchilla")


def made(count: int, *, seed: int, spread: float = 0.1) -> tuple[Runs, list[dict[str, float]]]:
    """Families whose constants scatter about a common one, and those constants."""
    rng = np.random.default_rng(seed)
    parts, truths = [], []
    for family in range(count):
        factor = np.exp(spread * rng.standard_normal(3))
        truth = {
            "E": 1.7 * factor[0],
            "A": 400 * factor[1],
            "B": 410 * factor[2],
            "alpha": 0.34 + 0.02 * rng.standard_normal(),
            "beta": 0.28 + 0.02 * rng.standard_normal(),
        }
        truths.append(truth)
        for size in SIZES:
            tokens = 20 * size * np.linspace(0.05, 1, 20)
            loss = truth["E"] + truth["A"] / size ** truth["alpha"] + truth["B"] / tokens ** truth["beta"]
            loss = loss * np.exp(0.002 * rng.standard_normal(20))
            run = f"f{family} {size:g}"
            parts.append(pl.DataFrame({"family": f"f{family}", "run": run, "N": size, "D": tokens, "loss": loss}))
    frame = pl.concat(parts)
    return Runs.from_columns({name: frame[name].to_numpy() for name in frame.columns}), truths


def test_the_prior_is_the_scatter_of_the_families() -> None:
    runs, truths = made(24, seed=1)
    prior = family_prior(CHINCHILLA, runs)
    assert len(prior.families) == 24
    floor = CHINCHILLA.param_names.index("E")
    logs = np.log([truth["E"] for truth in truths])
    assert prior.mean[floor] == pytest.approx(logs.mean(), abs=0.03)
    assert np.sqrt(prior.covariance[floor, floor]) == pytest.approx(logs.std(), rel=0.35)


@pytest.mark.slow
def test_intervals_from_one_small_run_hold_the_largest_model_as_often_as_they_say() -> None:
    runs, truths = made(30, seed=2)
    prior = family_prior(CHINCHILLA, runs, without=[f"f{each}" for each in range(15)])
    assert not set(prior.families) & {f"f{each}" for each in range(15)}
    held, widths = 0, []
    labels = np.asarray(runs.text("family"))
    for each in range(15):
        ensemble = fit_with_prior(prior, runs.take((labels == f"f{each}") & (runs["N"] == SIZES[1])), draws=150)
        expected = forecast(ensemble, {"N": 1e10, "D": 2e11}).expected
        truth = truths[each]
        loss = truth["E"] + truth["A"] / 1e10 ** truth["alpha"] + truth["B"] / 2e11 ** truth["beta"]
        held += expected.low <= loss <= expected.high
        widths.append((expected.high - expected.low) / expected.value)
    assert 11 <= held <= 15  # 90 % of 15 is 13.5
    # one run says little of how the loss falls with N: the interval is far wider than its noise of 0.2 %
    assert 0.01 < np.median(widths) < 0.2


def test_one_run_says_that_it_borrows() -> None:
    runs, _ = made(8, seed=3)
    prior = family_prior(CHINCHILLA, runs, without=["f0"])
    one = runs.take((np.asarray(runs.text("family")) == "f0") & (runs["N"] == SIZES[0]))
    ensemble = fit_with_prior(prior, one, draws=200)
    assert "one run and a prior from 7 families" in ensemble.method
    assert [finding.code for finding in ensemble.findings] == ["hierarchical-prior"]
    again = fit_with_prior(prior, one, draws=200)
    assert np.array_equal(ensemble.params, again.params)


def test_opt_175b_from_single_models(named_tables: Path) -> None:
    """The prior leaves out OPT's own collection. Of five single models, four hold 175B in their 90 % interval."""
    families = datasets.load("checkpoint-families", where="collection != 'datablations' and counts == 'tokens'")
    prior = family_prior(CHINCHILLA, families, without=["hitchhiker-colpret"])
    opt = families.take(np.asarray(families.text("family")) == "OPT")
    last = int(np.argmax(opt["N"] * opt["D"]))
    held, widths = [], []
    for size in np.unique(opt["N"])[:-1]:
        ensemble = fit_with_prior(prior, opt.take(opt["N"] == size), draws=400)
        loss = forecast(ensemble, {"N": opt["N"][last], "D": opt["D"][last]}).loss
        held.append(loss.low <= opt["loss"][last] <= loss.high)
        widths.append((loss.high - loss.low) / loss.value)
    assert sum(held) >= 4
    assert widths[0] > widths[-1], "a larger model leaves less to borrow"


def test_too_few_families_are_refused() -> None:
    runs, _ = made(4, seed=0)
    with pytest.raises(DataError, match="4 families .* can be fitted; 5 or more make a prior"):
        family_prior(CHINCHILLA, runs)
    with pytest.raises(DataError, match="no family left for a prior"):
        family_prior(CHINCHILLA, runs, without=[f"f{each}" for each in range(4)])
