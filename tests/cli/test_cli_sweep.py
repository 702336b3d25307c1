import json
import subprocess
import sys

import polars as pl
import pytest

SPEC = """
name = "tiny"
[task]
context = 16
[model]
sizes = [{ width = 8, layers = 1, heads = 1 }, { width = 16, layers = 1, heads = 1 }]
[train]
batch = 64
[evaluate]
points = 2
windows = 8
[[design]]
kind = "grid"
tokens = [640]
"""


def isoflop(*words, cwd):
    code = "from isoflop.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code, *words], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def spec(tmp_path):
    (tmp_path / "tiny.toml").write_text(SPEC)
    return tmp_path


def test_the_plan_says_cells_flops_and_time_and_trains_nothing(spec):
    pytest.importorskip("torch")
    done = isoflop("sweep", "tiny.toml", "--plan", "--workers", "2", cwd=spec)
    assert done.returncode == 0, done.stderr
    flops = 640 * 3 * sum(2 * 12 * w * w + 2 * 256 * w + 4 * w * 17 / 2 for w in (8, 16))
    assert f"2 cells, 1.28K tokens, {flops:.3g} FLOPs in all" in done.stdout
    assert "with 2 workers" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith(("8x1", "16x1"))]
    assert [row[0] for row in rows] == ["16x1", "8x1"]
    assert rows[1][1:4] == ["2.84K", "792", "640"]
    assert [path.name for path in spec.iterdir()] == ["tiny.toml"]


def test_a_sweep_from_the_command_line_ends_with_its_tables(spec):
    pytest.importorskip("torch")
    done = isoflop("sweep", "tiny.toml", "--workers", "2", cwd=spec)
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout == "2 cells done, 0 diverged, 0 failed; runs in tiny/runs.parquet, curves in tiny/curves.parquet\n"
    )
    assert pl.read_parquet(spec / "tiny" / "runs.parquet").height == 2
    assert (spec / "tiny" / "spec.toml").read_text() == SPEC


def test_the_plan_and_the_end_as_json(spec, tmp_path):
    pytest.importorskip("torch")
    plan = json.loads(isoflop("sweep", "tiny.toml", "--plan", "--json", cwd=spec).stdout)
    assert [cell["D"] for cell in plan["cells"]] == [640, 640] and plan["seconds"] > 0
    command(tmp_path, '"fine", "silent"')
    done = json.loads(isoflop("sweep", "own.toml", "--out", "out", "--json", cwd=tmp_path).stdout)
    assert done["done"] == 1 and done["diverged"] == []
    assert "printed no metrics" in done["failed"][0]["says"]
    assert done["runs"] == "out/runs.parquet"


COMMAND = """
[command]
run = "{python} -c {program} {{how}}"
[command.values]
how = [{how}]
"""


def command(folder, how):
    program = '\'import sys; print(chr(123) + chr(34) + "loss" + chr(34) + ": 2}") if sys.argv[1] == "fine" else 0\''
    text = COMMAND.format(python=sys.executable, program=program.replace("}", "}}").replace('"', '\\"'), how=how)
    (folder / "own.toml").write_text(text)


def test_failed_cells_are_listed_and_the_rest_is_usable(tmp_path):
    command(tmp_path, '"fine", "silent"')
    done = isoflop("sweep", "own.toml", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 cells done, 0 diverged, 1 failed")
    assert "failed: howsilent-" in done.stderr and "the program printed no metrics" in done.stderr


def test_a_sweep_without_one_usable_cell_ends_with_two(tmp_path):
    command(tmp_path, '"silent"')
    done = isoflop("sweep", "own.toml", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "no cell of 'own' finished" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_plan_of_a_users_program_shows_its_command_lines(tmp_path):
    command(tmp_path, '"fine", "silent"')
    done = isoflop("sweep", "own.toml", "--plan", "--workers", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[-1] for line in lines[:2]] == ["fine", "silent"]
    assert lines[2].startswith("2 runs of the program, 3 side by side")


@pytest.mark.parametrize(
    ("words", "change", "sentence"),
    [
        (["nosuch.toml"], ("", ""), "the sweep 'nosuch.toml' cannot be read (No such file or directory)"),
        (["tiny.toml"], ("batch", "bacth"), "unknown key 'bacth' in [train]; did you mean 'batch'?"),
        (["tiny.toml"], ("heads = 1 }]", "heads = 3 }]"), "heads = 3 does not divide width = 16"),
        (["tiny.toml"], ("640", "20"), "tokens = 20 in design 1 is less than one step of 64 tokens"),
        (["tiny.toml", "--executor", "lokal"], ("", ""), "unknown executor 'lokal'; it can be local, slurm, ray"),
        (["tiny.toml", "--option", "x"], ("", ""), "--option 'x' is not KEY=VALUE"),
        (["tiny.toml", "--workers", "0"], ("", ""), "Invalid value for '--workers'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_two(spec, words, change, sentence):
    (spec / "tiny.toml").write_text(SPEC.replace(*change))
    done = isoflop("sweep", *words, cwd=spec)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_without_pytorch_one_sentence_says_what_to_install(spec):
    code = "import sys; sys.modules['torch'] = None\nfrom isoflop.cli import main; main()"
    words = [sys.executable, "-c", code, "sweep", "tiny.toml"]
    done = subprocess.run(words, cwd=spec, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.strip().endswith('training needs PyTorch, which is not installed: pip install "isoflop[lab]"')
    plan = subprocess.run([*words, "--plan"], cwd=spec, capture_output=True, text=True, check=False)
    assert plan.returncode == 0
    assert "the time is not estimated: training needs PyTorch" in plan.stdout
