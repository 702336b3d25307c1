"""``isoflop datasets`` as its user sees it."""

import json
import os
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from isoflop.cli import isoflop as command
from isoflop.errors import DataError

LOCAL = Path(os.environ.get("ISOFLOP_DATASETS") or Path(__file__).parents[2] / "../shared/data")
needs_mirror = pytest.mark.skipif(not LOCAL.is_dir(), reason="no public run tables (ISOFLOP_DATASETS)")


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch, tmp_path):
    monkeypatch.delenv("ISOFLOP_DATASETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))


def run(*words):
    result = CliRunner().invoke(command, ["datasets", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def tables():
    return {each["name"]: each for each in json.loads(run("--json"))["tables"]["tables"]["rows"]}


def test_the_list_says_source_license_rows_size_and_laws():
    listed = tables()
    epoch = listed["epoch-chinchilla"]
    assert (epoch["rows"], epoch["state"], epoch["license"]) == (245, "to download", "none stated")
    assert "epoch-research/analyzing-chinchilla@9225883 data/svg_extracted_data.csv" in epoch["origin"]
    shared = listed["datablations"]
    assert shared["rows"] == 182 and "ISOFLOP_DATASETS" in shared["state"] and shared["license"] == "Apache-2.0"
    assert "L(N, D)" in epoch["laws"] and "IsoFLOP" in epoch["laws"]
    steplaw = listed["steplaw"]
    assert (steplaw["rows"], steplaw["bytes"], steplaw["license"]) == (1911, 344476, "none stated")
    assert "parscale/pile" in listed


def test_the_list_fits_a_terminal_of_80_columns():
    assert max(len(line.rstrip()) for line in run().splitlines()) <= 80


@needs_mirror
def test_get_from_a_folder_that_is_there(monkeypatch):
    monkeypatch.setenv("ISOFLOP_DATASETS", str(LOCAL))
    told = json.loads(run("--get", "parscale", "--json"))
    (file,) = told["tables"]["files"]["rows"]
    assert (file["bytes"], file["license"]) == (684, "none stated") and file["source"] == "QwenLM/ParScale@cd6acb4"
    assert str(LOCAL / "parscale") in told["headline"]
    assert "cite: Besiroglu, Erdil, Barnett, You 2024" in " ".join(run("--get", "epoch-chinchilla").split())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [(("--get", "parscale"), "cannot be downloaded"), (("--get", "step-law"), "the nearest are steplaw")],
)
def test_what_cannot_be_had_is_one_sentence(words, sentence):
    result = CliRunner().invoke(command, ["datasets", *words])
    assert isinstance(result.exception, DataError)
    assert sentence in str(result.exception) and "\n" not in str(result.exception)


def test_bundled_runs_are_listed_first_and_need_no_download(monkeypatch, tmp_path):
    folder = tmp_path / "box" / "tiny-sweep"
    folder.mkdir(parents=True)
    pl.DataFrame({"N": [1e5], "D": [1e6], "loss": [3.0]}).write_parquet(folder / "runs.parquet")
    monkeypatch.setattr("isoflop.runs.datasets.box.box_folder", lambda: tmp_path / "box")
    name, first = next(iter(tables().items()))
    assert name == "tiny-sweep" and first["rows"] == 1 and first["state"] == "bundled"
    assert str(folder) in json.loads(run("--get", "tiny-sweep", "--json"))["headline"]
