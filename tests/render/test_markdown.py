"""Answers as Markdown: every text stays text, every picture is a file, every file is whole."""

import re

import pytest

from isoflop import bootstrap, fit, law
from isoflop.answers import Answer, Column, Picture, Table
from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.check import Check
from isoflop.questions.fit import Fit
from isoflop.questions.forecast import Forecast
from isoflop.questions.report import Report
from isoflop.render.markdown import escape, markdown, write_markdown

HOSTILE = "<img src=x onerror=alert(1)> [a](javascript:b) | `c` *d* _e_ \n# f"


@pytest.fixture
def ensemble(known_runs):
    return bootstrap(fit(law("chinchilla"), known_runs(0.01)), draws=50)


def answer(**changes):
    rows = (("x", 0.015), ("y", -2.0))
    usual = {
        "question": "check",
        "title": "t",
        "headline": "a",
        "tables": (Table("t", (Column("name"), Column("value")), rows),),
    }
    return Answer(**{**usual, **changes})


def test_a_report_has_its_pictures_beside_it(ensemble, tmp_path):
    context = Context(given=ensemble)
    answers = [ask(each, context) for each in (Forecast(at=("N=7e10", "D=1.4e12")), Fit(), Check())]
    files = write_markdown(answers, tmp_path / "my report.md", title="all")
    text = files[0].read_text(encoding="utf-8")
    assert [each.name for each in files] == [
        "my report.md",
        "my report-0-forecast.svg",
        "my report-1-loss-against-compute.svg",
        "my report-1-fit-against-measured.svg",
        "my report-2-design.svg",
    ]
    named = re.findall(r"!\[(.+?)\]\((.+?)\)\n", text)
    assert [address for _, address in named] == [each.name.replace(" ", "%20") for each in files[1:]]
    assert all(alt for alt, _ in named) and all(each.read_bytes().startswith(b"<?xml") for each in files[1:])
    assert text.startswith("# all\n\n## chinchilla at N = 70B, D = 1.4T\n")
    assert "| :--- | ---: | :--- | :--- |" in text
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(each.name for each in files)


def test_numbers_stand_at_the_right():
    assert "| name | value |\n| :--- | ---: |\n| x | 0.015 |\n| y | -2 |" in markdown([answer()])


def test_hostile_names_stay_text():
    said = Finding("c", "warning", HOSTILE, HOSTILE)
    table = Table("t", (Column("name"), Column("value", "v")), ((HOSTILE, HOSTILE),))
    told = answer(title=HOSTILE, headline=HOSTILE, tables=(table,), findings=(said,), method=HOSTILE)
    text = markdown([told])
    without = text.replace("\\\\", "")
    for each in ("<img", "[a](", "`c`", "*d*", "| `"):
        assert each not in without.replace(f"\\{each[0]}", "")
    assert not re.search(r"^# f", text, re.M)
    assert len([line for line in text.splitlines() if line.startswith("|")]) == 3, "a cell stays one cell on one line"
    assert escape("a|b") == r"a\|b"


def test_without_files_the_words_of_a_picture_stand_in_its_place():
    shown = markdown([answer(pictures=(Picture("p", lambda axes: None, "what it shows"),))])
    assert "*what it shows*" in shown and "![" not in shown


def test_a_failed_picture_leaves_no_text_that_points_at_it(tmp_path):
    def broken(axes):
        raise IsoflopError("no runs")

    with pytest.raises(IsoflopError, match="no runs"):
        write_markdown([answer(pictures=(Picture("p", broken, "alt"),))], tmp_path / "r.md")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["", "nowhere/r.md", "."])
def test_a_place_that_holds_no_file_is_refused(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IsoflopError, match="Markdown is written to a file|there is no folder"):
        write_markdown([answer()], place)


def test_a_report_begins_with_the_answer_and_says_every_finding_once(ensemble):
    report = ask(Report(), Context(given=ensemble))
    text = markdown([report], title=report.title)
    assert report.findings and all(text.count(escape(each.message)) == 1 for each in report.findings)
    assert text.index("Train ") < text.index("## chinchilla at N =")
