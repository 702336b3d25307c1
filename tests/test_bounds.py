"""Bounds: what would take hours, gigabytes or somebody else's file is refused in one sentence before work begins."""

import json
import os
import sys

import numpy as np
import pytest

from isoflop import Runs, fit, influence, law, tie
from isoflop.cli import main
from isoflop.errors import FitError, FormulaError, IsoflopError, SpecError
from isoflop.files import check_place, write_whole
from isoflop.lab.design import MOST_CELLS, cells_of, programs_of, search_cells
from isoflop.lab.result import RESULT, read_result
from isoflop.lab.spec import parse_spec, read_spec
from isoflop.study import read_study
from isoflop.study.results import _sweep_up

HEAD = "[model]\nsizes = [{ width = 8, layers = 1, heads = 1 }]\n[train]\nbatch = 128\nlr = 0.01\n"
GRID = HEAD + '[[design]]\nkind = "grid"\ntokens = '


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GRID + "[inf]", "tokens in design 1 is inf, and a finite number"),
        (GRID + "[nan]", "tokens in design 1 is nan, and a finite number"),
        (GRID + "[1e4]\nsizes = 5", "sizes = 5 in design 1 must be a list of texts"),
        (GRID + "[1e4]\nseeds = [1e30]", "seeds in design 1 is 1e.30, outside 0"),
        (GRID.replace("width = 8", "width = 1e300") + "[1e4]", "width in size 1 of .model. is 1e.300, outside"),
        (GRID + "[" + "9" * 350 + "]", "the sweep is not valid TOML: holds a whole number of more than 40 digits"),
        (GRID + "[" + "9" * 5_000 + "]", "a number in it has more than 400 digits"),
        ("x = " + "[" * 60 + "]" * 60, "nests deeper than 40 levels"),
        ('[command]\nrun = "true \'"', "cannot be split into words .no closing quotation.; balance its quotes"),
        ('[command]\nrun = "true {a}"\nvalues = { a = [inf] }', "must be a list of numbers or texts"),
        ('name = ""\n' + GRID + "[1e4]", "name = '' in the sweep must be a text of 1 to 200 bytes"),
        (f'name = "{"n" * 300}"\n' + GRID + "[1e4]", "must be a text of 1 to 200 bytes"),
        ("limits = { seconds = 1e300 }\n" + GRID + "[1e4]", "seconds in .limits. is 1e.300"),
    ],
)
def test_descriptions_of_sweeps(text, says):
    with pytest.raises(SpecError, match=says):
        parse_spec(text)


def test_cells_are_counted_before_they_are_built():
    hundred = list(range(100))
    programs = parse_spec(
        f'[command]\nrun = "x {{a}} {{b}} {{c}}"\nvalues = {{ a={hundred}, b={hundred}, c={hundred} }}'
    )
    with pytest.raises(SpecError, match="the sweep has 1,000,000 cells; at most 100,000"):
        programs_of(programs)
    tokens = [200.0 + each for each in range(4_000)]
    many = parse_spec(GRID + f"{tokens}\nseeds = {hundred}")
    with pytest.raises(SpecError, match="the sweep has 400,000 cells"):
        cells_of(many)
    assert MOST_CELLS == 100_000 and search_cells(many) == {}


@pytest.mark.parametrize("read", [read_spec, read_study])
def test_what_has_no_end_is_no_description(read):
    with pytest.raises(SpecError, match="is no plain file but a device"):
        read("/dev/zero")


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "null", "[]", '{"row": {}}', '{"row": {}, "curve": [], "status": "done"}',
        '{"row": {"loss": "2"}, "curve": [], "status": "done"}', '{"row": {"loss": 2}, "curve": [], "status": "lost"}',
        '{"row": {"loss": 2, "x": [1]}, "curve": [], "status": "done"}',
        '{"row": {"loss": 2}, "curve": [null], "status": "done"}',
    ],
)  # fmt: skip
def test_a_damaged_result_is_none(tmp_path, content):
    (tmp_path / RESULT).write_text(content)
    assert read_result(tmp_path) is None
    (tmp_path / RESULT).write_text('{"row": {"loss": 2.5, "N": 7, "note": "x"}, "curve": [], "status": "done"}')
    assert read_result(tmp_path)["row"] == {"loss": 2.5, "N": 7, "note": "x"}


def test_a_sweep_does_the_cell_of_a_damaged_result_again(tmp_path, monkeypatch, capsys):
    (tmp_path / "spec.toml").write_text(
        '[command]\nrun = "{python} -c \\"print(chr(123) + \'\\\\\\"loss\\\\\\": {a}\' + chr(125))\\""\n'
        "values = { a = [2, 3] }\n"
    )

    def sweep():
        monkeypatch.setattr(sys, "argv", ["isoflop", "sweep", "spec.toml", "-o", "out", "--workers", "1", "--json"])
        main()
        return json.loads(capsys.readouterr().out)

    monkeypatch.chdir(tmp_path)
    assert sweep()["done"] == 2
    results = sorted((tmp_path / "out" / "cells").glob(f"*/{RESULT}"))
    whole = results[0].read_bytes()
    results[0].write_bytes(whole[:40])
    assert sweep()["done"] == 2
    assert json.loads(results[0].read_bytes())["row"]["loss"] == json.loads(whole)["row"]["loss"]


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("root(L, L - root(M1, M1 - A/N^alpha, 0), 0)", "a root stands within another root"),
        ("root(L, L - A/N^alpha, root(M1, M1 - B, 0))", "a root stands within another root"),
        (" + ".join(f"root(L, L - A{i}/N^alpha, 0)" for i in range(9)), "has more than 8 roots"),
    ],
)
def test_implicit_unknowns_count_in_the_cost_of_a_formula(formula, says):
    with pytest.raises(FormulaError, match=says):
        law(formula)


def test_a_tie_cannot_bring_in_what_a_formula_cannot():
    within = law("root(L, L - A/N^alpha - B, 0)")
    with pytest.raises(FormulaError, match="a root stands within another root"):
        tie(within, {"B": "root(M1, M1 - A^2, 0)"})
    many = law("+".join(f"A*{i}/N^(alpha*{i})" for i in range(2, 40)))
    with pytest.raises(FormulaError, match="more than 600 operations"):
        tie(many, {"A": "+".join(f"alpha^{i}/{i}" for i in range(2, 30))})


@pytest.mark.parametrize("kind", ["link", "dangling link", "device", "pipe", "folder"])
def test_nothing_is_replaced_that_is_no_plain_file(tmp_path, kind):
    place = tmp_path / "out.json"
    target = tmp_path / "target"
    target.write_text("kept")
    match kind:
        case "link":
            place.symlink_to(target)
        case "dangling link":
            place.symlink_to(tmp_path / "nowhere")
        case "device":
            place = type(place)("/dev/null")
        case "pipe":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
    with pytest.raises(IsoflopError, match="no plain file"):
        write_whole(place, b"{}")
    with pytest.raises(IsoflopError, match="not a plain file"):
        check_place(str(place), "--save")
    assert target.read_text() == "kept" and place.is_file() == (kind == "link")
    assert place.is_symlink() == kind.endswith("link")


@pytest.mark.parametrize(
    "words", [("report", "-o", "out/r.html"), ("fit", "--save", "out/f.json"), ("fit", "--picture", "out/p.svg")]
)
def test_a_folder_that_may_not_be_written_to_is_refused_before_the_fit(tmp_path, monkeypatch, capsys, words):
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: "out" not in str(path) and access(path, mode))
    monkeypatch.setattr("isoflop.fitting.fit", None)  # a fit would end in a fault
    monkeypatch.setattr(sys, "argv", ["isoflop", words[0], "--law", "chinchilla", *words[1:]])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2 and "may not be written to" in capsys.readouterr().err


def test_leftovers_of_killed_studies_are_swept(tmp_path):
    gone = 2**22 + 7  # above every process number of Linux
    folder = tmp_path / "results"
    for name in (f".results.{gone}", f".results.{os.getppid()}", f".other.{gone}", ".results"):
        (tmp_path / name).mkdir()
    (tmp_path / f".results.{gone}.old").mkdir()
    (tmp_path / f".results.{gone}.old" / "answers.md").write_text("earlier")
    _sweep_up(folder)
    left = sorted(each.name for each in tmp_path.iterdir())
    assert left == sorted([f".results.{os.getppid()}", f".other.{gone}", ".results", "results"])
    assert (folder / "answers.md").read_text() == "earlier"  # killed between its two renamings: put back


def test_influence_without_an_optimum_is_a_sentence():
    rng = np.random.default_rng(0)
    runs = Runs.from_columns({"N": 1e8 + np.arange(24) * 1e-1, "D": np.logspace(8, 11, 24), "loss": 2 + rng.random(24)})
    fitted = fit(law("chinchilla"), runs)
    with pytest.raises(FitError, match="has no finite value at this fit of chinchilla or without any one run"):
        influence(fitted, draws=20)
