"""Objectives: their texts, their derivatives, and that a new one needs a class and a line."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from isoflop import Runs, bootstrap, fit, law
from isoflop.errors import FitError
from isoflop.fitting import objective
from isoflop.fitting.objective import OBJECTIVES, Objective, Parts
from isoflop.uncertainty.saved import load_fit, save_fit

TEXTS = ["huber:0.001", "huber:0.0012345678", "lad", "lsq", "student-t", "student-t:2.5", "raw-huber:0.5", "raw-lad"]
SMOOTH = ["huber:0.7", "lsq", "student-t:3"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_reads_back_to_the_same_objective(text):
    assert objective(text).name == text
    assert objective(objective(text).name) == objective(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("lad:3", "lad has no number, not 3; write lad, or huber:3"),
        ("huber:-1", "the Huber width must be positive, not -1"),
        ("student-t:0", "positive degrees of freedom, not 0"),
        ("huber:", "'' is no number"),
    ],
)
def test_a_number_that_an_objective_cannot_have_is_refused(text, complaint):
    with pytest.raises(FitError, match=complaint):
        objective(text)


@pytest.mark.parametrize("text", SMOOTH)
def test_slopes_and_curvatures_are_those_of_the_value(text):
    chosen, rng = objective(text), np.random.default_rng(0)
    residual, weights = rng.normal(size=(1, 7)), rng.uniform(0.5, 2, (1, 7))
    scale, newton = np.array([chosen.scale_at(0.8, 1.0)]), np.ones(1, dtype=bool)

    def total(shifted, at):
        return chosen.parts(shifted, weights, newton, at).total[0]

    here = chosen.parts(residual, weights, newton, scale)
    for row in range(7):
        step = np.zeros((1, 7))
        step[0, row] = 1e-5
        slope = (total(residual + step, scale) - total(residual - step, scale)) / 2e-5
        assert here.slope[0, row] == pytest.approx(slope, rel=1e-7)
    if chosen.fits_scale:
        slope = (total(residual, scale + 1e-5) - total(residual, scale - 1e-5)) / 2e-5
        assert here.extra[0][0] == pytest.approx(slope, rel=1e-6)


def test_a_saved_fit_keeps_its_objective(known_runs, tmp_path):
    found = fit(law("chinchilla"), known_runs(0.01), objective=objective("student-t:2.5"), starts=12)
    save_fit(found, tmp_path / "fit.json")
    assert load_fit(tmp_path / "fit.json").fit.objective == found.objective


@dataclass(frozen=True)
class Fair(Objective):
    """Σ w c²(|r|/c − log(1 + |r|/c)): convex, smooth, between squares and absolute values."""

    word: ClassVar[str] = "fair"
    example: ClassVar[str] = "fair:0.01"

    width: float = 0.01

    @classmethod
    def of(cls, number, *, space):
        return cls(width=0.01 if number is None else number, space=space)

    def number(self):
        return self.width

    def parts(self, residual, weights, newton, scale):
        ones = np.ones_like(residual) if weights is None else weights
        size = np.abs(residual) / self.width
        pull = ones / (1 + size)
        own = np.where(newton[:, None], pull / (1 + size), pull)
        return Parts((self.width**2 * (size - np.log1p(size)) * ones).sum(axis=1), pull * residual, own)


def test_a_new_objective_is_a_class_and_a_line_of_the_registry(known_runs, tmp_path, monkeypatch):
    monkeypatch.setitem(OBJECTIVES, "fair", Fair)
    runs, chosen = known_runs(0.01), objective("fair:0.01")
    found = fit(law("chinchilla"), runs, objective=chosen, starts=24)
    assert chosen.name == "fair:0.01" and found.scale is None

    def cost(params):
        size = np.abs(np.log(law("chinchilla").value(params, {"N": runs["N"], "D": runs["D"]}) / runs["loss"])) / 0.01
        return (1e-4 * (size - np.log1p(size))).sum()

    assert cost(found.params) == pytest.approx(found.value, rel=1e-9)
    for name in found.params:
        for factor in (0.999, 1.001):
            assert cost({**found.params, name: found.params[name] * factor}) > found.value
    assert np.isfinite(bootstrap(found, draws=20, restarted=0).params).all()
    save_fit(found, tmp_path / "fit.json")
    assert load_fit(tmp_path / "fit.json").fit.objective == chosen
    with pytest.raises(FitError, match="use huber:1e-3, lad, lsq, student-t or fair:0.01"):
        objective("nonsense")


def test_the_registry_has_rows_of_one_law():
    runs = Runs.from_columns({"N": np.logspace(7, 9, 8), "loss": 2 + 300 / np.logspace(7, 9, 8) ** 0.4})
    for kind in OBJECTIVES.values():
        found = fit(law("E + A/N^alpha"), runs, objective=kind.of(None, space="log"), starts=12)
        assert found.params["E"] == pytest.approx(2, rel=1e-3)
