"""Public run tables as an answer: what there is, what it takes to have one, and where it lies then."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from isoflop.runs.datasets import datasets as registered

FOLDER = Path(os.environ.get("ISOFLOP_DATASETS") or Path(__file__).parents[3] / "shared" / "data")
needs_tables = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="no public run tables; set ISOFLOP_DATASETS to the folder that holds them"
)


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch, tmp_path):
    monkeypatch.delenv("ISOFLOP_DATASETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))


def listed(answer):
    return {row["name"]: row for row in answer["tables"]["tables"]["rows"]}


def text_of(cli, *words):
    code, out, err = cli("datasets", *words)
    assert (code, err) == (0, "")
    return " ".join(out.split())


def test_the_list_says_rows_size_and_state(cli):
    text = text_of(cli, "--all")
    assert "epoch-chinchilla 245 23.2K to download" in text
    assert "datablations 182 11.9K ISOFLOP_DATASETS only" in text  # derived, so that there is nothing to download


def test_the_list_says_source_license_and_laws(asked, cli):
    rows = listed(asked("datasets"))
    epoch, derived = rows["epoch-chinchilla"], rows["datablations"]
    assert epoch["origin"] == "from epoch-research/analyzing-chinchilla@9225883 data/svg_extracted_data.csv"
    assert epoch["license"] == "none stated" and epoch["laws"].startswith("L(N, D), IsoFLOP")
    assert derived["origin"] == "made from huggingface/datablations@1370131 utils/parametric_fit.ipynb"
    assert derived["license"] == "Apache-2.0"
    text = text_of(cli, "--all")
    assert "none stated" in text and "Apache-2.0" in text and "L(N, D), IsoFLOP" in text


@pytest.mark.parametrize("words", [(), ("--all",), ("epoch-chinchilla",)])
def test_the_list_fits_a_terminal_of_80_columns(cli, words):
    _, out, _ = cli("datasets", *words)
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 80


def test_the_list_as_json_has_every_registered_fact(asked):
    rows = listed(asked("datasets"))
    wanted = {dataset.full_name(table): (dataset, table) for dataset in registered() for table in dataset.tables}
    assert {name for name, row in rows.items() if row["state"] != "bundled"} == wanted.keys()
    assert len({row["dataset"] for row in rows.values() if row["state"] != "bundled"}) == len(list(registered())) >= 17
    for name, (dataset, table) in wanted.items():
        row, file = rows[name], table.file
        assert (row["dataset"], row["title"], row["citation"]) == (dataset.name, dataset.title, dataset.citation)
        assert (row["rows"], row["bytes"], row["sha256"]) == (table.rows, file.copy.bytes, file.copy.sha256)
        assert (row["repository"], row["commit"], row["path"]) == (
            file.source.repository, file.source.commit, file.path,
        )  # fmt: skip
        assert (row["file"], row["derived"], row["where"]) == (file.copy.name, file.derived, table.where)
        assert (row["license"], row["laws"]) == (file.source.licence, ", ".join(dataset.laws))
    step = rows["steplaw"]
    assert (step["rows"], step["bytes"], step["license"], step["state"]) == (1911, 344476, "none stated", "to download")
    assert step["derived"] is None and "parscale/pile" in rows


def test_one_data_set_is_described(asked, refused):
    answer = asked("datasets", "epoch-chinchilla")
    assert list(listed(answer)) == ["epoch-chinchilla", "epoch-chinchilla/subset"]
    assert answer["headline"].startswith("Points digitized from Chinchilla's Figure 4. Laws that suit: L(N, D), ")
    assert "license: none stated" in answer["method"] and "license: Apache-2.0" in answer["method"]
    assert answer["method"].endswith(
        "cite: " + next(each for each in registered() if each.name == "epoch-chinchilla").citation
    )
    assert "the nearest are steplaw" in refused("datasets", "step-law")
    assert "names the data set already" in refused("datasets", "steplaw", "--get", "steplaw")


@needs_tables
def test_fetched_from_a_folder_of_tables(monkeypatch, asked, cli):
    monkeypatch.setenv("ISOFLOP_DATASETS", str(FOLDER))
    assert "steplaw 1,911 344K in ISOFLOP_DATASETS" in text_of(cli, "--all")
    text = text_of(cli, "--get", "epoch-chinchilla", "--all")
    assert f"2 files of epoch-chinchilla are in {FOLDER / 'epoch-chinchilla'}." in text
    assert "svg_extracted_data.csv 23.2K mirror none stated" in text and "Apache-2.0" in text
    assert "cite: Besiroglu, Erdil, Barnett, You 2024" in text
    answer = asked("datasets", "--get", "parscale")
    assert answer["tables"]["files"]["rows"] == [
        {
            "file": "runs.csv",
            "bytes": 684,
            "origin": "mirror",
            "license": "none stated",
            "source": "QwenLM/ParScale@cd6acb4",
            "path": str(FOLDER / "parscale" / "runs.csv"),
        }
    ]
    assert answer["headline"] == f"1 file of parscale is in {FOLDER / 'parscale'}."


@pytest.mark.parametrize(
    ("name", "sentence"), [("parscale", "cannot be downloaded"), ("step-law", "the nearest are steplaw")]
)
def test_what_cannot_be_had_is_one_sentence(refused, name, sentence):
    assert sentence in refused("datasets", "--get", name)


def test_bundled_runs_are_listed_first_and_need_no_download(monkeypatch, tmp_path, asked, cli):
    folder = tmp_path / "box" / "tiny-sweep"
    folder.mkdir(parents=True)
    pl.DataFrame({"N": [1e5], "D": [1e6], "loss": [3.0]}).write_parquet(folder / "runs.parquet")
    monkeypatch.setattr("isoflop.runs.datasets.box.box_folder", lambda: tmp_path / "box")
    rows = asked("datasets")["tables"]["tables"]["rows"]
    assert (rows[0]["name"], rows[0]["rows"], rows[0]["state"]) == ("tiny-sweep", 1, "bundled")
    assert rows[1]["state"] != "bundled"
    fetched = asked("datasets", "--get", "tiny-sweep")["tables"]["files"]["rows"]
    assert fetched[0]["path"] == str(folder / "runs.parquet") and fetched[0]["origin"] == "package"
    assert fetched[0]["bytes"] == (folder / "runs.parquet").stat().st_size
    assert list(listed(asked("datasets", "tiny-sweep"))) == ["tiny-sweep"]


def test_help_needs_no_data_frame_library():
    code = (
        "import sys; sys.argv = ['isoflop', 'datasets', '--help']\n"
        "from isoflop.cli import main\n"
        "try: main()\n"
        "finally: sys.exit('polars' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
