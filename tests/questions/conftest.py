"""Contexts and a command line for the tests of questions."""

import json
import sys

import jsonschema
import pytest

from isoflop import bootstrap, fit, law
from isoflop.answers import Quantity
from isoflop.answers.schema import answer_schema
from isoflop.cli import main
from isoflop.questions.base.context import Context


@pytest.fixture(scope="session")
def same():
    """Whether a quantity has an interval's numbers, to the bit."""

    def compare(quantity, interval):
        assert isinstance(quantity, Quantity)
        return (quantity.value, quantity.low, quantity.high, quantity.level) == (
            interval.value, interval.low, interval.high, interval.level,
        )  # fmt: skip

    return compare


@pytest.fixture
def drawn(known_runs):
    """A context of thirty noisy runs of a known law, fitted and drawn."""
    return Context(given=bootstrap(fit(law("chinchilla"), known_runs(0.003)), draws=60))


@pytest.fixture
def cli(monkeypatch, capsys):
    """Run the command line in this process: cli(words…) → exit code, standard output, standard error."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["isoflop", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def asked(cli):
    """The answer of a command as JSON, in the product's schema."""

    def run(*words):
        code, out, err = cli(*words, "--json")
        assert (code, err) == (0, ""), err
        answer = json.loads(out)
        jsonschema.validate(answer, answer_schema())
        assert answer["question"] == words[0]
        return answer

    return run


@pytest.fixture
def refused(cli):
    """The one sentence with which a command ends, at exit code 2."""

    def run(*words):
        code, out, err = cli(*words)
        assert (code, out) == (2, "") and err.startswith("Error: ") and err.count("\n") == 1, err
        return err.removeprefix("Error: ").strip()

    return run
