import numpy as np
import polars as pl
import pytest

from isoflop import Runs, bootstrap, fit, law, read_runs, tie
from isoflop.errors import DataError, IsoflopError
from isoflop.fitting import squares
from isoflop.planning.downstream import downstream, sampling_errors, stages, weighted

LOSS, SCORE = law("chinchilla"), law("task-accuracy-to-one")
TRUE_LOSS = {"E": 0.5, "A": 60.0, "B": 90.0, "alpha": 0.25, "beta": 0.25}
TRUE_SCORE = {"b": 0.25, "k": 6.0, "L_0": 0.8}
AT = {"N": 1e10, "D": 1e12}


def ladder(noise=0.0, seed=0, sizes=5, durations=5):
    """A table of runs whose task loss and accuracy follow known laws."""
    rng = np.random.default_rng(seed)
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(8, 9.3, sizes), np.logspace(9.5, 11.5, durations)))
    loss = LOSS.value(TRUE_LOSS, {"N": n, "D": d}) * np.exp(noise * rng.normal(size=n.size))
    score = SCORE.value(TRUE_SCORE, {"loss": loss}) + noise * rng.normal(size=n.size)
    return Runs.from_columns({"N": n, "D": d, "task_loss": loss, "hits": score})


def chain(runs, *, draws=200, seed=0, **how):
    tables = stages(runs, LOSS, loss="task_loss", score="hits", **how)
    first = bootstrap(fit(LOSS, tables.finals), draws=draws, seed=seed, restarted=0)
    second = fit(SCORE, tables.points, objective=squares(space="raw"))
    return first, bootstrap(second, draws=draws, seed=seed, restarted=0)


def test_without_noise_both_stages_are_exact():
    said = downstream(*chain(ladder()), AT)
    loss = float(LOSS.value(TRUE_LOSS, AT))
    assert said.loss.loss.value == pytest.approx(loss, rel=1e-6)
    assert said.law_score.value == pytest.approx(float(SCORE.value(TRUE_SCORE, {"loss": loss})), rel=1e-6)
    assert said.score.value == pytest.approx(said.law_score.value, rel=1e-3)
    assert said.beyond == pytest.approx(ladder()["task_loss"].min() - loss, rel=1e-5)
    assert "score-extrapolated" in {finding.code for finding in said.findings}


def test_the_error_of_the_loss_is_carried_through():
    first, second = chain(ladder(0.01), draws=1000)
    said = downstream(first, second, AT)
    # through the second curve as fitted, the ends of the loss alone
    ends = [
        float(second.estimate.predict({"loss": each})) for each in (said.loss.law_loss.high, said.loss.law_loss.low)
    ]
    assert said.law_score.low < ends[0] < said.law_score.value < ends[1] < said.law_score.high
    ends = [float(second.estimate.predict({"loss": each})) for each in (said.loss.loss.high, said.loss.loss.low)]
    assert said.score.low < ends[0] < said.score.value < ends[1] < said.score.high
    # where runs are, the curve is known better than what one more run would measure
    inside = downstream(first, second, {"N": 5e8, "D": 3e10})
    assert inside.beyond == 0
    width = inside.score.high - inside.score.low
    assert 2 * (inside.expected.high - inside.expected.low) < width
    assert width > 2 * 1.64 * 0.01  # the noise of the score alone


@pytest.mark.slow
def test_nine_new_scores_in_ten_are_held():
    loss = float(LOSS.value(TRUE_LOSS, AT))
    held = 0
    for seed in range(40):
        rng = np.random.default_rng([seed, 1])
        said = downstream(*chain(ladder(0.01, seed), seed=seed), AT)
        new = loss * np.exp(0.01 * rng.normal())
        held += said.score.low <= float(SCORE.value(TRUE_SCORE, {"loss": new})) + 0.01 * rng.normal() <= said.score.high
    assert held >= 32


def test_stages_average_and_skip():
    runs = Runs.from_columns(
        {
            "N": np.repeat([1e8, 2e8], 4),
            "D": [4e9, 1e9, 2e9, 3e9, 1e9, 2e9, 3e9, 4e9],  # the first run's last checkpoint stands first
            "run": np.repeat(["b", "a"], 4),
            "x": [1.0, 4.0, 3.0, 2.0, 8.0, 7.0, np.nan, 5.0],
            "y": np.arange(8) / 10,
        }
    )
    tables = stages(runs, LOSS, loss="x", score="y", average=2, skip=0.25)
    assert tables.finals["loss"].tolist() == [1.5, 6.0]  # a checkpoint without a loss is passed over
    assert tables.finals["D"].tolist() == [4e9, 4e9]
    assert tables.points["loss"].tolist() == [3.0, 2.5, 1.5, 7.0, 6.0]
    assert tables.points["accuracy"].tolist() == pytest.approx([0.2, 0.25, 0.15, 0.5, 0.6])
    assert weighted(runs, "0.5*y + 2*N")[1] == pytest.approx(0.05 + 2e8)


def test_what_does_not_join_is_refused_in_a_sentence():
    first, second = chain(ladder(0.01), draws=20)
    with pytest.raises(IsoflopError, match="chinchilla takes N, D, and chinchilla predicts loss"):
        downstream(first, first, AT)
    with pytest.raises(IsoflopError, match="D is missing"):
        downstream(first, second, {"N": 1e10})
    with pytest.raises(DataError, match="no column 'hit'"):
        stages(ladder(), LOSS, loss="task_loss", score="hit")
    with pytest.raises(IsoflopError, match="averaged into one must be 1 or more, not 0"):
        stages(ladder(), LOSS, loss="task_loss", score="hits", average=0)
    blank = ladder().with_column("hits", np.full(25, np.nan))
    with pytest.raises(DataError, match="no run of made in memory has both task_loss and hits"):
        stages(blank, LOSS, loss="task_loss", score="hits")


# Bhagia et al. 2024: 16 runs of four sizes forecast models of 7B and 13B.
TASKS = {
    "hellaswag": "hellaswag_val",
    "arc_challenge": "arc_challenge_test",
    "arc_easy": "arc_easy_test",
    "piqa": "piqa_val",
    "csqa": "csqa_val",
    "socialiqa": "socialiqa_val",
    "openbookqa": "openbookqa_test",
}
MMLU = {"stem": 0.215, "humanities": 0.335, "social_sciences": 0.219, "other": 0.231}
TARGETS = {
    "7B-4T": ("peteish7_eval_anneal", {"N": 6887575552.0, "D": 3945065873408.0}),
    "13B-5T": ("peteish13_eval_final", {"N": 13202396160.0, "D": 5000088518656.0}),
}


def columns_of(task):
    """The loss and the accuracy of a task, as sums of columns."""
    if task == "mmlu":
        return tuple(
            "+".join(f"{weight}*{kind}/mmlu_{part}_test_rc_5shot_{end}" for part, weight in MMLU.items())
            for kind, end in (("bpb", "bpb"), ("acc", "len_norm"))
        )
    return f"bpb/{TASKS[task]}_rc_5shot_bpb", f"acc/{TASKS[task]}_rc_5shot_len_norm"


@pytest.fixture(scope="module")
def sixteen(tables):
    folder = tables / "olmo-ladder"
    frame = pl.read_parquet(folder / "ladder_checkpoints.parquet")
    keep = [f"{size}-{mult}xC" for size in ("190M", "370M", "760M", "1B") for mult in (1, 2, 5, 10)]
    return read_runs(
        frame.filter(pl.col("run").is_in(keep)), columns={"D": "throughput/total_tokens", "loss": "val/c4_en_ce"}
    )


@pytest.fixture(scope="module")
def measured(tables):
    frame = pl.read_parquet(tables / "olmo-ladder" / "olmo2_7b_13b_checkpoints.parquet")
    return {
        name: Runs.from_columns(frame.filter(pl.col("run") == run).to_dict(as_series=False))
        for name, (run, _) in TARGETS.items()
    }


def published(tables, name):
    frame = pl.read_csv(tables / "olmo-ladder" / f"published_{name}_main.csv")
    names = [each.split("_val")[0].split("_test")[0].split("_avg")[0] for each in frame["Task"]]
    return dict(zip(names, frame["Pred"], strict=True))


ALL = ("mmlu", *TASKS)


@pytest.mark.parametrize("task", ALL)
def test_the_ladders_published_losses_come_out(sixteen, tables, task):
    loss, score = columns_of(task)
    fitted = fit(LOSS, stages(sixteen, LOSS, loss=loss, score=score, average=5).finals)
    # the best of 64 starts; the paper's one start ends at the same optimum
    assert float(fitted.predict(TARGETS["13B-5T"][1])) == pytest.approx(published(tables, "step1")[task], rel=2e-5)
    assert ("at-bound" in {finding.code for finding in fitted.findings}) == (task == "csqa")


@pytest.mark.parametrize("task", ALL)
def test_the_ladders_published_accuracies_come_out(sixteen, tables, task):
    loss, score = columns_of(task)
    found = stages(sixteen, LOSS, loss=loss, score=score, average=5, skip=0.1)
    # the paper adds a point of loss 0 and accuracy 1, and keeps the ceiling at or below one
    points = found.points
    helped = Runs.from_columns(
        {
            "loss": np.append(points["loss"], 1e-12),
            "accuracy": np.append(points["accuracy"], 1.0),
            "run": [*points.text("run"), "invented"],
        }
    )
    curve = fit(law("task-accuracy"), helped, objective=squares(space="raw"))
    if curve.params["a"] + curve.params["b"] > 1:
        curve = fit(tie(law("task-accuracy"), {"a": "1 - b"}), helped, objective=squares(space="raw"))
    there = float(fit(LOSS, found.finals).predict(TARGETS["13B-5T"][1]))
    assert float(curve.predict({"loss": there})) == pytest.approx(published(tables, "chained")[task], rel=1e-4)


@pytest.mark.slow
def test_the_ladders_intervals_hold_most_of_sixteen_targets(sixteen, measured):
    losses, by_law, scores, codes, wider = {}, {}, {}, {}, []
    for task in ALL:
        loss, score = columns_of(task)
        found = stages(sixteen, LOSS, loss=loss, score=score, average=5, skip=0.1)
        first = bootstrap(fit(LOSS, found.finals), draws=1000, restarted=0)
        second = bootstrap(fit(SCORE, found.points, objective=squares(space="raw")), draws=1000, restarted=0)
        for name, (_, at) in TARGETS.items():
            said = downstream(first, second, at)
            codes[task] = {finding.code for finding in said.findings}
            truth = [weighted(measured[name], each)[-5:].mean() for each in (loss, score)]
            by_law[task, name] = said.loss.law_loss.low <= truth[0] <= said.loss.law_loss.high
            wider.append(
                (said.loss.loss.high - said.loss.loss.low) / (said.loss.law_loss.high - said.loss.law_loss.low)
            )
            losses[task, name] = said.loss.loss.low <= truth[0] <= said.loss.loss.high
            scores[task, name] = said.score.low <= truth[1] <= said.score.high
    # one task's floor is not shown by the runs: it says so beforehand, and if the law held, its loss would be missed
    assert {task for (task, _), held in by_law.items() if not held} == {"csqa"}
    assert {task for task, found in codes.items() if "floor-unseen" in found} == {"csqa"}
    assert sum(losses.values()) == 16
    assert sum(scores.values()) >= 12
    assert np.median(wider) < 3  # measured 2.58 times those that hold only if the law does


def test_sampling_errors_stand_beside_their_scores():
    columns = {"a/acc": [0.5], "a/acc_stderr": [0.03], "b/em@strict": [0.2], "b/em_stderr@strict": [0.04], "c": [1.0]}
    runs = Runs.from_columns(columns)
    assert sampling_errors(runs, "a/acc") == pytest.approx(0.03)
    assert sampling_errors(runs, "b/em@strict") == pytest.approx(0.04)
    assert sampling_errors(runs, "1*a/acc + 1*b/em@strict") == pytest.approx(0.05)
    assert sampling_errors(runs, "c") is None
    assert sampling_errors(runs, "0.5*a/acc + 0.5*c") is None


def test_checkpoints_that_are_averaged_share_one_error():
    runs = ladder(0.01)
    errors = pl.Series("hits_stderr", np.linspace(0.01, 0.02, len(runs)))
    with_errors = Runs.from_columns({**{name: runs[name] for name in runs}, "hits_stderr": errors, "run": ["a"] * 25})
    found = stages(with_errors, LOSS, loss="task_loss", score="hits", average=2)
    order = np.argsort(runs["D"], kind="stable")
    sigma = errors.to_numpy()[order]
    assert found.errors == pytest.approx(np.r_[sigma[0], (sigma[1:] + sigma[:-1]) / 2])
    assert stages(runs, LOSS, loss="task_loss", score="hits").errors is None
