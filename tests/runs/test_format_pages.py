"""Every page on a form of tables shows a table that is read as the page says."""

import re
from pathlib import Path

import pytest

from isoflop import read_runs

PAGES = Path(__file__).parents[2] / "docs" / "formats" / "tables"
# What the runs have of each page's excerpts, by the excerpt's file: symbol, its numbers.
SAYS = {
    "runs": {"runs.csv": {"N": [70e6, 160e6, 410e6], "D": [1.4e9, 3.2e9, 8.2e9], "loss": [1.31, 1.18, 1.07]}},
    "checkpoints": {"results.csv": {"N": [3.5e7, 3.5e7, 9e7], "step": [4000, 5000, 4000]}},
    "wide": {"losses.csv": {"N": [53.3e6] * 3 + [159.6e6] * 3, "loss": [5.91, 4.62, 3.71, 5.70, 4.38, 3.46]}},
    "json-markdown": {
        "results.json": {"N": [5e7, 1.24e8], "C": [6e18, 6e18], "loss": [7.193, 6.407]},
        "README.md": {"N": [70e6, 160e6], "D": [1.4e9, 3.2e9], "loss": [3.21, 2.97]},
    },
}


def test_every_page_is_tested_and_listed():
    assert {page.stem for page in PAGES.glob("*.md")} == set(SAYS)
    index = (PAGES.parent / "index.md").read_text(encoding="utf-8")
    assert all(f"(tables/{name}.md)" in index for name in SAYS)


@pytest.mark.parametrize("name", sorted(SAYS))
def test_the_excerpts_are_read_as_the_page_says(tmp_path, name):
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    found = dict(re.findall(r"\n`([^`\n]+)`\n\n```\w+\n(.*?)\n```", text, re.DOTALL))
    assert set(found) == set(SAYS[name])
    for file, excerpt in found.items():
        (tmp_path / file).write_text(excerpt + "\n", encoding="utf-8")
        runs = read_runs(tmp_path / file)
        for symbol, values in SAYS[name][file].items():
            assert runs[symbol].tolist() == pytest.approx(values)
    for heading in ("## What is read", "## What to give when it is not there"):
        assert heading in text


def test_the_units_and_errors_of_the_page_on_runs(tmp_path):
    text = (PAGES / "runs.md").read_text(encoding="utf-8")
    path = tmp_path / "runs.csv"
    path.write_text(re.search(r"```csv\n(.*?)\n```", text, re.DOTALL)[1], encoding="utf-8")
    runs = read_runs(path)
    assert runs.loss_unit == "bits/byte" and runs["loss_error"].tolist() == [0.01] * 3
    assert runs["C"] == pytest.approx(6 * runs["N"] * runs["D"], rel=0.01)
