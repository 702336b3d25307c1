"""Every block of code of the documentation runs; generated pages tell what the package has."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from docs_build import pages, readme, runner
from docs_build.blocks import Page, blocks, commands, unknown_options

from isoflop.findings import catalogue
from isoflop.laws import catalogue as laws
from isoflop.questions import questions

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WRITTEN = sorted(each.relative_to(DOCS).as_posix() for each in DOCS.rglob("*.md"))
RUN = [each for each in WRITTEN if any(one.kind in ("console", "python") for one in blocks((DOCS / each).read_text()))]


@pytest.mark.parametrize("name", RUN)
def test_the_code_of_a_page_runs(name):
    page = Page()
    with runner.folder():
        for each in blocks((DOCS / name).read_text(encoding="utf-8")):
            page.run(each)


@pytest.mark.parametrize("name", [*WRITTEN, "../README.md", "../CONTRIBUTING.md"])
def test_commands_that_are_only_shown_have_the_options_that_there_are(name):
    for each in blocks((DOCS / name).read_text(encoding="utf-8")):
        if each.kind in ("bash", "sh", "text", "console"):
            for line in commands(each):
                if "…" not in line:
                    assert not unknown_options(line), line


NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def test_the_readme_shows_what_the_commands_print(tables):
    """Renew it with ``ISOFLOP_DATASETS=FOLDER python -m docs_build.readme``."""
    written = (ROOT / "README.md").read_text(encoding="utf-8")
    printed = readme.renewed(written, tables)
    assert [each.split() for each in NUMBER.split(printed)] == [each.split() for each in NUMBER.split(written)]
    numbers = [[float(each.replace(",", "")) for each in NUMBER.findall(text)] for text in (printed, written)]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.03)


def test_the_code_of_the_readme_runs():
    page = Page()
    with runner.folder():
        for each in blocks((ROOT / "README.md").read_text(encoding="utf-8")):
            if each.kind == "python":
                assert page.run(each).count("\n") == 3


def test_the_readme_is_short_and_has_the_two_commands_that_are_checked():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 120
    assert [each.code.count("\n") for each in blocks(text) if each.kind == "sh"] == [1, 1]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "examples/phenomena/README.md"])
def test_links_to_files_of_the_repository_hold(name):
    page = ROOT / name
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        assert re.match(r"https?:", target) or (page.parent / target).exists(), target


def test_a_wrong_option_and_a_failing_block_are_seen():
    assert unknown_options("isoflop plan runs.csv --bugdet 1e24") == ["--bugdet"]
    assert unknown_options("isoflop plna") == ["plna"]
    assert unknown_options('isoflop fit runs.csv --fix "E=1.69" -o a.json') == []
    (block,) = blocks("```console\n$ isoflop fit nowhere.csv\n```\n")
    with runner.folder(), pytest.raises(RuntimeError, match="nowhere"):
        Page().run(block)


def test_every_question_has_an_example_of_itself():
    for name, each in questions().items():
        assert each.examples, f"give {name} an example: commands on the files of docs_build/runner.py"
        assert shlex.split(each.examples[-1])[:2] == ["isoflop", name]
        assert not [word for line in each.examples for word in unknown_options(line)]


def test_an_example_that_fails_stops_the_build():
    with pytest.raises(RuntimeError, match="ended with 2"):
        pages._example(("isoflop fit nowhere.csv",))


def test_the_pages_of_laws_findings_and_schemas_have_all_that_there_are():
    told = pages.laws_page()
    assert set(re.findall(r"^## (.+)$", told, re.MULTILINE)) == set(laws())
    assert told.count("<math ") == len(laws())
    rows = re.findall(r'^\| <a id="([a-z0-9-]+)"></a>', pages.findings_page(), re.MULTILINE)
    assert sorted(rows) == sorted(catalogue())
    assert {each.topic for each in catalogue().values()} == set(pages.TOPICS)
    assert set(questions()) <= set(re.findall(r"^## (.+)$", pages.schemas_page(), re.MULTILINE))


def test_every_page_that_is_written_stands_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    entries = []

    def walk(node):
        if isinstance(node, dict):
            for each in node.values():
                walk(each)
        elif isinstance(node, list):
            for each in node:
                walk(each)
        else:
            entries.append(node)

    walk(yaml.safe_load(text)["nav"])
    folders = [each[:-1] for each in entries if each.endswith("/*")]
    assert not [each for each in WRITTEN if each not in entries and not each.startswith(tuple(folders))]
