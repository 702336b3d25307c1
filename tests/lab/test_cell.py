import dataclasses
import json
from itertools import pairwise

import pytest

from isoflop.errors import SpecError
from isoflop.lab.cell import Cell, Evaluation, as_json, from_json
from isoflop.lab.schedules import Schedule
from isoflop.lab.shapes import MlpShape, TransformerShape
from isoflop.lab.tasks import TaskSpec


def cell(**changes):
    base = Cell(TaskSpec(), TransformerShape(16, 2, 1), steps=100, batch=1024, lr=0.01, seed=0)
    return dataclasses.replace(base, **changes)


def test_a_cell_survives_a_file():
    for each in (
        cell(),
        cell(shape=MlpShape(8, 2)),
        cell(schedule=Schedule("multistep", milestones=(0.5,))),
        cell(task=TaskSpec(vocabulary=128)),
    ):
        assert from_json(json.loads(json.dumps(as_json(each)))) == each


def test_the_key_changes_with_everything_that_decides_the_result():
    others = [cell(steps=101), cell(lr=0.02), cell(seed=1), cell(batch=2048), cell(schedule=Schedule("wsd"))]
    keys = {each.key for each in (cell(), *others, cell(task=TaskSpec(vocabulary=128)))}
    assert len(keys) == 7
    assert cell().key == cell().key


def test_the_key_of_a_release_stays_so_that_its_sweeps_go_on():
    assert cell().key == "977d510893fe"


@pytest.mark.parametrize("steps", [1, 3, 50, 9162])
def test_evaluations_are_log_spaced_and_end_with_the_run(steps):
    points = Evaluation(points=8, first=1 / 64).steps(steps)
    assert points[-1] == steps
    assert list(points) == sorted(set(points)) and points[0] >= 1
    if steps == 9162:
        ratios = [b / a for a, b in pairwise(points)]
        assert ratios == pytest.approx([64 ** (1 / 7)] * 7, rel=0.01)


def test_a_foreign_file_is_refused():
    with pytest.raises(SpecError, match="kind 'command' is not a training"):
        from_json({"kind": "command"})
