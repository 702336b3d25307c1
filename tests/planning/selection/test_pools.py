"""Pools of data by budget: unions as in the catalogue, admission where curves cross, bad tables in a sentence."""

import numpy as np
import pytest

from isoflop import Runs, law
from isoflop.errors import DataError, IsoflopError
from isoflop.planning.selection.pools import curate, union_error

FINE = {"a": 1.5, "b": 0.4, "tau": 1.5, "d": 0.02}
COARSE = {"a": 1.5, "b": 0.25, "tau": 3.0, "d": 0.02}
SEEN = np.geomspace(50, 6400, 9).round()


def _rows(*, unions=True, noise=0.003):
    rows = {"pool": [], "D": [], "U": [], "error": []}
    draws = np.random.default_rng(0)
    for name, size, params in (("coarse", 400.0, COARSE), ("fine", 400.0, FINE)):
        error = law("goyal").value(params, {"D": SEEN, "U": np.full(9, size)}).ravel()
        _add(rows, name, size, error * np.exp(draws.normal(0, noise, 9)))
    if unions:
        both = {"a": 1.5, "d": 0.02, "b_1": 0.4, "tau_1": 1.5, "b_2": 0.25, "tau_2": 3.0}
        _add(rows, "fine+coarse", 800.0, law("goyal-mixed-2").value(both, {"D": SEEN, "U": np.full(9, 800.0)}).ravel())
    return rows


def _add(rows, name, size, error):
    rows["pool"] += [name] * len(error)
    rows["U"] += [size] * len(error)
    rows["D"] += SEEN.tolist()
    rows["error"] += error.tolist()


@pytest.mark.parametrize("pools", [2, 3])
def test_a_union_of_equal_pools_is_the_law_of_the_catalogue(pools):
    draws = np.random.default_rng(pools)
    b, tau = draws.uniform(0.1, 0.5, pools), draws.uniform(1, 6, pools)
    params = {"a": 1.7, "d": 0.05} | {f"b_{k + 1}": b[k] for k in range(pools)}
    params |= {f"tau_{k + 1}": tau[k] for k in range(pools)}
    seen = np.geomspace(20, 1e5, 25)
    theirs = law(f"goyal-mixed-{pools}").value(params, {"D": seen, "U": np.full(25, 300.0 * pools)})
    ours = union_error(seen, np.full(pools, 300.0), b[None], tau[None], scale=np.array([1.7]), floor=np.array([0.05]))
    np.testing.assert_allclose(ours[0], np.ravel(theirs), rtol=1e-12)


def test_worse_data_are_admitted_where_the_curves_cross():
    found = curate(Runs.from_columns(_rows()), by="pool", budgets=[100, 1e5], draws=40)
    assert [each.name for each in found.pools] == ["fine", "coarse"] and found.unions == ("fine", "fine+coarse")
    assert [each.best for each in found.choices] == [0, 1]
    for each, truth in zip(found.pools, (FINE, COARSE), strict=True):
        assert each.utility.value == pytest.approx(truth["b"], rel=0.1)
        assert each.half_life.value == pytest.approx(truth["tau"], rel=0.25)
    grid = np.geomspace(400, 1e5, 4000)
    alone = law("goyal").value(FINE, {"D": grid, "U": np.full(4000, 400.0)}).ravel()
    both = {"a": 1.5, "d": 0.02, "b_1": 0.4, "tau_1": 1.5, "b_2": 0.25, "tau_2": 3.0}
    joint = law("goyal-mixed-2").value(both, {"D": grid, "U": np.full(4000, 800.0)}).ravel()
    truth = grid[np.flatnonzero(joint < alone)[0]]
    (admission,) = found.admissions
    assert admission.at.low <= truth <= admission.at.high and admission.at.high < 2 * admission.at.low
    (beyond,) = [each for each in found.findings if each.code == "pools-beyond"]
    assert beyond.message.startswith("100K samples seen lie outside the measured")
    (check,) = found.checks
    assert check.union == "fine+coarse" and check.rows == 9 and check.error < 0.02


def test_a_union_that_the_theory_misses_is_reported():
    rows = _rows()
    rows["error"][-9:] = [1.3 * each for each in rows["error"][-9:]]
    codes = {each.code for each in curate(Runs.from_columns(rows), by="pool", draws=20).findings}
    assert "pools-beyond" not in codes and "unions-missed" in codes and "unions-unchecked" not in codes
    alone = curate(Runs.from_columns(_rows(unions=False)), by="pool", draws=20)
    assert "unions-unchecked" in {each.code for each in alone.findings}


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda rows: rows.update(pool=["fine"] * 18), {}, "has single pools 'fine', and a choice"),
        (lambda rows: rows.pop("U"), {}, "has no column U"),
        (lambda rows: rows["U"].__setitem__(0, 7.0), {}, "one size above 0"),
        (lambda rows: None, {"order": ["fine", "wrong"]}, "the pools are coarse, fine"),
        (lambda rows: None, {"share": ["E"]}, "no parameter 'E' to share"),
        (lambda rows: None, {"budgets": [0.0]}, "1 or more, not 0"),
    ],
)
def test_bad_tables_and_options_are_refused(change, options, message):
    rows = _rows(unions=False)
    change(rows)
    with pytest.raises((DataError, IsoflopError), match=message):
        curate(Runs.from_columns(rows), by="pool", draws=20, **options)


def test_a_union_of_unknown_pools_is_refused():
    rows = _rows()
    rows["pool"] = [each.replace("fine+coarse", "fine+worst") for each in rows["pool"]]
    with pytest.raises(DataError, match="of which no run was trained alone"):
        curate(Runs.from_columns(rows), by="pool", draws=20)
