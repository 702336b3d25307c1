"""The fixed contract of the command line: options, keys of ``--json``, exit codes, and what may be imported when."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from isoflop import fit, law, read_runs
from isoflop.answers.schema import answer_schema
from isoflop.cli import main
from isoflop.runs.datasets import boxes

FIT_KEYS = {"law", "formula", "objective", "runs", "rows", "source", "digest", "draws", "seed", "level", "isoflop"}
PARAMS = ["E", "A", "B", "alpha", "beta"]
FINDING_KEYS = ["code", "level", "message", "remedy"]
QUICK = ("--draws", "40", "--starts", "16")
TRUTH = {"E": 1.8, "A": 400.0, "B": 2000.0, "alpha": 0.34, "beta": 0.36}


@pytest.fixture
def table(tmp_path):
    """Thirty noisy runs of a known law, two families, under headers that map by themselves: their path as text."""
    rng = np.random.default_rng(3)
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(7, 9.5, 6), np.logspace(9, 11, 5)))
    loss = law("chinchilla").value(TRUTH, {"N": n, "D": d}) * np.exp(rng.normal(0, 0.004, 30))
    rows = [f"{a:.17g},{b:.17g},{c:.17g},{'xy'[i % 2]}" for i, (a, b, c) in enumerate(zip(n, d, loss, strict=True))]
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(["Model Size,tokens,val_loss,family", *rows]))
    return str(path)


@pytest.fixture
def cli(monkeypatch, capsys):
    """Run the command line in this process and expect success: cli(words…) → standard output."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["isoflop", *words])
        main()  # returns on success, which is exit code 0
        said = capsys.readouterr()
        assert said.err == ""
        return said.out

    return run


@pytest.fixture
def asked(cli):
    """The one JSON object on standard output, in the product's schema, and nothing beside it."""

    def run(*words):
        out = cli(*words, "--json")
        assert out.startswith("{") and out.endswith("}\n") and out.isascii()
        answer = json.loads(out)
        jsonschema.validate(answer, answer_schema())
        assert answer["question"] == words[0]
        return answer

    return run


def assert_findings(findings):
    for finding in findings:
        assert list(finding)[:4] == FINDING_KEYS
        assert finding["level"] in {"note", "warning", "error"} and finding["message"] and finding["remedy"]


def values(answer):
    """The value of each named quantity of an answer."""
    return {name: each["value"] for name, each in answer["quantities"].items()}


def test_fit_prints_the_promised_object(asked, table):
    said = asked("fit", table, "--law", "chinchilla", *QUICK)
    basis = said["provenance"]
    assert set(basis) >= FIT_KEYS
    assert (basis["law"], basis["formula"]) == ("chinchilla", "E + A/N^alpha + B/D^beta")
    assert (basis["objective"], basis["runs"], basis["rows"]) == ("huber:0.001", 30, 30)
    assert (basis["draws"], basis["seed"], basis["level"]) == (40, 0, 0.9)
    assert list(said["quantities"])[:5] == PARAMS
    for name in PARAMS:
        interval = said["quantities"][name]
        assert list(interval)[:4] == ["value", "low", "high", "level"] and interval["low"] < interval["high"]
    assert_findings(said["findings"])
    fitted = fit(law("chinchilla"), read_runs(table))
    assert values(said)["objective"] == pytest.approx(fitted.value, rel=1e-9)
    assert {name: values(said)[name] for name in PARAMS} == pytest.approx(fitted.params, rel=1e-6)


@pytest.mark.parametrize("objective", ["huber:1e-3", "lad", "lsq", "raw-huber:1e-3", "raw-lsq", "student-t"])
def test_every_promised_objective(asked, table, objective):
    said = asked("fit", table, "--law", "chinchilla", "--objective", objective, *QUICK)
    assert said["provenance"]["objective"] == objective.replace("1e-3", "0.001")
    assert values(said)["alpha"] == pytest.approx(TRUTH["alpha"], abs=0.05)


def test_formulas_columns_selections_and_fixed_values(asked, table):
    said = asked(
        *("fit", table, "--law", "E + A/N^alpha + B/D^beta", "--column", "N=Model Size", "--column", "D=tokens"),
        *("--where", "tokens > 1.5B and family == 'x'", "--fix", "E=1.8", "--seed", "7", "--level", "0.5", *QUICK),
    )
    kept = read_runs(table, where="tokens > 1.5B and family == 'x'")
    assert values(said)["runs"] == said["provenance"]["runs"] == len(kept) < 15
    assert said["provenance"]["formula"] == "A/N^alpha + B/D^beta + 1.8"
    assert (said["provenance"]["seed"], said["provenance"]["level"]) == (7, 0.5)
    assert said["tables"]["held"]["rows"] == [{"parameter": "E", "value": 1.8, "how": "fixed"}]
    assert set(said["quantities"]) - {"runs", "rows", "objective"} == {"A", "B", "alpha", "beta"}


def test_a_seed_gives_the_same_numbers_and_another_gives_others(asked, table):
    words = ("fit", table, "--law", "chinchilla", *QUICK)
    first, again, other = asked(*words), asked(*words, "--seed", "0"), asked(*words, "--seed", "1")
    assert first == again
    assert first["quantities"]["E"]["low"] != other["quantities"]["E"]["low"]
    assert values(first)["objective"] == pytest.approx(values(other)["objective"], rel=1e-9)


def test_a_higher_level_gives_a_wider_interval(asked, table):
    words = ("fit", table, "--law", "chinchilla", "--draws", "200")
    narrow, usual, wide = (
        asked(*words, *level)["quantities"] for level in (("--level", "0.5"), (), ("--level", "0.95"))
    )
    for name in PARAMS:
        assert wide[name]["low"] < usual[name]["low"] < narrow[name]["low"]
        assert narrow[name]["high"] < usual[name]["high"] < wide[name]["high"]
    assert usual == asked(*words, "--level", "0.9")["quantities"]


def test_a_level_is_told_as_it_was_asked(cli, table, tmp_path):
    saved = str(tmp_path / "FIT.json")
    assert "99.9% CI" in cli("fit", table, "--law", "chinchilla", "--draws", "40", "--level", "0.999", "--save", saved)
    assert "99.9% PI" in cli("forecast", saved, "--at", "N=1e8", "--at", "D=1e10", "--level", "0.999")
    assert "90% PI" in cli("forecast", saved, "--at", "N=1e8", "--at", "D=1e10")


def test_forecast_prints_the_promised_object(asked, cli, table, tmp_path):
    saved = str(tmp_path / "FIT.json")
    params = values(asked("fit", table, "--law", "chinchilla", "--save", saved, *QUICK))
    answer = asked("forecast", saved, "--at", "N=70B", "--at", "D=1.4e12")
    found = values(answer)
    assert set(found) == {"at_N", "at_D", "loss", "mean", "law_loss", "model_error_share", "extrapolation"}
    assert (found["at_N"], found["at_D"]) == (70e9, 1.4e12)
    curve = params["E"] + params["A"] / 70e9 ** params["alpha"] + params["B"] / 1.4e12 ** params["beta"]
    assert found["law_loss"] == pytest.approx(curve, rel=1e-9)
    assert answer["quantities"]["loss"]["low"] < found["loss"] < answer["quantities"]["loss"]["high"]
    beyond = max(np.log10(70e9 / 10**9.5), np.log10(1.4e12 / 1e11))
    assert found["extrapolation"] == pytest.approx(beyond, rel=1e-9)
    assert_findings(answer["findings"])
    assert "extrapolation" in " ".join(finding["code"] for finding in answer["findings"])
    inside = asked("forecast", saved, "--at", "N=1e8", "--at", "D=1e10", "--level", "0.5")
    assert values(inside)["extrapolation"] == 0
    assert "Expected loss: " in cli("forecast", saved, "--at", "N=1e8", "--at", "D=1e10")


def test_a_forecast_needs_the_saved_fit_alone(asked, table, tmp_path):
    saved = tmp_path / "FIT.json"
    asked("fit", table, "--law", "chinchilla", "--save", str(saved), *QUICK)
    before = asked("forecast", str(saved), "--at", "N=1e10", "--at", "D=1e11")
    (tmp_path / "runs.csv").unlink()
    assert asked("forecast", str(saved), "--at", "N=1e10", "--at", "D=1e11") == before
    content = json.loads(saved.read_text())
    assert content["schema"].startswith("isoflop.fit/") and {"isoflop", "numpy"} <= set(content["versions"])
    assert len(content["data"]["digest"]) == 64 and content["ensemble"]["seed"] == 0


def test_check_prints_one_object(asked, cli, table):
    said = asked("check", table)
    assert values(said)["rows"] == values(said)["runs"] == 30
    assert said["provenance"]["source"] == "runs.csv"
    columns = {each["column"]: each for each in said["tables"]["columns"]["rows"]}
    assert columns["N"]["header"] == "Model Size" and columns["C"]["derived"] == "6ND"
    assert_findings(said["findings"])
    text = " ".join(cli("check", table).split())
    assert "3.16B Model Size" in text and "30 runs in 30 rows;" in text
    assert "1 run in 1 row;" in cli("check", table, "--where", "row == 1")
    assert "1 run in 15 rows;" in cli("check", table, "--where", "family == 'x'", "--column", "run=family")


def test_laws_in_text_and_json(cli, asked):
    listed = {each["name"]: each for each in asked("laws")["tables"]["laws"]["rows"]}
    assert {"chinchilla", "kaplan", "power-n", "power-n-floor"} <= set(listed)
    one = asked("laws", "chinchilla")
    assert one["equation"] == f"loss = {listed['chinchilla']['formula']}"
    symbols = {each["symbol"]: each["role"] for each in one["tables"]["symbols"]["rows"]}
    assert symbols == {"N": "input", "D": "input", **dict.fromkeys(PARAMS, "parameter")}
    assert "epoch" in [each["key"] for each in one["tables"]["published"]["rows"]]
    text = cli("laws", "chinchilla")
    assert "L = E + A·N^−α + B·D^−β" in text and "E + A/N^alpha + B/D^beta" in text
    annealing = {each["symbol"]: each for each in asked("laws", "annealing")["tables"]["symbols"]["rows"]}
    assert "(where absent, computed from step and lr)" in annealing["S2"]["meaning"]
    assert (annealing["S2"]["rule"], annealing["S2"]["settings"]) == ("annealing-area", "decay = lambda")
    assert annealing["lambda"]["role"] == "found by search"


def test_text_names_what_was_mapped_the_parameters_and_how(cli, table):
    text = " ".join(cli("fit", table, "--law", "chinchilla", *QUICK).split())
    assert "3.16B Model Size" in text and "val_loss" in text
    assert "loss = E + A/N^alpha + B/D^beta, fitted to 30 runs." in text
    assert re.search(r"objective +[\d.e-]+ +huber:0.001", text)
    assert "objective huber:0.001," in text and "40 draws, seed 0" in text


@pytest.mark.skipif(not boxes(), reason="this copy of the package has no example runs")
def test_without_a_file_the_bundled_runs_are_fitted(asked):
    said = asked("fit", "--law", "chinchilla", *QUICK)
    assert values(said)["runs"] >= 20
    fewer = asked("fit", "--law", "chinchilla", "--where", "N > 1e5", *QUICK)
    assert values(fewer)["runs"] <= values(said)["runs"]


def test_what_is_not_finite_becomes_null(asked, tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("N,D,loss\n1e8,1e9,nan\n0,1e9,3\n")
    said = asked("check", str(path))
    assert [finding["level"] for finding in said["findings"]][:2] == ["error", "error"]


# As real processes

HEAVY = ("numpy", "scipy", "sympy", "matplotlib", "polars", "pandas", "pyarrow", "narwhals", "joblib", "torch", "rich")
SHOW_IMPORTS = (
    "import sys\n"
    "from isoflop.cli import main\n"
    "try:\n"
    "    main()\n"
    "finally:\n"
    f"    print(*[name for name in {HEAVY!r} if name in sys.modules], sep=',', file=sys.stderr)\n"
)


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("--version",), ("fit", "--help"), ("forecast", "--help"), ()])
def test_help_imports_nothing_heavy(words):
    done = subprocess.run(
        [sys.executable, "-c", SHOW_IMPORTS, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == (0 if words else 2)
    assert done.stderr.splitlines()[-1] == ""
    assert "isoflop" in done.stdout + done.stderr


def test_help_lists_the_contract():
    done = subprocess.run(
        [sys.executable, "-c", "from isoflop.cli import main; main()", "fit", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    for option in (
        "--law",
        "--column",
        "--where",
        "--objective",
        "--draws",
        "--seed",
        "--level",
        "--fix",
        "--save",
        "--json",
    ):
        assert option in done.stdout


def test_the_installed_command_prints_json_and_ends_with_0(table):
    command = Path(sys.executable).with_name("isoflop")
    if not command.exists():
        pytest.skip("the isoflop command is not installed beside this interpreter")
    done = subprocess.run(
        [command, "fit", table, "--law", "chinchilla", "--draws", "40", "--json"],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0 and done.stderr == b""
    jsonschema.validate(json.loads(done.stdout), answer_schema())


def test_a_reader_that_stops_early_is_no_error(table):
    words = shlex.join([sys.executable, "-c", "from isoflop.cli import main; main()", "laws"])
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {words} | head -1"], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0 and done.stderr == b"" and done.stdout.count(b"\n") == 1


def test_one_run_has_values_without_intervals(cli, asked, tmp_path):
    steps = np.arange(1, 31)
    rows = [f"a,{step},{2 + 3 / np.sqrt(step) + 1e-3 * np.sin(7 * step):.6f}" for step in steps]
    file = tmp_path / "one.csv"
    file.write_text("\n".join(["run,step,loss", *rows]) + "\n")
    said = asked("fit", str(file), "--law", "E + A/step^alpha")
    assert values(said)["E"] == pytest.approx(2, abs=0.01) and said["quantities"]["E"]["low"] is None
    assert "no-interval" in {finding["code"] for finding in said["findings"]}
    assert "cannot be resampled" in " ".join(cli("fit", str(file), "--law", "E + A/step^alpha", "--verbose").split())


def test_a_training_curve_is_fitted_from_its_schedule(asked, tmp_path):
    step = np.tile(np.arange(100.0, 2001, 100), 3)
    lr = np.concatenate([np.full(20, 3e-4), 3e-4 * np.linspace(1, 0.1, 20), np.repeat([3e-4, 3e-5], 10)])
    loss = 2.6 + 0.4 / (step * 3e-4) ** 0.5 - 0.3 * (3e-4 - lr) / 3e-4
    rows = [f"{'abc'[row // 20]},{step[row]:g},{lr[row]:g},{loss[row]:.5f}" for row in range(60)]
    file = tmp_path / "curves.csv"
    file.write_text("\n".join(["run,step,lr,loss", *rows]) + "\n")
    said = asked("fit", str(file), "--law", "annealing", "--draws", "20", "--save", str(tmp_path / "fit.json"))
    (found,) = said["tables"]["held"]["rows"]
    assert found["parameter"] == "lambda" and 0.5 <= found["value"] <= 0.9999
    forecast = asked("forecast", str(tmp_path / "fit.json"), "--at", "S1=2", "--at", "S2=0")
    assert values(forecast)["loss"] > 2
