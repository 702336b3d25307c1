"""Capability as an answer, its pictures, and what is refused."""

import pytest
from docs_build.runner import write_releases

from isoflop import read_runs
from isoflop.planning.capability.index import capability
from isoflop.planning.capability.scores import model_scores
from isoflop.render.notebook import answer_of

TASKS = ("quiz", "exam", "proof", "riddle")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("capability") / "releases.csv"
    write_releases(path)
    return path


def test_the_answer_has_index_trend_density_and_families(asked, table, same):
    answer = asked("capability", str(table), "--task", ",".join(TASKS), "--scale", "N", "--draws", "30")
    found = capability(model_scores(read_runs(table), tasks=TASKS, by="N"), draws=30)
    rows = {row["model"]: row for row in answer["tables"]["models"]["rows"]}
    assert set(rows) == set(found.scores.models) and rows["a-1B"]["date"].startswith("2021")
    for name, index, density in zip(found.scores.models, found.index, found.density.ratio, strict=True):
        assert (rows[name]["index"]["low"], rows[name]["index"]["value"]) == (index.low, index.value)
        assert rows[name]["density"]["value"] == density.value
    told = answer["quantities"]
    assert told["doubling"]["value"] == found.density.trend.doubling.value
    assert told["slope"]["value"] == found.trend.slope.value
    assert told["panel_error"]["value"] == found.families.error("panel") < told["unchanged_error"]["value"]
    (first, *_) = answer["tables"]["methods"]["rows"]
    assert first["method"] == "family panel in ln N" and 0 < first["coverage"] <= 1
    assert [row["task"] for row in answer["tables"]["others"]["rows"]] == list(TASKS)
    assert [row["task"] for row in answer["tables"]["benchmarks"]["rows"]] == list(TASKS)
    assert same(answer_of(found).quantities[3], found.trend.slope)


def test_a_further_model_is_forecast_by_its_family(asked, refused, table):
    words = ("capability", str(table), "--task", ",".join(TASKS), "--scale", "N", "--draws", "20")
    answer = asked(*words, "--of", "h", "--at", "N=200B")
    scores = [answer["quantities"][f"score_{at}"] for at in (1, 2, 3, 4)]
    assert answer["headline"].startswith("Expected scores of a further model of h: quiz")
    assert all(each["interval"] == "PI" and each["low"] < each["value"] < each["high"] for each in scores)
    assert all(0.3 < each["value"] < 1 for each in scores) and scores[0]["value"] > scores[3]["value"] + 0.1
    assert "name its family (--of FAMILY)" in refused(*words, "--at", "N=200B")
    assert "as --at N=70B" in refused(*words, "--of", "h")


def test_index_and_density_are_drawn(cli, table, tmp_path):
    picture = tmp_path / "index.svg"
    words = [
        "capability",
        str(table),
        "--task",
        "quiz,exam",
        "--scale",
        "N",
        "--draws",
        "20",
        "--picture",
        str(picture),
    ]
    code, _, _ = cli(*words)
    assert code == 0 and "running best" in picture.read_text()
    assert "effective N" in (tmp_path / "index-density.svg").read_text()


def test_a_table_without_dates_or_scale_gives_the_index_alone(asked, table, tmp_path):
    bare = tmp_path / "bare.csv"
    read_runs(table).frame.select("model", "quiz", "exam").write_csv(bare)
    answer = asked("capability", str(bare), "--task", "quiz,exam", "--draws", "20", "--percent")
    assert "doubling" not in answer["quantities"] and "slope" not in answer["quantities"]
    assert {"model", "index"} <= set(answer["tables"]["models"]["rows"][0])


def test_what_is_refused_names_an_option(refused, table):
    words = ("capability", str(table))
    assert "--task COLUMN for each" in refused(*words)
    assert "--task-column" in refused(*words, "--score", "quiz")
    assert "--percent" in refused(*words, "--task", "quiz,exam", "--derive", "quiz=N/1e9")
    assert "no column 'maker'" in refused(*words, "--task", "quiz,exam", "--family", "maker")
    assert "cannot be read" in refused(*words, "--task", "quiz,exam", "--date", "family")
    assert "holds text" in refused(*words, "--task", "quiz,family")
