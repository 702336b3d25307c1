"""``isoflop datasets`` as its user sees it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from isoflop.cli.datasets import datasets

from isoflop.errors import DataError

LOCAL = Path(os.environ.get("ISOFLOP_DATASETS") or Path(__file__).parents[2] / "../shared/data")
needs_mirror = pytest.mark.skipif(not LOCAL.is_dir(), reason=f"no mirror of the public run tables at {LOCAL}")


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch, tmp_path):
    monkeypatch.delenv("ISOFLOP_DATASETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))


def run(*words):
    result = CliRunner().invoke(datasets, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_list_says_source_licence_rows_size_and_laws():
    text = " ".join(run().split())
    assert "epoch-chinchilla 245 rows 23.2KB to download" in text
    assert "epoch-research/analyzing-chinchilla@9225883 data/svg_extracted_data.csv; licence: none stated" in text
    assert "datablations 182 rows 11.9KB derived; mirror only" in text
    assert "made from huggingface/datablations@1370131 utils/parametric_fit.ipynb; licence: Apache-2.0" in text
    assert "suits L(N, D); IsoFLOP" in text


def test_the_list_fits_a_terminal_of_80_columns():
    assert max(len(line.rstrip()) for line in run().splitlines()) <= 80


def test_the_list_as_json():
    listed = json.loads(run("--json"))["datasets"]
    by_name = {each["name"]: each for each in listed if each["kind"] == "public"}
    assert len(by_name) == 17
    table = by_name["steplaw"]["tables"][0]
    assert (table["name"], table["rows"], table["bytes"], table["licence"]) == ("steplaw", 1911, 344476, "none stated")
    assert table["state"] == "to download" and table["derived"] is None
    assert by_name["parscale"]["tables"][1]["name"] == "parscale/pile"


@needs_mirror
def test_get_from_a_mirror(monkeypatch):
    monkeypatch.setenv("ISOFLOP_DATASETS", str(LOCAL))
    assert "steplaw 1,911 rows 344KB in the mirror" in " ".join(run().split())
    lines = run("get", "epoch-chinchilla").splitlines()
    assert lines[0] == str(LOCAL / "epoch-chinchilla" / "svg_extracted_data.csv")
    assert lines[-2] == "licence: none stated, Apache-2.0"
    assert lines[-1].startswith("cite: Besiroglu, Erdil, Barnett, You 2024")
    said = json.loads(run("get", "parscale", "--json"))
    assert said["files"] == [
        {
            "path": str(LOCAL / "parscale" / "runs.csv"),
            "from": "mirror",
            "bytes": 684,
            "source": "QwenLM/ParScale@cd6acb4",
            "licence": "none stated",
        }
    ]


def test_what_cannot_be_had_is_one_sentence():
    for words, sentence in [
        (("get", "parscale"), "cannot be downloaded"),
        (("get", "step-law"), "the nearest are steplaw"),
    ]:
        result = CliRunner().invoke(datasets, words)
        assert isinstance(result.exception, DataError)
        assert sentence in str(result.exception)
        assert "\n" not in str(result.exception)


def test_runs_in_the_package_are_listed_first_and_need_no_download(monkeypatch, tmp_path):
    folder = tmp_path / "box" / "tiny-sweep"
    folder.mkdir(parents=True)
    pl.DataFrame({"N": [1e5], "D": [1e6], "loss": [3.0]}).write_parquet(folder / "runs.parquet")
    monkeypatch.setattr("isoflop.runs.datasets.box.box_folder", lambda: tmp_path / "box")
    assert run().startswith("tiny-sweep")
    (first, *_) = json.loads(run("--json"))["datasets"]
    assert (first["kind"], first["tables"][0]["rows"]) == ("box", 1)
    assert run("get", "tiny-sweep").splitlines()[0] == str(folder / "runs.parquet")


def test_help_needs_no_data_frame_library():
    code = "import sys, isoflop.cli.datasets; sys.exit('polars' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
