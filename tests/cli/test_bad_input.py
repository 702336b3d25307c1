"""Bad input at the command line: one clear sentence on standard error, exit code 2, nothing on standard output.

Most cases run in this process, through the same entry point as the installed command; some as a real process.
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from isoflop.cli import main

QUICK = ("--law", "chinchilla", "--draws", "20", "--starts", "8")
TRUTH = {"E": 1.8, "A": 400.0, "B": 2000.0, "alpha": 0.34, "beta": 0.36}


def sound_rows():
    """Twenty runs of a known law with a little noise, as lists of cells."""
    noise = np.random.default_rng(1).normal(0, 0.003, 20)
    sizes, durations = (each.ravel() for each in np.meshgrid(np.logspace(7, 9, 5), np.logspace(9, 10.5, 4)))
    loss = TRUTH["E"] + TRUTH["A"] / sizes ** TRUTH["alpha"] + TRUTH["B"] / durations ** TRUTH["beta"]
    return [
        [f"{n:.6g}", f"{d:.6g}", f"{value:.6g}"]
        for n, d, value in zip(sizes, durations, loss * np.exp(noise), strict=True)
    ]


@pytest.fixture
def table(tmp_path):
    """Write a table: table(rows, head) → its path as text; sound runs where no rows are given."""

    def write(rows=None, head="N,D,loss", name="runs.csv"):
        path = tmp_path / name
        path.write_text("\n".join([head, *(",".join(map(str, row)) for row in rows or sound_rows())]) + "\n")
        return str(path)

    return write


@pytest.fixture
def cli(monkeypatch, capsys):
    """Run the command line in this process: cli(words…) → exit code, standard output, standard error."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["isoflop", *words])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def refused(cli):
    """The sentence with which words are refused, checked for its form."""

    def run(*words):
        code, out, err = cli(*words)
        assert (code, out) == (2, ""), (code, out[:200], err)
        first, *rest = err.splitlines()
        assert first.startswith("Error: ") and len(first) < 400 + max(map(len, words)), first
        assert not rest or (len(rest) == 2 and rest[1].strip() == "^"), err  # a formula may be shown with a caret
        assert "Traceback" not in err and "Error(" not in err
        return first.removeprefix("Error: ")

    return run


def spoiled(column, cells):
    """Sound rows with some cells of a column replaced: {row counted from 1: cell}."""
    rows = sound_rows()
    for row, cell in cells.items():
        rows[row - 1][column] = cell
    return rows


def test_the_sound_table_is_sound(cli, table):
    code, out, err = cli("fit", table(), *QUICK, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["quantities"]["alpha"]["value"] == pytest.approx(TRUTH["alpha"], abs=0.03)


@pytest.mark.parametrize(
    ("column", "cells", "says"),
    [
        (0, {3: "oops", 7: "oops"}, "column 'N' of runs.csv holds text where numbers are needed: 'oops' (rows 3, 7)"),
        (2, {20: "n.a."}, "column 'loss' of runs.csv holds text where numbers are needed: 'n.a.' (row 20)"),
        (0, {3: "0"}, '1 of 20 runs of runs.csv has N ≤ 0 (row 3); drop them with --where "N > 0"'),
        (1, {3: "-1e9", 4: "-1"}, '2 of 20 runs of runs.csv have D ≤ 0 (rows 3, 4); drop them with --where "D > 0"'),
        (2, {1: "0"}, '1 of 20 runs of runs.csv has loss ≤ 0 (row 1); drop them with --where "loss > 0"'),
        (2, {1: "nan", 2: ""}, "2 of 20 runs of runs.csv have no value of loss (rows 1, 2)"),
        (2, {5: "inf"}, '(row 5); drop them with --where "finite(loss)"'),
        (0, {5: "-inf"}, '(row 5); drop them with --where "finite(N)"'),
        (0, {5: "1e999"}, '(row 5); drop them with --where "finite(N)"'),
        (2, dict.fromkeys(range(1, 10), "0"), "9 of 20 runs of runs.csv have loss ≤ 0 (rows 1, 2, 3, 4, 5 and 4 more)"),
    ],
)
def test_values_that_cannot_be_fitted(refused, cli, table, column, cells, says):
    path = table(spoiled(column, cells))
    sentence = refused("fit", path, *QUICK)
    assert says in sentence
    keep = sentence.rpartition("--where ")[2].split('"')[1]  # what the sentence advises works
    assert cli("fit", path, *QUICK, "--where", keep, "--json")[0] == 0


@pytest.mark.parametrize("loss", ["0", "-3"])
def test_raw_objectives_take_any_finite_loss(cli, table, loss):
    assert cli("fit", table(spoiled(2, {3: loss})), *QUICK, "--objective", "raw-lad", "--json")[0] == 0


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ("n_parms,D,loss", "no column for N (model parameters); the nearest column is 'n_parms'"),
        ("N,D,los", "no column for the loss; the nearest column is 'los'. Name it with --column loss='los'."),
        ("N,D,accuracy", "Name it with --column loss=HEADER."),
        ("N,x,loss", "no column for D (training tokens)"),
    ],
)
def test_missing_columns(refused, table, head, says):
    assert says in refused("fit", table(head=head), *QUICK)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (1, "1 run cannot determine the 5 parameters of chinchilla; add runs, or fix parameters (--fix)"),
        (4, "4 runs cannot determine the 5 parameters of chinchilla"),
    ],
)
def test_fewer_runs_than_parameters(refused, table, rows, says):
    assert says in refused("fit", table(sound_rows()[:rows]), *QUICK)


def test_one_run_for_one_parameter(refused, table):
    assert "1 run cannot determine" in refused("fit", table(sound_rows()[:1]), "--law", "2 + A/N^0.3")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.csv", b"", "empty.csv is empty"),
        ("header.csv", b"N,D,loss\n", "header.csv holds no rows"),
        ("binary.csv", bytes(range(256)) * 9, "it holds binary data, not text"),
        ("runs.xlsx", b"PK", "no ending that isoflop reads; use one of .csv"),
        ("ragged.csv", b"N,D,loss\n1,2,3\n1,2,3,4\n", "row 2 has 4 cells and the header 3"),
        ("cut.csv.gz", b"\x1f\x8b\x08\x00\x00", "cut.csv.gz cannot be read as CSV"),
        ("runs.parquet", b"N,D,loss\n", "runs.parquet cannot be read as PARQUET"),
        ("runs.jsonl", b"N,D,loss\n", "line 1 is no JSON object"),
    ],
)
@pytest.mark.parametrize("command", ["fit", "check"])
def test_files_that_are_no_tables(refused, tmp_path, command, name, content, says):
    (tmp_path / name).write_bytes(content)
    assert says in refused(command, str(tmp_path / name), *(QUICK if command == "fit" else ()))


def test_paths_that_lead_nowhere(refused, tmp_path):
    assert "there is no file" in refused("fit", str(tmp_path / "gone.csv"), *QUICK)
    assert "is a folder; name a CSV" in refused("check", str(tmp_path))
    assert "File name too long" in refused("check", "x" * 5000 + ".csv")
    assert "is not UTF-8; rename the file" in refused("check", "\udcff.csv", "--json")


def test_copies_and_perplexity_are_doubts_of_a_fit_too(cli, table):
    rows = sound_rows()
    _, out, _ = cli("fit", table([*rows, *rows[:2]]), *QUICK, "--json")
    assert "duplicate-rows" in [finding["code"] for finding in json.loads(out)["findings"]]
    raised = [[*row[:2], f"{math.exp(float(row[2])):.6g}"] for row in rows]
    _, out, _ = cli("fit", table(raised), *QUICK, "--json")
    assert "looks-like-perplexity" in [finding["code"] for finding in json.loads(out)["findings"]]
    _, out, _ = cli("fit", table(raised), *QUICK, "--unit", "loss=perplexity", "--json")
    codes = [finding["code"] for finding in json.loads(out)["findings"]]
    assert "perplexity-to-nats" in codes and "looks-like-perplexity" not in codes


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--law", "chinchila"), "no law is named 'chinchila'; the nearest are chinchilla"),
        (("--law", ""), "--law takes a text (LAW), not ''"),
        (("--law", "E + A/width^alpha"), "unknown name 'width'"),
        (("--law", "E + A/N^alpha +"), "it ends too early"),
        (("--law", "E + (A/N^alpha"), "the brackets do not balance: 1 '(' and 0 ')'"),
        (("--law", "A*N.real"), "a dot after a name is not part of the language"),
        (("--law", "sin(N)*A"), "'sin' cannot be called"),
        (("--law", "__import__('os').system('true')"), "is not part of the language"),
        (
            ("--law", "E" + "".join(f" + A{i}/N^a{i}" for i in range(10_000))),
            "the formula has 157,781 characters; the limit is 4,000",
        ),
        (("--law", "E + A/n^alpha + B/D^beta"), "did you mean N?"),
        (("--law", "A*loss/N"), "the loss itself as an input"),
        (("--law", "E + A/N^alpha", "--input", "width2"), ""),
        (("--law", "E + A/depth^alpha", "--input", "depth"), "runs.csv has no column 'depth'; the other columns are"),
        (("--law", "A - N"), "has no finite value at any of the starts tried; check the formula and the units"),
        (("--law", "A/N^alpha - 1e9"), "has no finite value at any of the starts tried"),
        ((*QUICK, "--where", "N = 1e8"), "holds '='; write =="),
        ((*QUICK, "--where", "__import__('os')"), "where a comparison is needed"),
        ((*QUICK, "--where", "size > 1"), "names 'size', which is no column"),
        ((*QUICK, "--where", "N > 1e30"), "no run of runs.csv satisfies 'N > 1e30'; loosen the selection"),
        ((*QUICK, "--where", ""), "--where takes a text (EXPR), not ''"),
        ((*QUICK, "--column", "N=widht"), "runs.csv has no column 'widht'"),
        ((*QUICK, "--column", "N"), "--column takes N=HEADER, not 'N'"),
        ((*QUICK, "--column", "=N"), "--column takes N=HEADER, not '=N'"),
        ((*QUICK, "--column", "N=N", "--column", "N=D"), "--column N is given twice, 'N' and 'D'; choose one"),
        ((*QUICK, "--unit", "loss=furlongs"), "unit loss='furlongs' is not known; write loss= one of nats/token"),
        ((*QUICK, "--unit", "perplexity"), "--unit takes loss=UNIT, not 'perplexity'"),
        ((*QUICK, "--convention", "N=some"), "write N= one of total, non-embedding, active"),
        (
            (*QUICK, "--objective", "nonsense"),
            "objective 'nonsense' is not known; use huber:1e-3, lad, lsq or student-t",
        ),
        ((*QUICK, "--objective", "huber:0"), "the Huber width must be positive, not 0"),
        ((*QUICK, "--objective", "huber:nan"), "the Huber width must be positive, not nan"),
        ((*QUICK, "--objective", "huber:wide"), "'wide' is no number; write for example huber:1e-3"),
        ((*QUICK, "--objective", "lad:3"), "lad has no number, not 3; write lad, or huber:3"),
        ((*QUICK, "--objective", "raw-"), "objective 'raw-' is not known"),
        ((*QUICK, "--level", "2"), "--level is a number between 0 and 1, not '2'"),
        ((*QUICK, "--level", "90"), "between 0 and 1, not '90'"),
        ((*QUICK, "--level", "0"), "between 0 and 1, not '0'"),
        ((*QUICK, "--level", "nan"), "between 0 and 1, not 'nan'"),
        ((*QUICK, "--level", "x"), "between 0 and 1, not 'x'"),
        (("--law", "chinchilla", "--draws", "1"), "--draws is a whole number from 20 to 1,000,000, not '1'"),
        (("--law", "chinchilla", "--draws", "-5"), "--draws is a whole number from 20 to 1,000,000, not '-5'"),
        (("--law", "chinchilla", "--draws", "1000000000000"), "from 20 to 1,000,000, not '1000000000000'"),
        (("--law", "chinchilla", "--draws", "many"), "--draws is a whole number from 20 to 1,000,000, not 'many'"),
        (("--law", "chinchilla", "--starts", "0"), "--starts is a whole number from 1 to 100,000, not '0'"),
        (("--law", "chinchilla", "--starts", "1000000000"), "from 1 to 100,000, not '1000000000'"),
        ((*QUICK, "--seed", "-1"), "--seed is a whole number from 0 to 4,294,967,295, not '-1'"),
        ((*QUICK, "--jobs", "0"), "--jobs is a whole number from 1 to 1,024, not '0'"),
        ((*QUICK, "--jobs", "-1"), "--jobs is a whole number from 1 to 1,024, not '-1'"),
        ((*QUICK, "--fix", "E=-1"), "E = -1 lies outside its domain (0, inf); choose a value inside it"),
        ((*QUICK, "--fix", "E=x"), "--fix E is a finite number, such as 0.5, 70B or 1e24, not 'x'"),
        ((*QUICK, "--fix", "E=nan"), "--fix E is a finite number, such as 0.5, 70B or 1e24, not 'nan'"),
        ((*QUICK, "--fix", "E"), "--fix takes E=1.69, not 'E'"),
        ((*QUICK, "--fix", "F=1"), "chinchilla has no free parameter 'F'; it has E, A, B, alpha, beta"),
        ((*QUICK, "--fix", "E=1", "--fix", "E=2"), "--fix E is given twice, '1' and '2'; choose one"),
        ((*QUICK, "--fix", "A=0", "--fix", "B=0"), "becomes E, which has no input"),
        ((*QUICK, "--tie", "beta=N"), "'N' is not a free parameter of chinchilla"),
        ((*QUICK, "--tie", "beta=alpha +"), "it ends too early"),
        ((*QUICK, "--tie", "beta=__import__('os')"), "is not part of the language"),
        ((*QUICK, "--tie", "beta"), "--tie takes beta=alpha, not 'beta'"),
        ((*QUICK, "--tie", "beta=alpha", "--fix", "beta=1"), "chinchilla has no free parameter 'beta'"),
        ((*QUICK, "--domain", "E=3:0"), "parameter E has an empty domain (3.0, 0.0)"),
        ((*QUICK, "--domain", "E=a:b"), "domain of E: 'a:b' is no domain: 'a' is not a number"),
        ((*QUICK, "--domain", "N=real"), "chinchilla has no parameter 'N'"),
        ((*QUICK, "--domain", "E=wide"), "use positive, real or (low, high)"),
        ((*QUICK, "--input", "width"), "chinchilla has the inputs N, D and not 'width'"),
        ((*QUICK, "--lawn", "x"), "No such option"),
        ((*QUICK, "more.csv"), "Got unexpected extra argument"),
    ],
)
def test_options_that_mean_nothing(refused, cli, table, words, says):
    if says:
        assert says in refused("fit", table(), *words)
    else:  # an input that the formula does not use is no harm
        assert cli("fit", table(), *words, "--draws", "20", "--json")[0] == 0


def test_without_a_law_chinchilla_is_fitted_and_named(cli, table):
    code, out, _ = cli("fit", table(), "--draws", "20", "--json")
    assert code == 0 and json.loads(out)["provenance"]["law"] == "chinchilla"


@pytest.mark.parametrize("starts", ["1", "2", "3", "4"])
def test_few_starts_are_enough(cli, table, starts):
    assert cli("fit", table(), "--law", "chinchilla", "--draws", "20", "--starts", starts, "--json")[0] == 0


def test_a_column_of_text_is_no_input(refused, table):
    rows = [[*row, "" if position == 0 else "ab"[position % 2]] for position, row in enumerate(sound_rows())]
    sentence = refused("fit", table(rows, "N,D,loss,family"), "--law", "E + A/family^alpha")
    assert sentence.startswith("column 'family' of runs.csv holds text where numbers are needed: 'b' (rows 2, 3,")


def test_commands_that_do_not_exist(refused, cli):
    assert "there is no command 'fitt'; did you mean 'fit'?" in refused("fitt")
    assert "no law is named 'nope'" in refused("laws", "nope")
    code, out, err = cli()
    assert (code, out) == (2, "") and err.startswith("Usage: isoflop") and "forecast" in err


def test_options_of_a_file_need_the_file(refused):
    assert "describe a table, and none was given; name one" in refused("fit", *QUICK, "--column", "N=params")
    assert "describe a table, and none was given; name one" in refused("check", "--unit", "loss=perplexity")


# Saving


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("gone/FIT.json", "there is no folder"),
        ("runs.csv/FIT.json", "there is no folder"),
        ("", "something is there that is not a plain file; write elsewhere"),
        ("x" * 300, "the file's name has 300 bytes; use fewer than 245"),
    ],
)
def test_places_that_cannot_hold_a_fit(refused, table, tmp_path, place, says):
    path = table()
    assert says in refused("fit", path, *QUICK, "--save", f"{tmp_path}/{place}")
    assert [path.name for path in tmp_path.iterdir()] == ["runs.csv"]


def test_a_save_without_a_name(refused, table):
    assert "--save takes a text (FIT.json), not ''" in refused("fit", table(), *QUICK, "--save", "")


def test_a_device_is_not_replaced_by_a_file(refused, table, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "something is there that is not a plain file" in refused("fit", table(), *QUICK, "--save", str(pipe))
    assert pipe.is_fifo()


def test_a_save_that_fails_half_way_leaves_the_old_file_and_nothing_else(refused, cli, table, tmp_path, monkeypatch):
    path, saved = table(), tmp_path / "FIT.json"
    assert cli("fit", path, *QUICK, "--save", str(saved))[0] == 0
    before = saved.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "no space to write FIT.json" in refused("fit", path, *QUICK, "--seed", "1", "--save", str(saved), "--json")
    assert saved.read_bytes() == before and sorted(path.name for path in tmp_path.iterdir()) == ["FIT.json", "runs.csv"]


# Forecasts


@pytest.fixture
def saved(cli, table, tmp_path):
    """A saved fit of the sound runs, as a path in text."""
    assert cli("fit", table(), *QUICK, "--save", str(tmp_path / "FIT.json"))[0] == 0
    return str(tmp_path / "FIT.json")


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ((), "a forecast needs --at, as --at N=70B --at D=1.4T, or --points FILE"),
        (("N=1e9",), "a forecast from chinchilla takes --at N=…, --at D=…; D is missing"),
        (("N=1e9", "D=1e9", "C=1e18"), "C is no input of it"),
        (("N=1e9", "Q=1"), "takes --at N=…, --at D=…"),
        (("N=0", "D=1e9"), "N must be a positive number, not 0"),
        (("N=1e9", "D=-5"), "D must be a positive number, not -5"),
        (("N=1e400", "D=1e9"), "N must be a positive number, not inf"),
        (("N=nan", "D=1e9"), "--at N: 'nan' is not a number such as 70e9, 70B or 1.4T"),
        (("N=inf", "D=1e9"), "--at N: 'inf' is not a number"),
        (("N=70Bn", "D=1e9"), "--at N: '70Bn' is not a number"),
        (("N=70,5B", "D=1e9"), "--at N: '70,5B' is not a number"),  # neither 70.5 nor 705 billion
        (("N=1e9 D=1e9",), "--at N: '1e9 D=1e9' is not a number"),
        (("N", "D=1e9"), "--at takes NAME=VALUE, not 'N'"),
        (("N=", "D=1e9"), "--at takes NAME=VALUE, not 'N='"),
        (("N=1e9", "N=2e9", "D=1e9"), "--at N is given twice, '1e9' and '2e9'; choose one"),
    ],
)
def test_points_that_are_none(refused, saved, at, says):
    assert says in refused("forecast", saved, *(word for point in at for word in ("--at", point)))


@pytest.mark.parametrize(
    ("n", "d"), [("70e9", "1.4e12"), ("70B", "1.4T"), ("70 b", "1400G"), ("70,000M", "1_400_000_000K")]
)
def test_numbers_as_people_write_them(cli, saved, n, d):
    code, out, _ = cli("forecast", saved, "--at", f"N={n}", "--at", f"D={d}", "--json")
    found = json.loads(out)["quantities"]
    assert code == 0 and found["at_N"]["value"] == pytest.approx(70e9)
    assert found["at_D"]["value"] == pytest.approx(1.4e12)


@pytest.mark.parametrize("level", ["2", "0", "1", "-1", "nan", "90"])
def test_levels_that_are_none(refused, saved, level):
    sentence = refused("forecast", saved, "--at", "N=1e9", "--at", "D=1e9", "--level", level)
    assert f"--level is a number between 0 and 1, not '{level}'" in sentence


AT = ("--at", "N=1e9", "--at", "D=1e9")


def test_a_fit_that_is_cut_anywhere_is_refused(refused, saved, tmp_path):
    whole, cut = Path(saved).read_bytes(), tmp_path / "cut.json"
    for length in range(0, len(whole), 200):
        cut.write_bytes(whole[:length])
        assert "cut.json is not JSON or is cut short; save the fit again" in refused("forecast", str(cut), *AT)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not JSON or is cut short"),
        (b"N,D,loss\n1,2,3\n", "is not JSON or is cut short"),
        (b"\xff\xfe\x00\x80" * 20, "is not JSON or is cut short"),
        (b"[" * 100_000, "nests deeper than 40 levels"),
        (b'{"a":' * 100_000, "nests deeper than 40 levels"),
        (b"[]", "is JSON, but no fit of isoflop"),
        (b"null", "is JSON, but no fit of isoflop"),
        (b"5", "is JSON, but no fit of isoflop"),
        (b'"isoflop.fit/1"', "is JSON, but no fit of isoflop"),
        (b'{"weights": [1, 2]}', "is JSON, but no fit of isoflop"),
        (b'{"schema": 1}', "is JSON, but no fit of isoflop"),
        (b'{"schema": "isoflop.fit/2"}', "is damaged (no 'seal')"),
        (b'{"schema": "isoflop.fit/99", "law": {}}', "has schema 'isoflop.fit/99', this release reads 'isoflop.fit/"),
    ],
)
def test_files_that_are_no_fit(refused, tmp_path, content, says):
    (tmp_path / "x.json").write_bytes(content)
    assert f"x.json {says}" in refused("forecast", str(tmp_path / "x.json"), *AT)


def test_paths_that_lead_to_no_fit(refused, tmp_path):
    assert "cannot be read (No such file or directory); give a file" in refused("forecast", "gone.json", *AT)
    assert "is a folder; name a CSV" in refused("forecast", str(tmp_path), *AT)
    assert "File name too long" in refused("forecast", "x" * 5000, *AT)
    assert "a forecast needs --at" in refused("forecast")


def places(node, path=()):
    """Every place in a JSON value, of lists only the first."""
    items = node.items() if isinstance(node, dict) else enumerate(node[:1]) if isinstance(node, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(None, id="null"),
        pytest.param("x", id="text"),
        pytest.param(-1, id="negative"),
        pytest.param(0, id="zero"),
        pytest.param(10**400, id="huge"),
        pytest.param([], id="list"),
        pytest.param({}, id="object"),
        pytest.param(True, id="true"),
        pytest.param(math.nan, id="nan"),
        pytest.param([[1, 2], [3]], id="nested"),
        pytest.param("absent", id="absent"),
    ],
)
def test_a_fit_with_one_wrong_value_is_refused_or_still_answers(cli, saved, tmp_path, wrong):
    """No damage to one value brings a traceback, and an answer that is given is a number inside its interval."""
    whole, damaged = Path(saved).read_text(), tmp_path / "damaged.json"
    for *path, last in list(places(json.loads(whole))):
        content = json.loads(whole)
        node = content
        for key in path:
            node = node[key]
        if wrong == "absent":
            del node[last]
        else:
            node[last] = wrong
        damaged.write_text(json.dumps(content))
        code, out, err = cli("forecast", str(damaged), *AT, "--json")
        assert code in (0, 2), (path, last)
        if code == 2:
            assert err.startswith("Error: ") and err.count("\n") == 1 and not out, (path, last, err)
        else:
            found = json.loads(out)["quantities"]
            assert found["loss"]["low"] <= found["loss"]["high"] and found["extrapolation"]["value"] >= 0, (path, last)


# The same as a real process


def process(*words, **environment):
    return subprocess.run(
        [sys.executable, "-c", "from isoflop.cli import main; main()", *words],
        capture_output=True,
        timeout=120,
        env={**os.environ, **environment},
        check=False,
    )


def test_a_real_process_says_one_sentence_and_ends_with_2(table, tmp_path):
    for words, says in (
        (("fit", table(spoiled(0, {3: "oops"})), *QUICK), b"'oops' (row 3)"),
        (("fit", table(name="sound.csv"), "--law", "A*exp(N)"), b"has no finite value at any of the starts"),
        (("forecast", str(tmp_path / "gone.json"), *AT), b"cannot be read"),
    ):
        done = process(*words)
        assert done.returncode == 2 and done.stdout == b""
        assert done.stderr.startswith(b"Error: ") and done.stderr.count(b"\n") == 1 and says in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_pipe_that_knows_few_letters_breaks_nothing(table, encoding):
    path = table(head="params,tokens,loss")
    done = process("check", path, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert done.returncode == 0 and b"20 runs" in done.stdout and done.stderr == b""
    done = process("fit", path, "--law", "A/N^α", "--draws", "20", "--json", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert done.returncode == 0 and {"A", "α"} < set(json.loads(done.stdout)["quantities"])
    done = process("fit", path, "--law", "A/N^α²", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert done.returncode == 2 and done.stderr.startswith(b"Error: ") and b"Traceback" not in done.stderr


def test_the_package_runs_as_a_module_too():
    done = subprocess.run([sys.executable, "-m", "isoflop", "nosuch"], capture_output=True, timeout=60, check=False)
    assert done.returncode == 2 and done.stderr.startswith(b"Error: there is no command 'nosuch'")


@pytest.mark.parametrize(
    "words", [("--budget", "0"), ("--budget", "-1e21"), ("--inference-tokens", "0"), ("--inference-tokens", "-2T")]
)
def test_a_report_refuses_what_it_cannot_plan(refused, table, tmp_path, words):
    out = tmp_path / "out.html"
    says = f"{words[0]} is a number above 0, such as 0.5, 70B or 1e24, not '{words[1]}'"
    assert says in refused("report", table(), "--draws", "20", "-o", str(out), *words)
    assert not out.exists()


def test_a_law_or_a_table_where_a_fit_is_asked(refused, cli, table, saved):
    assert "there are chinchilla:hoffmann, " in refused("plan", "chinchilla", "--budget", "1e21")
    assert "is a table, not a fit; make one: isoflop fit " in refused("compare", saved, table())
    assert "is a saved fit and " in refused("compare", table(), saved)
    assert "--fix is for a table, and a saved fit was given" in refused("forecast", saved, *AT, "--fix", "E=1")
    told = [json.loads(cli("forecast", *words, *AT, "--json")[1]) for words in ((table(), *QUICK), (saved,))]
    assert told[0]["quantities"] == told[1]["quantities"]  # a table is fitted first, with the options of a fit


def test_options_of_the_protocol_and_of_hold_outs_do_not_mix(refused, table):
    path = table()
    for words in (("--cut", "10B"), ("--jobs", "2")):
        says = f"{words[0]} is an option of --protocol hitchhiker; add it, or leave {words[0]} out"
        assert says in refused("backtest", path, *words)
    assert "by its own rules" in refused("backtest", path, "--protocol", "hitchhiker", "--windows", "3")
