"""The last boundary: what nobody foresaw is one sentence, with a report on disk; and what a message may repeat."""

import sys

import pytest

from isoflop import faults
from isoflop.cli import main
from isoflop.errors import DataError, IsoflopError, brief, shown


class PanicError(BaseException):
    """As Polars' panic: no Exception."""


@pytest.fixture
def broken(monkeypatch, capsys, tmp_path):
    """Run ``isoflop laws`` where its question raises: broken(error) → exit code, standard output, standard error."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(error):
        def compute(self, context):
            raise error

        monkeypatch.setattr("isoflop.questions.laws.Laws.compute", compute)
        monkeypatch.setattr(sys, "argv", ["isoflop", "laws", "chinchilla"])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError("too deep"), PanicError("index out of bounds")])
def test_what_nobody_foresaw_is_one_sentence_and_a_report(broken, tmp_path, error):
    code, out, err = broken(error)
    assert code == faults.EXIT_CODE and out == "" and err.count("\n") == 1
    assert type(error).__name__ in err and "Traceback" not in err
    (report,) = (tmp_path / "state" / "isoflop" / "faults").iterdir()
    assert str(report) in err
    told = report.read_text()
    assert "'laws' 'chinchilla'" in told and "Traceback" in told and "in compute" in told and "polars " in told


def test_a_full_memory_is_no_fault(broken):
    code, _, err = broken(MemoryError())
    assert code == 2 and "there is not enough memory for this" in err


def test_a_report_that_cannot_be_kept_hides_nothing(broken, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(faults, "state_folder", lambda: tmp_path / "file" / "below")
    code, _, err = broken(ValueError("odd"))
    assert code == faults.EXIT_CODE and "ValueError: odd" in err and "no report could be written" in err


def test_the_latest_reports_are_kept(tmp_path):
    for number in range(25):
        faults.tell(ValueError(number), ("fit",), folder=tmp_path)
    kept = sorted(tmp_path.iterdir())
    assert len(kept) == 20 and "ValueError: 24" in kept[-1].read_text() and "ValueError: 5" in kept[0].read_text()


@pytest.mark.parametrize(
    "value",
    ["x" * 50_000_000, "a b" * 1_000, "é" * 400, "'a " * 200_000, "it's " * 200],
    ids=["50 MB", "words", "accents", "unclosed", "apostrophes"],
)
def test_no_message_repeats_a_long_value(value):
    for said in (str(DataError(f"the cell {value!r} is no number; mend it")), str(IsoflopError(f"{value} is odd"))):
        assert len(said) < 400 + (1_700 if " " in value else 0)
    assert str(DataError(f"the cell {value!r} is no number; mend it")).endswith("is no number; mend it")


def test_a_terminal_obeys_no_message():
    said = brief("the header '\x1b[2J\x07\ud800' is odd\nsee line 2")
    assert said == "the header '\\x1b[2J\\x07\\xd800' is odd\nsee line 2"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("x" * 90, repr("x" * 60 + "…")),
        (10**5_000, "a whole number of 5,001 digits"),
        ([10**5_000], "list …"),
        ({"a": 1}, "{'a': 1}"),
        ("\ud800", "'?'"),
    ],
    ids=["long", "digits", "digits inside", "mapping", "half a character"],
)
def test_values_as_messages_show_them(value, told):
    assert shown(value) == told
