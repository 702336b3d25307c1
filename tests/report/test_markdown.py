"""Cards as Markdown: every text stays text, every picture is a file, every file is whole."""

import re

import pytest
from isoflop.report.card import Card, Picture
from isoflop.report.cards.check import check_card
from isoflop.report.cards.evidence import evidence_cards, most_correlated
from isoflop.report.cards.fit import fit_card
from isoflop.report.cards.forecast import forecast_card
from isoflop.report.markdown import escape, markdown, report_cards, write_markdown
from isoflop.report.report import make_report

from isoflop import bootstrap, check, fit, forecast, law
from isoflop.errors import IsoflopError
from isoflop.findings import Finding

HOSTILE = "<img src=x onerror=alert(1)> [a](javascript:b) | `c` *d* _e_ \n# f"


@pytest.fixture
def ensemble(known_runs):
    return bootstrap(fit(law("chinchilla"), known_runs(0.01)), draws=50)


def card(**changes):
    usual = {
        "title": "t",
        "answer": "a",
        "header": ("", "value"),
        "rows": (("x", "+1.5%"), ("y", "-2")),
        "findings": (),
        "how": "",
    }
    return Card(**{**usual, **changes})


def test_a_report_has_its_pictures_beside_it(ensemble, tmp_path):
    runs = ensemble.fit.runs
    cards = [
        forecast_card(forecast(ensemble, {"N": 7e10, "D": 1.4e12}), ensemble),
        fit_card(ensemble, level=0.9, findings=()),
        check_card(runs, check(runs)),
    ]
    files = write_markdown(cards, tmp_path / "my report.md", title="all")
    text = files[0].read_text(encoding="utf-8")
    assert [each.name for each in files] == [
        "my report.md",
        "my report-1-forecast.svg",
        "my report-2-loss-against-compute.svg",
        "my report-3-design.svg",
    ]
    named = re.findall(r"!\[(.+?)\]\((.+?)\)\n", text)
    assert [address for _, address in named] == [each.name.replace(" ", "%20") for each in files[1:]]
    assert all(alt for alt, _ in named) and all(each.read_bytes().startswith(b"<?xml") for each in files[1:])
    assert text.startswith("# all\n\n## chinchilla at N = 70B, D = 1.4T\n")
    assert "| :--- | ---: | ---: | ---: | :--- |" in text
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(each.name for each in files)


def test_numbers_stand_at_the_right():
    assert "| :--- | ---: |\n| x | +1.5% |\n| y | -2 |" in markdown([card()])


def test_hostile_names_stay_text():
    said = Finding("c", "warning", HOSTILE, HOSTILE)
    text = markdown([card(title=HOSTILE, answer=HOSTILE, rows=((HOSTILE, HOSTILE),), findings=(said,), how=HOSTILE)])
    without = text.replace("\\\\", "")
    for each in ("<img", "[a](", "`c`", "*d*", "| `"):
        assert each not in without.replace(f"\\{each[0]}", "")
    assert not re.search(r"^# f", text, re.M)
    assert len([line for line in text.splitlines() if line.startswith("|")]) == 3, "a cell stays one cell on one line"
    assert escape("a|b") == r"a\|b"


def test_without_files_the_words_of_a_picture_stand_in_its_place():
    shown = markdown([card(picture=Picture("p", lambda axes: None, "what it shows"))])
    assert "*what it shows*" in shown and "![" not in shown


def test_a_failed_picture_leaves_no_text_that_points_at_it(tmp_path):
    def broken(axes):
        raise IsoflopError("no runs")

    with pytest.raises(IsoflopError, match="no runs"):
        write_markdown([card(picture=Picture("p", broken, "alt"))], tmp_path / "r.md")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["", "nowhere/r.md", "."])
def test_a_place_that_holds_no_report_is_refused(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IsoflopError, match="needs the name of a file|there is no folder"):
        write_markdown([card()], place)


def test_evidence_answers_with_numbers(ensemble):
    cards = evidence_cards(ensemble)
    assert [each.title for each in cards] == [
        "fit against measured",
        "residuals against N",
        "residuals against D",
        "residuals against compute",
        "residuals against the order of the table",
        "the fitted surface",
        f"draws of {' and '.join(most_correlated(ensemble)[:2])}",
    ]
    assert all(each.picture is not None and each.picture.alt for each in cards)
    assert len(cards[0].rows) == 5 and re.search(r"lie within 0\.\d+% of the law", cards[0].answer)
    x, y, correlation = most_correlated(ensemble)
    assert (x, y) in {("A", "alpha"), ("B", "beta")} and correlation > 0.95


def test_a_card_is_plain_values(ensemble):
    said = fit_card(ensemble, level=0.9, findings=ensemble.fit.findings).as_dict()
    assert said["picture"]["name"] == "loss-against-compute" and said["picture"]["size"] == [7.2, 4.2]
    assert said["rows"][0][0] == "E" and card().as_dict()["picture"] is None


def test_a_report_begins_with_the_answer_and_every_doubt_once(ensemble):
    made = make_report(ensemble)
    cards = report_cards(made)
    assert (cards[0].answer, cards[0].how, cards[0].findings) == (made.answer, made.sureness, made.findings)
    assert len(cards) == len(made.cards) + 1 and not any(card.findings for card in cards[1:])
    text = markdown(cards, title=made.title)
    assert made.findings and all(text.count(escape(each.message)) == 1 for each in made.findings)
