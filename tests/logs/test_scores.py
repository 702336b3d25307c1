"""Scores of evaluations and the checkpoints that they belong to."""

import polars as pl
from tests.logs.test_importing import curve, files, logged

from isoflop.logs.importing import add_runs, choose_again
from isoflop.logs.logged import LoggedRun
from isoflop.logs.rules import Rules, pick
from isoflop.runs.store import open_store


def scores(name="a", step=None, task="arc", value=0.5) -> LoggedRun:
    return LoggedRun(
        name,
        "lm-eval",
        f"{name}-{step}-{task}.json",
        "finished",
        pl.DataFrame(schema={"step": pl.Int64}),
        digest=f"{name} {step} {task} {value}",
        settings={} if step is None else {"step": step},
        results={f"{task}/acc": value, f"{task}/acc_stderr": 0.01},
    )


def test_scores_of_a_model_are_those_of_the_run_of_its_name(tmp_path):
    add_runs([logged("a"), scores(), logged("group/b"), scores("b")], tmp_path / "runs")
    runs = open_store(tmp_path / "runs").runs
    assert runs.select("run", "arc/acc", "arc/acc_stderr").rows() == [("a", 0.5, 0.01), ("group/b", 0.5, 0.01)]


def test_scores_of_checkpoints_lie_in_the_curve_at_their_steps(tmp_path):
    checkpoints = [scores(step=step, value=step / 10_000) for step in (200, 499, 1000)]
    done = add_runs([*checkpoints, logged("a"), logged("b")], tmp_path / "runs")
    assert (done.added, done.scored) == (("a", "b"), ("a",))
    (a, b) = open_store(tmp_path / "runs").runs.iter_rows(named=True)
    assert (a["arc/acc"], b["arc/acc"]) == (0.1, None)  # the last step's, in the row as well
    found = curve(tmp_path / "runs", "a").drop_nulls("arc/acc").select("step", "val_loss", "arc/acc").rows()
    assert found == [(200, 3.9, 0.02), (500, 3.6, 0.0499), (1000, 3.1, 0.1)]
    assert curve(tmp_path / "runs", "b")["val_loss"].len() == 10


def test_several_tasks_and_times_come_together_and_again_changes_nothing(tmp_path):
    add_runs([logged("a")], tmp_path / "runs")
    later = [scores(step=1000), scores(step=1000, task="mmlu", value=0.3), scores(step=300)]
    for each in later:
        add_runs([each], tmp_path / "runs")
    add_runs([logged("a")], tmp_path / "runs")  # sweeps up what was replaced
    before = files(tmp_path / "runs")
    assert add_runs([logged("a"), *later], tmp_path / "runs").added == ()
    assert files(tmp_path / "runs") == before
    row = open_store(tmp_path / "runs").runs.row(0, named=True)
    assert (row["arc/acc"], row["mmlu/acc"]) == (0.5, 0.3)
    choose_again(tmp_path / "runs", Rules(pick=pick("min")))
    assert open_store(tmp_path / "runs").runs["arc/acc"].to_list() == [0.5]


def test_scores_wait_for_their_run(tmp_path):
    add_runs([scores(step=300, value=0.3), scores(step=1000, value=0.9), scores("c")], tmp_path / "runs")
    assert open_store(tmp_path / "runs").runs.select("run", "family", "steps").rows() == [
        ("a@300", "a", 300), ("a@1000", "a", 1000), ("c", "c", None),
    ]  # fmt: skip
    add_runs([logged("a"), logged("c")], tmp_path / "runs")
    assert open_store(tmp_path / "runs").runs.select("run", "arc/acc").rows() == [("a", 0.9), ("c", 0.5)]
    assert curve(tmp_path / "runs", "a").drop_nulls("arc/acc")["arc/acc"].to_list() == [0.3, 0.9]


def test_scores_at_a_step_that_was_not_logged_are_kept_apart(tmp_path):
    add_runs([logged("a"), scores(step=5000)], tmp_path / "runs")
    done = add_runs([logged("a")], tmp_path / "runs")
    assert done.store.runs.select("run", "arc/acc").rows() == [("a", None), ("a@5000", 0.5)]
    told = {finding.code: finding.message for finding in done.findings}
    assert told["scores-apart"] == "1 row is scores whose run is not here (a@5000)."
    assert "no-n" not in told


def test_scores_stay_with_a_run_that_goes_on(tmp_path):
    add_runs([logged("a"), scores(step=1000), scores(task="told")], tmp_path / "runs")
    assert add_runs([logged("a", 15)], tmp_path / "runs").grown == ("a",)
    row = open_store(tmp_path / "runs").runs.row(0, named=True)
    assert (row.get("arc/acc"), row["told/acc"]) == (None, 0.5)  # 1000 is its end no more
    assert curve(tmp_path / "runs", "a").drop_nulls("arc/acc")["step"].to_list() == [1000]


def test_scores_that_could_be_of_two_runs_are_of_neither(tmp_path):
    done = add_runs([logged("x/a"), logged("y/a"), scores()], tmp_path / "runs")
    assert open_store(tmp_path / "runs").runs["run"].to_list() == ["x/a", "y/a", "a"]
    assert next(each.message for each in done.findings if each.code == "scores-apart") == (
        "the scores of 'a' could be those of x/a, y/a; they are a row of their own."
    )
