"""The table of model families with checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from isoflop.errors import DataError
from isoflop.runs import datasets


def test_families_of_three_sizes_or_more_from_seven_collections(named_tables: Path) -> None:
    runs = datasets.load("checkpoint-families")
    shape = runs.frame.group_by("family").agg(
        sizes=pl.col("N").n_unique(), collections=pl.col("collection").n_unique(), counts=pl.col("counts").n_unique()
    )
    assert shape.height >= 100
    assert shape["sizes"].min() == 3
    assert (shape["collections"] == 1).all() and (shape["counts"] == 1).all()
    assert runs.frame["collection"].n_unique() == 7
    assert np.isfinite(runs["loss"]).all() and (runs["loss"] > 0).all() and (runs["D"] > 0).all()


def test_losses_are_nats_whatever_the_source_had(named_tables: Path) -> None:
    opt = datasets.load("checkpoint-families", where="family == 'OPT'")
    raw = pl.read_csv(named_tables / "hitchhiker-colpret" / "opt_perplexity_trajectories.csv")
    assert opt["loss"].min() == pytest.approx(np.log(raw["ppl"].min()), rel=1e-12)
    gpt3 = datasets.load("checkpoint-families", where="family == 'GPT-3'")
    assert sorted(set(gpt3["N"])) == [125e6, 350e6, 760e6, 1.3e9, 2.7e9, 6.7e9, 13e9, 175e9]


def test_no_data_set_at_hand_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ISOFLOP_DATASETS", str(tmp_path))
    with pytest.raises(DataError, match="none is on this machine; fetch one: isoflop datasets --get"):
        datasets.load("checkpoint-families")


def test_what_is_not_here_is_named(monkeypatch: pytest.MonkeyPatch, tables: Path, tmp_path: Path) -> None:
    (tmp_path / "multipower-lr").symlink_to(tables / "multipower-lr")
    monkeypatch.setenv("ISOFLOP_DATASETS", str(tmp_path))
    runs = datasets.load("checkpoint-families")
    assert set(runs.text("collection")) == {"multipower-lr"}
    assert {finding.code for finding in runs.findings} == {"not-here"}
    assert any("pythia-evals" in finding.message for finding in runs.findings)
