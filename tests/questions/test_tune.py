"""The best learning rate and batch of a run as an answer, and beneath a plan."""

import numpy as np
import polars as pl
import pytest

from isoflop import tune
from isoflop.render.notebook import answer_of
from isoflop.runs import Runs

WHERE = ["steplaw/dense", "--at", "N=1B", "--at", "D=100B", "--draws", "100"]


@pytest.fixture
def sweep(tmp_path):
    """A sweep of five rates and batches at four sizes and two durations."""
    rows = []
    for n in (1e8, 2e8, 4e8, 8e8):
        for d in (2e9, 8e9):
            for x in np.linspace(-2, 2, 5):
                for y in np.linspace(-2, 2, 5):
                    rate, batch = 2e-3 * (n / 1e8) ** -0.5 * np.exp(x), 2e5 * (d / 2e9) ** 0.5 * np.exp(y)
                    loss = (2 + 400 / n**0.35 + 2000 / d**0.37) * np.exp(0.002 * x * x + 0.003 * y * y)
                    rows.append({"params": n, "tokens": d, "lr": rate, "batch_tokens": batch, "loss": loss})
    path = tmp_path / "sweep.csv"
    pl.DataFrame(rows).write_csv(path)
    return path


def test_settings_stand_in_front_and_their_power_laws_behind(asked, named_tables):
    answer = asked("tune", *WHERE)
    quantities = answer["quantities"]
    rate, batch = quantities["lr"], quantities["batch"]
    assert 9e-4 < rate["low"] < rate["value"] < rate["high"] < 2.5e-3
    assert 6e5 < batch["low"] < batch["value"] < batch["high"] < 1.5e6 and batch["unit"] == "tokens a step"
    near = quantities["near_optimal_batch"]
    assert near["low"] < batch["value"] < near["high"] and near["note"] == "loss within 0.25%"
    assert "learning rate" in answer["headline"] and "N = 1B, D = 100B" in answer["headline"]
    exponents = {
        (row["setting"], row["scale"], row["method"]): row["exponent"]["value"]
        for row in answer["tables"]["exponents"]["rows"]
    }
    assert exponents["batch", "D", "Step Law, published"] == 0.570944
    assert exponents["batch", "D", "surface"] == pytest.approx(0.571, abs=0.03)
    assert len(answer["tables"]["pairs"]["rows"]) == 17
    wider = asked("tune", *WHERE, "--near-optimal", "0.01")
    assert wider["quantities"]["near_optimal_lr"]["low"] < quantities["near_optimal_lr"]["low"]


def test_without_a_point_the_largest_pair_is_answered_for(asked, sweep):
    answer = asked("tune", str(sweep))
    assert (answer["quantities"]["at_N"]["value"], answer["quantities"]["at_D"]["value"]) == pytest.approx((8e8, 8e9))
    assert answer["quantities"]["lr"]["value"] == pytest.approx(2e-3 * 8**-0.5, rel=1e-4)
    assert answer["quantities"]["batch"]["value"] == pytest.approx(4e5, rel=1e-4)


def test_a_plan_prints_the_settings_of_its_run(asked, sweep):
    best = ["--best", "loss", "--per", "N,D"]
    answer = asked("plan", str(sweep), "--law", "chinchilla", "--budget", "1e20", *best, "--draws", "40", "--force")
    n, d = (answer["quantities"][name]["value"] for name in ("N", "D"))
    assert answer["quantities"]["lr"]["value"] == pytest.approx(2e-3 * (n / 1e8) ** -0.5, rel=1e-3)
    assert answer["quantities"]["batch"]["value"] == pytest.approx(2e5 * (d / 2e9) ** 0.5, rel=1e-3)
    methods = {row["method"] for row in answer["tables"]["settings"]["rows"]}
    assert {"surface", "best rows"} <= methods


def test_a_plan_of_runs_that_were_not_tuned_prints_none(asked, tmp_path):
    frame = pl.DataFrame(
        [
            {"N": n, "D": d, "lr": 0.1 * n**-0.3, "batch": 1e5 + n / 1e4, "loss": 1.8 + 480 / n**0.35 + 2000 / d**0.37}
            for n in np.logspace(8, 9, 5)
            for d in np.logspace(9, 11, 4)
        ]
    )
    path = tmp_path / "runs.csv"
    frame.write_csv(path)
    answer = asked("plan", str(path), "--law", "chinchilla", "--draws", "40", "--force")
    assert "lr" not in answer["quantities"] and "settings" not in answer["tables"]


def test_a_result_of_python_is_worded_the_same():
    rate = np.logspace(-4, -2, 9)
    runs = Runs.from_columns({"lr": rate, "loss": 3 * np.exp(0.01 * np.log(rate / 1e-3) ** 2)})
    answer = answer_of(tune(runs, draws=20))
    assert answer["lr"].value == pytest.approx(1e-3, rel=1e-6) and answer.to_dict()["headline"].startswith(
        "Best learning"
    )


def test_what_cannot_be_tuned_is_one_sentence(refused, sweep, tmp_path):
    frame = pl.read_csv(sweep)
    for columns, says in (
        (frame.drop("lr", "batch_tokens"), "neither a learning rate nor a batch"),
        (frame.with_columns(lr=pl.lit(3e-4), batch_tokens=pl.lit(1e5)), "has lr = 0.0003 and batch = 100K"),
        (frame.with_columns(lr=pl.col("lr") - 2e-3), "runs have lr ≤ 0"),
    ):
        path = tmp_path / "other.csv"
        columns.write_csv(path)
        assert says in refused("tune", str(path))
    assert "give D too" in refused("tune", str(sweep), "--at", "N=1B")
    assert "not on C" in refused("tune", str(sweep), "--at", "N=1B", "--at", "D=1B", "--at", "C=1e20")
    assert "between 0 and 1" in refused("tune", str(sweep), "--window", "0")
