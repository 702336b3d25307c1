"""Results show themselves in a notebook: IPython's own display asks them, and nothing is drawn before."""

import base64
import re
import sys
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from subprocess import run

import numpy as np
import pytest

from isoflop import Runs, allocate, bootstrap, fit, forecast, law, profile, squares
from isoflop.planning.downstream import downstream, stages
from isoflop.planning.methods import compare_methods
from isoflop.planning.parabolas import parabolas
from isoflop.planning.published import published
from isoflop.planning.reconcile import convert_counts
from isoflop.planning.repeat import repeat
from isoflop.render.notebook import answer_html, answer_of
from isoflop.shown import Shown, show_with
from isoflop.validation.backtest import backtest
from isoflop.validation.finish import finish
from isoflop.validation.hitchhiker import hitchhiker
from isoflop.validation.influence import influence
from isoflop.validation.rank import rank
from isoflop.validation.sensitivity import sensitivity

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
        (lambda e: e.fit, "intervals: sandwich covariance"),
        (lambda e: e, "40 draws"),
        (lambda e: forecast(e, {"N": 7e10, "D": 1.4e12}), "Expected loss: "),
        (lambda e: allocate(e, budget=1e22), "parameters on"),
        (lambda e: compare_methods(e, e.fit.runs, budget=1e22), "methods differ by a factor of"),
    ],
    ids=["runs", "fit", "ensemble", "forecast", "plan", "methods"],
)
def test_a_result_is_shown_as_its_answer(ensemble, what, says):
    html, text = displayed(what(ensemble))
    assert says in html and text
    picture = re.search(r'<img alt="([^"]+)" src="data:image/svg\+xml;base64,([^"]+)"', html)
    assert picture[1] and base64.b64decode(picture[2]).startswith(b"<?xml")


def _downstream():
    chinchilla, score = law("chinchilla"), law("task-accuracy-to-one")
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(8, 9.3, 5), np.logspace(9.5, 11.5, 5)))
    noise = np.random.default_rng(0).normal(size=(2, 25))
    loss = chinchilla.value({"E": 0.5, "A": 60.0, "B": 90.0, "alpha": 0.25, "beta": 0.25}, {"N": n, "D": d})
    hits = score.value({"b": 0.25, "k": 6.0, "L_0": 0.8}, {"loss": loss}) + 0.01 * noise[0]
    runs = Runs.from_columns({"N": n, "D": d, "task_loss": loss * np.exp(0.01 * noise[1]), "hits": hits})
    tables = stages(runs, chinchilla, loss="task_loss", score="hits")
    first = bootstrap(fit(chinchilla, tables.finals), draws=40)
    return downstream(
        first, bootstrap(fit(score, tables.points, objective=squares(space="raw")), draws=40), {"N": 1e10, "D": 1e12}
    )


def _budgets():
    n, c = (each.ravel() for each in np.meshgrid(np.logspace(7, 9, 7), [1e18, 3e18, 1e19]))
    loss = 1.7 + 400 / n**0.34 + 1000 / (c / (6 * n)) ** 0.3 + np.random.default_rng(0).normal(0, 1e-3, len(n))
    return Runs.from_columns({"N": n, "D": c / (6 * n), "C": c, "loss": loss})


def _finish():
    step = np.arange(1, 1001, dtype=float)
    loss = 2.5 + 3 * step**-0.3 * np.exp(np.random.default_rng(0).normal(0, 1e-3, len(step)))
    seen = Runs.from_columns({"step": step, "lr": np.full(len(step), 1e-3), "loss": loss})
    return finish(seen, steps=2000, draws=40)


def _families():
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(7, 9, 4), np.logspace(8, 11, 12)))
    loss = (1.7 + 400 / n**0.34 + 1000 / d**0.36) * np.exp(np.random.default_rng(0).normal(0, 0.005, len(n)))
    runs = Runs.from_columns({"N": n, "D": d, "loss": loss, "run": [f"{size:.0f}" for size in n]})
    return hitchhiker(law("chinchilla"), runs)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (
            lambda runs: backtest([law("chinchilla"), law("power-n-floor")], runs, draws=40),
            "has a mean relative error (MRE) of",
        ),
        (
            lambda runs: rank(runs, laws=[law("chinchilla"), law("power-n-floor")], draws=40),
            "has the smallest mean relative error",
        ),
        (lambda runs: influence(fit(law("chinchilla"), runs), draws=40), "moves it most"),
        (lambda runs: sensitivity(law("chinchilla"), runs, draws=20, starts=8), "choices it goes from"),
        (lambda runs: profile(fit(law("chinchilla"), runs, objective=squares())), "bound every parameter"),
        (lambda _: parabolas(_budgets()), "3 of 3 budgets bracket a minimum"),
        (lambda _: _finish(), "Expected last loss"),
        (lambda _: _families(), "the median error on the largest model is"),
        (
            lambda _: repeat(published("muennighoff:c4"), unique=1e11, params=7e9),
            "The marginal value of an epoch falls below",
        ),
        (lambda _: convert_counts(published("chinchilla:epoch")), "non-embedding parameters the exponent is"),
        (lambda _: _downstream(), "through the task's loss"),
    ],
    ids=[
        *("backtest", "rank", "influence", "sensitivity", "profile", "parabolas"),
        *("finish", "hitchhiker", "repeat", "counts", "downstream"),
    ],
)
def test_an_answer_to_a_question_is_shown(known_runs, what, says):
    html, text = displayed(what(known_runs(0.01, sizes=4, durations=4)))
    assert escape(says) in html and text and "data:image/svg+xml;base64," in html


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


def test_what_no_question_words_keeps_its_repr():
    class Other(Shown):
        pass

    html, text = displayed(Other())
    assert html is None and "Other" in text


def test_without_a_renderer_the_repr_stands(known_runs):
    import isoflop

    try:
        show_with(None)
        html, _ = displayed(known_runs())
        assert html is None and str(known_runs()) == repr(known_runs())
    finally:
        show_with(isoflop._display)
    assert displayed(known_runs())[0]


def test_an_answer_shows_itself(ensemble):
    answer = answer_of(ensemble)
    assert displayed(answer)[0] == answer_html(answer)


def test_a_part_of_the_package_alone_knows_how_to_show_itself():
    code = (
        "from isoflop.runs import Runs; import sys; assert 'isoflop.render' not in sys.modules; "
        "print(len(Runs.from_columns({'N': [1e6, 1e7], 'D': [1e9, 1e9], 'loss': [3., 2.]})._repr_html_()) > 1000)"
    )
    assert run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "True"
