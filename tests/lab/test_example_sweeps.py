import shutil
from pathlib import Path

import polars as pl
import pytest
from tests.lab.stand_in import stand_in

from isoflop.lab.design import cells_of, programs_of, search_cells
from isoflop.lab.executors.local import LocalExecutor
from isoflop.lab.spec import read_spec
from isoflop.lab.sweep import perform

CELLS = {"python-bytes": 70, "python-depth4": 37, "python-depth4-larger": 3, "python-depth4-decade": 1, "digits": 45}
CELLS |= {"own-program": 24, "english-depth4": 31, "design-loop": 26, "design-loop-held-out": 2}
CELLS |= {"english-depth4-larger": 1}
SWEEPS = sorted((Path(__file__).parents[2] / "examples/sweeps").glob("*.toml"))


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_every_example_is_a_sweep(path, tmp_path):
    pytest.importorskip("sklearn")
    spec = read_spec(shutil.copy(path, tmp_path))
    if spec.task.path is not None:  # a text that is not ours to ship: as many bytes of something else
        stand_in(Path(spec.task.path))
    assert spec.name == path.stem
    cells = programs_of(spec) if spec.commands else cells_of(spec)
    assert len(cells) == CELLS[path.stem]
    assert len(search_cells(spec) if not spec.commands else {}) == {"digits": 5}.get(path.stem, 0)


def test_the_example_of_an_own_program_runs(tmp_path):
    path = next(path for path in SWEEPS if path.stem == "own-program")
    result = perform(read_spec(path), tmp_path, executor=LocalExecutor(2))
    assert (result.done, result.failed) == (24, ())
    frame = pl.read_parquet(result.runs)
    assert frame["D"].n_unique() == 3 and frame["N"].n_unique() == 4
    # more features and more points: a smaller error
    by_width = frame.filter(pl.col("D") == 1000).group_by("N").agg(pl.col("loss").mean()).sort("N")["loss"]
    assert by_width.is_sorted(descending=True)
