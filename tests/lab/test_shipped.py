"""The runs in the box against the lab that trained them: their description, their counts, and one of them anew."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.lab.stand_in import stand_in

from isoflop.lab.design import cells_of, sizes_of
from isoflop.lab.spec import parse_spec
from isoflop.lab.tasks import open_task

ROOT = Path(__file__).parents[2]


class Shipped:
    """A sweep in the package: its description, its runs and their curves."""

    def __init__(self, name, text=None):
        self.name, self.folder = name, ROOT / "src/isoflop/data" / name
        description = (self.folder / "spec.toml").read_text(encoding="utf-8")
        self.spec = parse_spec(description if text is None else description.replace('"kjv"', f'"{text}"'))
        self.runs = pl.read_parquet(self.folder / "runs.parquet")
        self.curves = pl.read_parquet(self.folder / "curves.parquet")


@pytest.fixture(scope="module", params=["python-bytes", "python-depth4", "english-depth4"])
def box(request, tmp_path_factory):
    text = stand_in(tmp_path_factory.mktemp("text") / "kjv") if request.param == "english-depth4" else None
    return Shipped(request.param, text)


def test_the_description_beside_them_is_the_one_to_run_again(box):
    assert (box.folder / "spec.toml").read_text() == (ROOT / f"examples/sweeps/{box.name}.toml").read_text()


def test_the_rows_are_the_cells_of_the_description(box):
    cells = {(c.shape.name, c.steps, c.seed, c.schedule.kind): c for c in cells_of(box.spec)}
    assert len(cells) == len(box.runs) == box.runs["run"].n_unique()
    for row in box.runs.to_dicts():
        cell = cells[row["shape"], row["steps"], row["seed"], row["schedule"]]
        assert (row["D"], row["lr"], row["batch"], row["status"]) == (cell.tokens, cell.lr, cell.batch, "done")
        if box.spec.task.path is None:  # a name holds the text's place
            assert row["run"] == cell.name


def test_the_counts_are_those_of_the_shapes(box):
    sizes = {sized.shape.name: sized for sized in sizes_of(box.spec)}
    for row in box.runs.to_dicts():
        sized = sizes[row["shape"]]
        assert (row["N"], row["N_nonembed"]) == (sized.params, sized.shape.nonembedding())
        assert row["C"] == pytest.approx(sized.flops * row["D"], rel=1e-12)
        assert row["C_6ND"] == 6.0 * row["N"] * row["D"]


def test_no_text_is_seen_twice_and_the_sizes_span_a_decade_or_two(box):
    assert (box.runs["U"] == box.runs["D"]).all()
    assert box.runs["N"].max() / box.runs["N"].min() > {"python-bytes": 100, "python-depth4": 20}.get(box.name, 14)


def test_curves_fall_from_a_guess_to_the_result(box):
    for _, curve in box.curves.sort("step").group_by("run"):
        losses = curve["loss"].to_numpy()
        assert losses[0] < np.log(256) + 0.1
        assert losses[-1] == losses.min()


def test_every_budget_brackets_its_best_size():
    box = Shipped("python-bytes")
    for design in box.spec.designs:
        for budget in design.budgets:
            group = box.runs.filter((pl.col("C_6ND") / budget - 1).abs() < 0.01, seed=0).sort("N")
            assert group.height >= 5
            assert 0 < group["loss"].arg_min() < group.height - 1


@pytest.mark.slow
def test_the_shortest_run_trains_again_to_the_same_loss(box):
    """Equal to the last bit on the machine of the record; elsewhere rounding grows along 500 steps, hence 0.02."""
    pytest.importorskip("torch")
    from isoflop.lab.train import train

    row = box.runs.sort("C").row(0, named=True)
    if open_task(box.spec.task).digest != row["task_digest"]:
        pytest.skip("another text: another release of Python, or one that is not part of the package")
    cell = next(cell for cell in cells_of(box.spec) if cell.name == row["run"])
    trained = train(cell)
    assert trained.loss == pytest.approx(row["loss"], abs=0.02)
    curve = box.curves.filter(run=row["run"]).sort("step")
    assert [point.step for point in trained.curve] == curve["step"].to_list()
    assert trained.curve[0].loss == pytest.approx(curve["loss"][0], abs=1e-3)
