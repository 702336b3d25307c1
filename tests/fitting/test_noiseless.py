"""Numbers that were computed by a law and not measured, and searches over parameters of very different scales."""

import numpy as np
import pytest

from isoflop import Runs, bootstrap, fit, law
from isoflop.fitting.coordinates import coordinates
from isoflop.fitting.objective import objective as parse_objective
from isoflop.fitting.starts import _loglinear

TRUTH = {"E": 2.69, "A": 1606.4, "B": 3210.7, "alpha": 0.34, "beta": 0.36}
N, D = (each.ravel() for each in np.meshgrid(np.geomspace(5e7, 6e9, 6), np.geomspace(7e8, 8e10, 5)))
PATTERN = {"misfit", "structured-residuals", "beyond-seeds", "lack-of-fit", "families-pooled", "draws-disagree"}


def runs_of(noise) -> Runs:
    loss = law("chinchilla").value(TRUTH, {"N": N, "D": D})
    wave = np.sin(np.log(N)) if np.isscalar(noise) else noise
    return Runs.from_columns({"N": N, "D": D, "loss": loss * np.exp(noise * wave)})


@pytest.mark.parametrize("objective", ["huber:1e-3", "lsq", "raw-lsq", "raw-huber:1e-3", "lad"])
@pytest.mark.parametrize("noise", [0.0, 1e-9, 3e-8])
def test_runs_without_noise_are_called_so_and_their_rounding_is_no_pattern(objective, noise):
    fitted = fit(law("chinchilla"), runs_of(noise), objective=parse_objective(objective))
    codes = {finding.code for finding in fitted.findings}
    assert "noiseless" in codes and not codes & PATTERN
    drawn = bootstrap(fitted, draws=40)
    assert "draws-disagree" not in {finding.code for finding in drawn.findings}


@pytest.mark.parametrize("noise", [1e-4, 1e-2])
def test_a_pattern_that_measurements_could_show_is_still_told(noise):
    codes = {finding.code for finding in fit(law("chinchilla"), runs_of(noise)).findings}
    assert "noiseless" not in codes


def test_log_linear_coordinates_are_those_of_an_exponential_law_alone():
    def labels(text, **how):
        coords = coordinates(law(text, **how))
        return [coords.names[each] for each in _loglinear(coords)]

    assert labels("routed") == ["a", "b", "c", "d"]
    assert labels("chinchilla") == [] == labels("A/N^a")  # nothing beside them is left to search
    assert labels("A*N^a*D^b*(1 + k*C)^g") == ["A", "a", "b", "g"]


def test_a_routed_law_is_found_from_every_seed():
    """E_start of 2 and E_max of 1,000 in one law, whose other parameters follow by least squares."""
    n, experts = (each.ravel() for each in np.meshgrid(np.geomspace(2e7, 1e9, 5), [1, 4, 16, 64, 256, 512]))
    truth = {"a": -0.09, "b": -0.13, "c": 0.0052, "d": 2.68, "E_start": 2.2, "E_max": 1200.0}
    loss = law("routed").value(truth, {"N": n, "experts": experts.astype(float)})
    scatter = np.exp(np.random.default_rng(0).normal(0, 0.004, len(loss)))
    runs = Runs.from_columns({"N": n, "experts": experts.astype(float), "loss": loss * scatter})
    values = [fit(law("routed"), runs, seed=seed).value for seed in (0, 3)]
    assert values[0] == pytest.approx(values[1], rel=1e-5)
    for each in values:
        assert each <= fit(law("routed"), runs, seed=1, starts=200).value * (1 + 1e-6)
