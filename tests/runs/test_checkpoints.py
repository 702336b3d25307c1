"""Rows that are checkpoints of one training, in tables without a column of runs."""

import numpy as np
import polars as pl
import pytest

from isoflop import fit, law, read_runs

SIZES = (1e8, 3e8, 1e9)


def curves(steps, *, extra=None):
    """One row for each size and step; ``extra`` adds columns by (size, step)."""
    rows = [
        {"N": n, "D": step * 1e6, "step": step, "loss": 1.8 + 400 / n**0.34 + 600 / (step * 1e6) ** 0.3}
        | (extra(n, step) if extra else {})
        for n in SIZES for step in steps
    ]  # fmt: skip
    return pl.DataFrame(rows)


def grouped(table, **how):
    runs = read_runs(table, **how)
    codes = [finding.code for finding in runs.findings]
    return runs, np.bincount(runs.run_codes()).tolist(), "checkpoints-grouped" in codes


EVEN = [1000, 2000, 3000, 4000, 5000, 6000]
UNEVEN = [1000, 1500, 4000, 9000]


@pytest.mark.parametrize(
    ("table", "sizes"),
    [
        (curves(EVEN), [6, 6, 6]),
        (curves(EVEN).drop("step").rename({"D": "tokens"}), None),
        (curves(list(range(1000, 11000, 1000))).drop("step").rename({"D": "tokens"}), [10, 10, 10]),
        (curves(UNEVEN, extra=lambda n, step: {"total_steps": 10_000}), [4, 4, 4]),
        (curves(UNEVEN, extra=lambda n, step: {"max_train_iters": 10_000}).rename({"step": "iter"}), [4, 4, 4]),
        (curves(UNEVEN, extra=lambda n, step: {"portion_steps_elapsed": step / 1e4}), [4, 4, 4]),
        (curves(UNEVEN, extra=lambda n, step: {"percent of training": step / 100}).drop("step"), [4, 4, 4]),
        (curves(UNEVEN, extra=lambda n, step: {"frac_steps_done": step / 1e4}).drop("step"), [4, 4, 4]),
        (curves(UNEVEN, extra=lambda n, step: {"step/total_steps": step / 1e4}).drop("step"), [4, 4, 4]),
        (curves(UNEVEN, extra=lambda n, step: {"progress": f"{step / 100:g}%"}).drop("step"), [4, 4, 4]),
        (
            curves(list(range(1000, 11000, 1000)), extra=lambda n, step: {"C": 6e6 * n * step}).drop("step", "D"),
            [10] * 3,
        ),
        (curves(UNEVEN).rename({"step": "current_step"}), [4, 4, 4]),
        (curves(UNEVEN).rename({"step": "checkpoint"}), [4, 4, 4]),
        (curves(UNEVEN).rename({"step": "steps"}), None),
        (curves(UNEVEN).drop("step"), None),
        (curves([2000]), None),
        (curves(UNEVEN, extra=lambda n, step: {"train_config": f"{n:g}/{step}"}), None),
        (curves(UNEVEN, extra=lambda n, step: {"data_fraction": step / 1e4}).drop("step"), None),
    ],
)
def test_checkpoints_are_grouped_and_a_grid_of_runs_is_not(table, sizes):
    _, counts, told = grouped(table)
    assert told == (sizes is not None) and counts == (sizes or [1] * table.height)


@pytest.mark.parametrize("word", ["step{}", "checkpoint-{}", "iter_{}"])
@pytest.mark.parametrize("header", ["revision", "checkpoint", "step"])
def test_steps_in_the_names_of_checkpoints(word, header):
    table = curves(EVEN).drop("D").with_columns(step=pl.Series([word.format(each) for each in EVEN] * 3))
    runs, counts, told = grouped(table.rename({"step": header}))
    assert runs["step"].tolist() == EVEN * 3 and told and counts == [6, 6, 6]


def test_seeds_and_settings_tell_runs_of_one_size_apart():
    two = pl.concat([curves(EVEN).with_columns(seed=pl.lit(seed)) for seed in (1, 2)])
    assert grouped(two)[1] == [6] * 6
    rates = pl.concat([curves(EVEN).with_columns(peak_lr=pl.lit(rate)) for rate in (1e-3, 3e-3)])
    assert grouped(rates.sample(fraction=1.0, shuffle=True, seed=0))[1] == [6] * 6


def test_runs_that_follow_each_other_are_told_by_their_steps_beginning_anew():
    bare = curves(EVEN).drop("N")
    runs, counts, told = grouped(bare)
    assert told and counts == [6, 6, 6] and runs.columns["run"].derived == "rows of rising steps"
    assert not grouped(bare.sample(fraction=1.0, shuffle=True, seed=3))[2]  # no order, no runs
    one, counts, _ = grouped(curves(EVEN).filter(pl.col("N") == SIZES[0]).drop("N"))
    assert counts == [6] and one.columns["run"].derived == "all rows"


def test_a_rate_that_follows_a_schedule_is_no_setting():
    step = np.arange(20, 2001, 20)
    schedules = {
        1: np.full(len(step), 1e-3),
        2: 1e-3 * 0.5 * (1 + np.cos(np.pi * step / 2000)) + 1e-5,
        3: np.where(step < 1600, 1e-3, 1e-3 * 0.1 ** ((step - 1600) / 400)),
    }
    table = pl.concat(
        [
            pl.DataFrame({"experiment": key, "step": step, "lr": rate, "loss": 2 + 1.0 / np.cumsum(rate * 20) ** 0.4})
            for key, rate in schedules.items()
        ]
    )
    runs, counts, _ = grouped(table)
    assert counts == [100, 100, 100] and runs.columns["run"].derived == "rows of equal experiment"
    told = fit(law("annealing"), runs)
    anew = fit(law("annealing"), read_runs(table.drop("experiment")))
    assert told.data.n_runs == 3 == anew.data.n_runs and anew.value == pytest.approx(told.value)


def test_grouping_is_undone_by_a_derived_run_and_left_alone_where_runs_are_named():
    assert grouped(curves(EVEN), derive={"run": "row"})[1] == [1] * 18
    named = curves(EVEN).with_columns(run=pl.col("step").cast(pl.String))
    assert grouped(named)[1] == [3] * 6


def test_checkpoints_that_nothing_tells_apart_are_warned_of():
    twice = pl.concat([curves(UNEVEN, extra=lambda n, step: {"total_steps": 10_000})] * 2).sort("N", "step")
    runs = read_runs(twice)
    (found,) = [finding for finding in runs.findings if finding.code == "checkpoints-ungrouped"]
    assert found.level == "warning" and "--column run=HEADER" in found.remedy
