"""The commands of data selection on the files of the documentation, and bad input in one sentence each."""

import json

import polars as pl
import pytest
from click.testing import CliRunner
from docs_build.runner import write_selection

from isoflop.cli import isoflop as command
from isoflop.errors import IsoflopError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("selection")
    write_selection(place)
    return place


@pytest.fixture
def told(folder, monkeypatch):
    def run(*words):
        monkeypatch.chdir(folder)
        done = CliRunner().invoke(command, [*words, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return run


def test_hard_examples_are_written_and_lost_classes_reported(told, tmp_path):
    place = tmp_path / "rows.csv"
    answer = told("hardness", "examples.npz", "--keep", "0.1", "--rows", str(place))
    rows = pl.read_csv(place)
    assert rows.columns == ["example", "margin", "forgetting", "prototype", "kept"] and rows["kept"].sum() == 30
    assert rows.filter("kept")["margin"].min() >= rows.filter(~pl.col("kept"))["margin"].max()
    shares = [each["share"] for each in answer["tables"]["classes"]["rows"]]
    assert ("class-pruned" in {each["code"] for each in answer["findings"]}) == (min(shares) < 0.05)


def test_the_hardest_quarter_of_many_examples_is_kept(told):
    answer = told("prune", "pruned.csv", "--at", "1200", "--draws", "20")
    chosen = [each for each in answer["tables"]["sizes"]["rows"] if each["choice"] == "keep"]
    assert [each["way"] for each in chosen] == ["hard 0.25"]
    assert "hardest 25%" in answer["headline"]
    assert not {"implausible-counts", "looks-like-bytes"} & {each["code"] for each in answer["findings"]}


def test_the_best_union_grows_with_the_budget(told):
    answer = told("curate", "pools.csv", "--at", "500", "--at", "5K", "--draws", "20")
    best = [each["union"] for each in answer["tables"]["budgets"]["rows"] if each["choice"] == "best"]
    assert best == ["clean", "clean+fair"]
    assert 600 < answer["quantities"]["admission_1"]["value"] < 1_000


def test_the_mixture_of_the_sources_that_validation_needs(told):
    answer = told(
        "transport", "sources.csv", "--samples", "embedded.npz", "--at", "2K", "--most", "100", "--draws", "20"
    )
    shares = {each["source"]: each["share"] for each in answer["tables"]["sources"]["rows"]}
    assert shares["papers"] < 0.05 < shares["forum"] < shares["news"]
    assert answer["quantities"]["correlation"]["value"] > 0.8


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["hardness", "examples.npz", "--keep", "0"], "--keep is a share above 0"),
        (["hardness", "examples.npz", "--rows", "rows.txt"], "--rows writes .csv or .parquet"),
        (["hardness", "pools.csv"], "does not end in .npz"),
        (["prune", "pruned.csv", "--keep", "share"], "has no column 'share'"),
        (["prune", "pruned.csv", "--at", "many"], "many"),
        (["curate", "pools.csv", "--by", "name"], "has no column 'name'"),
        (["curate", "pools.csv", "--quality", "web"], "the pools are"),
        (["transport", "sources.csv", "--samples", "examples.npz", "--at", "2K"], "has no array 'news'"),
        (["transport", "sources.csv", "--samples", "embedded.npz", "--at", "50"], "must lie above the largest"),
        (["transport", "sources.csv", "--samples", "embedded.npz", "--at", "2K", "--cap", "web=1"], "--cap names"),
        (["transport", "sources.csv", "--samples", "none.npz", "--at", "2K"], "there is no file"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(folder, monkeypatch, words, message):
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(command, words)
    assert isinstance(done.exception, IsoflopError) and message in str(done.exception), done.output
