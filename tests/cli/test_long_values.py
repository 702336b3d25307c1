"""No message repeats more than 300 characters of a value, whichever option or argument it came through."""

import sys

import pytest

from isoflop.cli import main
from isoflop.errors import brief_of
from isoflop.questions import questions
from isoflop.questions.base.kinds import Flag

LONG = "seven 'words' of which \"one\" is quoted, " * 60
TABLE = "N,D,loss\n" + "".join(f"{n}e8,{d}e9,{2 + 1 / n + 1 / d}\n" for n in (1, 2, 4) for d in (1, 2, 4))


@pytest.fixture
def told(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["isoflop", *words])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 2, words
        return capsys.readouterr().err.strip()

    return run


def is_bounded(message, value=LONG):
    repeats = any(value[place : place + 301] in message for place in range(0, len(value) - 300, 20))
    sentence, *place = message.split("\n")  # of a formula, a piece of it with a caret below
    return not repeats and sentence.startswith("Error: ") and len(place) in (0, 2) and len(message) < 1_500


@pytest.mark.parametrize("name", [name for name, each in questions().items() if each.subject != "nothing"])
def test_every_option_of_every_command(told, name):
    cls = questions()[name]
    options = [*cls.options(), *((each for _, each in cls.shared_options()) if name == "plan" else ())]
    for option in options:
        if not isinstance(option.kind, Flag) and not option.positional:
            for value in (LONG, f"N={LONG}"):
                assert is_bounded(told(name, "absent.csv", option.word, value)), option.word


@pytest.mark.parametrize(
    "words",
    [
        (LONG,), ("plan", LONG), ("plan", "a.csv", *LONG.split()), ("plan", f"--{LONG}"), ("cost", *LONG.split()),
        ("plan", "a.csv", "--where", LONG), ("plan", "a.csv", "--where", f"`{LONG}` > 1"), ("laws", LONG),
        ("plan", "a.csv", "--derive", f"x={LONG}"), ("plan", "a.csv", "--column", f"N={LONG}"), ("study", LONG),
        ("fit", "a.csv", "--law", LONG), ("fit", "a.csv", "--fix", f"{LONG}=1"), ("compare", "a.csv", "--by", LONG),
        ("compare", "a.csv", "--group", f"a={LONG}"), ("forecast", "a.csv", "--at", LONG), ("sweep", LONG),
        ("fit", "a.csv", "--law", "chinchilla", "--save", f"{LONG}/x.json"), ("score", LONG), ("schema", LONG),
    ],
)  # fmt: skip
def test_arguments_names_and_values_beside_a_sound_table(told, tmp_path, words):
    (tmp_path / "a.csv").write_text(TABLE)
    assert is_bounded(told(*words))


def test_a_header_that_is_a_page_long(told, tmp_path):
    (tmp_path / "a.csv").write_text(TABLE.replace("loss", "is " * 2_000))
    assert is_bounded(told("plan", "a.csv"), "is " * 2_000)


def test_a_list_of_short_words_is_left_out_in_the_midst_and_others_stay():
    words = ("plan", *(f"w{place}" for place in range(400)))
    cut = brief_of(f"got {' '.join(words[1:])} and no more; say less", words)
    assert len(cut) < 600 and cut.startswith("got w0 w1") and cut.endswith("say less")
    other = "a sentence of its own, " * 40
    assert brief_of(other, words) == other
