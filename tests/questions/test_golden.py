"""The JSON of questions about public tables is what is kept: keys, words, and numbers to what linear algebra allows."""

import json
import re

import pytest
from tests.questions.golden_cases import CASES, GOLDEN, lasting, printed

from isoflop.questions import questions

pytestmark = pytest.mark.slow
NUMBER = re.compile(r"-?\d[\d,.]*(?:e[-+]?\d+)?")
NEAR = 1e-3  # of refits: another BLAS ends some draws elsewhere in their last digits


def test_every_question_has_a_case():
    assert {words[0] for words in CASES.values()} == set(questions())
    assert {each.stem for each in GOLDEN.glob("*.json")} == set(CASES)


def test_pictures_are_offered_where_answers_have_them():
    drawn = {words[0]: False for words in CASES.values()}
    for name, words in CASES.items():
        kept = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
        drawn[words[0]] |= bool(kept["pictures"])
    assert drawn == {name: each.has_pictures for name, each in questions().items()}


@pytest.mark.parametrize("name", list(CASES))
def test_the_answer_is_the_one_that_is_kept(name, tables):
    """Renew a change that is meant: ``ISOFLOP_DATASETS=FOLDER python -m tests.questions.golden_cases``."""
    kept = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    assert differences(kept, printed(name, tables)) == []


def test_folders_times_and_seals_alone_are_taken_out():
    seal = "0123456789abcdef" * 4
    answer = {
        "provenance": {"seal": seal, "digest": "f" * 64, "made": "2031-02-03T04:05:06+00:00", "file": "/a/b/p.json"},
        "method": f"prior of 2026-11-28; registered 2031-02-03 04:05 UTC; seal {seal[:16]}…",
        "rows": [{"place": 0.25, "from": "/a/b/p.json", "known": True, "none": None}],
    }
    assert lasting(answer, {"{out}": "/a/b"}) == {
        "provenance": {"seal": "{seal}", "digest": "f" * 64, "made": "{time}", "file": "{out}/p.json"},
        "method": "prior of 2026-11-28; registered {time}; seal {seal}…",
        "rows": [{"place": 0.25, "from": "{out}/p.json", "known": True, "none": None}],
    }


def test_a_changed_number_word_and_key_are_seen():
    kept = {"a": [1.0, "about 2.5 of x"], "b": None}
    assert differences(kept, {"a": [1.0 + 1e-9, "about 2.5 of x"], "b": None}) == []
    for other in ({"a": [1.1, "about 2.5 of x"], "b": None}, {"a": [1.0, "about 2.5 of y"], "b": None}, {"a": [1.0]}):
        assert differences(kept, other)


def differences(kept, now, place=""):
    """Where two plain values differ by more than rounding: numbers relatively, words but for the numbers in them."""
    if isinstance(kept, dict) and isinstance(now, dict):
        if kept.keys() != now.keys():
            return [f"{place}: keys {sorted(kept.keys() ^ now.keys())}"]
        return [each for key in kept for each in differences(kept[key], now[key], f"{place}/{key}")]
    if isinstance(kept, list) and isinstance(now, list):
        if len(kept) != len(now):
            return [f"{place}: {len(kept)} and {len(now)} entries"]
        pairs = enumerate(zip(kept, now, strict=True))
        return [each for i, (one, two) in pairs for each in differences(one, two, f"{place}/{i}")]
    if isinstance(kept, int | float) and isinstance(now, int | float) and not isinstance(kept, bool):
        return [] if now == pytest.approx(kept, rel=NEAR, abs=1e-9) else [f"{place}: {kept!r} and {now!r}"]
    if isinstance(kept, str) and isinstance(now, str):
        return [] if NUMBER.sub("#", kept) == NUMBER.sub("#", now) else [f"{place}: {kept!r} and {now!r}"]
    return [] if kept == now else [f"{place}: {kept!r} and {now!r}"]
