"""Public tables whose headers are renamed, reordered or rescaled are read as the same runs."""

import numpy as np
import polars as pl
import pytest

from isoflop import read_runs

# file, and the canonical columns that are compared
TABLES = [
    ("epoch-chinchilla/svg_extracted_data.csv", ("N", "C", "loss")),
    ("pythia-evals/lambada_by_checkpoint.csv", ("N", "D", "loss")),
    ("moe-sparsity/moe_train.parquet", ("N", "experts", "loss")),
]
SPELLINGS = {
    "N": [
        "n_params",
        "Model Size",
        "num_parameters",
        "params (total)",
        "totalParams",
        "config.params",
        "parameter_count",
    ],
    "D": [
        "tokens",
        "train_tokens",
        "Tokens Seen",
        "n_tokens",
        "config/tokens",
        "tokens_trained",
        "total training tokens",
    ],
    "C": ["flops", "Training FLOPs", "train_compute_flops", "total_flops", "config.flops", "compute (FLOPs)", "FLOPs"],
    "loss": ["final_loss", "val_loss", "Validation Loss", "eval/loss", "metrics.loss", "test_loss", "heldout_nll"],
    "experts": ["experts", "n_experts", "num_experts", "experts", "num_experts", "n_experts", "experts"],
}
SCALED = {"N": ("params (M)", 1e6), "D": ("tokens_in_billions", 1e9), "C": ("compute_EFLOPs", 1e18)}


@pytest.fixture
def bundled():
    from isoflop.runs.datasets import boxes, load

    return {name: load(name) for box in boxes() for name in map(box.full_name, box.tables)}


def alike(runs, table, columns):
    rng = np.random.default_rng(7)
    for at in range(7):
        chosen = {name: SPELLINGS[name][at] for name in columns}
        renamed = table.rename(chosen)
        order = list(rng.permutation(renamed.columns))
        again = read_runs(renamed.select(order))
        for name in columns:
            assert again.columns[name].header == chosen[name]
            assert again[name] == pytest.approx(runs[name], nan_ok=True)
    scaled = {name: SCALED[name] for name in columns if name in SCALED}
    small = table.with_columns((pl.col(name) / scale) for name, (_, scale) in scaled.items())
    again = read_runs(small.rename({name: header for name, (header, _) in scaled.items()}))
    for name in columns:
        assert again[name] == pytest.approx(runs[name], nan_ok=True)


@pytest.mark.parametrize(("file", "columns"), TABLES)
def test_neighbors_of_public_tables_are_read_as_the_same_runs(tables, file, columns):
    runs = read_runs(tables / file)
    alike(runs, pl.DataFrame({name: runs[name] for name in columns}), columns)


def test_neighbors_of_registered_tables_are_read_as_the_same_runs(named_tables):
    from isoflop.errors import DataError
    from isoflop.runs.datasets import datasets, load

    seen = 0
    for dataset in datasets():
        for each in dataset.tables[:2]:
            try:
                runs = load(f"{dataset.name}/{each.name}")
            except DataError:
                continue
            columns = tuple(
                name for name in ("N", "D", "C", "loss")
                if name in runs.columns and not runs.columns[name].derived and np.isfinite(runs[name]).all()
            )  # fmt: skip
            plain = {"samples"} - {runs.columns["D"].convention if "D" in runs.columns else ""}
            if len(columns) >= 2 and plain and len(runs) < 20_000 and runs.loss_unit == "nats/token":
                alike(runs, pl.DataFrame({name: runs[name] for name in columns}), columns)
                seen += 1
    assert seen >= 7


def test_neighbors_of_the_bundled_tables_are_read_as_the_same_runs(bundled):
    for runs in bundled.values():
        alike(
            runs, pl.DataFrame({name: runs[name] for name in ("N", "D")} | {"loss": runs["loss"]}), ("N", "D", "loss")
        )
