"""Tasks over checkpoints as an answer, and what is refused."""

import pytest
from docs_build.runner import write_checkpoints

from isoflop import read_runs
from isoflop.render.notebook import answer_of
from isoflop.validation.score_curves import score_curves
from isoflop.validation.tracking import track

TASKS = ("quiz", "exam", "coin")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("track") / "checkpoints.csv"
    write_checkpoints(path)
    return path


def test_the_answer_has_onsets_order_and_forecasts(asked, table, same):
    answer = asked("track", str(table), "--task", ",".join(TASKS), "--early", "1K")
    found = track(score_curves(read_runs(table), tasks=TASKS), early=1e3)
    rows = {row["task"]: row for row in answer["tables"]["onsets"]["rows"]}
    assert list(rows) == ["quiz", "exam"]
    for task, row in rows.items():
        one = found.onset(found.reference, task)
        assert (row["onset"]["low"], row["onset"]["value"]) == (one.x.low, one.x.value)
    assert answer["quantities"]["rising"]["value"] == 2 and answer["quantities"]["early"]["value"] == 1e3
    (told,) = (each for each in found.foretold if each.task == "exam")
    row = next(each for each in answer["tables"]["foretold"]["rows"] if each["task"] == "exam")
    assert (row["error"], row["baseline"], row["by"]) == (told.error, told.baseline, told.by)
    assert answer["quantities"]["covered"]["value"] == sum(each.covered for each in found.foretold)
    assert len(answer["tables"]["models"]["rows"]) == 18
    assert "no-rise" in {each["code"] for each in answer["findings"]}
    assert same(answer_of(found).table("onsets").rows[0][1], found.onset(found.reference, "quiz").x)


def test_the_onset_map_is_drawn(cli, table, tmp_path):
    picture = tmp_path / "onsets.svg"
    code, _, err = cli("track", str(table), "--task", "quiz,exam", "--picture", str(picture))
    assert (code, err) == (0, "") and "share of the gain" in picture.read_text()


def test_what_is_refused_names_an_option(refused, table):
    assert "--task COLUMN for each task" in refused("track", str(table))
    assert "--task-column" in refused("track", str(table), "--task-column", "run")
    assert "no column 'essay'" in refused("track", str(table), "--task", "essay")
    assert "between 0 and 1" in refused("track", str(table), "--task", "quiz", "--share", "1")
    assert "an earlier one (--early)" in refused("track", str(table), "--task", "quiz", "--early", "1M")
