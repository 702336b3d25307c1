import pytest

from isoflop.errors import SpecError
from isoflop.lab.design import cells_of, programs_of, search_cells, sizes_of
from isoflop.lab.spec import parse_spec

HEAD = """
[task]
context = 32
[model]
sizes = [
    { width = 8, layers = 1, heads = 1 },
    { width = 16, layers = 1, heads = 1 },
    { width = 32, layers = 2, heads = 2 },
]
[train]
batch = 64
"""


def spec(designs, head=HEAD):
    return parse_spec(head + designs)


def test_a_grid_is_sizes_times_tokens_times_seeds():
    cells = cells_of(spec('[[design]]\nkind = "grid"\ntokens = [6400, 12800]\nseeds = [0, 1, 2]'))
    assert len(cells) == 3 * 2 * 3
    assert {cell.tokens for cell in cells} == {6400, 12800}
    assert {cell.seed for cell in cells} == {0, 1, 2}


@pytest.mark.parametrize("count", ["6ND", "counted"])
def test_every_cell_of_an_isoflop_design_spends_its_budget_to_within_a_step(count):
    text = f'[[design]]\nkind = "isoflop"\nbudgets = [1e10, 3e10]\ncount = "{count}"'
    described = spec(text)
    flops = {s.shape.name: s.flops if count == "counted" else 6 * s.params for s in sizes_of(described)}
    cells = cells_of(described)
    assert len(cells) == 6
    for cell in cells:
        each = flops[cell.shape.name]
        nearest = min((1e10, 3e10), key=lambda budget: abs(budget - each * cell.tokens))
        assert abs(each * cell.tokens - nearest) <= each * 64 / 2 * 1.0001


def test_the_largest_trainings_come_first_and_none_comes_twice():
    design = '[[design]]\nkind = "grid"\ntokens = [6400]\n'
    once, twice = cells_of(spec(design)), cells_of(spec(design + design))
    assert once == twice
    costs = [cell.tokens * cell.shape.flops_per_token(256, 32) for cell in once]
    assert costs == sorted(costs, reverse=True)


def test_a_budget_below_one_step_is_one_sentence_with_the_way_out():
    with pytest.raises(SpecError, match=r"buys 32x2 \([\d,]+ parameters\) \d+ tokens, less than one step of 64; raise"):
        cells_of(spec('[[design]]\nkind = "isoflop"\nbudgets = [5e6]'))
    # and the way out works
    assert len(cells_of(spec('[[design]]\nkind = "isoflop"\nbudgets = [5e6]\nleast = 200'))) == 1


def test_bounds_that_leave_nothing_are_one_sentence():
    with pytest.raises(SpecError, match="design 1 leaves no cell between least = 1e\\+12"):
        cells_of(spec('[[design]]\nkind = "isoflop"\nbudgets = [1e10]\nleast = 1e12'))


def test_sizes_and_seeds_of_a_design_are_its_own():
    text = '[[design]]\nkind = "grid"\ntokens = [6400]\nsizes = ["16x1"]\nseeds = [7]'
    (cell,) = cells_of(spec(text))
    assert (cell.shape.name, cell.seed) == ("16x1", 7)


def test_a_search_tries_every_rate_at_every_size():
    head = HEAD + "lr = { search = [0.001, 0.01], tokens = 640 }\n"
    described = spec('[[design]]\nkind = "grid"\ntokens = [6400]', head)
    trials = search_cells(described)
    assert {size: [cell.lr for cell in cells] for size, cells in trials.items()} == {
        "8x1": [0.001, 0.01],
        "16x1": [0.001, 0.01],
        "32x2": [0.001, 0.01],
    }
    assert {cell.steps for cells in trials.values() for cell in cells} == {10}
    chosen = cells_of(described, rates={"8x1": 0.5, "16x1": 0.25, "32x2": 0.125})
    assert {cell.shape.name: cell.lr for cell in chosen} == {"8x1": 0.5, "16x1": 0.25, "32x2": 0.125}


def test_programs_are_all_combinations():
    described = parse_spec('[command]\nrun = "p {a} {b}"\n[command.values]\na = [1, 2]\nb = ["x", "y", "z"]')
    programs = programs_of(described)
    assert len(programs) == len({program.name for program in programs}) == 6
    assert [dict(program.values) for program in programs][:2] == [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}]


def test_the_sweep_in_the_box_is_the_one_in_the_examples():
    from pathlib import Path

    from isoflop.lab.spec import read_spec

    cells = cells_of(read_spec(Path(__file__).parents[2] / "examples/sweeps/python-bytes.toml"))
    assert len(cells) == 70
    assert max(cell.tokens for cell in cells) == 9381888


def test_a_design_may_have_a_schedule_of_its_own():
    text = '[[design]]\nkind = "grid"\ntokens = [6400]\nsizes = ["8x1"]\n'
    cells = cells_of(spec(text + text + 'schedule = { kind = "wsd", decay = 0.3 }'))
    assert {(each.schedule.kind, each.schedule.decay) for each in cells} == {("cosine", 0.2), ("wsd", 0.3)}
    with pytest.raises(SpecError, match="did you mean 'wsd'"):
        spec(text + 'schedule = { kind = "wds" }')


def test_the_rate_of_a_cell_follows_its_own_tokens():
    head = HEAD + "lr = { at = 0.01, params = 1e3, power = 0.0, tokens = 6400, tokens_power = 0.5 }\n"
    cells = cells_of(spec('[[design]]\nkind = "grid"\ntokens = [6400, 25600]\n', head))
    assert {(each.tokens, each.lr) for each in cells} == {(6400, 0.01), (25600, 0.005)}
