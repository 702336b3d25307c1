"""A report in a browser: offline, without a request, and with the same numbers as Python."""

import numpy as np
import pytest

from isoflop import bootstrap, fit, forecast, law
from isoflop.fitting import objective
from isoflop.planning import optimal_plan
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.report import Report
from isoflop.render.html import html, web, write_html
from isoflop.render.text import keyed_pictures, text_of
from isoflop.uncertainty.predictive import predictive

LAWS = {
    "chinchilla": {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658},
    "E + (A/N^alpha + B/D^beta)^gamma": {"E": 1.7, "A": 90.0, "B": 300.0, "alpha": 0.3, "beta": 0.31, "gamma": 1.1},
}


def analyzed(known_runs, text="chinchilla", draws=300):
    runs = known_runs(0.01, truth=LAWS["chinchilla"])
    if text != "chinchilla":
        runs = runs.with_column("loss", law(text).value(LAWS[text], {"N": runs["N"], "D": runs["D"]}))
        runs = runs.with_column("loss", runs["loss"] * np.exp(np.random.default_rng(1).normal(0, 0.003, len(runs))))
    return bootstrap(fit(law(text), runs), draws=draws)


def headline(ensemble, **options):
    return text_of(ask(Report(**options), Context(given=ensemble))).headline


@pytest.fixture
def opened(watched, tmp_path):
    """A function that writes a report and opens it from disk with the network blocked."""

    def open_report(ensemble, **options):
        path = tmp_path / "report.html"
        report = ask(Report(**options), Context(given=ensemble))
        path.write_text(html(report, pictures=dict.fromkeys(keyed_pictures(report), b"")), encoding="utf-8")
        page = watched(offline=True)
        page.tab.goto(path.as_uri())
        page.tab.wait_for_function("() => window.isoflop && window.isoflop.lever")
        return page

    return open_report


@pytest.mark.parametrize("text", list(LAWS))
def test_the_budget_moves_the_answer_as_python_would(text, known_runs, opened):
    ensemble = analyzed(known_runs, text)
    page = opened(ensemble)
    for budget in (1e19, 3e21, 2.5e24):
        told = page.tab.evaluate("budget => window.isoflop.lever.move(budget)", budget)
        plan = optimal_plan(ensemble, budget=budget)
        # the page reads between 49 budgets that Python planned for
        for name, interval in (("n", plan.n), ("d", plan.d), ("ratio", plan.ratio), ("loss", plan.loss)):
            for end, value in interval.as_dict().items():
                assert told[name][end] == pytest.approx(value, rel=1e-3 if end == "value" else 1e-2), (name, end)
        assert told["band"] == pytest.approx(list(plan.band.n), rel=1e-2)
        for end, value in plan.prediction.as_dict().items():
            assert told["newRun"][end] == pytest.approx(value, rel=5e-4)
    assert page.slips == []


def test_the_words_follow_the_slider(known_runs, opened):
    ensemble = analyzed(known_runs)
    page = opened(ensemble)
    before = page.tab.inner_text("[data-lead]")
    assert before == headline(ensemble)  # the page's words are those of the report
    assert page.tab.inner_text("[data-sure]").startswith(
        "90 % prediction interval of one run there, model error included: "
    )
    slider = page.tab.locator("[data-lever=budget] input[type=range]")
    slider.focus()
    for _ in range(40):
        page.tab.keyboard.press("ArrowRight")
    budget = float(page.tab.input_value("[data-lever=budget] input[type=text]"))
    assert page.tab.inner_text("[data-lead]") == headline(ensemble, budget=budget) != before
    page.tab.fill("[data-lever=budget] input[type=text]", "a lot")
    assert page.tab.inner_text("[data-lever=budget] .slip") == "write a number such as 1e24 or 70B"
    page.tab.fill("[data-lever=budget] input[type=text]", "3.5e22")
    assert page.tab.inner_text("[data-lead]") == headline(ensemble, budget=3.5e22)


def test_a_law_of_one_input_has_a_slider_for_it(known_runs, opened):
    runs = known_runs(0.02)
    runs = runs.with_column("C", 6 * runs["N"] * runs["D"])
    ensemble = bootstrap(fit(law("E + A/C^alpha"), runs), draws=100)
    page = opened(ensemble)
    told = page.tab.evaluate("window.isoflop.lever.move({C: 3e23})")
    said = forecast(ensemble, {"C": 3e23})
    assert told["curve"]["low"] == pytest.approx(said.expected.low, rel=1e-4)
    assert told["newRun"]["high"] == pytest.approx(said.loss.high, rel=1e-4)
    assert page.slips == []


@pytest.mark.parametrize("text", ["lsq", "raw-lsq", "logit-lsq"])
def test_a_new_run_lies_off_the_law_on_the_scale_of_its_residuals(text, known_runs, opened):
    runs = known_runs(0.02)
    runs = runs.with_column("acc", 1 - runs["loss"] / 10)
    fitted = fit(law("acc ~ c - A/N^alpha - B/D^beta"), runs, objective=objective(text))
    ensemble = bootstrap(fitted, draws=200)
    page = opened(ensemble)
    told = page.tab.evaluate("window.isoflop.lever.move({N: 2e9, D: 3e10})")
    said = predictive(ensemble, {"N": 2e9, "D": 3e10}).law_interval()
    assert told["newRun"]["low"] == pytest.approx(said.low, rel=1e-6)
    assert told["newRun"]["high"] == pytest.approx(said.high, rel=1e-6)
    assert page.slips == []


@pytest.mark.slow
def test_a_report_asks_for_nothing(known_runs, watched, tmp_path):
    path = tmp_path / "report.html"
    write_html(ask(Report(), Context(given=analyzed(known_runs, draws=50))), path)
    for options in ({"color_scheme": "dark", "viewport": {"width": 400, "height": 800}}, {}):
        page = watched(**options)
        page.tab.goto(f"{path.as_uri()}#all")
        page.tab.wait_for_function("() => window.isoflop && window.isoflop.lever")
        page.tab.locator("details[data-rows] summary").click()
        page.tab.wait_for_selector("[data-table] tbody tr:nth-child(30)")
        page.tab.evaluate("document.querySelectorAll('img').forEach(each => { each.loading = 'eager' })")
        page.tab.wait_for_function(
            "() => [...document.images].every(each => each.naturalWidth > 100 || !each.checkVisibility())"
        )
        assert page.slips == []
        assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
        assert len([url for url in page.requests if url.startswith("file:")]) == 1
        wide = page.tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0


def test_one_section_is_read_at_a_time_and_all_are_printed(known_runs, opened):
    page = opened(analyzed(known_runs, draws=50))
    visible = "() => [...document.querySelectorAll('main > section')].filter(e => e.checkVisibility()).map(e => e.id)"
    every = page.tab.eval_on_selector_all("main > section", "all => all.map(each => each.id)")
    assert page.tab.evaluate(visible) == ["answer"] and len(every) == 6
    for name in ("warnings", "fit", "runs"):
        page.tab.click(f".contents a[href='#{name}']")
        assert page.tab.evaluate(visible) == [name]
    page.tab.click(".contents .all")
    assert page.tab.evaluate(visible) == every
    page.tab.click(".contents a[href='#fit']")
    shown = "() => [...document.querySelectorAll('.view')].map(e => e.checkVisibility())"
    assert page.tab.evaluate(shown) == [True, False, False, False]
    page.tab.click(".views label >> nth=2")
    assert page.tab.evaluate(shown) == [False, False, True, False]
    page.tab.emulate_media(media="print")
    assert page.tab.evaluate(visible) == every and page.tab.evaluate(shown) == [True] * 4
    assert page.slips == []


def test_a_link_to_a_finding_opens_it(known_runs, opened):
    runs = known_runs(0.01, truth=LAWS["chinchilla"])
    loss = runs["loss"].copy()
    loss[3] *= 1.4
    page = opened(bootstrap(fit(law("chinchilla"), runs.with_column("loss", loss)), draws=50))
    first = page.tab.locator("#answer .links a").first
    target = first.get_attribute("href")
    first.click()
    assert page.tab.locator(f"li{target}").is_visible() and not page.tab.locator("#answer").is_visible()


def test_without_scripts_everything_can_be_read(known_runs, watched, tmp_path):
    path = tmp_path / "report.html"
    report = ask(Report(), Context(given=analyzed(known_runs, draws=50)))
    path.write_text(html(report, pictures=dict.fromkeys(keyed_pictures(report), b"")), encoding="utf-8")
    page = watched(offline=True, java_script_enabled=False)
    page.tab.goto(f"{path.as_uri()}#all")
    assert all(page.tab.locator("main > section").nth(place).is_visible() for place in range(6))
    assert page.tab.locator("[data-lead]").is_visible() and page.tab.locator(".evidence").is_visible()
    assert not any(page.tab.locator(".chart").nth(place).is_visible() for place in range(3))


def test_a_run_is_read_by_pointer_and_by_keyboard(known_runs, opened):
    page = opened(analyzed(known_runs, draws=50))
    chart = page.tab.locator("[data-chart=compute]")
    chart.focus()
    page.tab.keyboard.press("End")
    spoken = chart.get_attribute("aria-valuetext")
    assert "N: 10B" in spoken and "D: 316B" in spoken and "the law says" in spoken
    assert chart.get_attribute("aria-valuenow") == "30" == chart.get_attribute("aria-valuemax")
    page.tab.keyboard.press("Escape")
    chart.scroll_into_view_if_needed()
    box = chart.locator("canvas").bounding_box()
    for share in np.linspace(0.05, 0.95, 40):
        page.tab.mouse.move(box["x"] + share * box["width"], box["y"] + (0.15 + 0.75 * share) * box["height"])
        if page.tab.locator("[data-chart=compute] .tip").is_visible():
            break
    assert "row " in page.tab.inner_text("[data-chart=compute] .tip")
    assert "row " in page.tab.inner_text("[data-chosen]")


def test_a_chart_is_zoomed_and_shows_all_again_and_its_curve_is_read(known_runs, opened):
    page = opened(analyzed(known_runs, draws=50))
    tab = page.tab
    ticks = "() => [...document.querySelectorAll('[data-chart=compute] canvas')][0].toDataURL()"
    chart = tab.locator("[data-chart=compute]")
    chart.scroll_into_view_if_needed()
    box = chart.locator("canvas").bounding_box()
    whole, again = tab.evaluate(ticks), tab.locator("[data-chart=compute] .whole")
    assert again.is_hidden()
    tab.mouse.move(box["x"] + 100, box["y"] + 40)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 250, box["y"] + 150, steps=4)
    tab.mouse.up()
    again.wait_for()
    near = tab.evaluate(ticks)
    assert near != whole
    tab.evaluate("window.isoflop.lever.move(1e20)")
    assert again.is_visible()  # another budget leaves the view
    tab.evaluate("budget => window.isoflop.lever.move(budget)", float(page.tab.evaluate("window.isoflop.data.budget")))
    again.click()
    again.wait_for(state="hidden")
    tab.mouse.move(0, 0)
    tab.wait_for_function(f"before => ({ticks})() === before", arg=whole)

    valley = tab.locator("[data-chart=valley] canvas").bounding_box()
    tab.mouse.move(valley["x"] + valley["width"] / 2, valley["y"] + 60)
    size, loss, interval = tab.inner_text("[data-chart=valley] .tip").split("\n")
    assert size.startswith("N = ")
    ends = [float(each) for each in interval.split(" – ")]
    assert ends[0] < float(loss) < ends[1]
    assert page.slips == []


def test_the_valley_has_no_corner(known_runs, opened):
    page = opened(analyzed(known_runs, draws=50))
    x, y = page.tab.evaluate("window.isoflop.lever.path()")
    slope = np.diff(y) / np.diff(x)
    assert len(x) > 50 and np.abs(np.diff(slope)).max() < 0.1 * np.ptp(slope)


def test_numbers_are_written_as_python_writes_them(known_runs, opened):
    from isoflop.units import format_by_interval, format_quantity, parse_quantity

    page = opened(analyzed(known_runs, draws=50))
    script = page.tab.evaluate  # the report's modules are closed in; its numbers module is read from the bundle
    rng = np.random.default_rng(0)
    values = [float(each) for each in 10 ** rng.uniform(-6, 25, 400)] + [1.0, 999.6, 1e3, 1e15, 0.1, 99.6]
    shares = [float(each) for each in 10 ** rng.uniform(-5, 0.5, len(values))]
    page.tab.evaluate(NUMBERS)
    told = script(
        "v => v.map(([x, s]) => [quantity(x), byInterval(x, x / (1 + s), x * (1 + s))])",
        [*zip(values, shares, strict=True)],
    )
    for value, share, (quantity, by_interval) in zip(values, shares, told, strict=True):
        assert quantity == format_quantity(value)
        assert by_interval == format_by_interval(value, value / (1 + share), value * (1 + share))
    texts = ["70e9", "70B", "1.4T", "1,000", "3_000K", "-2", ".5M", "", "B", "7 0", "1e", "0x10", "3,01"]
    for text, value in zip(
        texts, script("t => t.map(x => { const v = parse(x); return isNaN(v) ? null : v; })", texts), strict=True
    ):
        try:
            assert value == parse_quantity(text)
        except ValueError:
            assert value is None, text


def _numbers():

    text = (web() / "js" / "numbers.js").read_text(encoding="utf-8").replace("export ", "")
    names = "window.quantity = formatQuantity; window.byInterval = formatByInterval; window.parse = parseQuantity;"
    return f"(() => {{ {text}\n {names} }})()"


NUMBERS = _numbers()
