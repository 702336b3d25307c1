"""Sharing held against own parameters on each group's largest runs."""

import numpy as np
import pytest

import isoflop
from isoflop.errors import DataError, FitError
from isoflop.fitting.panel import fit_panel
from isoflop.validation.sharing_held_out import held_out_sharing

LAW = isoflop.law("E + A/N^alpha")


def table(alphas, *, sizes=10, noise=0.004, seed=0):
    n, k = np.meshgrid(np.geomspace(1e7, 3e9, sizes), np.arange(len(alphas)))
    rng = np.random.default_rng(seed)
    loss = 1.7 + 0.1 * k + 10 * (n / 1e7) ** -np.array(alphas)[k]
    columns = {"N": n.ravel(), "loss": (loss * np.exp(noise * rng.standard_normal(n.shape))).ravel()}
    return isoflop.Runs.from_columns({**columns, "family": [f"f{each}" for each in k.ravel()]})


def test_what_groups_share_forecasts_better_when_shared():
    """Eight groups of ten noisy runs with one exponent: sharing it wins, and the interval says so."""
    panel = fit_panel(LAW, table([0.34] * 8, noise=0.02), share=["alpha"])
    held = held_out_sharing(panel, draws=50)
    assert held.groups == panel.groups and held.runs == (2,) * 8
    assert held.difference.low < held.difference.value < 0
    assert held.shared.mean() < held.own.mean()


def test_exponents_that_differ_forecast_better_as_own():
    panel = fit_panel(LAW, table([0.2, 0.3, 0.45, 0.6]), share=["alpha"])
    assert held_out_sharing(panel, draws=50).better == "own"


def test_errors_are_those_of_the_fits_to_the_smaller_runs():
    """A group's error with own parameters is that of its own fit to eight of ten sizes, forecasting two."""
    runs = table([0.3, 0.4])
    panel = fit_panel(LAW, runs, share=["alpha"], objective=isoflop.squares())
    held = held_out_sharing(panel, draws=20)
    first = runs.where("family == 'f0'")
    small = first.take(first["N"] < np.sort(first["N"])[8])
    fitted = isoflop.fit(LAW, small, objective=isoflop.squares())
    largest = first.take(first["N"] >= np.sort(first["N"])[8])
    errors = np.abs(LAW.value(fitted.params, {"N": largest["N"]}) / largest["loss"] - 1)
    assert held.own[0] == pytest.approx(errors.mean(), rel=1e-4)


def test_what_cannot_be_held_out_says_so():
    with pytest.raises(FitError, match="shares nothing"):
        held_out_sharing(fit_panel(LAW, table([0.3, 0.3])))
    with pytest.raises(DataError, match=r"0 of 2 groups .* have runs to hold out .* give groups more sizes"):
        held_out_sharing(fit_panel(LAW, table([0.3, 0.3], sizes=3), share=["alpha"]))
    one = fit_panel(LAW, table([0.3, 0.3]).where("family == 'f0'"), share=["alpha"])
    with pytest.raises(DataError, match="1 of 1 groups"):
        held_out_sharing(one)
