"""``isoflop compare`` of groups: a column, several tables, the frontier; what it says and what it refuses."""

import numpy as np
import polars as pl
import pytest

from isoflop import Runs, read_runs
from isoflop.answers.wording import told
from isoflop.planning.comparison import compare_groups, groups_by
from isoflop.questions.base.context import Context
from isoflop.questions.base.specs import FitSpec, RunsSpec
from isoflop.questions.compare import Compare
from isoflop.render.notebook import answer_of

from ..planning.comparison.conftest import recipes  # noqa: F401 - the fixture

DRAWS = ("--draws", 200)


@pytest.fixture
def table(recipes, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)

    def write(names="ab", file="runs.csv", **options):
        recipes(names, **options).to_polars().write_csv(file)
        return file

    return write


def test_the_sentence_says_who_is_better_from_where_on_and_by_how_much(asked, table):
    said = asked("compare", table(), "--by", "recipe", *DRAWS)
    assert said["headline"].startswith("b is better than a from C = about ") and "; at C = 1e22 by " in said["headline"]
    crossing = said["quantities"]["crossing"]
    assert crossing["low"] < 1e20 < crossing["high"]
    (row,) = said["tables"]["crossings"]["rows"]
    assert (row["verdict"], row["better"]) == ("cross", "b")
    evidence = {each["source"]: each["result"] for each in said["evidence"]["rows"]}
    assert evidence["draws"] == "independent (residuals of shared configurations correlate by -0.33 at most)"
    assert any(name.startswith("hold-out of a, C ≥ ") and "MRE" in result for name, result in evidence.items())
    assert said["provenance"]["runs"] == [16, 16] and said["provenance"]["objective"] == "lsq"


def test_what_the_command_says_is_what_the_library_computes(asked, table):
    said = asked("compare", table(), "--by", "recipe", "--at", "C=1e20,1e22", *DRAWS)
    groups, _ = groups_by(read_runs("runs.csv"), "recipe")
    found = compare_groups(groups, draws=200, at={"C": [1e20, 1e22]})
    rows = [each["gap"] for each in said["tables"]["scales"]["rows"] if each["group"] == "b"]
    wanted = [(each.difference.value, each.difference.low, each.difference.high) for each in found.gaps]
    assert [(each["value"], each["low"], each["high"]) for each in rows] == wanted
    shown = answer_of(found)
    assert shown.sentence(told) == said["headline"]


def test_independent_draws_are_said_and_wider(asked, table):
    table(common=0.98, noise=0.01)
    paired, alone = (
        asked("compare", "runs.csv", "--by", "recipe", "--draw", how, *DRAWS) for how in ("paired", "independent")
    )
    assert "draws paired over 16 shared configurations, whose residuals correlate by 0.98" in paired["method"]
    assert "draws independent (residuals of shared configurations correlate by 0.98 at most)" in alone["method"]
    width = [
        each["quantities"]["advantage"]["high"] - each["quantities"]["advantage"]["low"] for each in (paired, alone)
    ]
    assert 3 * width[0] < width[1]


def test_some_groups_of_a_column_are_compared(asked, table):
    said = asked("compare", table("abcd"), "--by", "recipe", "--only", "d,a", *DRAWS)
    assert said["provenance"]["runs"] == [16, 16] and "a is better than d" in said["headline"]
    assert {each["group"] for each in said["tables"]["scales"]["rows"]} == {"a", "d"}


def test_selections_are_groups_of_which_each_has_its_own_frontier(asked, table):
    table("abd")
    named = (
        "--group",
        "early = recipe in ['a', 'd'] and C < 1e20",
        "--group",
        "late=recipe in ['a', 'd'] and C > 1e20",
    )
    said = asked("compare", "runs.csv", *named, "--x", "C", *DRAWS)
    assert said["provenance"]["runs"] == [16, 16]
    best = asked("compare", "runs.csv", *named, "--best", "loss", "--per", "C", *DRAWS)
    assert best["provenance"]["runs"] == [8, 8]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--by", "recipe", "--only", "a"), "the one group 'a' of 'recipe' is chosen"),
        (("--by", "recipe", "--group", "x=C < 1e20"), "--group names groups by selections and --by by a column"),
        (("--only", "a,b", "--group", "x=C < 1e20"), "--group names groups by selections and --only by a column"),
        (("--group", "x=C < 1e20"), "one group is named, 'x', and two or more make a comparison"),
        (("--group", "x=C < 1e20", "--group", "y=C < 1e21"), "rows are in 'x' and 'y'"),
    ],
)
def test_groups_that_make_no_comparison_are_refused_in_a_sentence(refused, table, words, says):
    assert says in refused("compare", table(), *words)


def test_three_groups_have_a_best_one_and_all_pairs(asked, table):
    said = asked("compare", table("acb"), "--by", "recipe", *DRAWS)
    assert said["headline"].startswith("Of 3 groups b is best")
    assert len(said["tables"]["crossings"]["rows"]) == 3


def test_two_tables_are_two_groups_under_their_names(asked, table):
    table("a", "ours.csv"), table("b", "theirs.csv")
    said = asked("compare", "ours.csv", "theirs.csv", *DRAWS)
    assert "theirs is better than ours" in said["headline"]
    assert said["provenance"]["source"] == ["ours.csv", "theirs.csv"]


def test_the_best_of_each_bin_is_that_of_each_group(asked, table):
    table()
    runs = read_runs("runs.csv")
    worse = runs.with_column("loss", runs["loss"] * 1.3).to_polars()
    pl.concat([runs.to_polars(), worse]).write_csv("both.csv")
    plain = asked("compare", "runs.csv", "--by", "recipe", *DRAWS)
    for options in (("--bins", 1.5), ("--frontier", "C"), ("--best", "loss", "--per", "C")):
        said = asked("compare", "both.csv", "--by", "recipe", *options, *DRAWS)
        assert said["provenance"]["runs"] == [16, 16]
        assert said["quantities"]["advantage"]["value"] == pytest.approx(plain["quantities"]["advantage"]["value"])
        assert any(each["code"] in ("frontier-rows", "best-rows") for each in said["findings"])


def test_family_is_the_column_that_is_not_named(asked, refused, table):
    assert "name the column of the groups with --by; its columns of words are recipe" in refused("compare", table())
    read_runs("runs.csv").to_polars().rename({"recipe": "family"}).write_csv("families.csv")
    assert "b is better than a" in asked("compare", "families.csv", *DRAWS)["headline"]


def test_a_difference_that_is_none_is_said_to_be_open(asked, table):
    table("ac", noise=0.05, seed=4)
    said = asked("compare", "runs.csv", "--by", "recipe", *DRAWS)
    assert said["headline"].startswith("The runs do not tell ")


def test_slips_are_told_in_one_sentence(refused, table):
    table()
    assert "takes" in refused("compare", "runs.csv", "--by", "recipe", "--at", "C")
    assert "--budget plans two saved fits" in refused("compare", "runs.csv", "--by", "recipe", "--budget", 1e20)
    assert "groups the rows of one table, and 2 are given" in refused(
        "compare", "runs.csv", "runs.csv", "--by", "recipe"
    )
    assert "given twice" in refused("compare", "runs.csv", "runs.csv")
    assert "no column" in refused("compare", "runs.csv", "--by", "nobody")
    assert "is compared with one other" in refused("compare", "chinchilla:epoch")
    assert "give two of one kind" in refused("compare", "runs.csv", "chinchilla:epoch")
    assert "is a saved fit" in refused("compare", "chinchilla:epoch", "chinchilla:hoffmann", "--by", "recipe")


def test_pictures_show_curves_and_multipliers(recipes):  # noqa: F811
    groups, _ = groups_by(recipes("abc"), "recipe")
    answer = answer_of(compare_groups(groups, draws=60))
    assert [each.name for each in answer.pictures] == ["curves", "multiplier"]
    axes = answer.plot("curves").axes[0]
    labels = [each.get_text() for each in axes.get_legend().get_texts()]
    assert labels == ["a", "b", "c", "crossing"]
    assert answer.plot("multiplier").axes[0].get_yscale() == "log"


def test_clip_and_mammut_cross_where_the_paper_says(tables):
    """Between 1e10 and 1e11 GFLOPs by the paper; 7.6e10 (2.7e10 to 1.2e11) by an independent script on the frontier."""
    question = Compare(
        by="namespace", law="error = E + A*(C + B)^(-a)", x="C", bins=2.0, objective="raw-lsq", response=("error",)
    )
    source = tables / "clip-mammut-comparison" / "ade20k_and_train_results.parquet"
    context = Context(runs_spec=RunsSpec(source=str(source), derive={"error": "1 - acc1"}), fit_spec=FitSpec(draws=200))
    found = question.compute(context).comparison
    (place,) = found.lead.crossing.places
    assert found.lead.leader == place.better == "mammut" and found.lead.probability > 0.9
    assert 1e19 < place.x < 1e20
    assert 1e19 < place.low < 7.6e19 < place.high < 1.5e20


def test_a_saved_comparison_of_runs_in_memory(recipes):  # noqa: F811
    runs: Runs = recipes("ab")
    context = Context(given_runs=runs, fit_spec=FitSpec(draws=60))
    result = Compare(by="recipe").compute(context)
    assert result.comparison.names == ("a", "b") and result.tables == (runs,)


def test_several_responses_are_corrected_for_their_number(asked, table):
    table("ab", noise=0.002)
    runs = read_runs("runs.csv")
    rng = np.random.default_rng(0)
    names = [f"task{k}" for k in range(9)]
    for name in names:  # both recipes alike
        flat = 1.5 + (runs["C"] / 1e18) ** -0.2
        runs = runs.with_column(name, flat * np.exp(0.004 * rng.standard_normal(len(runs))))
    runs.to_polars().write_csv("tasks.csv")
    said = asked("compare", "tasks.csv", "--by", "recipe", "--response", "loss," + ",".join(names), *DRAWS)
    assert said["headline"].startswith("b is better in 1 of 10 responses (loss); 9 responses (")
    rows = {each["response"]: each for each in said["tables"]["responses"]["rows"]}
    assert rows["loss"]["corrected"] == pytest.approx(10 * rows["loss"]["p"], abs=1e-4)
    assert all(rows[name]["corrected"] >= 0.1 for name in names)
    alone = asked("compare", "tasks.csv", "--by", "recipe", *DRAWS)
    assert alone["quantities"]["advantage"]["value"] == rows["loss"]["advantage"]["value"]


def test_the_best_runs_of_two_tables_are_those_of_each(asked, table):
    table("a", "ours.csv"), table("b", "theirs.csv")
    said = asked("compare", "ours.csv", "theirs.csv", "--bins", 4, *DRAWS)
    assert said["provenance"]["runs"] == [7, 7]


def test_groups_with_the_same_runs_are_a_tie(asked, table):
    runs = pl.read_csv(table("a"))
    pl.concat([runs, runs.with_columns(recipe=pl.lit("twin"))]).write_csv("twins.csv")
    said = asked("compare", "twins.csv", "--by", "recipe", *DRAWS)
    assert said["headline"].startswith("The runs do not tell a and twin apart")
    assert said["quantities"]["best"]["value"] == 0.5


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--at", "C=-1"), "groups are compared at C above 0, not at -1; give another --at C=…"),
        (("--at", "C=1e20,0"), "groups are compared at C above 0, not at 0"),
    ],
)
def test_scales_that_no_run_can_have_are_refused(refused, table, words, says):
    assert says in refused("compare", table(), "--by", "recipe", *words)


def test_spaces_around_a_name_make_no_group(refused, table):
    runs = pl.read_csv(table("a"))
    pl.concat([runs, runs.with_columns(recipe=pl.lit("a "))]).write_csv("spaces.csv")
    assert "column 'recipe' of spaces.csv holds the one value 'a'" in refused("compare", "spaces.csv", "--by", "recipe")


def test_filtered_data_is_overtaken_where_its_errors_say(asked, tmp_path):
    """Clean and mixed pools of digits, five budgets each: the measured errors cross between 2,560 and 5,120 samples."""
    errors = {"clean": [0.163, 0.090, 0.082, 0.080, 0.081], "mixed": [0.185, 0.126, 0.091, 0.065, 0.062]}
    parts = [
        pl.DataFrame({"samples": [640, 1280, 2560, 5120, 10240], "error": each, "pool": [name] * 5})
        for name, each in errors.items()
    ]
    pl.concat(parts).write_csv(tmp_path / "pools.csv")
    law = ("--law", "E + A/samples^alpha", "--x", "samples", "--response", "error")
    said = asked("compare", tmp_path / "pools.csv", "--by", "pool", *law, "--draws", 50)
    assert said["headline"].startswith("mixed is better than clean")
    assert 2560 < said["quantities"]["crossing"]["value"] < 5120
