"""Derived columns, best rows and the frontier, through every front end that reads a table."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from isoflop.cli import isoflop
from isoflop.errors import IsoflopError
from isoflop.questions.base.specs import RunsSpec


@pytest.fixture
def sweep(tmp_path):
    """A sweep of rates over sizes and steps, without a column of tokens."""
    path = tmp_path / "sweep.csv"
    lines = ["params,steps,batch,lr,acc,loss"]
    for n in (1e7, 3e7, 1e8, 3e8, 1e9):
        for steps in (2_000, 8_000, 32_000, 128_000):
            for lr in (3e-4, 1e-3, 3e-3):
                loss = 1.8 + 400 / n**0.34 + 600 / (steps * 5e5) ** 0.3 + 0.02 * np.log(lr / 1e-3) ** 2
                lines.append(f"{n:g},{steps},500000,{lr:g},{1 - loss / 8:.6f},{loss:.6f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


READ = ["--derive", "D = steps * batch", "--best", "loss", "--per", "N,D"]


def invoked(*args):
    told = CliRunner().invoke(isoflop, list(args))
    assert told.exit_code == 0, told.output
    return told.stdout


def test_the_command_line_reads_them_and_says_so(sweep):
    content = json.loads(invoked("fit", str(sweep), *READ, "--draws", "40", "--json"))
    assert content["quantities"]["rows"]["value"] == 20
    assert content["quantities"]["alpha"]["value"] == pytest.approx(0.34, abs=0.005)
    assert "best-rows" in {finding["code"] for finding in content["findings"]}
    within = json.loads(invoked("fit", str(sweep), *READ, "--within", "0.5", "--draws", "40", "--json"))
    assert within["quantities"]["rows"]["value"] == 60
    front = json.loads(invoked("check", str(sweep), "--derive", "D = steps * batch", "--frontier", "C", "--json"))
    assert front["quantities"]["rows"]["value"] < 20


def test_a_law_may_predict_a_derived_column_of_selected_rows(sweep):
    args = ["--derive", "error = 1 - acc", "--derive", "D=steps*batch", "--where", "error < 0.5 and lr == 0.001"]
    told = invoked("fit", str(sweep), *args, "--law", "error = E + A/N^a + B/D^b", "--draws", "40")
    assert told.startswith("error = ") and "1 - acc" in told


def test_rivals_of_a_loss_that_is_not_asked_for_are_not_told(tmp_path):
    path = tmp_path / "a.csv"
    rows = (f"{n:g},{3 + 100 / n**0.3},{3.2 + 100 / n**0.3},{0.9 - 9 / n**0.2}" for n in (1e7, 3e7, 1e8, 3e8, 1e9))
    path.write_text("\n".join(["params,val_loss_c4,val_loss_pile,acc", *rows]))
    told = [invoked("fit", str(path), "--law", law, "--draws", "20") for law in ("acc = E - A/N^a", "E + A/N^a")]
    assert ["column-rivals" in each for each in told] == [False, True]


def test_a_study_reads_them(sweep):
    study = sweep.with_name("study.toml")
    study.write_text(
        'law = "chinchilla"\ndraws = 40\n\n[runs]\nsource = "sweep.csv"\nbest = "loss"\nper = ["N", "D"]\n\n'
        '[runs.derive]\nD = "steps * batch"\n\n[plan]\nbudget = "1e21"\n',
        encoding="utf-8",
    )
    told = CliRunner().invoke(isoflop, ["study", str(study), "-o", str(sweep.with_name("out"))])
    assert told.exit_code == 0, told.output
    found = "".join(path.read_text() for path in sorted(sweep.with_name("out").rglob("*.json")))
    assert '"best-rows"' in found


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--derive", "D = steps * batches"], "batches"),
        (["--derive", "D"], "D"),
        (["--derive", "D = steps*batch", "--per", "N"], "--best"),
        (["--derive", "D = steps*batch", "--best", "los"], "los"),
        (["--derive", "D = steps*batch", "--best", "loss", "--within", "3"], "0.999"),
        (["--derive", "D = steps*batch", "--frontier", "cost"], "cost"),
    ],
)
def test_a_slip_ends_in_one_sentence(sweep, options, says):
    told = CliRunner().invoke(isoflop, ["check", str(sweep), *options])
    assert isinstance(told.exception, IsoflopError) and told.exit_code != 0
    assert says in str(told.exception) and "\n" not in str(told.exception)


def test_they_are_read_from_a_data_set_too():
    spec = RunsSpec(derive={"M": "D / N"}, where="M > 1", best="loss", per=("N",))
    runs = spec.read()
    assert len(runs) == len(set(runs["N"].tolist())) and (runs["D"] > runs["N"]).all()
