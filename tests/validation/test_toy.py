"""The toy surface: the published table to its last decimal, and the optimum that its search stops short of."""

import numpy as np
import pytest

from isoflop.errors import IsoflopError
from isoflop.validation.toy import REGIONS, TRUTH, toy_runs, toy_table

# region, decimals, milli-loss: α, β, E, exponent a, error at 1e15 parameters, as printed; gaps where the table has some
PUBLISHED = {
    ("all", 4, 0): ("0.3490", "0.3638", "1.8167", "0.5104", "-0.0005"),
    ("small", 4, 0): ("0.3213", "0.3625", "1.7663", "0.5301", "-0.0489"),
    ("medium", 4, 0): ("0.3553", "0.3754", "1.8342", "0.5138", "0.0162"),
    ("all", 2, 0): ("0.3533", "0.3651", "1.8230", "", "0.0055"),
    ("all", 1, 0): ("0.3444", "0.3762", "1.8332", "", "0.0155"),
    ("all", 4, 100): ("0.4633", "0.3396", "1.8709", "0.423", "0.0531"),
    ("all", 4, -100): ("0.2767", "0.3900", "1.7281", "0.585", "-0.0818"),
    ("all", 4, 200): ("0.6148", "0.3246", "", "0.346", "0.0778"),
    ("all", 4, -200): ("0.2283", "0.4168", "", "0.646", "-0.1859"),
    ("small", 4, 100): ("", "", "1.5155", "", "-0.2873"),
    ("small", 4, -100): ("", "", "", "", "0.1447"),
}


@pytest.fixture(scope="module")
def table():
    return {(row.region, row.decimals, row.milli_loss): row for row in toy_table()}


@pytest.mark.parametrize("setting", PUBLISHED, ids=str)
def test_the_published_table(table, setting):
    row = table[setting].by_grid
    got = (*(row.params[name] for name in ("alpha", "beta", "E")), row.exponent_a, row.error)
    for value, printed in zip(got, PUBLISHED[setting], strict=True):
        assert not printed or f"{value:.{len(printed.partition('.')[2])}f}" == printed


def test_the_grid_stops_short_of_the_optimum(table):
    assert set(table) == set(PUBLISHED)
    for row in table.values():
        assert row.optimum.squares <= row.by_grid.squares
    far = table["all", 4, 200]
    assert far.optimum.params["alpha"] - far.by_grid.params["alpha"] > 0.01


def test_runs_without_choices_are_the_truth_and_its_ripple():
    runs = toy_runs(decimals=9)
    curve = TRUTH["E"] + TRUTH["A"] / runs["N"] ** TRUTH["alpha"] + TRUTH["B"] / runs["D"] ** TRUTH["beta"]
    assert 0 < np.abs(runs["loss"] - curve).max() <= 0.014 + 1e-9
    assert {name: len(toy_runs(region=name)) for name in REGIONS} == {"all": 36, "small": 16, "medium": 16}
    assert np.all(np.round(toy_runs(decimals=1)["loss"], 1) == toy_runs(decimals=1)["loss"])


def test_an_unknown_region():
    with pytest.raises(IsoflopError, match="the toy has the regions all, small, medium, not 'large'"):
        toy_runs(region="large")
