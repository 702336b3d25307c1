"""Each kind of doubt that a table alone can raise, made by spoiling a sound table; each remedy works as pasted."""

import re

import numpy as np
import polars as pl
import pytest

from isoflop import read_runs
from isoflop.errors import FormulaError
from isoflop.runs import Runs
from isoflop.runs.checks import check
from isoflop.runs.checks.counts import nonembedding_from_total, total_from_nonembedding
from isoflop.runs.checks.curves import off_isoflop_curve
from isoflop.runs.checks.repeats import near_duplicates, seed_spread
from isoflop.runs.checks.units import decimals_of


def sound(**more):
    """Thirty-six runs of an additive law, six sizes by six durations; `more` replaces or adds columns."""
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(8, 10, 6), np.logspace(10.2, 12, 6)))
    loss = 1.8 + 400 / n**0.34 + 2000 / d**0.36
    columns = {"N": n, "D": d, "loss": loss, **more}
    return Runs.from_columns(columns, conventions={"N": "total"})


def doubts(runs, code):
    return [finding for finding in check(runs) if finding.code == code]


def only(runs, code):
    (one,) = doubts(runs, code)
    return one


def pasted(runs, finding):
    """The runs that the finding's own --where keeps."""
    (selection,) = re.findall(r'--where "([^"]*)"', finding.remedy)
    return runs.where(selection)


def spoiled(name, changes):
    column = sound()[name].copy()
    for row, value in changes.items():
        column[row - 1] = value
    return sound(**{name: column})


def test_a_sound_table_raises_no_doubt():
    assert [finding for finding in check(sound()) if finding.level != "note"] == []


@pytest.mark.parametrize("states", [["finished", "crashed"], [1.0, 0.0], [True, False]])
def test_runs_that_their_table_calls_unfinished(states):
    column = [states[1] if row in (4, 9) else states[0] for row in range(1, 37)]
    runs = read_runs(sound().to_polars().with_columns(pl.Series("state", column)))
    finding = only(runs, "unfinished")
    assert finding.rows == (4, 9) and "2 of 36 rows" in finding.message
    assert len(pasted(runs, finding)) == 34
    assert not doubts(pasted(runs, finding), "unfinished")


def test_a_run_that_ends_above_its_own_lowest_loss_has_diverged():
    step = np.tile(np.arange(1, 7), 3)
    loss = np.tile(np.linspace(4, 3, 6), 3)
    loss[17] = 5.0
    runs = Runs.from_columns(
        {"N": np.repeat([1e8, 2e8, 4e8], 6), "D": step * 1e9, "loss": loss, "run": np.repeat(["a", "b", "c"], 6)}
    )
    finding = only(runs, "diverged")
    assert "1 run ends ('c') above their own lowest" in finding.message and "by up to 56%" in finding.message
    assert set(pasted(runs, finding).text("run")) == {"a", "b"}


def test_a_run_worse_than_a_smaller_one_on_fewer_tokens():
    runs = spoiled("loss", {36: 3.4})
    finding = only(runs, "worse-than-smaller")
    assert finding.rows == (36,) and not doubts(pasted(runs, finding), "worse-than-smaller")
    # no contradiction where the runs belong to different families
    apart = [f"{'b' if row == 35 else 'a'}{row % 2}" for row in range(36)]
    assert not doubts(sound(loss=runs["loss"], family=apart), "worse-than-smaller")


def isoflop_runs():
    """Nine sizes at each of three budgets, on one surface."""
    budgets = np.repeat([1e19, 1e20, 1e21], 9)
    n = np.sqrt(budgets / 120) * np.tile(np.logspace(-0.6, 0.6, 9), 3)
    d = budgets / (6 * n)
    return {"N": n, "D": d, "C": budgets, "loss": 1.8 + 400 / n**0.34 + 2000 / d**0.36}


def test_a_run_off_the_parabola_of_its_budget():
    columns = isoflop_runs()
    assert off_isoflop_curve(Runs.from_columns(columns)) == []
    columns["loss"] = columns["loss"].copy()
    columns["loss"][12] *= 1.05
    runs = Runs.from_columns(columns)
    (off,) = off_isoflop_curve(runs)
    assert (off.row, off.budget) == (13, 1e20) and off.above == pytest.approx(0.0488, abs=0.004)
    finding = only(runs, "off-isoflop-curve")
    assert finding.rows == (13,) and not doubts(pasted(runs, finding), "off-isoflop-curve")


def test_near_copies_with_another_loss_need_equal_settings():
    twin = {name: np.append(sound()[name], sound()[name][7] * factor) for name, factor in
            (("N", 1.005), ("D", 0.995), ("loss", 1.03))}  # fmt: skip
    runs = Runs.from_columns(twin)
    assert [(first, second) for first, second, _ in near_duplicates(runs)] == [(8, 37)]
    assert "rows 8 and 37 by 3.0%" in only(runs, "near-duplicates").message
    lr = np.append(np.full(36, 1e-3), 3e-3)
    assert near_duplicates(runs.with_column("lr", lr)) == []


def test_seeds_spread_is_that_of_their_groups():
    rng = np.random.default_rng(5)
    base = sound()
    columns = {name: np.repeat(base[name], 5) for name in ("N", "D", "loss")}
    columns["loss"] = columns["loss"] * np.exp(rng.normal(0, 0.004, 180))
    columns["seed"] = np.tile(np.arange(5), 36)
    spread = seed_spread(Runs.from_columns(columns))
    assert spread is not None and len(spread.sizes) == 36 and set(spread.sizes) == {5}
    by_hand = np.log(columns["loss"]).reshape(36, 5).std(axis=1, ddof=1)
    assert np.sort(spread.spreads) == pytest.approx(np.sort(by_hand), rel=1e-9)
    assert spread.pooled == pytest.approx(0.004, rel=0.12)
    assert near_duplicates(Runs.from_columns(columns)) == []  # seeds that differ like seeds are no surprise
    assert seed_spread(base) is None


def test_seeds_of_the_nanogpt_speedrun(tables):
    path = tables / "nanogpt-seed-noise" / "final_val_loss_per_run.csv"
    runs = read_runs(path, columns={"family": "record"})
    one = seed_spread(runs.where("family == '2024-12-08_UNetValueEmbedsTweaks'"))
    assert one is not None and int(one.sizes.max()) == 75
    # its group of 75 has the standard deviation 0.00214 nats
    largest = int(one.sizes.argmax())
    assert one.spreads[largest] * one.mean_loss[largest] == pytest.approx(0.00214, abs=5e-6)
    spread = seed_spread(runs)
    raw = spread.spreads * spread.mean_loss
    assert 0.0009 <= np.median(raw) <= 0.0024
    assert np.quantile(raw, [0.1, 0.9]) == pytest.approx([0.0009, 0.0024], abs=1e-4)
    assert "0.0013 nats/token" in only(runs, "seed-spread").message


@pytest.mark.parametrize(
    ("losses", "places"), [([3.0, 2.0], 0), ([3.1, 2.0], 1), ([3.14, 2.7], 2), ([3.1416, 2.0], 4), ([np.pi, 2.0], None)]
)
def test_decimals_of_losses(losses, places):
    assert decimals_of(np.array(losses)) == places


def test_rounded_losses_are_doubted():
    assert "2 decimals, in steps of 0.01" in only(sound(loss=np.round(sound()["loss"], 2)), "rounded-losses").message
    assert not doubts(sound(loss=np.round(sound()["loss"], 3)), "rounded-losses")


def test_a_family_in_perplexity_among_families_in_nats(tables):
    opt = read_runs(tables / "hitchhiker-colpret" / "opt_perplexity_trajectories.csv", columns={"loss": "ppl"})
    assert "perplexity-to-nats" in [finding.code for finding in opt.findings]
    losses = np.concatenate([sound()["loss"], np.exp(opt["loss"])])
    family = ["ours"] * 36 + ["OPT"] * len(opt)
    mixed = Runs.from_columns({"loss": losses, "family": family})
    finding = only(mixed, "looks-like-perplexity")
    assert finding.message.startswith("the losses of OPT have the median") and len(finding.rows) == len(opt)
    assert "--where \"family in ['OPT']\" --unit loss=perplexity" in finding.remedy


def test_counts_that_are_logarithms_hide_everything_else(tables):
    runs = read_runs(tables / "hitchhiker-colpret" / "opt_perplexity_trajectories.csv")
    finding = only(runs, "looks-like-logarithms")
    assert finding.level == "error" and finding.message.startswith("D from 9 to 11.4, C from 17.9 to 23.5")
    assert {each.code for each in check(runs)} <= {"looks-like-logarithms", "perplexity-to-nats"}


def test_losses_a_byte():
    assert "looks-like-bytes" in [each.code for each in check(sound(loss=sound()["loss"] / 4))]
    assert not doubts(sound(), "looks-like-bytes")


def test_two_counts_of_parameters_are_inverse_and_end_where_the_paper_says():
    counts = np.logspace(3, 12, 40)
    assert nonembedding_from_total(total_from_nonembedding(counts)) == pytest.approx(counts, rel=1e-9)
    # Pearce & Song: both terms are equal at n = ω^(3/2), about 1.03e7
    assert total_from_nonembedding(np.array([47_491.0**1.5]))[0] == pytest.approx(2 * 47_491.0**1.5)


def test_small_models_are_mostly_embeddings():
    small = sound(N=sound()["N"] / 100)
    assert "at the smallest size, 1M, embeddings are usually some 99%" in only(small, "embeddings-matter").message
    both = sound(N_nonembed=sound()["N"] * np.linspace(0.5, 0.99, 36))
    assert (
        "embeddings are 50% of the parameters of one size and 1% of another" in only(both, "embeddings-matter").message
    )


def test_tokens_per_parameter():
    same = sound(D=sound()["N"] * 20)
    assert "all runs have 20 tokens per parameter" in only(same, "one-ratio").message
    starved = spoiled("D", {3: 1e7})
    finding = only(starved, "few-tokens")
    assert finding.rows == (3,) and len(pasted(starved, finding)) == 35
    long = spoiled("D", {1: 1e13})
    assert 1 in only(long, "many-tokens").rows and 1 not in only(sound(), "many-tokens").rows


@pytest.mark.parametrize("column", ["epochs", "U"])
def test_repeated_data(column):
    passes = np.ones(36)
    passes[:3] = [2, 8, 40]
    runs = sound(epochs=passes) if column == "epochs" else sound(U=sound()["D"] / passes)
    finding = only(runs, "repeated-data")
    assert "3 of 36 rows repeat their data, 2 of them more than 4 times (up to 40 passes)" in finding.message
    assert finding.rows == (2, 3) and len(pasted(runs, finding)) == 34


@pytest.mark.parametrize(
    ("columns", "keeps"),
    [
        ({"step": np.full(36, 900.0), "total_steps": np.full(36, 1000.0)}, 0),
        ({"step": np.where(np.arange(36) < 2, 600.0, 1000.0), "total_steps": np.full(36, 1000.0)}, 34),
        ({"planned_tokens": None}, 35),
    ],
)
def test_runs_that_end_before_their_schedule(columns, keeps):
    if "planned_tokens" in columns:
        columns = {"planned_tokens": np.where(np.arange(36) == 4, 2.0, 1.0) * sound()["D"]}
    runs = sound(**columns)
    finding = only(runs, "schedule-longer")
    assert len(finding.rows) == 36 - keeps
    if keeps:
        assert len(pasted(runs, finding)) == keeps


def test_long_warmup():
    steps = np.repeat([1000.0, 100_000.0], 18)
    runs = sound(step=steps, warmup_steps=np.full(36, 3000.0))
    finding = only(runs, "long-warmup")
    assert finding.rows == tuple(range(1, 19)) and "up to 300%" in finding.message
    assert len(pasted(runs, finding)) == 18


def test_checkpoints_among_finished_runs():
    names = ["long" if row in (0, 6, 12, 18) else f"short{row}" for row in range(36)]  # one size, four durations
    runs = sound(run=names)
    finding = only(runs, "checkpoints")
    assert finding.level == "warning" and "3 of 36 rows" in finding.message and "beside 32 runs" in finding.message
    ends = pasted(runs, finding)
    assert len(ends) == 33 and not doubts(ends, "checkpoints")
    constant = sound(run=names, schedule=["constant"] * 36)
    assert not doubts(constant, "checkpoints")


def test_a_finished_run_without_its_tokens_is_no_checkpoint():
    tokens = sound()["D"].copy()
    tokens[7] = np.nan
    runs = sound(D=tokens, run=[f"run{row}" for row in range(36)])
    assert not [finding for finding in check(runs) if finding.code == "checkpoints"]


def test_the_copies_that_are_to_go_are_not_the_rows_that_stay():
    frame = pl.concat([sound().to_polars(), sound().to_polars().head(2)])
    runs = read_runs(frame)
    finding = only(runs, "duplicate-rows")
    assert finding.rows == (1, 2, 37, 38)
    assert len(pasted(runs, finding)) == 36 and not doubts(pasted(runs, finding), "duplicate-rows")


def test_a_sweep_over_other_settings_is_told_instead_of_a_thousand_copies(tables):
    runs = read_runs(tables / "steplaw" / "dense_lr_bs_loss.csv")
    assert "1,911 rows lie at only 17 pairs of N and D" in only(runs, "sweep-of-settings").message
    assert not doubts(runs, "near-duplicates") and not doubts(runs, "worse-than-smaller")


def test_last_keeps_the_end_of_each_run_and_needs_to_know_the_runs():
    columns = {"N": [1e8] * 4, "D": [1e9, 2e9, 3e9, 1e9], "loss": [4.0, 3.5, 3.2, 4.1], "run": ["a", "a", "a", "b"]}
    runs = Runs.from_columns(columns)
    assert runs.where("last(D)").rows.tolist() == [3, 4]
    assert runs.where("last(D) and loss < 4").rows.tolist() == [3]
    # a run's name counts within its family, and a missing D is no end
    apart = Runs.from_columns({**columns, "family": ["x", "x", "y", "y"], "D": [1e9, 2e9, np.nan, 1e9]})
    assert apart.where("last(D)").rows.tolist() == [2, 4]
    with pytest.raises(FormulaError, match="needs a column with the run of each row"):
        sound().where("last(D)")
