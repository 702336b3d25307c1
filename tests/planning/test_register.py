"""Predictions that are written down, and what becomes of them."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from isoflop import Ensemble, Runs, bootstrap, fit, forecast, law
from isoflop.errors import DataError, SavedError
from isoflop.planning.published import published
from isoflop.planning.register import load_prediction, measured_in, register, score

AT = {"N": 1e10, "D": 2e11}


@pytest.fixture(scope="module")
def ensemble() -> Ensemble:
    rng = np.random.default_rng(0)
    n = np.tile([1e8, 2e8, 4e8, 8e8, 1.6e9], 4)
    d = np.repeat([2e9, 8e9, 3e10, 1e11], 5)
    loss = (1.8 + 480 / n**0.35 + 2000 / d**0.366) * np.exp(0.003 * rng.standard_normal(20))
    return bootstrap(fit(law("chinchilla"), Runs.from_columns({"N": n, "D": d, "loss": loss})), draws=200, seed=1)


def test_a_prediction_keeps_the_forecast_the_date_and_the_runs(ensemble: Ensemble, tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    register(ensemble, AT, tmp_path / "p.json", note="the 10B run")
    kept = load_prediction(tmp_path / "p.json")
    assert before <= kept.made <= datetime.now(UTC)
    assert kept.loss == forecast(ensemble, AT).loss
    assert kept.at == AT and kept.note == "the 10B run" and kept.digest == ensemble.estimate.data.digest
    shares, values = zip(*kept.quantiles, strict=True)
    assert list(values) == sorted(values) and shares[0] == 0.005 and shares[-1] == 0.995
    assert np.interp(0.05, shares, values) == pytest.approx(kept.loss.low, rel=1e-9)


def test_scores(ensemble: Ensemble, tmp_path: Path) -> None:
    made = register(ensemble, AT, tmp_path / "p.json")
    middle = score(made, made.quantiles[99][1])
    assert middle.held and middle.place == pytest.approx(0.5)
    high = score(made, made.loss.value * 1.5)
    assert high.held is False and high.place == 1.0 and high.error == pytest.approx(0.5)


def test_published_constants_have_no_interval_and_are_scored_all_the_same(tmp_path: Path) -> None:
    register(published("chinchilla:epoch"), {"N": 70e9, "D": 1.4e12}, tmp_path / "p.json")
    said = score(load_prediction(tmp_path / "p.json"), 1.95)
    assert said.held is None and said.place is None and said.error == pytest.approx(1.95 / 1.97378 - 1, abs=1e-4)


@pytest.mark.parametrize("measured", [0.0, -1.0, math.nan, math.inf])
def test_a_loss_that_cannot_have_been_measured(tmp_path: Path, measured: float) -> None:
    made = register(published("chinchilla:epoch"), {"N": 1e9, "D": 2e10}, tmp_path / "p.json")
    with pytest.raises(SavedError, match="the measured loss must be"):
        score(made, measured)


def test_runs_are_found_by_their_inputs(ensemble: Ensemble, tmp_path: Path) -> None:
    made = register(ensemble, AT, tmp_path / "p.json")
    table = {"N": [1e10, 1.01e10, 3e10], "D": [2e11, 1.99e11, 2e11], "loss": [2.1, 2.2, 1.9]}
    assert measured_in(made, Runs.from_columns(table)) == pytest.approx(2.15)
    with pytest.raises(DataError, match="no run within 2 % .* the nearest has N = 30B, D = 200B"):
        measured_in(made, Runs.from_columns({name: values[2:] for name, values in table.items()}))
    with pytest.raises(DataError, match="in perplexity, the prediction is in nats/token"):
        measured_in(made, Runs.from_columns(table, units={"loss": "perplexity"}))


def test_what_is_registered_stays(ensemble: Ensemble, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    register(ensemble, AT, path)
    with pytest.raises(SavedError, match="is there already"):
        register(ensemble, {"N": 2e10, "D": 2e11}, path)
    for change in ({"made": "2020-01-01T00:00:00+00:00"}, {"loss": {"value": 2.0, "low": 1.9, "high": 2.1}}):
        other = tmp_path / "changed.json"
        other.write_text(json.dumps({**json.loads(path.read_text()), **change}))
        with pytest.raises(SavedError, match="was changed after it was registered"):
            load_prediction(other)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not JSON"),
        (b"[1]", "is no registered prediction"),
        (b'{"schema": "isoflop.fit/1"}', "is no registered"),
    ],
)
def test_foreign_files(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "p.json").write_bytes(content)
    with pytest.raises(SavedError, match=says):
        load_prediction(tmp_path / "p.json")
    with pytest.raises(SavedError, match="cannot be read"):
        load_prediction(tmp_path / "absent.json")
