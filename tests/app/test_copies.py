"""What a task asked, as a command, as Python and as a study: each gives the page's own answer elsewhere."""

import shlex
from dataclasses import replace

import pytest
from click.testing import CliRunner

from isoflop.app.copies import copies
from isoflop.app.session import Reading, Task, new_session
from isoflop.app.work import context_of
from isoflop.cli import isoflop
from isoflop.study import parse_study


@pytest.fixture
def asked(tmp_path, known_runs):
    """A session on thirty runs read with options, and a fit that was asked of some of its rows."""
    session = new_session(tmp_path / "state", kind="file", source="runs.csv")
    known_runs(0.01).to_polars().write_csv(session.folder / "runs.csv")
    session = replace(session, reading=Reading(where="N > 1e8", conventions={"N": "total"}), dropped=(30,))
    settings = {
        "law": "chinchilla",
        "fixed": {"E": 1.8},
        "tied": {},
        "domains": {},
        "objective": "huber:1e-3",
        "draws": 20,
        "resample_by": None,
        "seed": 0,
        "level": 0.9,
        "options": {"budget": "1e22"},
        "reading": {**vars(session.reading)},
        "dropped": [30],
    }
    return session, Task("r1", "fit", settings)


def test_command_python_and_study_ask_what_the_page_asked(asked, monkeypatch, capsys):
    session, task = asked
    said = copies(session, task)
    monkeypatch.chdir(session.folder)
    best = context_of(session, task.settings, lambda share, doing: None).ensemble.estimate

    words = shlex.split(said["command"])
    assert words[:3] == ["isoflop", "report", "runs.csv"] and "--fix" in words
    short = ["fit", *(word for word in words[2:] if word not in ("--budget", "1e+22"))]
    told = CliRunner().invoke(isoflop, [*short, "--json"], catch_exceptions=False)
    assert told.exit_code == 0 and f"{best.params['alpha']:.9f}"[:8] in told.output

    space = {}
    exec(said["python"], space)  # noqa: S102  (the text under test)
    assert space["fit"].params == pytest.approx(best.params) and len(space["runs"]) == len(best.require_runs())
    assert "N" in capsys.readouterr().out

    study = parse_study(said["study"])
    assert study.fit.draws == 20 and study.law.fixed == {"E": 1.8}
    assert study.runs.where == "(N > 1e8) and row not in [30]"


def test_a_question_of_the_registry_has_a_command_and_no_python(asked):
    session, task = asked
    said = copies(session, replace(task, kind="rank", settings={**task.settings, "options": {}}))
    assert said["command"].startswith("isoflop rank runs.csv ") and "python" not in said
