"""Imports make no circle: neither at the top of a module nor inside its functions."""

import grimp
import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("isoflop", cache_dir=None, exclude_type_checking_imports=True)


def test_no_two_modules_import_each_other_by_any_way(graph):
    modules = sorted(graph.modules)
    place = {name: number for number, name in enumerate(modules)}
    pairs = [(place[one], place[two]) for one in modules for two in graph.find_modules_directly_imported_by(one)]
    rows, columns = np.array(pairs).T
    links = csr_array((np.ones(len(pairs)), (rows, columns)), shape=(len(modules),) * 2)
    count, label = connected_components(links, directed=True, connection="strong")
    circles = [np.flatnonzero(label == each) for each in np.flatnonzero(np.bincount(label, minlength=count) > 1)]
    assert not [[modules[each] for each in circle] for circle in circles]


def test_what_is_imported_is_what_is_there(graph):
    assert "isoflop.values" in graph.modules and graph.count_imports() > 500
