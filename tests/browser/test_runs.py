"""The chart of runs and what is done to them: nothing changes without an explicit act, and every act can be undone."""

import pytest
from tests.browser.test_app import table


@pytest.fixture
def runs_page(served, watched, known_runs, tmp_path):
    """A tab on thirty runs, and the server behind it."""

    def open_page(**looks):
        server = served(table(tmp_path / "runs.csv", known_runs))
        page = watched(**looks)
        page.tab.goto(server.address)
        page.tab.wait_for_function("() => window.isoflop?.table?.runs")
        return page, server

    return open_page


def place_of_a_run(tab):
    """Where the chart draws its 15th run from the left: the arrow keys choose it, the tip stands beside it."""
    chart = tab.locator("#runs-chart")
    chart.focus()
    tab.keyboard.press("Home")
    for _ in range(14):
        tab.keyboard.press("ArrowRight")
    tip = chart.locator(".tip")
    at = chart.bounding_box()
    left, top = (float(tip.evaluate(f"tip => parseFloat(tip.style.{side})")) for side in ("left", "top"))
    tab.keyboard.press("Escape")
    return at["x"] + left, at["y"] + top


def empty_place(tab):
    at = tab.locator("#runs-chart .u-over").bounding_box()
    return at["x"] + at["width"] - 6, at["y"] + 6  # large compute and large loss: no run is there


def dropped(tab):
    return tab.evaluate("() => window.isoflop.state.dropped")


def test_a_click_on_nothing_and_a_drag_leave_all_runs_and_a_click_on_one_takes_it(runs_page):
    page, _ = runs_page()
    tab = page.tab
    tab.locator("#runs-chart").scroll_into_view_if_needed()
    x, y = place_of_a_run(tab)
    tab.mouse.move(x, y)
    tab.wait_for_selector("#runs-act:not([hidden])")
    tab.mouse.click(*empty_place(tab))
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + 60, y + 30, steps=4)
    tab.mouse.move(x, y, steps=4)
    tab.mouse.move(x + 8, y)
    tab.mouse.up()
    tab.wait_for_timeout(200)
    assert dropped(tab) == []
    tab.mouse.click(x, y)
    tab.wait_for_function("() => window.isoflop.state.dropped.length === 1")
    assert tab.text_content("#runs-act") == f"Take row {dropped(tab)[0]} in again"
    tab.click("#runs-act")
    tab.wait_for_function("() => window.isoflop.state.dropped.length === 0")
    assert page.slips == []


def test_a_tap_reads_and_a_button_acts(runs_page):
    page, _ = runs_page(has_touch=True, viewport={"width": 390, "height": 800})
    tab = page.tab
    tab.locator("#runs-chart").scroll_into_view_if_needed()
    tab.touchscreen.tap(*place_of_a_run(tab))
    tab.wait_for_selector("#runs-act:not([hidden])")
    assert tab.text_content("#runs-chosen").startswith("row ") and dropped(tab) == []
    tab.tap("#runs-act")
    tab.wait_for_function("() => window.isoflop.state.dropped.length === 1")
    assert page.slips == []


def test_a_filter_that_cannot_be_read_leaves_the_chart(runs_page):
    page, _ = runs_page()
    tab = page.tab
    for where in ("tokens >", "no_such_column > 3", "N > 1e99"):
        tab.fill("#where", where)
        tab.click("text=Select")
        tab.wait_for_function("() => document.getElementById('where-slip').textContent")
        assert tab.is_visible("#runs-chart canvas") and tab.evaluate("() => window.isoflop.state.reading.where") == ""
        tab.evaluate("() => document.getElementById('where-slip').textContent = ''")
    tab.emulate_media(color_scheme="dark")
    tab.fill("#where", "N < 2e9")
    tab.click("text=Select")
    tab.wait_for_function("() => window.isoflop.table.count < 30")
    assert tab.text_content("#where-slip") == "" and not [slip for slip in page.slips if "400" not in slip]


def test_what_is_done_is_undone_and_done_again(runs_page):
    page, _ = runs_page()
    tab = page.tab
    state = "() => [window.isoflop.state.dropped.length, window.isoflop.state.reading.where]"
    assert tab.is_disabled("#undo") and tab.is_disabled("#redo")
    tab.mouse.click(*place_of_a_run(tab))
    tab.wait_for_function("() => window.isoflop.state.dropped.length === 1")
    tab.fill("#where", "N < 2e9")
    tab.click("text=Select")
    tab.wait_for_function("() => window.isoflop.state.reading.where")
    for button, after in (("#undo", [1, ""]), ("#undo", [0, ""]), ("#redo", [1, ""]), ("#redo", [1, "N < 2e9"])):
        tab.click(button)
        tab.wait_for_function(f"([rows, where]) => String(({state})()) === String([rows, where])", arg=after)
    assert tab.is_disabled("#redo")
    tab.locator("#runs-title").click()
    tab.keyboard.press("Control+z")
    tab.wait_for_function("() => !window.isoflop.state.reading.where")
    tab.mouse.click(*place_of_a_run(tab))  # the same run goes in again: a new act forgets what was undone
    tab.wait_for_function("() => window.isoflop.state.dropped.length === 0")
    assert tab.is_disabled("#redo") and page.slips == []


def test_a_server_that_is_gone_is_said(runs_page):
    page, server = runs_page()
    assert page.tab.is_hidden("#away")
    server.stop()
    page.tab.wait_for_selector("#away:not([hidden])")


def test_a_table_without_a_loss_asks_for_it_before_a_fit(served, watched, tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text("params,tokens,quality_x\n" + "".join(f"{n}e6,{n}e8,{3 - n / 50}\n" for n in range(1, 30)))
    tab = watched().tab
    tab.goto(served(path).address)
    tab.wait_for_function("() => window.isoflop?.table && document.getElementById('law-means').textContent")
    assert tab.is_disabled("#fit") and "choose its column under How the table is read" in tab.text_content("#law-means")
    tab.select_option("#read-loss", "quality_x")
    tab.click("text=Read again")
    tab.wait_for_function("() => window.isoflop.table.runs && !document.getElementById('fit').disabled")


def test_a_box_selects_and_its_buttons_act(runs_page):
    page, _ = runs_page()
    tab = page.tab
    losses = tab.evaluate("() => Array.from(window.isoflop.runs.loss)")
    select_large_losses(tab)
    tab.wait_for_selector("#selection:not([hidden])")
    count = int(tab.text_content("#selection-says").split()[0])
    assert 0 < count < len(losses) and dropped(tab) == []
    tab.click("#selection-out")
    tab.wait_for_function(f"() => window.isoflop.state.dropped.length === {count}")
    out = {losses[row - 1] for row in dropped(tab)}
    assert min(out) > max(set(losses) - out) and tab.is_hidden("#selection")
    select_large_losses(tab)
    tab.click("#selection-only")
    tab.wait_for_function(f"() => window.isoflop.state.dropped.length === {len(losses) - count}")
    tab.click("#undo")
    tab.wait_for_function(f"() => window.isoflop.state.dropped.length === {count}")
    assert page.slips == []


def select_large_losses(tab):
    """A box over the upper half of the chart."""
    at = tab.locator("#runs-chart .u-over").bounding_box()
    tab.mouse.move(at["x"] + 2, at["y"] + 2)
    tab.mouse.down()
    tab.mouse.move(at["x"] + at["width"] - 2, at["y"] + at["height"] / 2, steps=5)
    tab.mouse.up()


def test_the_axes_and_the_color_are_chosen(runs_page):
    page, _ = runs_page()
    tab = page.tab
    assert tab.text_content("#runs-axes-say").startswith("loss against training compute C")
    tab.select_option("#runs-x", "N")
    tab.select_option("#runs-color", "loss")
    assert tab.text_content("#runs-axes-say") == "loss against parameters N, colored by loss."
    tab.locator("#runs-chart").focus()
    tab.keyboard.press("Home")
    smallest = tab.evaluate("() => Math.min(...window.isoflop.runs.numbers.N)")
    assert (
        tab.evaluate("() => window.isoflop.runs.numbers.N[window.isoflop.runs.row.indexOf(window.isoflop.chosen)]")
        == smallest
    )
    assert page.slips == []
