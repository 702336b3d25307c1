"""The greedy search on simulated tables: one run seldom decides by chance, half of the runs always do."""

import numpy as np
import pytest

from isoflop import fit, law
from isoflop.fitting.fit import problem
from isoflop.validation.answers import question
from isoflop.validation.greedy_chance import few_by_chance


@pytest.fixture
def searched(known_runs):
    """A function of the number of runs: in how many simulated tables so few decide, and of how many."""
    runs = known_runs(0.004, sizes=5, durations=4)
    fitted = fit(law("chinchilla"), runs)
    ready = problem(fitted.law, runs, objective=fitted.objective)
    answer = question(fitted, budget=1e22).main

    def search(count):
        return few_by_chance(ready, fitted, answer, np.full(20, 0.004), count=count, level=0.9, unit="run", seed=1)

    return search


def test_half_of_the_runs_decide_in_every_table(searched):
    hits, tables = searched(10)
    assert hits == tables == 2  # the second is one more than a chance of 5 % allows, and ends the simulation


def test_no_run_decides_alone_by_chance(searched):
    hits, tables = searched(1)
    assert hits <= 2 and (tables == 39 or hits == 2)
    assert searched(1) == (hits, tables)  # of one seed


def test_a_large_table_is_not_simulated(known_runs):
    runs = known_runs(0.004, sizes=40, durations=30)
    fitted = fit(law("chinchilla"), runs, starts=8)
    ready = problem(fitted.law, runs, objective=fitted.objective)
    answer = question(fitted, budget=1e22).main
    assert few_by_chance(ready, fitted, answer, np.full(1200, 0.004), count=1, level=0.9, unit="run") is None
