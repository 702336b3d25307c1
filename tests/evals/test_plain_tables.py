"""Plain tables of items, long and wide, and the public ones."""

import json

import polars as pl
import pytest

from isoflop.errors import DataError
from isoflop.evals import aggregates, read_items, run_table


def options_as_lists(tmp_path):
    rows = [{"model": m, "params": n, "task": "t", "item": i, "log_probs": json.dumps([-1.0, -2.0 - i]), "answer": "A"}
            for m, n in (("a", 1e8), ("b", 1e9)) for i in range(2)]  # fmt: skip
    pl.DataFrame(rows).write_csv(tmp_path / "t.csv")
    return tmp_path / "t.csv"


def options_as_columns(tmp_path):
    rows = [{"model": m, "params": n, "task": "t", "item": i, "logp_0": -1.0, "logp_1": -2.0 - i, "gold": 0}
            for m, n in (("a", 1e8), ("b", 1e9)) for i in range(2)]  # fmt: skip
    pl.DataFrame(rows).write_parquet(tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def options_by_row(tmp_path):
    rows = [
        {"model": m, "params": n, "task": "t", "item": i, "option": o, "loglikelihood": p, "correct_option": o == "x"}
        for m, n in (("a", 1e8), ("b", 1e9))
        for i in range(2)
        for o, p in (("x", -1.0), ("y", -2.0 - i))
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "t.csv")
    return tmp_path / "t.csv"


def options_as_json_lines(tmp_path):
    rows = [{"model": m, "params": n, "task": "t", "item": i, "log_p": [-1.0, -2.0 - i], "right": 0}
            for m, n in (("a", 1e8), ("b", 1e9)) for i in range(2)]  # fmt: skip
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    return tmp_path / "t.jsonl"


@pytest.mark.parametrize("make", [options_as_lists, options_as_columns, options_by_row, options_as_json_lines])
def test_options_are_read_alike_however_they_are_written(tmp_path, make):
    items = read_items(make(tmp_path))
    assert items.names == ("a", "b") and items.models["N"].to_list() == [1e8, 1e9]
    assert items.rows["log_p"].to_list() == [[-1.0, -2.0], [-1.0, -3.0]] * 2
    assert items.rows["right"].to_list() == [0] * 4 and items.chances == {"t": 0.5}


def test_members_are_read_by_row_and_as_lists_of_lists_longer_than_a_cell_of_text(tmp_path):
    p = [[round(0.1 + 0.001 * k, 3), round(0.9 - 0.001 * k, 3)] for k in range(100)]
    rows = [{"model": "a", "tokens": 1e6, "item": i, "member": k, "p_a": each[0], "p_b": each[1], "label": "b"}
            for i in range(2) for k, each in enumerate(p)]  # fmt: skip
    by_row = read_items(pl.DataFrame(rows))
    lists = pl.DataFrame(
        {"model": ["a"] * 2, "tokens": [1e6] * 2, "item": [0, 1], "probabilities": [p, p], "label": [1, 1]}
    )
    lists.write_parquet(tmp_path / "t.parquet")
    by_list = read_items(tmp_path / "t.parquet")
    assert by_row.rows["members"].to_list() == by_list.rows["members"].to_list() == [p, p]
    assert by_row.rows["right"].to_list() == by_list.rows["right"].to_list() == [1, 1]


def test_a_wide_table_has_a_task_in_each_column_with_errors_and_counts_beside():
    frame = pl.DataFrame(
        {"Model": ["a", "b"], "#Params (B)": [1.0, 7.0], "Family": ["x", "x"], "quiz": [31.0, 46.0],
         "quiz_stderr": [2.0, 3.0], "sums": [10.0, None], "sums_n": [400.0, 400.0], "notes": ["", "fast"]}
    )  # fmt: skip
    items = read_items(frame)
    found = {(each.task, each.model): each for each in aggregates(items)}
    assert found["quiz", "b"].value == pytest.approx(0.46) and found["quiz", "b"].error == pytest.approx(0.03)
    assert found["sums", "a"].error == pytest.approx((0.1 * 0.9 / 400) ** 0.5) and ("sums", "b") not in found
    assert items.models["N"].to_list() == [1e9, 7e9] and items.models["family"].to_list() == ["x", "x"]
    assert run_table(items, aggregates(items)).columns[:4] == ["run", "N", "family", "quiz/score"]


def test_checkpoints_of_one_run_are_models_of_their_own():
    frame = pl.DataFrame(
        {"model": ["a", "a"], "step": [10, 20], "params": [1e8] * 2, "tokens": [1e6, 2e6], "quiz": [0.3, 0.4]}
    )
    items = read_items(frame)
    assert items.names == ("a@10", "a@20") and items.models["run"].to_list() == ["a", "a"]
    without = pl.concat([frame, pl.DataFrame({"model": ["b"], "quiz": [0.5]})], how="diagonal")
    assert read_items(without).names == ("a@10", "a@20", "b")
    assert items.models["D"].to_list() == [1e6, 2e6]


def test_selections_and_named_columns():
    frame = pl.DataFrame({"who": ["a", "b", "c"], "shots": [0, 0, 5], "quiz": [0.3, 0.4, 0.5]})
    items = read_items(frame, columns={"model": "who"}, where="shots == 0", tasks=["quiz"])
    assert items.names == ("a", "b")
    with pytest.raises(DataError, match="--task names 'other', and there are"):
        read_items(frame, columns={"model": "who"}, tasks=["other"])
    with pytest.raises(DataError, match="no row of the Polars frame is left"):
        read_items(frame, columns={"model": "who"}, where="shots == 9")
    with pytest.raises(DataError, match="names no column"):
        read_items(frame, columns={"model": "name"})
    with pytest.raises(DataError, match="no column of models"):
        read_items(frame.drop("who"))


@pytest.mark.parametrize(
    "path, options, models, tasks",
    [
        ("sloth/data_v2.csv", {}, 188, 110),
        ("hitchhiker-colpret/opt_bigbench_checkpoints.csv", {}, 147, 6),
        ("observational-scaling/base_llm_benchmark_eval.csv", {}, 148, 8),
        ("pythia-evals/opt_bloom_final_evals.csv", {"metrics": ["acc"]}, 13, 65),
    ],
)
def test_public_tables_are_read_as_they_are(tables, path, options, models, tasks):
    items = read_items(tables / path, **options)
    assert (len(items.names), len(items.tasks)) == (models, tasks)
    assert items.rows["score"].min() >= 0 and items.rows["score"].max() <= 1


def test_checkpoints_of_a_long_public_table_keep_their_published_scores_and_errors(tables):
    place = tables / "pythia-evals" / "pythia_v1_evals_long.parquet"
    chosen = {"where": "shots == 'zero-shot' and step == 143000", "tasks": ["lambada_openai"], "metrics": ["acc"]}
    found = {each.model: each for each in aggregates(read_items(place, **chosen))}
    assert found["12b@143000"].value == pytest.approx(0.7046, abs=5e-5)  # as in the source's own notes
    assert found["70m@143000"].value == pytest.approx(0.1846, abs=5e-5)
    # 5,153 items of LAMBADA give the error that the harness wrote
    assert found["12b@143000"].error == pytest.approx((0.7046 * 0.2954 / 5152) ** 0.5, rel=1e-3)


def test_models_may_be_named_by_numbers():
    items = read_items(pl.DataFrame({"model": ["1", "2", "10"], "N": [1e7, 1e8, 1e9], "quiz": [0.2, 0.3, 0.4]}))
    assert items.names == ("1", "2", "10") and items.models["N"].to_list() == [1e7, 1e8, 1e9]
    assert [each.model for each in aggregates(items)] == ["1", "2", "10"]
