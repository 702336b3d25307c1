"""A remedy in the words of each front end: an option, a field and a button of the page, an argument in Python."""

import json
import re
from html import unescape
from importlib.resources import files

import pytest

import isoflop
from isoflop.findings import Finding, catalogue
from isoflop.questions import questions
from isoflop.render.html import findings_html
from isoflop.render.remedies import FIELDS, reading, remedy


def finding(text, code="far-extrapolation", level="warning"):
    return Finding(code, level, "It is so.", text)


@pytest.mark.parametrize(
    ("command", "page", "python"),
    [
        (
            'Drop them with --where "N > 0", or mend the table.',
            "Drop them with “Only rows where”: N > 0, or mend the table.",
            "Drop them with where='N > 0', or mend the table.",
        ),
        (
            "Give --unit loss=perplexity.",
            "Give “unit of the loss”: loss=perplexity.",
            "Give units={'loss': 'perplexity'}.",
        ),
        (
            'Give it (--derive "D = C/(6*N)").',
            "Give it (“derive”: D = C/(6*N)).",
            "Give it (derive={'D': 'C/(6*N)'}).",
        ),
        ("Set it (--fix E=1.69).", "Set it (“fixed to values”: E=1.69).", "Set it (fix({'E': 1.69}))."),
        ("Ask for more (--windows 3).", "Ask for more (“windows”: 3).", "Ask for more (windows=3)."),
        (
            "See isoflop influence, or --draws.",
            "See the question “influence”, or “bootstrap draws”.",
            "See influence(), or draws=.",
        ),
    ],
)
def test_each_front_end_has_its_words(command, page, python):
    assert remedy(finding(command), "command") == command
    assert remedy(finding(command), "page") == page
    assert remedy(finding(command), "python") == python


def test_no_flag_is_left_in_the_words_of_the_page_and_of_python():
    for each in catalogue().values():
        for front_end in ("page", "python"):
            assert not re.search(r"(?<!\w)--[a-z]", remedy(finding(each.remedy), front_end)), each.code


def test_the_page_has_the_fields_that_remedies_name():
    page = (files("isoflop.app") / "web" / "page.html").read_text(encoding="utf-8")
    labels = set(re.findall(r"<(?:label[^>]*|summary)>([^<]*)</", page))
    assert set(FIELDS.values()) <= labels | {unescape(each) for each in labels}
    flags = {
        each.word.removeprefix("--")
        for cls in questions().values()
        for each in (*cls.options(), *(one for _, one in cls.shared_options()))
    }
    assert set(FIELDS) <= flags


def test_functions_that_python_remedies_name_are_public():
    named = {
        name for each in catalogue().values() for name in re.findall(r"(\w+)\(", remedy(finding(each.remedy), "python"))
    }
    assert len(named) > 5 and named <= set(isoflop.__all__)


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ('Drop them with --where "row not in [3, 4]".', {"where": "row not in [3, 4]"}),
        ("Say it with --convention N=total.", {"conventions": {"N": "total"}}),
        ("Say it with --convention N=total or N=non-embedding.", None),
        ("State it as --unit N=millions or --unit N=B.", None),
        ("If so, say it: --unit loss=perplexity.", {"units": {"loss": "perplexity"}}),
        ("Keep the others (--where).", None),
        ("Set it (--fix E=…).", None),
    ],
)
def test_the_page_offers_a_button_where_reading_the_table_otherwise_is_the_remedy(text, change):
    assert reading(finding(text)) == change
    html = findings_html([finding(text)])
    if change is None:
        assert "<button" not in html
    else:
        (data,) = re.findall(r'data-reading="([^"]*)"', html)
        assert json.loads(unescape(data)) == change


def test_the_page_lists_findings_by_what_they_do_to_the_answer_and_escapes_them():
    html = findings_html([finding("<i>", level="note"), finding("--where \"a < '<b>'\"", level="error")])
    assert html.index('class="error"') < html.index('class="note"')
    assert "<i>" not in html and "<b>" not in html
