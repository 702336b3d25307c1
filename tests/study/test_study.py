"""One analysis, described once: read, performed, kept, and performed again to the byte."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from isoflop import bootstrap, fit, forecast, huber, law, read_runs
from isoflop.cli.study import study as command
from isoflop.errors import IsoflopError, SpecError
from isoflop.questions.backtest import Backtest
from isoflop.questions.base.specs import LawSpec, LevelSpec, RunsSpec
from isoflop.questions.forecast import Forecast
from isoflop.questions.influence import Influence
from isoflop.questions.plan import Plan
from isoflop.questions.report import Report
from isoflop.study import Study, parse_study, perform, read_study, study_toml, write_results

TEXT = """
law = "chinchilla"
draws = 40
seed = 3

[runs]
source = "runs.csv"
where = "N > 5e7"

[[plan]]
budget = "1e21"

[[plan]]
budget = 1e22

[forecast]
at = { N = "3B", D = "60B" }

[backtest]
draws = 20
"""

SMALL = """
draws = 20

[runs]
source = "runs.csv"

[forecast]
at = ["N=3B", "D=60B"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    n = np.tile([1e7, 1e8, 2e8, 4e8, 8e8, 1.6e9], 4)
    d = np.repeat([2e9, 8e9, 3e10, 1e11], 6)
    loss = (1.8 + 480 / n**0.35 + 2000 / d**0.366) * np.exp(0.003 * rng.standard_normal(24))
    pl.DataFrame({"N": n, "D": d, "loss": loss}).write_csv(tmp_path / "runs.csv")
    (tmp_path / "one.toml").write_text(TEXT)
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path


def test_a_study_says_what_the_library_says(folder: Path) -> None:
    done = perform(read_study(folder / "one.toml"))
    assert list(done.answers) == ["check", "fit", "plan-1", "plan-2", "forecast", "backtest"]
    runs = read_runs(folder / "runs.csv", where="N > 5e7")
    ensemble = bootstrap(fit(law("chinchilla"), runs, objective=huber(1e-3), seed=3), draws=40, seed=3)
    assert np.array_equal(done.ensembles[0].params, ensemble.params)
    said = forecast(ensemble, {"N": 3e9, "D": 60e9}).loss
    told = done.answers["forecast"]["loss"]
    assert (told.value, told.low, told.high) == (said.value, said.low, said.high)
    assert not done.refused


def test_the_same_study_writes_the_same_bytes(folder: Path) -> None:
    study = read_study(folder / "small.toml")
    first = write_results(perform(study), folder / "out")
    assert first.before is None
    kept = {path.name: path.read_bytes() for path in (folder / "out").iterdir()}
    second = write_results(perform(study), folder / "out")
    assert second.before == ()
    assert {path.name: path.read_bytes() for path in (folder / "out").iterdir()} == kept
    assert {"study.toml", "answers.json", "answers.md", "fit-1.json", "manifest.json"} <= set(kept)
    answers = json.loads(kept["answers.json"])
    assert answers["answers"]["forecast"]["headline"].startswith("Expected loss: ")
    assert isinstance(answers["answers"]["forecast"]["quantities"]["loss"]["value"], float)


def test_other_runs_are_told_by_what_changed(folder: Path) -> None:
    study = read_study(folder / "small.toml")
    write_results(perform(study), folder / "out")
    text = (folder / "runs.csv").read_text().splitlines()
    (folder / "runs.csv").write_text("\n".join(text[:-1]) + "\n")
    again = write_results(perform(study), folder / "out")
    assert again.before is not None and {"answers.json", "fit-1.json"} <= set(again.before)
    assert "study.toml" not in again.before


def test_a_study_file_is_read_back_as_it_was(folder: Path) -> None:
    study = Study(
        law=LawSpec(law="chinchilla", fixed={"E": 1.69}, tied={"beta": "alpha"}),
        further_laws=("E + A/N^alpha",),
        runs=RunsSpec(
            source="runs.csv",
            where="family == 'a \"b\\'",
            columns={"N": "Model Size (B)"},
            units={"loss": "bpb"},
            folder=folder,
        ),
        level=LevelSpec(0.8),
        questions=(
            Plan(budget=1e21, inference_tokens=1e12),
            Plan(budget=1e22),
            Forecast(at=("N=1e9", "D=2e10")),
            Backtest(hold_out="N:20%", per_family=True),
            Influence(budget=1e22),
            Report(budget=1e22, include=("backtest",)),
        ),
    )
    assert parse_study(study_toml(study), folder=folder) == study


def test_a_question_without_an_answer_does_not_cost_the_others(folder: Path) -> None:
    text = TEXT + '\n[rank]\nhold_out = "N:99%"\ndraws = 20\n'
    done = perform(parse_study(text, folder=folder))
    assert "backtest" in done.answers and "rank" not in done.answers
    assert set(done.refused) == {"rank"} and done.refused["rank"]


def test_a_folder_with_other_files_is_not_touched(folder: Path) -> None:
    done = perform(parse_study('[runs]\nsource = "runs.csv"\n', folder=folder))
    (folder / "mine").mkdir()
    (folder / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(IsoflopError, match="holds other files than a study's results"):
        write_results(done, folder / "mine")
    assert [path.name for path in (folder / "mine").iterdir()] == ["thesis.tex"]
    with pytest.raises(IsoflopError, match="there is no folder"):
        write_results(done, folder / "absent" / "out")
    assert not list(folder.glob(".*"))


def test_the_command(folder: Path) -> None:
    said = CliRunner().invoke(command, [str(folder / "small.toml"), "--json"], catch_exceptions=False)
    content = json.loads(said.stdout)
    assert content["differs"] is None and content["refused"] == {}
    assert (folder / "small-results" / "manifest.json").is_file()
    again = json.loads(CliRunner().invoke(command, [str(folder / "small.toml"), "--json"]).stdout)
    assert again["differs"] == [] and again["files"] == content["files"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lwa = 'chinchilla'", "unknown key 'lwa' .* did you mean 'law'"),
        ("law = ''", "takes a text"),
        ("law = [1]", "takes a text"),
        ("further_laws = [1]", "takes a text"),
        ("draws = 3", "from 20 to 1,000,000, not 3"),
        ("draws = inf", "not inf"),
        ("draws = true", "from 20 to 1,000,000, not True"),
        ("seed = 1e400", "not inf"),
        ("level = 'high'", "level"),
        ("runs = 3", "must be a table"),
        ("plan = 3", "must be a table"),
        ("[runs]\nsource = 'absent.csv'", "'absent.csv' in \\[runs\\] is not there"),
        ("[runs]\nsource = 3", "takes a text"),
        ("[runs]\nsuorce = 'runs.csv'", "unknown key 'suorce' in \\[runs\\]; did you mean 'source'"),
        ("[plan]\nbudgets = [1e21]", "unknown key 'budgets' in \\[plan\\]; did you mean 'budget'"),
        ("[plan]\nbudget = -1e21", "budget in \\[plan\\] is a number above 0"),
        ("[plan]\nbudget = 1e21\ndeadline = '30d'", "give one"),
        ("[forecast]", "needs --at"),
        ("[cost]\nwidth = 5", "cost"),
        ("law = [", "is not TOML"),
        ("draws = " + "9" * 5000, "is not TOML"),
    ],
)
def test_studies_that_cannot_be_read(folder: Path, text: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        parse_study(text, folder=folder)


def test_files_that_are_no_studies(folder: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        read_study(folder / "absent.toml")
    (folder / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="is not text"):
        read_study(folder / "binary.toml")
    (folder / "large.toml").write_text("#" * 1_000_001)
    with pytest.raises(SpecError, match="1,000,001 bytes"):
        read_study(folder / "large.toml")


def test_what_the_runs_lack_is_said_at_once(folder: Path) -> None:
    with pytest.raises(IsoflopError, match="M"):
        perform(parse_study('law = "E + A/M^alpha"\n[runs]\nsource = "runs.csv"\n', folder=folder))
    with pytest.raises(IsoflopError, match="no free parameter 'gamma'"):
        perform(parse_study('[runs]\nsource = "runs.csv"\n[fixed]\ngamma = 1\n', folder=folder))
    with pytest.raises(IsoflopError, match="python-bytes"):
        perform(parse_study('[runs]\nsource = "python-bytes"\n[runs.columns]\nN = "x"\n', folder=folder))
