"""The end of a run under way: against made runs of the annealing law, and against real runs cut short."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from isoflop import Runs
from isoflop.errors import DataError, SpecError
from isoflop.runs.schedule import annealing_area, rate_area
from isoflop.validation.finish import finish, truncations
from isoflop.validation.schedule_ahead import ahead, shape

STEPS = 20_000.0
PEAK = 3e-4


def rates(step: np.ndarray, text: str) -> np.ndarray:
    return PEAK * np.minimum(1, step / 500) * shape(text).factor(step, top=500, end=STEPS)


def run(text: str, *, floor: float = 2.5, noise: float = 0.004, seed: int = 0) -> dict[str, np.ndarray]:
    """A run whose loss is the annealing law's, λ = 0.999, every 100 steps."""
    step = np.arange(100, STEPS + 1, 100)
    rate = rates(step, text)
    codes = np.zeros(len(step), dtype=np.int64)
    first, second = rate_area(step, rate, codes), annealing_area(step, rate, codes, decay=0.999)
    loss = floor + 0.45 * first**-0.5 - 0.4 * second
    return {"step": step, "lr": rate, "loss": loss + noise * np.random.default_rng(seed).standard_normal(len(step))}


def so_far(made: dict[str, np.ndarray], share: float) -> Runs:
    keep = made["step"] <= share * STEPS
    return Runs.from_columns({name: values[keep] for name, values in made.items()})


@pytest.mark.parametrize("text", ["cosine:0.1", "wsd:0.2", "linear:0.05", "constant"])
def test_the_end_of_a_run_that_follows_the_law(text: str) -> None:
    made = run(text)
    schedule = shape(text)
    said = finish(so_far(made, 0.5), steps=STEPS, schedule=schedule)
    truth = float(run(text, noise=0.0)["loss"][-1])
    assert said.loss.low <= truth <= said.loss.high
    assert said.expected.value == pytest.approx(truth, rel=0.02)
    assert said.end == STEPS and said.seen == 10_000
    # model error widens the interval that holds if the law does, and its share of the width is what is said
    narrow, wide = (each.high - each.low for each in (said.law_loss, said.loss))
    assert 0 < said.model_error_share < 1 and said.model_error_share == pytest.approx(1 - narrow / wide)


def test_earlier_runs_say_what_the_fall_of_the_rate_saves() -> None:
    """Before the rate falls a run says nothing of C: an annealed run of another schedule does."""
    under_way = so_far(run("wsd:0.2", seed=1), 0.6)
    other = run("cosine:0.1", seed=2)
    earlier = Runs.from_columns({**other, "run": np.repeat("cosine", len(other["step"]))})
    alone = finish(under_way, steps=STEPS, schedule=shape("wsd:0.2"))
    helped = finish(under_way, steps=STEPS, schedule=shape("wsd:0.2"), earlier=earlier)
    truth = float(run("wsd:0.2", noise=0.0)["loss"][-1])
    assert abs(helped.expected.value - truth) < 0.01
    assert helped.expected.high - helped.expected.low < alone.expected.high - alone.expected.low
    assert helped.earlier == 1
    assert "no-fall-seen" in {finding.code for finding in alone.findings}
    assert "no-fall-seen" not in {finding.code for finding in helped.findings}


def test_a_cosine_is_read_off_the_rates_so_far() -> None:
    made = run("cosine:0.1")
    said = finish(so_far(made, 0.4), steps=STEPS)
    given = finish(so_far(made, 0.4), steps=STEPS, schedule=shape("cosine:0.1"))
    assert said.schedule.startswith("cosine to 0.1 of the peak")
    assert said.expected.value == pytest.approx(given.expected.value, rel=1e-3)


def test_a_table_that_names_no_run_is_one_run_to_cut() -> None:
    made = run("cosine:0.1")
    unnamed = truncations(so_far(made, 1.0), shares=(0.6, 0.8), draws=50)
    named = truncations(Runs.from_columns({**made, "run": ["a"] * len(made["step"])}), shares=(0.6, 0.8), draws=50)
    assert unnamed == named and [cut.runs for cut in unnamed] == [1, 1]


def test_rows_without_loss_give_the_rates_to_come() -> None:
    made = run("wsd:0.3:0.1")
    hidden = {**made, "loss": np.where(made["step"] <= 10_000, made["loss"], np.nan)}
    said = finish(Runs.from_columns(hidden))
    assert said.schedule == "rows without a loss" and said.end == STEPS and said.seen == 10_000
    assert said.loss.low <= made["loss"][-1] <= said.loss.high


def test_units_of_the_learning_rate_do_not_matter() -> None:
    made = run("cosine:0.1")
    one = finish(so_far(made, 0.5), steps=STEPS)
    two = finish(so_far({**made, "lr": made["lr"] * 1000}, 0.5), steps=STEPS)
    # rounding alone sends the walkers other ways, so the draws agree as two seeds do
    assert two.expected.value == pytest.approx(one.expected.value, rel=1e-3)


def test_the_rates_ahead() -> None:
    step = np.arange(0, 5_001, 50.0)
    rate = rates(step, "cosine:0.1")
    found = ahead(step, rate, end=STEPS, wanted=None)
    assert found.rate == pytest.approx(rates(found.step, "cosine:0.1"), rel=5e-3)
    assert found.step[-1] == STEPS and found.step[0] > 5_000
    assert [finding.code for finding in ahead(step, rate, end=STEPS, wanted=shape("linear")).findings] == [
        "schedule-differs"
    ]
    constant = ahead(step, rates(step, "constant"), end=STEPS, wanted=None)
    assert (constant.rate == PEAK).all() and [each.code for each in constant.findings] == ["constant-so-far"]


def multi_power(tables: Path, size: int, *schedules: str) -> Runs:
    frame = pl.read_csv(tables / "multipower-lr" / "loss_curves.csv").filter(
        (pl.col("size_M") == size) & pl.col("schedule").is_in(schedules)
    )
    return Runs.from_columns(
        {
            "run": frame["schedule"].to_numpy(),
            **{name: frame[name].to_numpy().astype(float) for name in ("step", "lr", "loss")},
        }
    )


def test_a_real_run_cut_at_four_tenths(tables: Path) -> None:
    """A 400M model under a cosine, with the 100M model's runs as the earlier ones."""
    whole = multi_power(tables, 400, "cosine_24000")
    cut = whole.take(whole["step"] < 9_600)
    earlier = multi_power(tables, 100, "cosine_24000", "constant_24000", "wsdcon_9")
    said = finish(cut, steps=24_000, earlier=earlier)
    truth = whole["loss"][-5:].mean()
    assert said.loss.low <= truth <= said.loss.high
    assert said.expected.value == pytest.approx(truth, rel=0.01)
    assert cut["loss"][-1] > 1.05 * truth, "the loss at the cut says little of the end"


@pytest.mark.slow
def test_real_runs_cut_at_every_fifth(tables: Path) -> None:
    """Runs of two sizes under six schedules: the error falls with the cut, and intervals hold most ends."""
    held = total = 0
    names = ("constant_24000", "cosine_24000", "wsd_20000_24000", "wsdld_20000_24000", "wsdcon_3", "wsdcon_18")
    for size in (25, 400):
        found = truncations(multi_power(tables, size, *names), draws=60)
        assert [cut.share for cut in found] == [0.2, 0.4, 0.6, 0.8]
        for cut in found:
            assert cut.are < 0.5 * cut.naive
            held, total = held + cut.held, total + cut.runs
        assert found[-1].are < found[0].are
    assert held / total > 0.8


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cosin", "did you mean cosine"),
        ("wsd:2", "shares of 1"),
        ("cosine:a", "shares of 1"),
        ("constant:0.1", "shares of 1"),
        ("", "choose one of"),
    ],
)
def test_schedules_that_are_none(text: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        shape(text)


def test_runs_that_cannot_be_finished() -> None:
    made = run("cosine:0.1")
    with pytest.raises(DataError, match="say where the run ends"):
        finish(so_far(made, 0.5))
    with pytest.raises(DataError, match="is at step 10000 already, so it cannot end at 10000"):
        finish(so_far(made, 0.5), steps=10_000)
    with pytest.raises(DataError, match="losses after the warm-up say too little"):
        finish(so_far(made, 0.05), steps=STEPS)
    with pytest.raises(DataError, match="follow no cosine, line or constant"):
        odd = {**made, "lr": PEAK * (1.2 + np.sin(made["step"] / 700))}
        finish(so_far(odd, 0.5), steps=STEPS)
    two = {name: np.tile(values, 2) for name, values in made.items()}
    with pytest.raises(DataError, match="has 2 runs; choose the one"):
        finish(Runs.from_columns({**two, "run": np.repeat(["a", "b"], len(made["step"]))}), steps=STEPS)
    with pytest.raises(DataError, match="learning rate below zero"):
        finish(so_far({**made, "lr": np.where(made["step"] == 5_000, -1e-4, made["lr"])}, 0.5), steps=STEPS)
