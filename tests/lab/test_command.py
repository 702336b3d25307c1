import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from isoflop.lab.command import Program, ProgramError, program_as_json, program_from_json, run_program

GOOD = """
import json, sys
width = int(sys.argv[1])
print("training", width)
print(json.dumps({"step": 1, "loss": 9.0}))
print(json.dumps({"loss": 10 / width, "params": width * 100, "note": "fine"}))
print("bye")
"""


def program(tmp_path, code, *, arguments="{width}", **options):
    (tmp_path / "train.py").write_text(code)
    template = f"{sys.executable} train.py {arguments}"
    return Program(template, (("width", 8), ("tokens", 1000)), folder=str(tmp_path), **options)


@pytest.fixture
def cell(tmp_path):
    folder = tmp_path / "cell"
    folder.mkdir()
    return folder


def test_the_last_line_of_json_is_the_result(tmp_path, cell):
    row = run_program(program(tmp_path, GOOD), cell)["row"]
    assert (row["loss"], row["N"], row["D"], row["width"], row["note"]) == (1.25, 800, 1000, 8, "fine")
    assert row["status"] == "done"
    assert (cell / "output.txt").read_text().startswith("training 8\n")


def test_a_metrics_file_is_read_from_the_cells_folder(tmp_path, cell):
    code = "import json, sys, pathlib; pathlib.Path(sys.argv[1], 'm.json').write_text(json.dumps({'loss': 2}))"
    row = run_program(program(tmp_path, code, arguments="{cell}", metrics="m.json"), cell)["row"]
    assert row["loss"] == 2.0


def test_the_metrics_of_an_earlier_attempt_do_not_count(tmp_path, cell):
    (cell / "m.json").write_text('{"loss": 1}')
    with pytest.raises(ProgramError, match=r"the program wrote no metrics file 'm.json'; it printed nothing"):
        run_program(program(tmp_path, "pass", metrics="m.json"), cell)


def test_values_with_spaces_need_no_quotes(tmp_path, cell):
    code = "import sys, json; print(json.dumps({'loss': len(sys.argv[1])}))"
    (tmp_path / "train.py").write_text(code)
    each = Program(f"{sys.executable} train.py {{name}}", (("name", "two words; $HOME"),), folder=str(tmp_path))
    assert run_program(each, cell)["row"]["loss"] == len("two words; $HOME")


FAILING = {
    "exit": ("import sys; print('no data found'); sys.exit(3)", "ended with exit code 3; its last line was 'no data"),
    "raise": ("raise ValueError('bad width')", "exit code 1; its last line was 'ValueError: bad width'"),
    "kill": ("import os; os.kill(os.getpid(), 9)", "ended with signal 9; it printed nothing"),
    "silent": ("pass", "printed no metrics; its last line should be like .* it printed nothing"),
    "text": ("print('loss 3.2')", "printed no metrics; .* its last line was 'loss 3.2'"),
    "torn": ("print('{\"loss\": 3.')", "printed no metrics"),
    "no loss": ("print('{\"accuracy\": 1}')", r"metrics \['accuracy'\] hold no number called 'loss'"),
    "loss is text": ('print(\'{"loss": "low"}\')', "hold no number called 'loss'"),
    "loss is true": ("print('{\"loss\": true}')", "hold no number called 'loss'"),
}


@pytest.mark.parametrize(("code", "sentence"), FAILING.values(), ids=FAILING)
def test_what_a_program_did_wrong_is_one_sentence(tmp_path, cell, code, sentence):
    with pytest.raises(ProgramError, match=sentence) as raised:
        run_program(program(tmp_path, code), cell)
    assert "\n" not in str(raised.value)


def test_a_program_that_does_not_exist(cell):
    with pytest.raises(ProgramError, match="the program 'no-such-program' does not start: No such file"):
        run_program(Program("no-such-program {width}", (("width", 8),)), cell)


def test_a_loss_that_is_not_finite_is_diverged(tmp_path, cell):
    row = run_program(program(tmp_path, "print('{\"loss\": NaN}')"), cell)["row"]
    assert (row["status"], row["loss"]) == ("diverged", None)


def test_a_program_past_its_deadline_is_killed_with_its_children(tmp_path, cell):
    code = (
        "import subprocess, sys, time, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with pytest.raises(ProgramError, match="passed its deadline of 1 s; its last line was"):
        run_program(program(tmp_path, code), cell, deadline=1.0)
    child = int((cell / "output.txt").read_text())
    for _ in range(50):
        if not alive(child):
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the program's child outlived it")


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_program_survives_a_file(tmp_path):
    each = program(tmp_path, GOOD)
    assert program_from_json(json.loads(json.dumps(program_as_json(each)))) == each
