"""Panels of single runs: checkpoints are resampled in blocks, and a parameter that has run away has an upper limit."""

import numpy as np
import polars as pl
import pytest

from isoflop import Runs, law, read_runs, squares
from isoflop.fitting.panel import fit_panel
from isoflop.uncertainty.blocks import block_length, block_weights
from isoflop.uncertainty.flat_ends import inner_starts
from isoflop.uncertainty.panel import bootstrap_panel, single_runs

SIZES = {"0.6b": 0.6e9, "1.7b": 1.7e9, "4b": 4e9, "8b": 8e9, "14b": 14e9}


def curves(seed=0, half=0.0, rows=30, noise=0.03):
    """Errors A/C^(.4/(1 + half/N)) of five sizes, one run each."""
    draws = np.random.default_rng(seed)
    size, step = (each.ravel() for each in np.meshgrid(list(SIZES.values()), np.arange(1, rows + 1), indexing="ij"))
    compute = 1e3 * step
    error = 6 / compute ** (0.4 / (1 + half / size)) * np.exp(draws.normal(0, noise, size.size))
    names = [f"{each:g}" for each in size]
    return Runs.from_columns(
        {"N": size, "C": compute, "error": error, "loss": error, "size": names, "run": names, "step": step}
    )


def fitted(runs, form="A/C^(K_max/(1 + N_0/N))"):
    share = ["K_max", "N_0"] if "N_0" in form else ["k"]
    found = law("rl-efficiency") if "N_0" in form else law(form)
    return fit_panel(found, runs, by="size", share=share, objective=squares(), starts=8)


def test_blocks_keep_the_number_of_rows_and_their_neighbors():
    rng = np.random.default_rng(0)
    weights = block_weights(20, 5, 200, rng)
    assert (weights.sum(axis=1) == 20).all()
    apart = weights - weights.mean(axis=0)
    assert (apart[:, 1:] * apart[:, :-1]).mean() > 0.5 * (apart**2).mean()
    noise = np.random.default_rng(1).normal(size=400)
    smooth = np.convolve(noise, np.ones(20) / 20, mode="same")
    assert block_length(noise) <= 4 < 15 < block_length(smooth)
    assert block_length(np.zeros(10)) == 1


def test_a_panel_of_single_runs_has_intervals():
    panel = fitted(curves(), "A/C^k")
    assert len(single_runs(panel)) == 5
    drawn = bootstrap_panel(panel, draws=100)
    found = drawn.interval("k", level=0.9)
    assert found.low < 0.4 < found.high and 0.002 < found.high - found.low < 0.05
    assert "one-run-a-group" in {each.code for each in drawn.findings}


def test_what_has_run_away_has_an_upper_limit_and_what_is_seen_has_both():
    gone = fitted(curves())
    ((name, start),) = inner_starts(gone)
    moved = gone.ready.coords.to_params(start.local[0], gone.ready.kernel.centers)[:, 2]
    assert name == "N_0" and 1e6 < moved[0] < 1e10 and gone.shared["N_0"] < 1e7
    upper = bootstrap_panel(gone, draws=60).interval("N_0", level=0.9).high
    assert 1e3 * gone.shared["N_0"] < upper < 2e9
    seen = fitted(curves(half=2e9))
    interval = bootstrap_panel(seen, draws=60).interval("N_0", level=0.9)
    assert not inner_starts(seen) and 0.5e9 < interval.low < 2e9 < interval.high < 5e9


@pytest.mark.slow
def test_the_exponent_of_qwen3_does_not_rise_with_size(tables):
    frame = pl.read_csv(tables / "rl-math-scaling" / "qwen3_grpo_gsm8k_accuracy_by_step.csv")
    long = frame.unpivot(index="Step", variable_name="size", value_name="rate").drop_nulls().filter(pl.col("Step") > 0)
    long = long.with_columns(
        N=pl.col("size").replace_strict(SIZES),
        C=512.0 * pl.col("Step"),
        loss=1 - pl.col("rate"),
        error=1 - pl.col("rate"),
        run=pl.col("size"),
    )
    runs = read_runs(long.select("size", "run", "N", "C", "loss", "error", step="Step").sort("N", "step"))
    drawn = bootstrap_panel(fitted(runs), draws=200)
    assert drawn.interval("K_max", level=0.9).value == pytest.approx(0.402, abs=0.005)
    assert drawn.interval("N_0", level=0.9).high < 0.6e9  # below the smallest model
    power = fit_panel(law("A/C^(k*N^p)"), runs, by="size", share=["k", "p"], objective=squares(), starts=8)
    rise = bootstrap_panel(power, draws=200).interval("p", level=0.9)
    assert rise.low < 0 < rise.high and abs(rise.value) < 0.1
