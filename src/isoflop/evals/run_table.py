"""Scores as a table of runs: a row a model, a column a measure of a task, to which every other question applies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from isoflop.evals.aggregate import Aggregate
from isoflop.evals.items import MODEL_COLUMNS, Items


def run_table(items: Items, scores: Sequence[Aggregate]) -> pl.DataFrame:
    """``run``, ``N``, ``D`` … then ``task/acc``, ``task/acc_stderr``, ``task/loss`` …, one row a model or checkpoint.

    A pass rate comes with ``task/neg_log_pass``, −ln of it, whose power law in N is a law exp(−c·N^(−α)) of the rate. A
    rate of 0 or 1 has none.
    """
    columns: dict[str, dict[str, float]] = {}
    several = {task: 0 for task, _ in items.tasks}
    for task, _ in items.tasks:
        several[task] += 1
    for each in scores:
        main = each.metric if each.measure in ("score", "acc", "pass") else each.measure
        if each.measure == "pass" and each.metric == "score":
            main = "pass"
        word = main if several[each.task] == 1 or main == each.metric else f"{each.metric}/{main}"
        name = f"{each.task}/{word}"
        columns.setdefault(name, {})[each.model] = each.value
        if math.isfinite(each.error):
            columns.setdefault(_error_name(name), {})[each.model] = each.error
        if each.measure == "pass" and 0 < each.value < 1:
            columns.setdefault(f"{each.task}/neg_log_pass", {})[each.model] = -math.log(each.value)
            if math.isfinite(each.error):
                columns.setdefault(f"{each.task}/neg_log_pass_stderr", {})[each.model] = each.error / each.value
        if each.items and each.measure in ("score", "acc", "pass"):
            columns.setdefault(f"{each.task}/n", {})[each.model] = float(each.items)
    names = [name for name in MODEL_COLUMNS if name in items.models.columns and name != "model"]
    table = items.models.select(pl.col("model"), *(pl.col(name) for name in names))
    made = table.with_columns(
        pl.Series(name, [values.get(model) for model in items.names], dtype=pl.Float64)
        for name, values in columns.items()
    )
    return made.drop("model") if "run" in names and (made["model"] == made["run"]).all() else made


def _error_name(name: str) -> str:
    """``arc/acc_stderr``, and ``gsm8k/exact_match_stderr@strict`` as lm-evaluation-harness has it."""
    task, slash, metric = name.rpartition("/")
    if metric.startswith("pass@"):
        return f"{task}{slash}{metric}_stderr"
    word, at, filtered = metric.partition("@")
    return f"{task}{slash}{word}_stderr{at}{filtered}"
