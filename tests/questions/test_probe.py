"""``isoflop probe``: measures of a file of activations, its table for runs, and bad input in one sentence."""

import json

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from isoflop.cli import isoflop as command
from isoflop.errors import DataError, IsoflopError
from isoflop.questions import question_of
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.probe import Probe


@pytest.fixture(scope="module")
def activations(tmp_path_factory):
    """Hidden layers of 30 units at two checkpoints, functions of 3 inputs; four classes."""
    place = tmp_path_factory.mktemp("activations")
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 4
    inputs = rng.normal(size=(300, 3)) + 2 * np.eye(4)[labels][:, :3]
    for step in (1, 10):
        hidden = np.tanh(inputs @ rng.normal(size=(3, 30)) / 2 + 0.3 * rng.normal(size=30))
        hidden[:, 0] = 1.0
        np.savez(place / f"step{step}.npz", hidden=hidden, labels=labels, inputs=inputs)
    return place


def test_measures_predictions_and_the_table_for_runs(activations, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, ["probe", str(activations), "--rows", "rows.csv", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    rows = told["tables"]["measures"]["rows"]
    assert len(rows) == 16 and {each["checkpoint"] for each in rows} == {"step1", "step10"}
    assert {each["verdict"] for each in rows} <= {"usable", "marked", "refused"}
    assert all(bool(each["reason"]) == (each["verdict"] != "usable") for each in rows)
    dimension = rows[0]["value"]
    assert dimension["value"] == pytest.approx(3, abs=0.6) and dimension["low"] <= dimension["high"]
    predicted = told["tables"]["predicted"]["rows"][0]["exponent"]
    assert predicted["value"] == pytest.approx(4 / dimension["value"])
    assert predicted["low"] == pytest.approx(4 / dimension["high"])
    assert {"constant-features", "measures-refused"} <= {each["code"] for each in told["findings"]}
    runs = pl.DataFrame({"checkpoint": ["step1", "step10"], "loss": [2.0, 1.0]})
    joined = runs.join(pl.read_csv(tmp_path / "rows.csv"), on="checkpoint")
    assert joined["dimension"].to_list() == [rows[0]["value"]["value"], rows[8]["value"]["value"]]
    refused = [each["measure"] for each in rows[:8] if each["verdict"] == "refused"]
    assert "spectrum exponent" in refused and joined["samples"].to_list() == [300, 300]


def test_a_notebook_words_the_same(activations):
    answer = ask(Probe((str(activations / "step1.npz"),)), Context())
    assert question_of(answer.result) is Probe
    assert answer["usable"].value + sum(bool(each.refused) for each in answer.result.representations[0].measures) == 8


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"hidden": np.ones((80, 4))}, "are constant: every sample is the same"),
        ({"hidden": np.full((80, 4), np.nan)}, "80 of 80 samples hold NaN or infinity"),
        ({"hidden": np.random.default_rng(0).normal(size=(20, 4))}, "has 20 samples; at least 50 are needed"),
        ({"hidden": np.eye(80), "labels": np.zeros(80, int)}, "labels are all of one class"),
        ({"hidden": np.eye(80), "labels": np.arange(80)}, "labels have 80 classes for 80 samples"),
        ({"hidden": np.eye(80), "inputs": np.ones((80, 2))}, "inputs are constant"),
        ({"hidden": np.array([["a", "b"]] * 80)}, "must be a table of numbers"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, arrays, sentence):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(DataError, match=sentence):
        ask(Probe((str(tmp_path / "bad.npz"),)), Context())


def test_copies_and_more_dimensions_than_samples_are_findings(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "copies.npz", hidden=np.repeat(rng.normal(size=(60, 70)), 2, axis=0)[:100])
    answer = ask(Probe((str(tmp_path / "copies.npz"),)), Context())
    found = {each.code: each for each in answer.findings}
    assert found["repeated-samples"].level == "warning" and "100 of 100" in found["repeated-samples"].message
    np.savez(tmp_path / "wide.npz", hidden=rng.normal(size=(60, 300)))
    assert "more-dimensions-than-samples" in {
        each.code for each in ask(Probe((str(tmp_path / "wide.npz"),)), Context()).findings
    }


def test_the_table_needs_an_ending(tmp_path):
    with pytest.raises(IsoflopError, match=r"--rows writes .csv or .parquet"):
        Probe(("a.npz",), rows=str(tmp_path / "rows.txt")).check()


def test_rows_of_weight_matrices_overlap_as_random_ones_or_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    spread = rng.normal(size=(400, 32))
    crowded = spread + 2.0
    np.savez("weights.npz", spread=spread, crowded=crowded, orthogonal=np.eye(32))
    done = CliRunner().invoke(command, ["probe", "weights.npz", "--weights", "--json", "--rows", "rows.csv"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    values = {row["array"]: row["value"]["value"] for row in told["tables"]["measures"]["rows"]}
    assert values["spread"] == pytest.approx(1, abs=0.05) and values["crowded"] > 5
    assert values["orthogonal"] == pytest.approx(0, abs=1e-9)
    assert {row["measure"] for row in told["tables"]["measures"]["rows"]} == {"row overlap times m"}
    assert not {"repeated-samples", "more-dimensions-than-samples"} & {each["code"] for each in told["findings"]}
    assert set(pl.read_csv("rows.csv").columns) >= {"array", "overlap"}
