"""``isoflop shape``: sentences, tables, public tables whose shapes are known, and input that cannot be used."""

import json

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from isoflop.cli import isoflop as command
from isoflop.errors import IsoflopError
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.base.specs import LevelSpec, RunsSpec
from isoflop.questions.shape import Shape


@pytest.fixture
def answered(tmp_path):
    """What is answered about a table of columns."""

    def answer(columns, level=0.9, reading=None, **options):
        frame = columns if isinstance(columns, pl.DataFrame) else pl.DataFrame(columns)
        frame.write_csv(tmp_path / "runs.csv")
        spec = RunsSpec(source=str(tmp_path / "runs.csv"), **(reading or {}))
        return ask(Shape(**options), Context(runs_spec=spec, level_spec=LevelSpec(level)))

    return answer


def rows(answer, table, *names):
    frame = answer.to_frame(table)
    return [tuple(row[name] for name in names) for row in frame.iter_rows(named=True)]


def family(name, response, *, seeds=3, noise=0.004, sizes=8):
    rng, t = np.random.default_rng(len(name)), np.linspace(0, 1, sizes)
    return pl.DataFrame(
        {
            "family": [name] * (sizes * seeds),
            "params": np.repeat(10 ** (8 + 2 * t), seeds),
            "acc": np.repeat(response(t), seeds) + noise * rng.standard_normal(sizes * seeds),
        }
    )


RISING = family("rising", lambda t: 0.2 + 0.5 * t)
LEVEL = family("to a plateau", lambda t: 0.2 + 0.5 * np.minimum(2 * t, 1))
TURNING = family("U", lambda t: 0.3 + 0.8 * (t - 0.4) ** 2)


def test_a_bare_command_groups_by_family_and_counts_shapes(answered):
    answer = answered(pl.concat([RISING, LEVEL, TURNING]), responses=("acc",))
    assert rows(answer, "shapes", "group", "shape") == [
        ("rising", "rising"),
        ("to a plateau", "rising to a plateau"),
        ("U", "U"),
    ]
    assert answer.sentence(lambda each, bare: "") == (
        "Of 3 shapes of acc by group along N: rising in 1; rising to a plateau in 1; U in 1."
    )
    assert answer["told"].value == 3
    assert "corrected by Holm's method over 3 shapes" in answer.method


@pytest.mark.parametrize(
    ("frame", "begins", "holds"),
    [
        (RISING, "acc is rising along N (p = 0.0001)", "within 0.025 of the best is 10B"),
        (LEVEL, "acc is rising to a plateau along N", "of the best is 1."),
        (TURNING, "acc along N has the shape of a U, turning at 72", "of the best is 10B"),
    ],
)
def test_one_group_is_a_sentence(answered, frame, begins, holds):
    answer = answered(frame, responses=("acc",))
    said = answer.to_dict()["headline"]
    assert said.startswith(begins) and holds in said
    assert "smallest" in [each.name for each in answer.quantities]


def test_the_picture_is_told_in_words(answered):
    answer = answered(pl.concat([RISING, TURNING]), responses=("acc",))
    (picture,) = answer.pictures
    assert "rising rising, U U" in picture.alt
    assert answer.plot("shape").axes[0].get_ylabel() == "acc"


def test_ten_tasks_stand_in_one_corrected_table(answered):
    rng, n = np.random.default_rng(3), np.repeat(np.logspace(8, 10, 6), 3)
    tasks = {f"task{k}_acc": 0.3 + 0.01 * rng.standard_normal(n.size) + 0.1 * (k == 4) * np.log10(n) for k in range(10)}
    answer = answered({"params": n, **tasks}, responses=tuple(tasks), delta=0.01)
    found = dict(rows(answer, "shapes", "response", "shape"))
    assert found.pop("task4_acc") == "rising"
    assert set(found.values()) == {"cannot be told"}
    assert len(answer.result.fronts) == 10 and "over 10 shapes" in answer.method


def test_percents_are_taken_as_they_are_and_refused_as_shares(answered):
    percent = RISING.with_columns(acc=100 * pl.col("acc"))
    as_shares, as_percent = (answered(each, responses=("acc",)) for each in (RISING, percent))
    assert rows(as_shares, "shapes", "shape", "p_trend") == rows(as_percent, "shapes", "shape", "p_trend")
    assert as_percent["delta"].value == pytest.approx(100 * as_shares["delta"].value)
    with pytest.raises(IsoflopError, match="--items needs acc as a share from 0 to 1"):
        answered(percent, responses=("acc",), items=500)


def test_items_give_a_single_run_its_standard_error(answered):
    single = family("one", lambda t: 0.3 + 0.4 * t, seeds=1)
    answer = answered(single, responses=("acc",), items=1000)
    assert rows(answer, "shapes", "scatter_from") == [("standard errors",)]
    assert not [each for each in answer.findings if each.code == "scatter-from-curve"]


@pytest.mark.parametrize(
    ("frame", "options", "sentence"),
    [
        (RISING, {"responses": ("accuracy",)}, "no column 'accuracy'"),
        (RISING, {}, "has no loss; name what was measured, as --response acc; numeric columns: acc"),
        (RISING, {"responses": ("acc",), "by": ("task",)}, "no column 'task'"),
        (RISING, {"responses": ("acc",), "x": "cost"}, "no column 'cost'"),
        (RISING, {"responses": ("acc",), "classes": ("big",)}, "--class takes sizes such as 3B, not 'big'"),
        (RISING, {"responses": ("acc",), "classes": ("3B,1B",)}, "ascend from above zero, and these are 3B, 1B"),
        (RISING.select("family", "acc"), {"responses": ("acc",)}, "has none of N, C, D, step; name the input"),
    ],
)
def test_input_that_cannot_be_used_is_refused_in_a_sentence(answered, frame, options, sentence):
    with pytest.raises(IsoflopError, match=sentence):
        answered(frame, **options)


def test_one_size_two_sizes_and_a_constant_response(answered):
    one = RISING.filter(pl.col("params") == 1e8).head(1)
    two = RISING.group_by("params", maintain_order=True).first().head(2)
    same = RISING.with_columns(acc=pl.lit(0.25))
    for frame, said in (
        (one, "The shape of acc along N cannot be told: one size only."),
        (two, "The shape of acc along N cannot be told: two sizes without repeats or standard errors."),
        (same, "acc is flat along N, within 0."),
    ):
        answer = answered(frame, responses=("acc",))
        assert answer.to_dict()["headline"] == said
        assert json.dumps(answer.to_dict(), allow_nan=True)
        assert answer.plot("shape") is not None


def test_a_trend_that_noise_hides_is_not_told(answered):
    answer = answered(family("noisy", lambda t: 0.5 + 0.05 * t, noise=0.1), responses=("acc",))
    assert "cannot be told: no trend is significant (p = 0." in answer.to_dict()["headline"]


def test_the_level_decides_what_is_significant(answered):
    faint = family("faint", lambda t: 0.5 + 0.05 * t, noise=0.02)
    told = {level: answered(faint, responses=("acc",), level=level).result.rows[0].shape for level in (0.5, 0.9999)}
    assert told == {0.5: "rising", 0.9999: "cannot be told"}


# Public tables


def run(*words):
    done = CliRunner().invoke(command, [*map(str, words), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def told(answer, key="shape"):
    return {row["group"]: row[key] for row in answer["tables"]["shapes"]["rows"]}


def test_pythia_rises_on_the_tasks_that_its_authors_report(tables, tmp_path):
    """Eight sizes, one run each, binomial standard errors; logiqa stays near chance at every size."""
    table = pl.read_parquet(tables / "pythia-evals" / "pythia_v1_evals_long.parquet").filter(
        (pl.col("step") == 143000)
        & (pl.col("shots") == "zero-shot")
        & (pl.col("metric") == "acc")
        & ~pl.col("model").str.contains("deduped|BS|bf16")
        & ~pl.col("task").str.starts_with("hendrycks")
    )
    table.select("params_total", "task", "value", "stderr").write_csv(tmp_path / "pythia.csv")
    answer = run(
        "shape", tmp_path / "pythia.csv", "--by", "task", "--response", "value", "--error", "stderr",
        "--better", "higher",
    )  # fmt: skip
    shapes = told(answer)
    assert shapes.pop("logiqa") == "cannot be told"
    del shapes["wsc"]  # 104 items: .37 to .57 without order
    assert shapes.keys() == {"lambada_openai", "piqa", "arc_challenge", "arc_easy", "sciq", "winogrande"}
    assert set(shapes.values()) == {"rising"}
    assert {told(answer, "end")[task] for task in shapes} == {"still changing"}


def test_the_memo_trap_is_a_u_and_the_plain_task_rises(tmp_path):
    """An MLP on memorized keys with a rare flag (inverse scaling and its reversal), by training steps.

    Accuracy on flagged and plain keys of 40, trained as in a published reproduction: .117, .058, 0, 0, .19, .74, 1 and
    .675 rising to 1. Three seeds of 40 keys each are 120 items.
    """
    steps = [25, 50, 100, 200, 400, 800, 1600]
    flagged = [0.117, 0.058, 0.0, 0.0, 0.19, 0.74, 1.0]
    pl.DataFrame({"step": steps, "flagged_acc": flagged}).write_csv(tmp_path / "memo.csv")
    words = ("shape", tmp_path / "memo.csv", "--response", "flagged_acc", "--x", "step")
    answer = run(*words, "--items", 120)
    (row,) = answer["tables"]["shapes"]["rows"]
    assert row["shape"] == "U" and 50 <= row["turn"]["value"] <= 200
    (row,) = run(*words, "--items", 40)["tables"]["shapes"]["rows"]
    assert row["shape"] == "rising" and row["p_reversal"] > 0.1  # too few items for the fall
    start = run(*words, "--items", 120, "--where", "step <= 200")
    assert start["tables"]["shapes"]["rows"][0]["shape"] == "falling"  # stopping here would conclude inverse scaling
    assert [each["code"] for each in start["findings"]] == ["inverse-scaling"]


def test_opt_on_the_tasks_of_its_release(tables, tmp_path):
    """Sizes from the models' names; one run each with its standard errors."""
    table = pl.read_csv(tables / "pythia-evals" / "opt_bloom_final_evals.csv").filter(
        pl.col("model").str.starts_with("opt-") & (pl.col("metric") == "acc")
    )
    size = pl.col("model").str.extract(r"opt-([\d.]+)").cast(pl.Float64)
    unit = pl.when(pl.col("model").str.contains(r"\dm")).then(1e6).otherwise(1e9)
    table = table.with_columns(params=size * unit).filter(~pl.col("task").str.starts_with("hendrycks"))
    table.select("params", "task", "value", "stderr").write_csv(tmp_path / "opt.csv")
    answer = run(
        "shape", tmp_path / "opt.csv", "--by", "task", "--response", "value", "--error", "stderr", "--better", "higher"
    )
    shapes = told(answer)
    for task in ("lambada_openai", "piqa", "arc_easy", "arc_challenge", "winogrande"):
        assert shapes[task].startswith("rising"), (task, shapes[task])
