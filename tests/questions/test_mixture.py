"""``isoflop mixture``: its answer, its doubts and what it refuses."""

import json

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from isoflop.cli import isoflop as command
from isoflop.errors import IsoflopError


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    shares = np.random.default_rng(0).dirichlet(np.ones(3), 24)
    loss = (2 + np.exp(shares @ [0.1, -0.4, 0.3])) * np.exp(np.random.default_rng(1).normal(0, 0.002, 24))
    path = tmp_path_factory.mktemp("mixture") / "mixtures.csv"
    sizes = np.where(np.arange(24) < 20, 1e8, 4e8)
    pl.DataFrame({"N": sizes, **dict(zip(("web", "code", "books"), shares.T, strict=True)), "loss": loss}).write_csv(
        path
    )
    return path


def told(*words):
    done = CliRunner().invoke(command, ["mixture", *map(str, words), "--draws", "20", "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_limits_are_kept_and_what_they_exclude_is_said(place):
    answer = told(place, "--where", "N < 2e8", "--tokens", "1T", "--unique", "code=50B", "--cap", "web=0.5")
    rows = {row["domain"]: row for row in answer["tables"]["domains"]["rows"]}
    assert sum(row["share"]["value"] for row in rows.values()) == pytest.approx(1)
    assert rows["code"]["share"]["value"] == pytest.approx(0.2, abs=1e-6) and rows["code"]["epochs"] == pytest.approx(4)
    assert rows["web"]["share"]["value"] <= 0.5 + 1e-9
    assert answer["quantities"]["error"]["value"] < 0.01
    assert "1e+0" not in answer["headline"] and "mixture-unlike-runs" not in [
        each["code"] for each in answer["findings"]
    ]


def test_runs_of_two_sizes_are_doubted_and_a_mixture_of_ones_own_is_forecast(place):
    answer = told(place, "--at", "web=0.3", "--at", "code=0.4", "--at", "books=0.3")
    assert "mixture-unlike-runs" in [each["code"] for each in answer["findings"]]
    asked = answer["quantities"]["asked_loss"]
    truth = 2 + np.exp(0.03 - 0.16 + 0.09)
    assert asked["low"] < truth < asked["high"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tokens", "1T"], "belong together"),
        (["--cap", "prose=0.3"], "--cap names 'prose', and there are web, code, books"),
        (["--at", "web=0.3"], "add up to 1, not 0.3"),
        (["--cap", "web=0.2", "--cap", "code=0.2", "--cap", "books=0.2"], "so no mixture meets them"),
        (["--domain", "web"], "two domains or more"),
        (["--form", "cubic"], "--form is one of exponential"),
        (["--shares", "web"], "two domains or more"),
        (["--task-column", "nothing"], "nothing"),
    ],
)
def test_bad_input_is_answered_in_a_sentence(place, words, message):
    with pytest.raises(IsoflopError) as refused:
        CliRunner().invoke(command, ["mixture", str(place), *words], catch_exceptions=False)
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_the_lowest_that_was_measured_goes_by_the_weights(place, tmp_path):
    table = pl.read_csv(place).with_columns(other=10 * pl.col("code"))
    table.write_csv(tmp_path / "two.csv")
    words = [tmp_path / "two.csv", "--domain", "web", "--domain", "code", "--domain", "books", "--task", "loss"]
    answer = told(*words, "--task", "other", "--weight", "other=0")
    rows = {row["domain"]: row["measured"] for row in answer["tables"]["domains"]["rows"]}
    lowest = table.sort("loss").row(0, named=True)
    assert rows == pytest.approx({each: lowest[each] for each in rows}, rel=1e-6)
