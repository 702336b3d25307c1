"""What a command imports: nothing that takes long and that it does not need."""

import subprocess
import sys

import pytest

from isoflop.questions import listed

# What takes long: libraries, and parts of isoflop that only some answers need.
LONG = (
    "numpy", "polars", "scipy", "scipy.special", "scipy.stats", "scipy.optimize", "rich.console", "matplotlib", "torch",
    "pandas", "starlette", "uvicorn", "http.client", "isoflop.plots", "isoflop.planning", "isoflop.app",
    "isoflop.validation", "isoflop.fitting", "isoflop.fitting.panel", "isoflop.uncertainty.saved",
    "isoflop.runs.datasets.registry", "isoflop.questions.base.question",
)  # fmt: skip
OF_A_FIT = {"numpy", "polars", "isoflop.fitting", "isoflop.questions.base.question"}
OF_A_FORECAST = OF_A_FIT | {"scipy", "scipy.special", "isoflop.planning", "isoflop.validation"}
CODE = f"""
import gc, sys
from isoflop.cli import main
sys.argv = ["isoflop", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
print("loaded:", *(name for name in {LONG} if name in sys.modules), "collecting" if gc.isenabled() else "")
print("own:", *(name for name in sys.modules if name.partition(".")[0] == "isoflop"))
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    place = tmp_path_factory.mktemp("start") / "runs.csv"
    rows = [
        f"{n:g},{d:g},{1.7 + 400 / n**0.34 + 400 / d**0.28}" for n in (1e8, 3e8, 1e9, 3e9) for d in (2e9, 9e9, 3e10)
    ]
    place.write_text("\n".join(("N,D,loss", *rows)))
    return str(place)


def loaded(*words, **told):
    done = subprocess.run([sys.executable, "-c", CODE, *words], capture_output=True, text=True, check=True, **told)
    *_, first, own = done.stdout.splitlines()
    return set(first.split()[1:]), set(own.split()[1:])


@pytest.mark.parametrize(
    ("words", "may"),
    [
        ("check RUNS", OF_A_FIT | {"isoflop.validation"}),
        ("fit RUNS --draws 50", OF_A_FIT),
        ("plan RUNS --draws 50", OF_A_FORECAST),
        ("forecast RUNS --at N=7B --at D=1T --draws 50", OF_A_FORECAST),
        ("influence RUNS --draws 50", OF_A_FORECAST),
    ],
)
def test_a_command_loads_what_it_needs(words, may, table):
    found, _ = loaded(*words.replace("RUNS", table).split())
    assert "collecting" in found
    assert found - {"collecting"} <= may


def test_the_list_of_commands_and_its_completion_load_no_question(monkeypatch):
    plain = {"isoflop", "isoflop.cli", "isoflop.errors", "isoflop.questions", "isoflop.shown", "isoflop.values"}
    found, own = loaded("--help")
    assert not found and own == plain
    monkeypatch.setenv("_ISOFLOP_COMPLETE", "zsh_complete")
    monkeypatch.setenv("COMP_WORDS", "isoflop fi")
    monkeypatch.setenv("COMP_CWORD", "1")
    found, own = loaded()
    assert not found and own == plain


def test_a_report_loads_the_questions_that_it_asks(table, tmp_path):
    _, own = loaded("report", table, "--draws", "20", "-o", str(tmp_path / "report.json"))
    modules = {each.module: each for each in listed().values()}
    asked = {name for name in modules if f"isoflop.questions.{name}" in own}
    assert asked > {"plan", "forecast", "report"} and "isoflop.plots.sheet" not in own
    assert all(modules[name].in_report in ("always", "where cheap") for name in asked - {"plan", "forecast", "report"})
