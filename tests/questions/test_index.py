"""The index of questions: what the modules declare, and no register of them."""

from pathlib import Path

from docs_build.index import index

from isoflop.questions import INDEX, listed, question, questions


def test_the_index_says_what_the_modules_declare():
    assert Path(INDEX).read_text(encoding="utf-8") == index(), "renew it: python -m docs_build.index"


def test_entries_are_those_of_the_classes_in_their_order():
    assert list(listed()) == list(questions())
    for name, cls in questions().items():
        entry = listed()[name]
        assert (entry.group, entry.order, entry.summary, entry.results) == (
            cls.group, cls.order, cls.summary(), cls.results,
        )  # fmt: skip
        assert question(name) is cls
    assert question("no-such") is None
