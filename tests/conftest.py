"""What tests share: the public run tables, which lie beside the checkout or where ISOFLOP_DATASETS points."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from isoflop import Runs, law, read_runs

ROOT = Path(__file__).parents[1]

# Hundreds of processes are started: where Python is told to keep no bytecode, each would compile the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(scope="session")
def tables() -> Path:
    """The folder of public run tables; tests that need it are skipped, with the reason, where it is absent."""
    folder = Path(os.environ.get("ISOFLOP_DATASETS", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no public run tables at {folder.name}; set ISOFLOP_DATASETS to the folder that holds them")
    return folder


@pytest.fixture(autouse=True)
def without_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's ISOFLOP_DATASETS helps no test: one that names a data set asks for ``named_tables``."""
    monkeypatch.delenv("ISOFLOP_DATASETS", raising=False)


@pytest.fixture
def named_tables(tables: Path, without_mirror: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The public run tables, which commands and ``load`` find by the names of the data sets."""
    monkeypatch.setenv("ISOFLOP_DATASETS", str(tables))
    return tables


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of small tables that users had trouble with; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("ISOFLOP_CASES", ROOT.parent / "shared" / "cases"))
    if not folder.is_dir():
        pytest.skip("no tables of cases; set ISOFLOP_CASES to the folder that holds them")
    return folder


@pytest.fixture(scope="session")
def epoch245(tables: Path) -> Runs:
    """All 245 runs that Epoch digitized from Hoffmann et al., Figure 4."""
    return read_runs(tables / "epoch-chinchilla" / "svg_extracted_data.csv")


@pytest.fixture(scope="session")
def epoch240(epoch245: Runs) -> Runs:
    """The 240 runs of Besiroglu et al.: the five highest losses dropped."""
    return epoch245.take(np.argsort(np.argsort(epoch245["loss"])) < 240)


EPOCH = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}


@pytest.fixture
def known_runs():
    """A function that makes runs of a known Chinchilla law on a grid, with Gaussian noise on log loss."""

    def make(noise: float = 0.0, *, sizes: int = 6, durations: int = 5, seed: int = 0, truth=EPOCH) -> Runs:
        n, d = np.meshgrid(np.logspace(7.5, 10, sizes), np.logspace(9, 11.5, durations))
        curve = law("chinchilla").value(truth, {"N": n.ravel(), "D": d.ravel()})
        scatter = np.random.default_rng(seed).normal(0, noise, curve.size) if noise else np.zeros(curve.size)
        return Runs.from_columns({"N": n.ravel(), "D": d.ravel(), "loss": curve * np.exp(scatter)})

    return make
