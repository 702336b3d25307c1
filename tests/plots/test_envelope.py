"""The picture of loss against compute holds what it says."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from isoflop import bootstrap, fit, law
from isoflop.errors import IsoflopError
from isoflop.plots import loss_against_compute


def draw(ensemble, **options):
    figure = Figure(figsize=(7, 4), layout="constrained")
    return loss_against_compute(ensemble, figure.subplots(), **options)


def test_the_envelope_is_the_closed_form_optimum(known_runs):
    ensemble = bootstrap(fit(law("chinchilla"), known_runs(0.005)), draws=60)
    axes = draw(ensemble)
    line = next(line for line in axes.lines if line.get_label() == "compute-optimal")
    p = ensemble.estimate.params
    scale = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
    budget, best = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    n = scale * (budget / 6) ** (p["beta"] / (p["alpha"] + p["beta"]))
    assert best == pytest.approx(ensemble.estimate.predict({"N": n, "D": budget / (6 * n)}), rel=1e-4)


def test_the_band_reaches_beyond_the_runs_and_widens(known_runs):
    ensemble = bootstrap(fit(law("chinchilla"), known_runs(0.005)), draws=60)
    axes = draw(ensemble, decades=3)
    band = axes.collections[-1].get_paths()[0].vertices
    assert band[:, 0].max() == pytest.approx(1000 * (6 * 1e10 * 10**11.5), rel=1e-6)
    far, near = band[:, 0] > 1e23, (band[:, 0] > 1e19) & (band[:, 0] < 1e20)
    assert np.ptp(band[far, 1] / band[far, 1].mean()) > 0 and near.any()
    assert axes.get_xlabel().endswith("(FLOPs)") and "nats/token" in axes.get_ylabel()


def test_a_law_in_other_inputs_is_refused(known_runs):
    ensemble = bootstrap(fit(law("power-n"), known_runs(0.005)), draws=30)
    with pytest.raises(IsoflopError, match="needs a law in N and D"):
        draw(ensemble)
