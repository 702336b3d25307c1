"""``isoflop decide``: the sentence, its tables and picture, and public tables with several recipes."""

import json

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from isoflop.cli import isoflop as command


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    recipe, size, seed = (each.ravel() for each in np.meshgrid(np.arange(6), [1e7, 1e8, 1e9], np.arange(3)))
    loss = 2 + 0.05 * recipe * np.log10(size / 1e6) + rng.normal(0, 0.02, size.size)
    frame = pl.DataFrame({"recipe": recipe, "params": size, "seed": seed, "loss": loss, "acc": 1 / loss})
    frame.with_columns(recipe=pl.format("r{}", "recipe")).write_csv(tmp_path / "runs.csv")
    return tmp_path / "runs.csv"


def run(*words, text=False):
    done = CliRunner().invoke(command, [*map(str, words), *([] if text else ["--json"])], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output if text else json.loads(done.stdout)


def test_the_sentence_names_the_largest_and_the_smallest_scale(table):
    answer = run("decide", table, "--by", "recipe")
    said = answer["headline"]
    assert said.startswith("At N = 100M 100% (90% CI ") and said.endswith("at N = 10M.")
    assert "of pairs of 6 recipes are ordered by loss as at N = 1B" in said
    assert (answer["quantities"]["recipes"]["value"], answer["quantities"]["pairs"]["value"]) == (6, 15)
    ranked = [row["recipe"] for row in answer["tables"]["target"]["rows"]]
    assert ranked == [f"r{k}" for k in range(6)]


def test_a_score_and_its_inverse_loss_decide_alike(table):
    answer = run("decide", table, "--by", "recipe", "--response", "loss", "--response", "acc")
    rows = answer["tables"]["scales"]["rows"]
    kept = {
        name: [(row["scale"], row["accuracy"]["value"], row["picked"]) for row in rows if row["response"] == name]
        for name in ("loss", "acc")
    }
    assert kept["loss"] == kept["acc"] and len(rows) == 4


def test_the_picture_is_told_in_words(table, tmp_path):
    (picture,) = run("decide", table, "--by", "recipe")["pictures"]
    assert picture["alt"].startswith("Rank of 6 recipes by loss along N; pairs in the order of the target: ")
    run("decide", table, "--by", "recipe", "--picture", tmp_path / "ranking.png", text=True)
    assert (tmp_path / "ranking.png").stat().st_size > 5_000


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "decisions are between recipes, and there is none named; name their column with --by"),
        (("--by", "optimizer"), "no column 'optimizer'"),
        (("--by", "recipe", "--where", "params > 5e8"), "the recipes share only one value of N"),
        (("--by", "recipe", "--target", "3B"), "no run has N = 3B; --target is one of 10M, 100M, 1B"),
    ],
)
def test_what_cannot_be_decided_is_one_sentence(table, words, sentence):
    from isoflop.errors import IsoflopError

    with pytest.raises(IsoflopError, match=sentence):
        CliRunner().invoke(command, ["decide", str(table), *words], catch_exceptions=False)


def test_three_corpora_of_the_over_training_grid(tables):
    """The corpus that is best on HellaSwag at 6.9B is not the one that small models pick."""
    answer = run(
        "decide", tables / "overtraining-gadre" / "runs_with_downstream_colpret.csv", "--by", "dataset_name",
        "--where", "tok_mult == 20", "--response", "err_hellaswag", "--response", "loss_c4_val",
    )  # fmt: skip
    assert [each["code"] for each in answer["findings"]] == ["few-recipes"]
    rows = answer["tables"]["scales"]["rows"]
    assert {row["response"] for row in rows} == {"err_hellaswag", "loss_c4_val"} and len(rows) == 10
    picked = {
        name: {row["picked"] for row in rows if row["response"] == name} for name in ("err_hellaswag", "loss_c4_val")
    }
    assert picked["loss_c4_val"] == {"c4_original"} and "rw_original" not in picked["err_hellaswag"]
    best = {row["response"]: row["recipe"] for row in answer["tables"]["target"]["rows"] if row["rank"] == 1}
    assert best == {"err_hellaswag": "rw_original", "loss_c4_val": "c4_original"}  # C4's own loss favors C4


def test_six_corpora_at_eight_budgets(tables):
    answer = run(
        "decide", tables / "loss-to-loss" / "sweep.csv", "--by", "data", "--x", "iso_flop",
        "--best=-eval/downstream/hellaswag_test_len_norm", "--per", "data,iso_flop",
        "--response", "eval/downstream/hellaswag_test_len_norm", "--better", "higher",
    )  # fmt: skip
    rows = answer["tables"]["scales"]["rows"]
    assert len(rows) == 7 and {row["pairs"] for row in rows} == {15}
    assert [round(15 * row["accuracy"]["value"]) for row in rows] == [6, 8, 10, 13, 13, 14, 14]
    assert "other-input-varies" not in [each["code"] for each in answer["findings"]]
