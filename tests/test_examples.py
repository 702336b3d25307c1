"""The examples in the docstrings of public names run, and give what they show."""

import doctest
import importlib
import inspect

import pytest
from docs_build.names import further, public

import isoflop
from isoflop.runs.datasets import boxes

DOCUMENTED = {**public(), **further()}

# what a first script uses; each shows how
CORE = {
    *("read_runs", "Runs", "law", "catalogue", "fix", "tie", "fit", "Fit", "huber", "squares", "student_t", "absolute"),
    *("bootstrap", "Ensemble", "Interval", "forecast", "allocate", "backtest", "rank", "save_fit"),
}


def _documented(name):
    """The public object and, of a class, its methods, with those that have examples."""
    thing = inspect.unwrap(DOCUMENTED[name]) if name in DOCUMENTED else getattr(isoflop, name)
    home = importlib.import_module(thing.__module__) if hasattr(thing, "__module__") else thing
    found = doctest.DocTestFinder().find(thing, name, module=home, globs={})
    return [each for each in found if each.examples]


@pytest.mark.skipif(not boxes(), reason="this copy of the package has no example runs")
@pytest.mark.parametrize("name", sorted({*isoflop.__all__, *DOCUMENTED}))
def test_examples_give_what_they_show(name):
    runner = doctest.DocTestRunner(verbose=False)
    shown = []
    for each in _documented(name):
        runner.run(each, out=shown.append)
    assert not runner.failures, "".join(shown)


@pytest.mark.parametrize("name", sorted(CORE))
def test_a_core_name_has_an_example(name):
    assert name in isoflop.__all__ and _documented(name)


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_a_public_name_is_documented(name):
    assert len((inspect.getdoc(inspect.unwrap(DOCUMENTED[name])) or "").split()) >= 5
