"""Counts of a run under names that tables of runs have, and stores whose columns are of another type."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from isoflop.errors import DataError
from isoflop.logs.importing import choose_again, import_logs
from isoflop.logs.rules import Rules


@pytest.mark.parametrize(
    ("name", "scale", "column"),
    [
        ("D", 1.0, "D"),
        ("trained_tokens_so_far", 1.0, "D"),
        ("tokens_trained_M", 1e6, "D"),
        ("cum_train_flops", 1.0, "C"),
    ],
)
def test_counters_under_names_of_tables_are_read_in_logs_too(
    tmp_path: Path, name: str, scale: float, column: str
) -> None:
    """What a table of runs calls tokens or FLOPs is that in a curve, where it never falls."""
    steps = np.arange(1, 21) * 100
    count = steps * 5e5 if column == "D" else steps * 5e15
    pl.DataFrame({"step": steps, "loss": 9 / steps**0.2, name: count / scale}).write_csv(tmp_path / "run.csv")
    row = import_logs([tmp_path / "run.csv"], tmp_path / "store").store.runs.row(0, named=True)
    assert row[column] == pytest.approx(count[-1])
    falling = pl.DataFrame({"step": steps, "loss": 9 / steps**0.2, name: count[::-1] / scale})
    falling.write_csv(tmp_path / "run.csv")
    row = import_logs([tmp_path / "run.csv"], tmp_path / "other").store.runs.row(0, named=True)
    assert row[column] is None


@pytest.mark.parametrize("rates", [[200.1] * 4, [199.0, 200.0, 200.1, 200.2], [200.1]])
def test_a_rate_of_operations_is_no_count_of_them(tmp_path: Path, rates: list[float]) -> None:
    lines = (f"step: {10 * at:2d}  loss:  {8 - at}.5  tps: 5,000  tflops: {rate}\n" for at, rate in enumerate(rates, 1))
    (tmp_path / "a.log").write_text("".join(lines))
    row = import_logs([tmp_path / "a.log"], tmp_path / "s").store.runs.row(0, named=True)
    assert row["C"] is None and row["D"] is None


@pytest.mark.parametrize(("name", "column"), [("trainable_params", "N"), ("total_trained_tokens", "D")])
def test_settings_follow_the_rules_of_tables(tmp_path: Path, name: str, column: str) -> None:
    lines = [f'{{"step": {step}, "loss": {9 / step**0.2}, "{name}": 124000000}}' for step in range(1, 30)]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    row = import_logs([tmp_path / "log.jsonl"], tmp_path / "store").store.runs.row(0, named=True)
    assert row[column] == 124e6


@pytest.mark.parametrize(
    ("part", "column", "says"),
    [("runs.parquet", "N", "no numbers"), ("curves/000001.parquet", "loss", "no numbers"),
     ("curves/000001.parquet", "run", "no text")],
)  # fmt: skip
def test_a_column_of_the_wrong_type_is_damage(tmp_path: Path, part: str, column: str, says: str) -> None:
    lines = [f'{{"step": {step}, "loss": {9 / step**0.2}, "params": 124000000}}' for step in range(1, 30)]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    import_logs([tmp_path / "log.jsonl"], tmp_path / "store")
    path = tmp_path / "store" / part
    record = pl.read_parquet_metadata(path)
    record.pop("ARROW:schema", None)
    kind = pl.Int64 if column == "run" else pl.String
    pl.read_parquet(path).with_columns(pl.lit(None, dtype=kind).alias(column)).write_parquet(path, metadata=record)
    with pytest.raises(DataError, match=f"'{column}' holds {says}"):
        choose_again(tmp_path / "store", Rules())
