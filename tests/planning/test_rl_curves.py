"""The last half of reinforcement-learning curves, forecast from the first by ScaleRL's sigmoid (Qwen3 on GSM8K)."""

import numpy as np
import polars as pl
import pytest

from isoflop import Runs, bootstrap, fit, forecast, law, squares

SIZES = ("0.6b", "1.7b", "4b", "8b", "14b")


@pytest.mark.slow
def test_the_last_half_lies_in_the_intervals_of_the_first(tables):
    frame = pl.read_csv(tables / "rl-math-scaling" / "qwen3_grpo_gsm8k_accuracy_by_step.csv")
    errors, unchanged, covered, by_law = [], [], 0, 0
    for size in SIZES:
        curve = frame.select("Step", size).drop_nulls().filter(pl.col("Step") > 0)
        step, rate = curve["Step"].to_numpy().astype(float), curve[size].to_numpy()
        known = step <= step.max() / 2
        runs = Runs.from_columns({"C": step[known], "pass_rate": rate[known]})
        drawn = bootstrap(fit(law("sigmoid-compute"), runs, objective=squares(space="raw")), draws=100, restarted=0)
        for at, measured in zip(step[~known], rate[~known], strict=True):
            found = forecast(drawn, {"C": at})
            errors.append(found.loss.value - measured)
            unchanged.append(rate[known][-1] - measured)
            covered += found.loss.low <= measured <= found.loss.high
            by_law += found.law_loss.low <= measured <= found.law_loss.high
    assert len(errors) == 55 and covered >= 50 and by_law >= 47
    assert np.abs(errors).mean() < 0.018 < np.abs(unchanged).mean()
