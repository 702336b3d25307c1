"""A law of learning rates fitted to two schedules foretells a third, given as rates or by name."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from isoflop import Runs, fit, law, read_runs
from isoflop.errors import DataError, IsoflopError
from isoflop.planning.points import points_in, points_of, points_on
from isoflop.runs.schedule import annealing_area, rate_area
from isoflop.runs.schedule_shape import scheduled, shape


@pytest.fixture(scope="module")
def curves(tables: Path) -> pl.DataFrame:
    raw = pl.read_csv(tables / "multipower-lr" / "loss_curves.csv").filter(pl.col("size_M") == 100)
    return raw.select(pl.col("schedule").alias("run"), pl.col("step").cast(pl.Float64), "lr", "loss")


def test_two_schedules_foretell_a_third(curves: pl.DataFrame, tmp_path: Path) -> None:
    known = curves.filter(pl.col("run").is_in(["cosine_24000", "constant_24000"]))
    fitted = fit(law("annealing"), read_runs(known))
    third = curves.filter(run="wsd_20000_24000").sort("step")
    third.drop("loss").write_csv(tmp_path / "future.csv")
    (point,) = points_in(tmp_path / "future.csv", fitted.law)
    measured = third["loss"][-1]
    foretold = float(fitted.predict(point))
    assert abs(foretold / measured - 1) < 0.01
    # without the fall of the rate the forecast would be that of the constant schedule, which is worse
    assert abs(foretold - measured) < 0.5 * abs(known.filter(run="constant_24000")["loss"][-1] - measured)


def test_several_schedules_in_a_table_are_several_points(curves: pl.DataFrame, tmp_path: Path) -> None:
    fitted = fit(law("annealing"), read_runs(curves.filter(pl.col("run").is_in(["cosine_24000", "constant_24000"]))))
    two = curves.filter(pl.col("run").is_in(["cosine_72000", "wsdcon_9"])).sample(fraction=1.0, shuffle=True, seed=0)
    two.drop("loss").write_csv(tmp_path / "future.csv")
    points = points_in(tmp_path / "future.csv", fitted.law)
    alone = []
    for run in two["run"].unique(maintain_order=True):
        two.filter(run=run).drop("loss").write_csv(tmp_path / "one.csv")
        alone += points_in(tmp_path / "one.csv", fitted.law)
    assert sorted(map(str, points)) == sorted(map(str, alone))
    assert len(points) == 2


def test_a_schedule_by_name_is_its_own_rates(tmp_path: Path) -> None:
    annealing = law("annealing")
    (point,) = points_on("cosine:0.1", points_of(["step=1000", "lr=1e-3"], annealing), annealing)
    step = np.arange(1.0, 1001)
    rate = 1e-3 * (0.1 + 0.9 * 0.5 * (1 + np.cos(np.pi * step / 1000)))
    whose = np.zeros(1000, dtype=np.int64)
    decay = annealing.prepared["S2"].settings["decay"]
    if isinstance(decay, str):  # searched; open constants stand at the middle of their values
        decay = next(each.values[len(each.values) // 2] for each in annealing.searched if each.name == decay)
    assert point["S1"] == pytest.approx(rate_area(step, rate, whose)[-1], rel=1e-4)
    assert point["S2"] == pytest.approx(annealing_area(step, rate, whose, decay=float(decay))[-1], rel=1e-3)


def test_a_warm_up_rises_in_a_line() -> None:
    runs = scheduled(shape("constant"), steps=100, peak=2.0, warmup=10)
    assert isinstance(runs, Runs)
    at = dict(zip(runs["step"].tolist(), runs["lr"].tolist(), strict=True))
    assert (at[1], at[5], at[10], at[100]) == (0.2, 1.0, 2.0, 2.0)


def test_what_is_missing_is_said() -> None:
    annealing = law("annealing")
    with pytest.raises(IsoflopError, match=r"--at lr="):
        points_on("linear", points_of(["step=1000"], annealing), annealing)
    with pytest.raises(IsoflopError, match="no input that follows from a schedule"):
        points_on("linear", points_of(["step=1000", "lr=1"], law("chinchilla")), law("chinchilla"))
    with pytest.raises(DataError, match="more steps than its warm-up"):
        scheduled(shape("linear"), steps=10, peak=1e-3, warmup=10)
