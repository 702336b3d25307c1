"""Groups on the page: a column and its values, rows that get a name; compared, fitted together, or refused."""

import re

import numpy as np
import polars as pl
import pytest
from tests.browser.test_app import ask_for_draws

from isoflop.planning.comparison import compare_groups, groups_by
from isoflop.runs import read_runs


@pytest.fixture
def recipes(tmp_path):
    """Two recipes that cross at C = 1e20, and two runs of a third."""
    rng = np.random.default_rng(0)
    compute = np.geomspace(1e18, 1e22, 12)
    laws = {"dense": (1.8, 1.2), "sparse": (1.72, 1.2 + 0.08 * 100**0.2), "tiny": (2.0, 1.0)}
    parts = []
    for name, (floor, amplitude) in laws.items():
        c = compute[:2] if name == "tiny" else compute
        n = 3e7 * (c / 1e18) ** 0.5
        loss = (floor + amplitude * (c / 1e18) ** -0.2) * np.exp(0.003 * rng.standard_normal(len(c)))
        parts.append(pl.DataFrame({"params": n, "tokens": c / 6 / n, "loss": loss, "recipe": [name] * len(c)}))
    pl.concat(parts).write_csv(tmp_path / "recipes.csv")
    return tmp_path / "recipes.csv"


@pytest.fixture
def tab(served, watched, recipes):
    page = watched()
    page.tab.goto(served(recipes).address)
    page.tab.wait_for_selector("#groups-chips .chip", state="attached")
    ask_for_draws(page.tab, 50)
    page.tab.click("#tab-questions")
    yield page.tab
    assert [slip for slip in page.slips if "400" not in slip] == []


def wait_for(tab, task):
    done = f"#results li:has-text('{task} '):has(.tools button[aria-label='show {task}'], p.slip)"
    tab.wait_for_selector(done, state="attached")
    said = tab.text_content(f"#results li:has-text('{task} ')")
    tab.click("#tab-questions")
    return said


def choose(tab, *names):
    for chip in tab.locator("#groups-chips .chip").all():
        chip.locator("input").set_checked(any(chip.inner_text().strip().startswith(name) for name in names))


def test_two_groups_are_chosen_compared_and_drawn(tab, recipes):
    assert [re.sub(r"\s+", " ", each).strip() for each in tab.locator("#groups-chips .chip").all_inner_texts()] == [
        "dense 12 runs",
        "sparse 12 runs",
        "tiny 2 runs",
    ]
    choose(tab, "dense")
    tab.click("#compare-groups")
    assert "the one group 'dense' of 'recipe' is chosen, and two or more make a comparison" in wait_for(tab, "r1")
    choose(tab, "dense", "tiny")
    tab.click("#compare-groups")
    assert "a law of 3 parameters needs 4 runs or more in each of two groups; these have fewer: tiny (2)" in wait_for(
        tab, "r2"
    )
    choose(tab, "dense", "sparse")
    tab.click("#groups-form summary:has-text('Options')")
    tab.fill("#groups-at", "C=1e21")
    tab.click("#compare-groups")
    assert "Comparison by recipe, dense, sparse" in wait_for(tab, "r3")
    tab.click("#tab-report")
    tab.wait_for_selector("#shown img")
    groups, _ = groups_by(read_runs(recipes).where("recipe != 'tiny'"), "recipe")
    lead = compare_groups(groups, at={"C": [1e21]}, draws=50).lead
    said = tab.inner_text("#shown")
    assert lead.leader == "sparse" and "sparse is better than dense from C = " in said
    assert f"at C = 1e21 by {lead.advantage.value:.4f}"[:22] in said and "hold-out of dense" in said
    pictures = tab.locator("#shown img.drawn:visible")  # each is there for light and for dark
    assert pictures.count() == 2
    for picture in pictures.all():
        picture.scroll_into_view_if_needed()
        picture.evaluate("each => each.decode()")
        assert picture.evaluate("each => each.naturalWidth") > 100
    tab.click("#tab-questions")
    choose(tab)
    assert tab.is_disabled("#compare-groups") and "Choose two groups" in tab.inner_text("#groups-says")


@pytest.mark.slow
def test_rows_that_are_selected_become_groups_that_share_an_exponent(tab):
    tab.click("#tab-runs")
    tab.focus("#runs-chart")
    tab.keyboard.press("Home")
    for _ in range(3):
        tab.keyboard.press("Space")
        tab.keyboard.press("ArrowRight")
    tab.click("#selection-group")
    rows = re.findall(r"\d+", tab.input_value("#groups-where"))
    assert len(rows) == 3 and tab.evaluate("() => window.isoflop.state.dropped.length") == 0  # selected, not left out
    tab.fill("#groups-where", "C < 4e19 and recipe != 'tiny'")
    tab.click("#groups-add")
    tab.wait_for_selector("#slip:has-text('a group needs a name')")
    tab.fill("#groups-new", "low")
    tab.click("#groups-add")
    tab.wait_for_selector("#groups-chips .chip:has-text('low')")
    for where, says in (("C > 1e30", "satisfies"), ("C >> 1", "selection")):
        tab.fill("#groups-new", "high")
        tab.fill("#groups-where", where)
        tab.click("#groups-add")
        tab.wait_for_selector(f"#slip:has-text('{says}')")
    tab.fill("#groups-where", "C >= 1e19")
    tab.click("#groups-add")
    tab.wait_for_selector("#groups-chips .chip:has-text('high')")
    tab.click("#compare-groups")
    assert "rows are in 'low' and 'high'" in wait_for(tab, "r1")
    tab.click("button[aria-label='remove group high']")
    tab.fill("#groups-new", "high")
    tab.fill("#groups-where", "C >= 4e19")
    tab.click("#groups-add")
    tab.wait_for_selector("#groups-chips .chip:has-text('high')")
    tab.fill("#law", "E + A/C^alpha")
    tab.wait_for_function("() => document.getElementById('law-means').textContent.includes('Inputs C')")
    tab.fill("#groups-share", "alpha,E")
    tab.click("#fit-groups")
    assert "Fit of groups of low, high" in wait_for(tab, "r2")
    tab.click("#tab-report")
    tab.wait_for_selector("#shown h2")
    said = tab.inner_text("#shown")
    assert "fitted to 2 groups of named group" in said and "E and alpha shared" in said
    tab.wait_for_selector("#shown img.drawn")
