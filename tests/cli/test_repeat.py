"""``isoflop repeat``: from published constants, from a table, and what it refuses."""

import json

import pytest
from click.testing import CliRunner
from tests.planning.test_repeat import runs_of_lovelace

from isoflop.cli import isoflop
from isoflop.errors import IsoflopError


def run(*words):
    return CliRunner().invoke(isoflop, ["repeat", *words], catch_exceptions=False)


def test_without_runs_published_constants_answer():
    said = json.loads(run("--unique", "100B", "--params", "7B", "--budget", "1e23", "--json").stdout)
    assert [each["law"] for each in said["laws"]] == ["muennighoff", "lovelace"]
    assert said["unique"] == 1e11 and said["params"] == 7e9 and said["budget"] == 1e23
    first = said["laws"][0]
    assert [each["epochs"] for each in first["epochs"]] == [1, 2, 4, 8, 16, 32, 64]
    assert first["lowest"]["value"] is None and first["stop"]["value"] == 36  # never rises
    assert first["best"]["N"]["low"] is None  # constants have no draws
    assert {"no-interval"} <= {each["code"] for each in said["findings"]}


def test_a_table_is_fitted_by_both_laws(tmp_path):
    path = tmp_path / "repeats.csv"
    runs_of_lovelace().to_polars().write_csv(path)
    words = (str(path), "--unique", "2B", "--params", "1.6B", "--draws", "40")
    said = json.loads(run(*words, "--json").stdout)
    for each in said["laws"]:
        assert each["r_squared"] > 0.9 and each["epochs"][3]["loss"]["low"] < each["epochs"][3]["loss"]["high"]
    assert said["laws"][1]["r_squared"] > said["laws"][0]["r_squared"]
    text = run(*words).stdout
    assert "muennighoff" in text and "lovelace" in text and "R² on the runs" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--unique", "0", "--params", "7B"), "the unique tokens must be a positive number"),
        (("--unique", "some", "--params", "7B"), "--unique: 'some' is not a number"),
        (("--unique", "1B", "--params", "7B", "--where", "D > 1"), "describe a table of runs; name one"),
        (("chinchilla:epoch", "--unique", "1B", "--params", "7B"), "needs a law in N, D and U"),
        (("nothere.csv", "--unique", "1B", "--params", "7B"), "nothere.csv"),
    ],
)
def test_bad_input_is_one_sentence(words, says):
    with pytest.raises(IsoflopError, match=says):
        run(*words)


def test_a_size_or_a_budget_is_needed():
    said = run("--unique", "1B")
    assert said.exit_code == 2 and "repeating needs --params 7B, or --budget 1e22" in said.output
