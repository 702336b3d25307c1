"""The quick part of ``python -m tests.fuzz``: what it once found stays mended, and a few new cases of every kind."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz import generate
from tests.fuzz.case import Case, Outcome, from_json
from tests.fuzz.run import Runner
from tests.fuzz.seeds import make

EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.json"))
PLAIN = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True)


@pytest.fixture(scope="module")
def runner():
    with Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def seeds(runner, tmp_path_factory):
    return make(runner, tmp_path_factory.mktemp("seeds"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_what_was_found_stays_mended(runner, example):
    outcome = runner.run(from_json(example.read_text()))
    assert outcome.wrong_of(from_json(example.read_text()).words) == "", outcome.err


@settings(PLAIN, max_examples=12)
@given(rng=st.randoms(use_true_random=False))
def test_no_input_ends_in_more_than_a_sentence(runner, seeds, rng):
    case = generate.case(seeds, rng)
    outcome = runner.run(case)
    assert outcome.wrong_of(case.words) == "", (case.words, outcome)


@settings(PLAIN, max_examples=200)
@given(rng=st.randoms(use_true_random=False))
def test_a_case_comes_back_from_its_file(rng):
    data = bytes(rng.randrange(256) for _ in range(rng.randrange(30)))
    case = Case(("fit", "x\u202e.csv"), {"x.csv": data, "a/b.json": b"{}"})
    assert from_json(case.to_json()) == case


def ended(code=0, out="", err="", seconds=1.0, memory=10**8, waited=False, left=()):
    return Outcome(code, out, err, seconds, memory, waited, left)


@pytest.mark.parametrize(
    ("outcome", "wrong"),
    [
        (ended(), ""),
        (ended(2, err="Error: no such table"), ""),
        (ended(2, err="failed: a: it died\nError: no cell finished"), ""),
        (ended(2, err="Error: formula 'A+': ends\n  A+\n    ^"), ""),
        (ended(2, err="Error: one\nError: two"), "one sentence"),
        (ended(2, out="3.1", err="Error: no"), "beside an error"),
        (ended(1, err="Traceback (most recent call last):"), "exit code 1"),
        (ended(-9), "exit code -9"),
        (ended(70, err="Error: isoflop has a fault here (KeyError: 'x'); no report"), "a fault: KeyError"),
        (ended(0, err="RuntimeWarning: overflow"), "standard error holds"),
        (ended(2, err="Error: " + "x" * 3_000), "too long"),
        (ended(seconds=21.0), "processor time"),
        (ended(memory=2 * 10**9), "memory"),
        (ended(waited=True), "waits"),
        (ended(left=(".1a2b3c4d.77",)), "half-written"),
    ],
)
def test_what_is_demanded_of_every_command(outcome, wrong):
    said = outcome.wrong()
    assert wrong in said and bool(wrong) == bool(said)


def test_a_finding_is_made_small(runner):
    """A fault that one word and one line bring about is told by nothing else."""

    class Picky(Runner):
        def run(self, case, *, keep=None):
            bad = "--boom" in case.words and any(b"bad" in each for each in case.files.values())
            return ended(1 if bad else 0)

    lines = b"".join(b"%d,fine\n" % i for i in range(40)) + b"bad,row\n"
    case = Case(("fit", "a", "--boom", "--law", "x", "--y"), {"a": lines, "b": b"other\n" * 9})
    small = Picky().smallest(case, "exit code 1", tries=500)
    assert small.words == ("fit", "--boom") and set(small.files) == {"a"}
    assert b"bad" in small.files["a"] and len(small.files["a"]) < 12
