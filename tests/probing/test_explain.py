"""Theories beside exponents that are known: the one that made them agrees, others are refuted or cannot be told."""

import polars as pl
import pytest

from isoflop import bootstrap, fit, law
from isoflop.errors import DataError, IsoflopError
from isoflop.probing.explain import explain, read_measures

QUANTA = {"E": 1.8, "A": 400.0, "B": 900.0, "alpha": 0.35, "beta": 0.35 / 1.35}


@pytest.fixture(scope="module")
def drawn():
    from isoflop import Runs

    def make(truth, noise, seed=0):
        import numpy as np

        n, d = (each.ravel() for each in np.meshgrid(np.logspace(7.5, 10, 6), np.logspace(9, 11.5, 5)))
        loss = law("chinchilla").value(truth, {"N": n, "D": d})
        scatter = np.exp(noise * np.random.default_rng(seed).standard_normal(n.size))
        runs = Runs.from_columns({"N": n, "D": d, "loss": loss * scatter})
        return bootstrap(fit(law("chinchilla"), runs), draws=60)

    return {"quanta": make(QUANTA, 0.002, seed=3), "noisy": make(QUANTA, 0.05)}


def verdicts(found):
    return {(each.theory, each.axis): each.verdict for each in found.compared}


def test_the_theory_that_made_the_exponents_agrees(drawn):
    told = verdicts(explain(drawn["quanta"], {"dimension": (4 / 0.35, 11.0, 12.0), "spectrum": (0.9, 0.8, 1.0)}))
    assert told["quanta", "D"] == "agrees" and told["resolution-limited", "N"] == "agrees"
    assert told["resolution-limited", "D"] == told["kernel spectrum", "N"] == told["variance-limited", "N"] == "refuted"
    assert told["superposition", "N"] == "agrees"
    by_zipf = verdicts(explain(drawn["quanta"], zipf=0.35))
    assert by_zipf["quanta", "N"] == by_zipf["quanta", "D"] == "agrees"
    assert by_zipf["resolution-limited", "N"] == "no prediction"
    assert verdicts(explain(drawn["quanta"], zipf=0.6))["quanta", "N"] == "refuted"


def test_wide_intervals_refute_little_and_tell_what_would(drawn):
    found = explain(drawn["noisy"], zipf=0.35)
    told = verdicts(found)
    assert "cannot be told" in told.values()
    open_ones = [each for each in found.compared if each.verdict == "cannot be told"]
    assert all(each.needed is None or each.needed < each.fitted.high - each.fitted.low for each in open_ones)


def test_measures_are_read_from_the_table_of_a_probe(tmp_path):
    table = {"checkpoint": ["a", "b"], "dimension": [4.0, 8.0], "dimension_low": [3.0, 7.0]}
    pl.DataFrame({**table, "dimension_high": [5.0, 9.0], "spectrum": [None, None]}).write_csv(tmp_path / "m.csv")
    assert read_measures(tmp_path / "m.csv") == ({"dimension": (8.0, 7.0, 9.0)}, "b")
    assert read_measures(tmp_path / "m.csv", checkpoint="a")[0]["dimension"][0] == 4.0
    with pytest.raises(DataError, match="has no checkpoint 'c'; it has a, b"):
        read_measures(tmp_path / "m.csv", checkpoint="c")
    (tmp_path / "other.csv").write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match="has no columns checkpoint and dimension"):
        read_measures(tmp_path / "other.csv")


def test_a_law_without_an_exponent_of_size_is_refused(known_runs):
    made = bootstrap(fit(law("E + A*exp(-k*N/1e9)"), known_runs(0.01)), draws=20)
    with pytest.raises(IsoflopError, match="has no parameter that is an exponent of N or D"):
        explain(made)
