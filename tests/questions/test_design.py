"""``isoflop design`` and ``isoflop simulate``: the files that they write, and what the lab reads of them."""

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from isoflop.cli import isoflop as command
from isoflop.errors import IsoflopError
from isoflop.lab.design import cells_of, programs_of, sizes_of
from isoflop.lab.spec import read_spec

SWEEP = Path(__file__).parents[2] / "examples" / "sweeps" / "python-bytes.toml"
GRID = ["--candidates", "N=10M:1B:4", "--candidates", "D=200M:20B:4"]
QUICK = ["--scratch", "--draws", "32", "--question", "loss at N=7B D=140B"]


def run(*words):
    return CliRunner().invoke(command, [*map(str, words)], catch_exceptions=False)


def told(*words):
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_batch_is_written_as_a_table(tmp_path):
    place = tmp_path / "batch.csv"
    answer = told("design", *QUICK, *GRID, "--spend", "1e19", "-o", place)
    written = pl.read_csv(place)
    rows = answer["tables"]["batch"]["rows"]
    assert written["N"].to_list() == [row["N"] for row in rows]
    assert written["cost"].sum() == pytest.approx(answer["quantities"]["spent"]["value"])
    assert [row["way"] for row in answer["tables"]["alternatives"]["rows"]] == [
        "one large run", "several small runs", "all candidates once",
    ]  # fmt: skip


def test_a_sweep_gives_a_sweep_of_the_chosen_cells(tmp_path):
    place = tmp_path / "next.toml"
    words = ["--scratch", "--draws", "32", "--question", "N* at 1e14", "--candidates", SWEEP, "--spend", "2e12"]
    answer = told("design", *words, "-o", place)
    spec, before = read_spec(place), read_spec(SWEEP)
    assert (spec.task, spec.shapes, spec.rate, spec.schedule) == (
        before.task, before.shapes, before.rate, before.schedule,
    )  # fmt: skip
    params = {each.shape.name: each.params for each in sizes_of(spec)}
    rows = answer["tables"]["batch"]["rows"]
    assert {(params[each.shape.name], each.tokens) for each in cells_of(spec)} == {(row["N"], row["D"]) for row in rows}
    assert len(cells_of(spec)) == len(rows) > 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["design", "--scratch", *GRID, "--spend", "1e19"], "there is no usual question"),
        (["design", *QUICK, "--spend", "1e19"], "--candidates is needed"),
        (["design", *QUICK, *GRID], "--spend is needed"),
        (["design", *QUICK, *GRID, "--spend", "0"], "--spend is a number above 0"),
        (["design", *QUICK, *GRID, "--spend", "1"], "the cheapest candidate costs"),
        (["design", *QUICK, *GRID, "--spend", "1e19", "-o", "batch.toml"], "a sweep is written from a sweep"),
        (["design", *QUICK, *GRID, "--spend", "1e19", "-o", "batch.txt"], "written as .toml or .csv"),
        (["design", *QUICK, *GRID, "--spend", "1e19", "--cost", "-N"], "must be a positive number"),
        (["design", "nothing.csv", *QUICK, *GRID, "--spend", "1e19"], "leave one of them out"),
        (["design", *QUICK, *GRID, "--spend", "1e19", "--loop", "trained"], "give --candidates sweep.toml"),
        (["design", *QUICK, *GRID, "--spend", "1e19", "--until", "2"], "--until ends a loop"),
        (["design", "--candidates", "a.toml", "--spend", "1e19", "--loop", "trained"], "there is no usual question"),
        (["design", *QUICK, "--candidates", "a.toml", "--spend", "1", "--loop", "x", "-o", "a.csv"], "leave --output"),
        (["design", "runs.csv", *QUICK[1:], "--candidates", "a.toml", "--spend", "1", "--loop", "x"], "without runs"),
        (["simulate", "--constants", "epoch"], "there is no design"),
        (["simulate", "--design", "N=1M", "--design", "D=1B"], "no value for E, A, B, alpha, beta"),
        (["simulate", "--constants", "epoch", "--design", "N=1M"], "have no column D"),
    ],
)  # fmt: skip
def test_bad_input_is_answered_in_a_sentence(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IsoflopError) as refused:
        run(*words)
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_a_simulated_table_is_read_back(tmp_path):
    place = tmp_path / "simulated.csv"
    words = ["--constants", "epoch", "--design", "N=1M:1B:5", "--design", "D=20M:20B:5", "--noise", "0.001"]
    told("simulate", *words, "-o", place)
    fitted = told("fit", place, "--law", "chinchilla", "--draws", "20")
    assert fitted["quantities"]["alpha"]["value"] == pytest.approx(0.3478, rel=0.03)


TINY = """
name = "tiny"
[task]
context = 16
[model]
sizes = [{ width = 4, layers = 1, heads = 1 }, { width = 12, layers = 1, heads = 1 }]
[train]
batch = 64
lr = 0.01
[evaluate]
points = 2
windows = 8
[[design]]
kind = "grid"
tokens = [640, 1280, 2560]
"""


@pytest.mark.slow
def test_a_loop_trains_what_it_designs_and_goes_on_where_it_was_stopped(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "tiny.toml").write_text(TINY)
    words = ["design", "--question", "N* at 1e10", "--candidates", tmp_path / "tiny.toml", "--spend", "2e8"]
    words += ["--loop", tmp_path / "trained", "--rounds", "2", "--draws", "32"]
    answer = told(*words)
    runs = pl.read_parquet(tmp_path / "trained" / "runs.parquet")
    assert len(runs) == answer["quantities"]["runs"]["value"] >= 2
    assert answer["quantities"]["spent"]["value"] == pytest.approx(runs["C"].sum(), rel=1e-9) and len(runs) <= 6
    results = {path: path.stat().st_mtime_ns for path in (tmp_path / "trained" / "cells").glob("*/result*")}
    again = told(*words)
    assert again["quantities"] == answer["quantities"]
    assert results and all(path.stat().st_mtime_ns == made for path, made in results.items())


PROGRAM = """
import json, sys
width, tokens = map(float, sys.argv[1:])
print(json.dumps({"loss": 1.7 + 300 / (24 * width**2) ** 0.32 + 900 / tokens**0.33, "params": 24 * width**2}))
"""
OWN = """
name = "own"
[command]
run = "{python} own.py {width} {tokens}"
[command.values]
width = [64, 256, 1024]
tokens = [10e6, 100e6]
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(PROGRAM)
    (tmp_path / "own.toml").write_text(OWN)
    return ["--candidates", tmp_path / "own.toml", "--derive", "N=24*width^2", "--draws", "32"]


def test_runs_of_a_program_are_candidates_and_the_batch_is_its_sweep(own, tmp_path):
    (tmp_path / "other").mkdir()
    place = tmp_path / "other" / "next.toml"
    words = ["--scratch", "--question", "loss at N=1B D=20B", "--spend", "1.6e16"]
    answer = told("design", *own, *words, "-o", place)
    rows = answer["tables"]["batch"]["rows"]
    written = [dict(each.values) for each in programs_of(read_spec(place))]
    assert 1 < len(rows) < 6 and written == [{"width": row["width"], "tokens": row["D"]} for row in rows]
    assert all(row["cost"] == pytest.approx(6 * 24 * row["width"] ** 2 * row["D"]) for row in rows)
    assert read_spec(place).commands.folder == str(tmp_path)  # where the program is, and not the new sweep


@pytest.mark.slow
def test_a_loop_trains_with_a_program(own, tmp_path):
    words = ["--question", "loss at N=100M D=2B", "--spend", "1e17", "--rounds", "2", "--loop", tmp_path / "trained"]
    answer = told("design", *own, *words)
    runs = pl.read_parquet(tmp_path / "trained" / "runs.parquet")
    assert len(runs) == answer["quantities"]["runs"]["value"] >= 2
    truth, known = 1.7 + 300 / 1e8**0.32 + 900 / 2e9**0.33, answer["quantities"]["answer"]
    assert known["low"] < truth < known["high"] < 2 * known["low"]
    assert answer["quantities"]["spent"]["value"] == pytest.approx(6 * (runs["N"] * runs["D"]).sum())


def test_a_program_is_not_run_twice_with_the_same_values(own, tmp_path):
    words = ["--question", "loss at N=1B D=20B", "--spend", "2e16", "--seeds", "3"]
    with pytest.raises(IsoflopError, match="list seed = .0, 1. in .command.values."):
        run("design", *own, *words, "--loop", tmp_path / "trained")
    with pytest.raises(IsoflopError, match="list seed = .0, 1. in .command.values."):
        run("design", *own, *words, "--scratch", "-o", tmp_path / "next.toml")


def test_a_sweep_is_paid_as_the_formula_says():
    words = ["--scratch", "--draws", "32", "--question", "N* at 1e14", "--candidates", SWEEP]
    rows = told("design", *words, "--spend", "3e7", "--cost", "D")["tables"]["batch"]["rows"]
    assert rows and all(row["cost"] == row["D"] for row in rows)


def test_before_any_run_a_formula_is_designed_with_the_constants_behind_it():
    formula = "E + A/N^alpha + G/D_store^g"
    words = ["--scratch", "--draws", "32", "--question", "loss at N=1B D_store=1T", "--cost", "N", "--spend", "1e9"]
    words += ["--candidates", "N=1M:300M:4", "--candidates", "D_store=1B:100B:3"]
    answer = told("design", *words, "--law", f"{formula}:E=1.8,A=400,alpha=0.34,G=3,g=0.2")
    now, after = answer["quantities"]["now"], answer["quantities"]["after"]
    assert now["low"] < 1.8 + 400 / 1e9**0.34 + 3 / 1e12**0.2 < now["high"]
    assert after["high"] - after["low"] < 0.7 * (now["high"] - now["low"])
    assert answer["tables"]["laws"]["rows"][0]["constants"] == f"{formula}:stated"
    with pytest.raises(IsoflopError, match="your guess of them behind it"):
        run("design", *words, "--law", formula)
