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
from isoflop.study import Study, parse_study, perform, read_study, study_toml, write_results
from isoflop.study.spec import BudgetQuestion, ForecastQuestion, HoldOutQuestion, PlanQuestion, RunsSpec

TEXT = """
laws = ["chinchilla"]
draws = 40
seed = 3

[runs]
file = "runs.csv"
where = "N > 5e7"

[plan]
budgets = ["1e21", 1e22]

[forecast]
at = [{ N = "3B", D = "60B" }]

[backtest]
draws = 20
"""

SMALL = """
draws = 20

[runs]
file = "runs.csv"

[forecast]
at = [{ N = "3B", D = "60B" }]
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
    assert list(done.cards) == ["check", "fit-1", "plan-1", "plan-2", "forecast-1", "backtest"]
    runs = read_runs(folder / "runs.csv", where="N > 5e7")
    ensemble = bootstrap(fit(law("chinchilla"), runs, objective=huber(1e-3), seed=3), draws=40, seed=3)
    assert np.array_equal(done.ensembles[0].params, ensemble.params)
    said = forecast(ensemble, {"N": 3e9, "D": 60e9}).loss
    assert done.cards["forecast-1"].rows[0][1] == f"{said.value:.{len(done.cards['forecast-1'].rows[0][1]) - 2}f}"
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
    assert answers["cards"]["forecast-1"]["answer"].startswith("Expect a loss of ")


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
        laws=("chinchilla", "E + A/N^alpha"),
        runs=RunsSpec(
            file="runs.csv", where="family == 'a \"b\\'", columns={"N": "Model Size (B)"}, units={"loss": "bpb"}
        ),
        fix={"E": 1.69},
        tie={"beta": "alpha"},
        level=0.8,
        plan=PlanQuestion((1e21,), served=1e12),
        forecast=ForecastQuestion(({"N": 1e9, "D": 2e10},)),
        methods=BudgetQuestion(),
        backtest=HoldOutQuestion(hold_out="N:20%", per_family=True),
        influence=BudgetQuestion(budget=1e22, at={"N": 1e9, "D": 1e10}),
        report=BudgetQuestion(budget=1e22),
        folder=folder,
    )
    assert parse_study(study_toml(study), folder=folder) == study


def test_a_question_without_an_answer_does_not_cost_the_others(folder: Path) -> None:
    text = TEXT + '\n[rank]\nhold_out = "N:99%"\ndraws = 20\n'
    done = perform(parse_study(text, folder=folder))
    assert "backtest" in done.cards and "rank" not in done.cards
    assert set(done.refused) == {"rank"} and done.refused["rank"]


def test_a_folder_with_other_files_is_not_touched(folder: Path) -> None:
    done = perform(parse_study('[runs]\nfile = "runs.csv"\n', folder=folder))
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
        ("lwas = ['chinchilla']", "unknown key 'lwas' .* did you mean 'laws'"),
        ("laws = []", "names none"),
        ("laws = [1]", "must be a list of texts"),
        ("draws = 3", "below 20"),
        ("level = 'high'", "level"),
        ("[runs]\nfile = 'absent.csv'", "'absent.csv' is not there; it is looked for beside the study"),
        ("[runs]\nfile = 'runs.csv'\ndata = 'epoch-chinchilla'", "keep one"),
        ("[runs]\nfiel = 'runs.csv'", "unknown key 'fiel' in \\[runs\\]; did you mean 'file'"),
        ("[plan]\nbudget = [1e21]", "unknown key 'budget' in \\[plan\\]; did you mean 'budgets'"),
        ("[plan]", "asks of no budget"),
        ("[plan]\nbudgets = [-1e21]", "below 1"),
        ("[forecast]", "needs points"),
        ("[forecast]\nat = [{N = 'many'}]", "many"),
        ("laws = [", "is not TOML"),
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
        perform(parse_study('laws = ["E + A/M^alpha"]\n[runs]\nfile = "runs.csv"\n', folder=folder))
    with pytest.raises(IsoflopError, match="restricts 'gamma'"):
        perform(parse_study('[runs]\nfile = "runs.csv"\n[fix]\ngamma = 1\n', folder=folder))
    with pytest.raises(IsoflopError, match="describe a file"):
        perform(parse_study('[runs]\ndata = "python-bytes"\n[runs.columns]\nN = "x"\n', folder=folder))
