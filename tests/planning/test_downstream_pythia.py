"""Accuracies of Pythia 12B at its end from models up to 1.4B, through ln perplexity on LAMBADA."""

import numpy as np
import polars as pl
import pytest

from isoflop import Runs, bootstrap, fit, law, squares
from isoflop.fitting.sampling_errors import weighed
from isoflop.planning.downstream import downstream, stages

TASKS = ("lambada_openai", "arc_easy", "sciq", "piqa", "arc_challenge", "winogrande")


@pytest.mark.slow
def test_twelve_billion_from_at_most_one_and_a_half(tables):
    long = pl.read_parquet(tables / "pythia-evals" / "pythia_v1_evals_long.parquet").filter(
        (pl.col("shots") == "zero-shot") & ~pl.col("model").str.contains("MtokBS") & (pl.col("step") >= 512)
    )
    acc = long.filter((pl.col("metric") == "acc") & pl.col("task").is_in(TASKS))
    keys = ["model", "step", "params_total", "tokens"]
    errors = acc.pivot(on="task", index=keys, values="stderr").rename({task: f"{task}_stderr" for task in TASKS})
    perplexity = long.filter(pl.col("metric") == "ppl").select("model", "step", ppl="value")
    wide = acc.pivot(on="task", index=keys, values="value").join(errors, on=keys).join(perplexity, on=keys[:2])
    wide = wide.rename({"params_total": "N", "tokens": "D", "model": "run"})
    small = Runs.from_columns(wide.filter(pl.col("N") < 1.5e9).to_dict(as_series=False))
    large = wide.filter(pl.col("run").is_in(["12b", "12b-deduped"]) & (pl.col("step") == 143_000))
    losses, misses, covered = None, [], 0
    for task in TASKS:
        found = stages(small, law("E + A/N^alpha"), loss="log(ppl)", score=task)
        if losses is None:
            losses = bootstrap(fit(law("E + A/N^alpha"), found.finals), draws=100, restarted=0)
        sigmoid, raw = law("task-accuracy-to-one"), squares(space="raw")
        table = weighed(fit(sigmoid, found.points, objective=raw), found.errors)
        scores = bootstrap(fit(sigmoid, table, objective=raw), draws=100, restarted=0)
        told = downstream(losses, scores, {"N": float(large["N"][0])})
        measured = large[task].mean()
        misses.append(abs(told.score.value - measured))
        covered += told.score.low <= measured <= told.score.high
    assert told.loss.loss.low < np.log(large["ppl"].to_numpy()).mean() < told.loss.loss.high
    assert covered == 6 and np.mean(misses) < 0.035
