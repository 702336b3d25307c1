"""Results show themselves in a notebook: IPython's own display asks them, and nothing is drawn before."""

import base64
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from subprocess import run

import pytest

from isoflop import allocate, bootstrap, fit, forecast, law
from isoflop.planning.methods import compare_methods
from isoflop.report.notebook import card_html
from isoflop.shown import Shown, show_with

formatters = pytest.importorskip("IPython.core.formatters", reason="the dev extra brings IPython")


@pytest.fixture
def ensemble(known_runs):
    return bootstrap(fit(law("chinchilla"), known_runs(0.01)), draws=40)


def displayed(result):
    shown, _ = formatters.DisplayFormatter().format(result)
    return shown.get("text/html"), shown["text/plain"]


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (lambda e: e.fit.runs, "30 runs"),
        (lambda e: e.fit, "intervals: none yet"),
        (lambda e: e, "40 draws"),
        (lambda e: forecast(e, {"N": 7e10, "D": 1.4e12}), "Expect a loss of"),
        (lambda e: allocate(e, budget=1e22), "parameters on"),
        (lambda e: compare_methods(e, e.fit.runs, budget=1e22), "The methods differ by"),
    ],
    ids=["runs", "fit", "ensemble", "forecast", "plan", "methods"],
)
def test_a_result_is_shown_as_its_card(ensemble, what, says):
    html, text = displayed(what(ensemble))
    assert says in html and text
    picture = re.search(r'<img alt="([^"]+)" src="data:image/svg\+xml;base64,([^"]+)"', html)
    assert picture[1] and base64.b64decode(picture[2]).startswith(b"<?xml")


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)


def test_a_name_from_a_file_stays_text(known_runs):
    runs = replace(known_runs(0.01), source='<script>x</script><img src=x onerror="y">')
    html, _ = displayed(runs)
    tags = _Tags()
    tags.feed(html)
    assert tags.seen.count("img") == 1 and "script" not in tags.seen


def test_what_has_no_card_keeps_its_repr():
    class Other(Shown):
        pass

    html, text = displayed(Other())
    assert html is None and "Other" in text


def test_without_a_renderer_the_repr_stands(known_runs):
    import isoflop

    try:
        show_with(lambda result: None)
        assert displayed(known_runs())[0] is None
    finally:
        show_with(isoflop._as_html)
    assert displayed(known_runs())[0]


def test_a_card_shows_itself(ensemble):
    from isoflop.report.cards.fit import fit_card

    card = fit_card(ensemble, level=0.9, findings=())
    assert displayed(card)[0] == card_html(card)


def test_a_part_of_the_package_alone_knows_how_to_show_itself():
    code = (
        "from isoflop.runs import Runs; import sys; assert 'isoflop.report' not in sys.modules; "
        "print(len(Runs.from_columns({'N': [1e6, 1e7], 'D': [1e9, 1e9], 'loss': [3., 2.]})._repr_html_()) > 1000)"
    )
    assert run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "True"
