"""The report as a file: complete in itself, closed in by its own policy, small, and with every name as text."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from isoflop import Runs, bootstrap, fit, law
from isoflop.answers import Answer, Quantity
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.report import Report
from isoflop.render.explore_data import MOST_ROWS, law_javascript, runs_data
from isoflop.render.html import body_html, draw_pictures, html
from isoflop.render.text import keyed_pictures, text_of

HOSTILE = "</script><img src=x onerror=alert(1)>"


class Document(HTMLParser):
    """Every element with its attributes, the text of scripts and style sheets, and all other text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.inside, self.words, self._within = [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self.inside.append([tag, dict(attributes).get("type", ""), ""])
            self._within = self.inside[-1]

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._within = None

    def handle_data(self, data):
        if self._within is not None:
            self._within[2] += data
        else:
            self.words.append(data)


@pytest.fixture(scope="module")
def named():
    """500 runs of a known law, each with a name that would be markup."""
    rng = np.random.default_rng(0)
    n, d = 10 ** rng.uniform(7.5, 10, 500), 10 ** rng.uniform(9, 11.5, 500)
    loss = 1.8 + 480 / n**0.35 + 2085 / d**0.366
    names = [f"{HOSTILE} {i}" for i in range(500)]
    columns = {"N": n, "D": d, "loss": loss * np.exp(rng.normal(0, 0.01, 500)), "run": names}
    return Runs.from_columns(columns, source=HOSTILE)


@pytest.fixture(scope="module")
def written(named):
    """The report on them, its one picture drawn in place of every other."""
    report = ask(Report(), Context(given=bootstrap(fit(law("chinchilla"), named), draws=1000)))
    keys = list(keyed_pictures(report))
    drawn = draw_pictures(report, only=keys[0])[keys[0]]
    return report, drawn, html(report, pictures=dict.fromkeys(keys, drawn))


def test_nothing_is_asked_for_and_the_policy_holds_what_is_there(written):
    page = Document(written[2])
    (policy,) = [a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy and "http" not in policy
    for tag, kind, text in page.inside:
        if kind != "application/json":
            assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy, tag
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("src", "href", "srcset", "action"):
            assert attributes.get(name, "data:").startswith(("data:", "#")), attributes
    assert "@import" not in written[2] and "url(" not in "".join(text for tag, _, text in page.inside if tag == "style")


def test_names_stay_text(written):
    page = Document(written[2])
    assert [a for tag, a in page.elements if tag == "img" and a.get("src") == "x"] == []
    assert HOSTILE in "".join(page.words)
    (data,) = [text for _, kind, text in page.inside if kind == "application/json"]
    assert "<" not in data and json.loads(data)["runs"]["texts"]["run"][7].startswith(HOSTILE)


def test_every_picture_has_its_text(written):
    page = Document(written[2])
    assert all(a.get("alt") for tag, a in page.elements if tag == "img")
    for _, attributes in page.elements:
        if "data-chart" in attributes:
            assert attributes.get("aria-label")


def test_five_hundred_runs_make_less_than_three_megabytes(written):
    report, drawn, text = written
    pictures = len(keyed_pictures(report))
    assert len(text) < 3_000_000 and len(drawn) > 5_000
    assert pictures >= 8


def test_the_answer_stands_first(written):
    report, _, text = written
    body = text.split('<main class="sections"')[1]
    order = [body.index(f'<section id="{each}"') for each in ("answer", "warnings", "fit", "runs")]
    assert order == sorted(order) and text_of(report).headline in body[: order[1]]
    levels = [finding.level for finding in report.findings]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)
    assert len({(finding.code, finding.message) for finding in report.findings}) == len(report.findings)


def test_each_finding_stands_once_and_links_lead_to_it(written):
    report, _, text = written
    page = Document(text)
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    findings = [each for each in ids if each.startswith("finding-")]
    assert len(findings) == len(report.findings)
    targets = [a["href"][1:] for tag, a in page.elements if tag == "a"]
    assert set(targets) <= set(ids) and any(each.startswith("finding-") for each in targets)
    words = "".join(page.words)
    for each in report.findings:
        assert words.count(each.message) == 1, each.code


def test_residuals_are_chosen_and_the_first_is_shown(written):
    page = Document(written[2])
    inputs = [a for tag, a in page.elements if tag == "input" and a.get("type") == "radio"]
    assert [a["id"].split("against-")[1] for a in inputs] == ["N", "D", "C", "order"]
    assert ["checked" in a for a in inputs] == [True, False, False, False] and len({a["name"] for a in inputs}) == 1


def test_a_long_table_is_thinned_and_says_so():
    count = 5 * MOST_ROWS // 2
    runs = Runs.from_columns({name: np.linspace(1, 2, count) for name in ("N", "D", "loss")})
    data = runs_data(runs)
    assert data["total"] == count and data["step"] == 3
    assert data["row"][:3] == [1, 4, 7] and len(data["row"]) <= MOST_ROWS


def test_the_same_report_is_the_same_bytes(written):
    report, drawn, text = written
    assert html(report, pictures=dict.fromkeys(keyed_pictures(report), drawn)) == text


def test_no_name_of_a_law_gets_into_a_script():
    code = law_javascript(law("E_secret + A/N^alpha + B_x/width^beta", inputs=("width",)))
    assert not re.search("secret|alpha|beta|width|B_x", code)


def test_parameters_are_labelled_by_their_letters_and_nothing_else_is():
    names = ("alpha", "beta_N", "E", "alpha of the runs", "<b>gamma", "pi1")
    told = Answer(
        "fit", "title", "answer", quantities=tuple(Quantity(f"q{i}", 1.0, label=x) for i, x in enumerate(names))
    )
    page = body_html(told, draw=lambda key, picture: "")
    labels = re.findall(r'<th scope="row">(.*?)</th>', page)
    assert labels == ["α", "β_N", "E", "alpha of the runs", "&lt;b&gt;gamma", "π₁"]


def test_any_answer_is_a_document_without_scripts(known_runs):
    from isoflop.questions.check import Check

    answer = ask(Check(), Context(given_runs=known_runs(0.01)))
    text = html(answer)
    page = Document(text)
    assert not [each for each in page.inside if each[0] == "script"]
    assert text_of(answer).headline in "".join(page.words) and text.count("data:image/svg+xml,") == len(answer.pictures)
