"""The chart and the table of runs: nothing changes without an explicit act, and every act can be undone."""

import pytest
from tests.browser.test_app import table


@pytest.fixture
def runs_page(served, watched, known_runs, tmp_path):
    """A tab on thirty runs, and the server behind it."""

    def open_page(**looks):
        server = served(table(tmp_path / "runs.csv", known_runs))
        page = watched(**{"viewport": {"width": 1440, "height": 900}, **looks})
        page.tab.goto(server.address)
        page.tab.wait_for_function("() => window.isoflop?.chart?.content()")
        return page, server

    return open_page


def place_of(tab, place=14):
    """Where the chart draws a row, in pixels of the window."""
    return tab.evaluate(
        """place => {
        const { chart } = window.isoflop;
        const box = chart.picture.canvas.getBoundingClientRect();
        const { x, y } = chart.content().points;
        return [box.x + chart.frame().px(x[place]), box.y + chart.frame().py(y[place])];
    }""",
        place,
    )


def corners(tab):
    """Left, top, right and bottom of the frame, in pixels of the window."""
    return tab.evaluate(
        """() => {
        const { chart } = window.isoflop;
        const box = chart.picture.canvas.getBoundingClientRect();
        const { left, top, wide, high } = chart.frame();
        return [box.x + left, box.y + top, box.x + left + wide, box.y + top + high];
    }"""
    )


def drag(tab, *places):
    tab.mouse.move(*places[0])
    tab.mouse.down()
    for place in places[1:]:
        tab.mouse.move(*place, steps=4)
    tab.mouse.up()


def upper_half(tab):
    left, top, right, bottom = corners(tab)
    return (left + 2, top + 2), (right - 2, (top + bottom) / 2)


def pinch(tab, middle, apart):
    """Two fingers on a level that move apart."""
    session = tab.context.new_cdp_session(tab)
    x, y = middle
    for kind, half in (
        ("touchStart", apart[0]),
        ("touchMove", sum(apart) / 2),
        ("touchMove", apart[1]),
        ("touchEnd", 0),
    ):
        points = [] if kind == "touchEnd" else [{"x": x - half, "y": y, "id": 0}, {"x": x + half, "y": y, "id": 1}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def dropped(tab):
    return tab.evaluate("() => window.isoflop.state.dropped")


def selected(tab):
    said = tab.text_content("#selection-says") if tab.is_visible("#selection") else "0"
    return int(said.split()[0])


def view(tab):
    return tab.evaluate("() => { const { x, y } = window.isoflop.chart.view(); return [...x, ...y] }")


def wait_until_dropped(tab, count):
    tab.wait_for_function(f"() => window.isoflop.state.dropped.length === {count}")


def test_a_pointer_reads_selects_zooms_and_moves_and_buttons_alone_change_the_runs(runs_page):
    page, _ = runs_page()
    tab = page.tab
    losses = tab.evaluate("() => Array.from(window.isoflop.runs.loss)")
    whole = view(tab)
    x, y = place_of(tab)
    tab.mouse.move(x, y)
    assert tab.text_content("#runs-chosen").startswith("row 15 ") and tab.is_visible("#runs-chart .tip")
    tab.mouse.click(x, y)
    assert selected(tab) == 1 and "row 15" in tab.text_content("#selection-says") and dropped(tab) == []
    left, top, right, bottom = corners(tab)
    tab.mouse.click(right - 4, top + 4)  # nothing is there
    assert selected(tab) == 0

    drag(tab, *upper_half(tab))
    high = selected(tab)
    assert 0 < high < 30 and dropped(tab) == []
    tab.click("#selection-out")
    wait_until_dropped(tab, high)
    assert tab.text_content("#table-says") == f"{30 - high} of 30 runs used"
    out = {losses[row - 1] for row in dropped(tab)}
    assert min(out) > max(set(losses) - out) and selected(tab) == 0
    drag(tab, *upper_half(tab))
    tab.click("#selection-only")
    wait_until_dropped(tab, 30 - high)
    drag(tab, *upper_half(tab))
    tab.keyboard.down("Shift")
    drag(tab, (left + 2, bottom - 2), (right - 2, (top + bottom) / 2))
    tab.keyboard.up("Shift")
    assert selected(tab) == 30  # Shift adds
    tab.click("#selection-in")
    wait_until_dropped(tab, 0)
    tab.click("#undo")
    wait_until_dropped(tab, 30 - high)
    tab.click("#all-in")
    wait_until_dropped(tab, 0)

    tab.click("[data-mode=lasso]")
    x, y = place_of(tab, 3)
    drag(tab, (x - 9, y - 9), (x + 9, y - 9), (x + 9, y + 9), (x - 9, y + 9), (x - 9, y - 9))
    assert selected(tab) == 1 and "row 4" in tab.text_content("#selection-says")
    assert view(tab) == whole
    tab.mouse.move((left + right) / 2, (top + bottom) / 2)
    tab.mouse.wheel(0, -300)
    tab.wait_for_timeout(50)
    near = view(tab)
    assert whole[0] < near[0] < near[1] < whole[1] and whole[2] < near[2] < near[3] < whole[3]
    tab.click("[data-mode=move]")
    drag(tab, ((left + right) / 2, (top + bottom) / 2), ((left + right) / 2 + 80, (top + bottom) / 2))
    moved = view(tab)
    assert moved[0] < near[0] and moved[1] - moved[0] == pytest.approx(near[1] - near[0])
    tab.click("#zoom-fit")
    assert view(tab) == whole and dropped(tab) == [] and page.slips == []


def test_axes_color_table_files_and_history(runs_page, tmp_path):
    page, _ = runs_page(accept_downloads=True)
    tab = page.tab
    assert tab.text_content("#runs-axes-say").startswith("Loss against ")
    tab.select_option("#runs-lines", "none")
    tab.select_option("#runs-x", "N")
    tab.select_option("#runs-color", "loss")
    assert tab.text_content("#runs-axes-say") == "Loss against parameters N, colored by loss."
    numbers = tab.evaluate("() => Object.fromEntries(['N', 'loss'].map(n => [n, [...window.isoflop.runs.numbers[n]]]))")
    tab.locator("#runs-chart").focus()
    tab.keyboard.press("Home")
    assert numbers["N"][tab.evaluate("() => window.isoflop.chosen") - 1] == min(numbers["N"])
    tab.keyboard.press("+")
    assert view(tab) != tab.evaluate(
        "() => { const { x, y } = window.isoflop.chart.content().view; return [...x, ...y] }"
    )

    first = "#rows-table tbody tr:first-child td:nth-child(2)"
    tab.click("#rows-table th >> text=loss")
    assert tab.text_content(first) == str(1 + numbers["loss"].index(min(numbers["loss"])))
    tab.click("#rows-table th >> text=loss")
    assert tab.text_content(first) == str(1 + numbers["loss"].index(max(numbers["loss"])))
    assert tab.get_attribute("#rows-table th[aria-sort=descending]", "class") == "number"
    tab.fill("#rows-filter", "N > 1e9, loss < 2.6")
    kept = [i + 1 for i in range(30) if numbers["N"][i] > 1e9 and numbers["loss"][i] < 2.6]
    assert tab.text_content("#rows-say") == f"{len(kept)} of 30 rows"
    tab.press("#rows-filter", "Enter")
    assert selected(tab) == len(kept) > 1
    for wrong, said in (
        ("lss < 2.6", "no column “lss”; did you mean loss?"),
        ("nonsense > 3", "no column “nonsense”; it has row, N, D, C, loss, note."),
        ("N > many", "N holds numbers, and “many” is none"),
        ("note > 3", "note holds words"),
        ("N >", "has no value yet"),
    ):
        tab.fill("#rows-filter", wrong)
        assert said in tab.text_content("#rows-slip"), wrong
        assert tab.text_content("#rows-say") == f"{len(kept)} of 30 rows"  # as they were
    tab.fill("#rows-filter", "params > 1e9 and off the law")  # a header is a name too; other words are searched
    assert tab.text_content("#rows-say") == "0 of 30 rows" and tab.text_content("#rows-slip") == ""
    tab.fill("#rows-filter", "run 29")  # a text in a cell
    assert tab.text_content("#rows-say") == "1 of 30 rows"
    tab.uncheck("#rows-table tbody input")
    wait_until_dropped(tab, 1)
    assert dropped(tab) == [30]
    tab.fill("#rows-filter", "")
    tab.focus("#rows-table .grid-box")
    tab.keyboard.press("Home")
    tab.keyboard.press("Enter")
    wait_until_dropped(tab, 2)

    tab.click("#tab-history")
    said = tab.locator("#states li").all_inner_texts()
    assert len(said) == 3 and "As it was opened" in said[0] and "Left out row 30" in said[1]
    tab.click("button[aria-label='go to state 1']")
    wait_until_dropped(tab, 0)
    assert not tab.is_disabled("#redo")
    tab.click("#tab-runs")
    saved = {}
    for kind in ("PNG", "SVG", "CSV"):
        with tab.expect_download() as fetched:
            tab.click(f"#runs-saves >> text={kind}")
        saved[kind] = (tmp_path / fetched.value.suggested_filename, fetched.value.save_as(tmp_path / kind))[0]
    assert saved["PNG"].name == "runs-runs.png" and (tmp_path / "PNG").read_bytes()[:4] == b"\x89PNG"
    drawn = (tmp_path / "SVG").read_text(encoding="utf-8")
    assert drawn.startswith("<svg ") and drawn.count("<circle ") >= 15 and "parameters N" in drawn
    rows = (tmp_path / "CSV").read_text(encoding="utf-8").splitlines()
    assert rows[0].startswith("row,N,D,C,loss") and len(rows) == 31
    assert float(rows[1].split(",")[1]) == numbers["N"][0] and page.slips == []


def test_a_touch_reads_and_a_filter_that_cannot_be_read_leaves_the_chart(runs_page):
    page, _ = runs_page(has_touch=True, viewport={"width": 390, "height": 800})
    tab = page.tab
    tab.locator("#runs-chart").scroll_into_view_if_needed()
    tab.touchscreen.tap(*place_of(tab))
    assert tab.text_content("#runs-chosen").startswith("row ") and dropped(tab) == [] and selected(tab) == 0
    assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    whole = view(tab)
    left, top, right, bottom = corners(tab)
    pinch(tab, ((left + right) / 2, (top + bottom) / 2), (20, 60))
    tab.wait_for_timeout(50)
    near = view(tab)
    assert (whole[1] - whole[0]) / (near[1] - near[0]) == pytest.approx(3, rel=0.05)  # as far as the fingers went apart
    assert whole[2] < near[2] < near[3] < whole[3]
    for where in ("tokens >", "no_such_column > 3", "N > 1e99"):
        tab.fill("#where", where)
        tab.click("#where-form button")
        tab.wait_for_function("() => document.getElementById('where-slip').textContent")
        assert tab.is_visible("#runs-chart canvas") and tab.evaluate("() => window.isoflop.state.reading.where") == ""
        tab.evaluate("() => document.getElementById('where-slip').textContent = ''")
    tab.emulate_media(color_scheme="dark")
    tab.fill("#where", "N < 2e9")
    tab.click("#where-form button")
    tab.wait_for_function("() => window.isoflop.table.count < 30")
    assert tab.text_content("#where-slip") == "" and not [slip for slip in page.slips if "400" not in slip]


def test_what_is_done_is_undone_and_done_again(runs_page):
    page, server = runs_page()
    tab = page.tab
    state = "() => [window.isoflop.state.dropped.length, window.isoflop.state.reading.where]"
    assert tab.is_disabled("#undo") and tab.is_disabled("#redo")
    tab.focus("#runs-chart")
    tab.keyboard.press("Home")
    tab.keyboard.press("Enter")
    wait_until_dropped(tab, 1)
    tab.fill("#where", "N < 2e9")
    tab.click("#where-form button")
    tab.wait_for_function("() => window.isoflop.state.reading.where")
    for button, after in (("#undo", [1, ""]), ("#undo", [0, ""]), ("#redo", [1, ""]), ("#redo", [1, "N < 2e9"])):
        tab.click(button)
        tab.wait_for_function(f"([rows, where]) => String(({state})()) === String([rows, where])", arg=after)
    assert tab.is_disabled("#redo")
    tab.reload()  # what was done outlives it
    tab.wait_for_function("() => window.isoflop?.chart?.content()")
    assert tab.is_enabled("#undo") and tab.is_disabled("#redo") and tab.input_value("#where") == "N < 2e9"
    said = tab.evaluate("() => [...document.querySelectorAll('#states li')].map(each => each.textContent)")
    assert len(said) == 3 and "Left out row 1" in said[1] and "Only rows where N < 2e9" in said[2]
    tab.locator("#title").click()
    tab.keyboard.press("Control+z")
    tab.wait_for_function("() => !window.isoflop.state.reading.where")
    tab.click("#all-in")  # a new act forgets what was undone
    wait_until_dropped(tab, 0)
    assert tab.is_disabled("#redo") and page.slips == []
    assert tab.is_hidden("#away")
    server.stop()
    tab.wait_for_selector("#away:not([hidden])")


def test_a_table_without_a_loss_asks_for_it_before_a_fit_and_a_chip_names_it(served, watched, tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text("params,tokens,quality_x\n" + "".join(f"{n}e6,{n}e8,{3 - n / 50}\n" for n in range(1, 30)))
    tab = watched().tab
    tab.goto(served(path).address)
    tab.wait_for_function("() => window.isoflop?.table && document.getElementById('law-means').textContent")
    assert tab.is_disabled("#fit") and "choose its column under Read as" in tab.text_content("#law-means")
    tab.click("#columns summary:has-text('loss: choose')")
    tab.select_option("#columns details[open] select >> nth=0", "quality_x")
    tab.wait_for_function("() => window.isoflop.table.runs && !document.getElementById('fit').disabled")
    assert "loss ← quality_x" in tab.text_content("#columns")
