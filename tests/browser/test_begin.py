"""The first screen, and a walk from it to a saved picture: examples, names of sessions, odd runs, answers."""

import itertools
import re

import pytest
from tests.browser.test_app import ask_for_draws, table

from isoflop.units import parse_quantity


def test_an_example_is_opened_named_shared_and_deleted(served, watched):
    page = watched(accept_downloads=True, viewport={"width": 1440, "height": 900})
    tab = page.tab
    server = served()
    tab.goto(server.address)
    tab.wait_for_selector("[data-example] canvas")
    assert tab.locator("#examples button").count() == 3 and tab.is_hidden("#earlier")
    tab.click("[data-example=isoflop-sweep]")
    tab.wait_for_function("() => window.isoflop.live?.minima.length && document.querySelector('#law-set math')")
    assert tab.text_content("#title") == "IsoFLOP sweep with broken runs"
    assert tab.input_value("#runs-lines") == "isoflop" and tab.input_value("#runs-x") == "N"
    assert "N* grows as C^{" in tab.evaluate("() => window.isoflop.chart.content().title")
    drawn = tab.evaluate("() => window.isoflop.chart.picture.svg()")
    assert re.search(r"N\* grows as C<tspan dy=\"-[\d.]+\" font-size=\"[\d.]+\">0\.\d+</tspan>", drawn)  # raised
    tab.fill("#where", "N > 1e8")
    tab.click("#where-form button")
    tab.wait_for_function("() => window.isoflop.table.count < 180 && window.isoflop.live?.minima.length")
    assert tab.input_value("#runs-lines") == "isoflop"  # a selection of rows leaves the picture
    assert tab.evaluate("() => window.isoflop.chart.content().lines.length") > 2
    colors = "() => document.querySelector('#runs-legend .ramp').style.background"
    light = tab.evaluate(colors)
    tab.emulate_media(color_scheme="dark")
    tab.wait_for_function(f"light => ({colors})() !== light", arg=light)
    tab.emulate_media(color_scheme="light")

    tab.click("#families summary")
    tab.click("#families-list button:has-text('kaplan') >> nth=0")
    tab.wait_for_function("() => document.getElementById('law').value === 'kaplan' && !window.isoflop.wanted")
    finding = tab.locator("[data-code=params-convention]")
    finding.locator("text=Don't know").click()
    tab.wait_for_selector(".kept-list:has-text('embeddings')")
    assert finding.count() == 0
    tab.click("#columns summary:has-text('embeddings?')")
    tab.select_option("#columns details[open] select", "total")
    tab.wait_for_function("() => window.isoflop.state.reading.conventions.N === 'total'")

    tab.click("#share summary")
    tab.fill("#session-name", "Mine <b>")
    tab.keyboard.press("Tab")
    tab.wait_for_function("() => document.getElementById('title').textContent === 'Mine <b>'")
    tab.goto(server.address)
    tab.wait_for_selector("#sessions li")
    said = tab.inner_text("#sessions li")
    assert "Mine <b>" in said and "isoflop-sweep.csv" in said and re.search(r"20\d\d", said) and "0 results" in said
    tab.click("#sessions li >> text=Rename")
    tab.fill("#sessions input", "Other")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#sessions a:has-text('Other')")
    tab.click("#sessions li >> text=Delete")
    assert tab.locator("#sessions li").count() == 1  # asked once more
    tab.click("#sessions li >> text=Delete for good")
    tab.wait_for_selector("#earlier", state="hidden")
    assert page.slips == [] and {url.split("/")[2] for url in page.requests if url.startswith("http")} == {
        server.address.split("/")[2]
    }


@pytest.mark.slow
def test_from_odd_runs_to_a_saved_picture_in_four_clicks(served, watched, tables, tmp_path):
    """Which runs are odd, N* with and without them, what the parabolas say, how wide; every click is counted."""
    page = watched(accept_downloads=True, viewport={"width": 1440, "height": 900})
    tab = page.tab
    tab.goto(served(tables / "epoch-chinchilla" / "svg_extracted_data.csv").address)
    odd = tab.locator(".finding:has-text('8 of 245 rows lie off the surface')")
    odd.wait_for()
    assert "rows 1–6, 11, 12" in odd.inner_text()
    ask_for_draws(tab, 200)
    clicks = []

    def click(selector):
        clicks.append(selector)
        tab.click(selector)

    def sizes():
        rows = tab.locator("#answer-trust tr").all()
        return {row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in rows}

    click("#fit")
    tab.wait_for_function("() => window.isoflop.fit?.task === 'r1' && window.isoflop.live?.params")
    before = sizes()
    click(".finding:has-text('8 of 245') >> text=Leave out 8")
    tab.wait_for_selector("#answer-now:has-text('237 are used now')")
    moved = re.search(r"parametric fit (\S+) → (\S+);", tab.inner_text("#answer-now"))
    click("#answer-now button")
    tab.wait_for_function("() => window.isoflop.fit?.task === 'r2'")
    after = sizes()
    with tab.expect_download() as fetched:
        click("#runs-saves >> text=PNG")
    fetched.value.save_as(tmp_path / "picture.png")
    assert len(clicks) == 4 and (tmp_path / "picture.png").stat().st_size > 10_000

    told = [parse_quantity(each) for each in moved.groups()]
    full = [parse_quantity(each["parametric fit"][0]) for each in (before, after)]
    assert told == pytest.approx(full, rel=0.03)  # the fit at once and the fit with intervals agree
    assert told[0] > 1.3 * told[1]
    assert all("–" in after[name][1] for name in ("IsoFLOP parabolas", "IsoFLOP minima"))
    assert re.search(r"90% CI .+–", tab.inner_text("#answer-lead"))
    assert "r1, another answer: dashed" in tab.inner_text("#answer-caption")
    curves = tab.evaluate("() => window.isoflop.valley().curves.map(({ x, y }) => [x, y])")
    assert len(curves) == 2
    x, y = curves[1]
    bends = [(y[i + 1] - y[i]) / (x[i + 1] - x[i]) for i in range(len(x) - 1)]
    steps = [abs(b - a) for a, b in itertools.pairwise(bends)]
    assert max(steps) < 0.1 * (max(bends) - min(bends))  # no corner
    tab.click("#share summary")
    command = tab.get_attribute("#share-sheet button:has-text('command')", "title")
    assert command.startswith("isoflop report svg_extracted_data.csv --where 'row not in [1, 2, 3, 4, 5, 6, 11, 12]'")
    assert "isoflop.bootstrap" in tab.get_attribute("#share-sheet button:has-text('Python')", "title")
    tab.keyboard.press("Escape")
    assert tab.is_hidden("#share-sheet")
    middle = tab.evaluate("() => window.isoflop.valley().view.x")
    tab.evaluate(
        """() => {
        const slider = document.querySelector("#answer [data-lever=budget] input[type=range]");
        slider.value = Number(slider.value) + 0.3;
        slider.dispatchEvent(new Event("input"));
    }"""
    )
    assert tab.evaluate("() => window.isoflop.valley().view.x") == middle  # it stays while it is dragged
    tab.select_option("#runs-y", "residual")
    tab.select_option("#runs-x", "D")
    assert tab.text_content("#runs-axes-say").startswith("Off the law")
    off = tab.evaluate("() => Array.from(window.isoflop.chart.content().points.y)")
    assert min(off[:6]) > 2 and sorted(map(abs, off))[122] < 1
    tab.select_option("#runs-lines", "envelope")
    assert tab.input_value("#runs-x") == "C"
    assert tab.evaluate("() => window.isoflop.chart.content().lines.length") == 1
    assert page.slips == []


@pytest.mark.slow
def test_a_law_of_another_response_than_the_loss_is_fitted_at_once(served, watched, tmp_path):
    path = tmp_path / "tries.csv"
    samples = [1, 2, 4, 8, 16, 32, 64, 128] * 3
    rows = [f"{k},{(1 + k / 2) ** -0.6 * (1 + 0.01 * (i % 3))!r}" for i, k in enumerate(samples)]
    path.write_text("samples,failure\n" + "\n".join(rows) + "\n")
    page = watched(viewport={"width": 1440, "height": 900})
    tab = page.tab
    tab.goto(served(path).address)
    tab.wait_for_function("() => window.isoflop?.chart?.content() && document.getElementById('law-means').textContent")
    assert tab.input_value("#runs-y") == "failure" and tab.locator(".finding").count() == 0
    tab.click("#families summary")
    tab.click("#families-list button:has-text('pass-at-k')")
    tab.wait_for_function("() => !document.getElementById('fit').disabled")
    ask_for_draws(tab, 50)
    tab.click("#fit")
    tab.wait_for_function("() => window.isoflop.fit")
    assert tab.inner_text("#answer-lead").startswith("Expected failure at samples = 1.3K: ")
    tab.select_option("#runs-y", "residual")
    off = tab.evaluate("() => Array.from(window.isoflop.chart.content().points.y)")
    assert len(off) == 24 and 0 < max(map(abs, off)) < 40 and page.slips == []


@pytest.mark.slow
def test_curves_by_run_are_drawn_and_the_table_of_a_thousand_rows_holds_few(served, watched, known_runs, tmp_path):
    runs = table(tmp_path / "runs.csv", known_runs)
    head, *rows = runs.read_text().splitlines()
    many = [f"{row},{step * 100},{i}" for i, row in enumerate(rows) for step in range(1, 41)]
    runs.write_text("\n".join([f"{head},step,run", *many]) + "\n")
    tab = watched(viewport={"width": 1440, "height": 900}).tab
    tab.goto(served(runs).address)
    tab.wait_for_function("() => window.isoflop?.chart?.content()")
    tab.wait_for_function("() => document.getElementById('runs-lines').value === 'curves'")  # the usual picture of them
    assert tab.input_value("#runs-x") == "D"
    tab.select_option("#runs-x", "step")
    lines = tab.evaluate("() => window.isoflop.chart.content().lines.map(line => line.x.length)")
    assert lines == [40] * 30
    assert tab.locator("#rows-table tbody tr").count() < 80
    tab.focus("#rows-table .grid-box")
    tab.keyboard.press("End")
    tab.wait_for_selector("#rows-table input[aria-label='use row 1200']")
