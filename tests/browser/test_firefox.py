"""The main walk in Firefox: a table in, rows selected and left out, a fit, the budget moved, a reload, a report."""

import os
import shutil

import pytest
from tests.browser.firefox import Firefox
from tests.browser.test_app import table

from isoflop import bootstrap, fit, law
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.report import Report
from isoflop.render.html import html
from isoflop.render.text import keyed_pictures

SLIPS = """window.slips = [];
    addEventListener("error", (event) => slips.push(event.message));
    addEventListener("unhandledrejection", (event) => slips.push(String(event.reason)));
    for (const kind of ["error", "warn"]) console[kind] = (...said) => slips.push(said.join(" "));"""


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    path = os.environ.get("FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        pytest.skip("no Firefox on this machine (Debian: apt-get install firefox-esr; or set FIREFOX)")
    browser = Firefox(path, tmp_path_factory.mktemp("firefox") / "profile")
    browser.resize(1440, 900)
    yield browser
    browser.close()


def corners(browser):
    return browser.run("""const { chart } = window.isoflop;
        const box = chart.picture.canvas.getBoundingClientRect();
        const { left, top, wide, high } = chart.frame();
        return [box.x + left, box.y + top, box.x + left + wide, box.y + top + high];""")


@pytest.mark.slow
def test_the_main_walk_in_firefox(firefox, served, known_runs, tmp_path):
    firefox.go(served().address)
    firefox.wait("window.isoflop && document.querySelectorAll('[data-example] canvas').length === 3")
    firefox.run(SLIPS)
    firefox.type("#file", str(table(tmp_path / "runs.csv", known_runs)))
    firefox.wait("window.isoflop.live && window.isoflop.chart.content()")
    assert firefox.text("#table-says") == "30 runs"

    left, top, right, bottom = corners(firefox)
    firefox.drag((left + 2, top + 2), (left + 40, top + 30), (right - 2, (top + bottom) / 2))
    selected = int(firefox.text("#selection-says").split()[0])
    assert 0 < selected < 30 and firefox.run("return window.isoflop.state.dropped") == []
    firefox.click("#selection-out")
    firefox.wait(f"window.isoflop.state.dropped.length === {selected}")
    assert firefox.text("#table-says") == f"{30 - selected} of 30 runs used"
    firefox.click("#undo")
    firefox.wait("window.isoflop.state.dropped.length === 0")
    firefox.type("#rows-filter", "lss < 3")
    assert "did you mean loss?" in firefox.text("#rows-slip")
    firefox.run("document.getElementById('draws').value = 100; document.getElementById('runs-chart').focus()")
    firefox.keys("\ue011", "\ue007")  # Home, Enter
    firefox.wait("window.isoflop.state.dropped.length === 1")

    firefox.click("#fit")
    firefox.wait("window.isoflop.fit")
    before = firefox.text("#answer-lead")
    assert before.startswith("Train ") and firefox.run("return window.isoflop.valley().curves.length") >= 1
    firefox.run("document.querySelector('#answer [data-lever=budget] input[type=range]').focus()")
    firefox.keys(*["\ue014"] * 30)  # ArrowRight
    assert firefox.text("#answer-lead") != before
    assert firefox.run("return window.slips") == []
    firefox.ask("WebDriver:Refresh")
    firefox.wait("window.isoflop?.fit && window.isoflop.state.dropped.length === 1")
    assert not firefox.run("return document.getElementById('undo').disabled")
    firefox.click("#undo")
    firefox.wait("window.isoflop.state.dropped.length === 0")


@pytest.mark.slow
def test_a_report_is_zoomed_in_firefox(firefox, known_runs, tmp_path):
    report = ask(Report(), Context(given=bootstrap(fit(law("chinchilla"), known_runs(0.01)), draws=50)))
    path = tmp_path / "report.html"
    path.write_text(html(report, pictures=dict.fromkeys(keyed_pictures(report), b"")), encoding="utf-8")
    firefox.go(path.as_uri())
    firefox.wait("window.isoflop?.lever")
    firefox.run("document.querySelector('[data-chart=compute]').scrollIntoView({ block: 'center' })")
    x, y = firefox.run("""const box = document.querySelector("[data-chart=compute] canvas").getBoundingClientRect();
        return [box.x, box.y];""")
    firefox.drag((x + 90, y + 30), (x + 120, y + 60), (x + 220, y + 140))
    firefox.wait("document.querySelector('[data-chart=compute] .whole').checkVisibility()")
    firefox.click("[data-chart=compute] .whole")
    firefox.wait("document.querySelector('[data-chart=compute] .whole').hidden")
    before = firefox.text("[data-lead]")
    firefox.run("window.isoflop.lever.move(1e19)")
    assert firefox.text("[data-lead]") != before
