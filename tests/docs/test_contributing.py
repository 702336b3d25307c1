"""What CONTRIBUTING tells of the code is so."""

import importlib
import re
import sys
from pathlib import Path

from click.testing import CliRunner
from docs_build import runner

from isoflop.cli import isoflop

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
STOPS = re.findall(r"^\d\. `([\w.]+):([\w.]+)`", TEXT, re.MULTILINE)


def test_a_value_of_n_goes_the_way_that_is_told():
    """Every stop is called by the command that stands above them, in that order."""
    (line,) = re.findall(r"^`(isoflop plan [^`]+)`", TEXT, re.MULTILINE)
    assert 5 <= len(STOPS) <= 8
    codes = {}
    for module, name in STOPS:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        codes[found.__code__] = f"{module}:{name}"
    seen = []

    def profile(frame, event, _):
        if event == "call" and frame.f_code in codes and codes[frame.f_code] not in seen:
            seen.append(codes[frame.f_code])

    with runner.folder() as folder:
        sys.setprofile(profile)
        try:
            done = CliRunner().invoke(isoflop, [*line.split()[1:], "--draws", "20"], catch_exceptions=False)
        finally:
            sys.setprofile(None)
        assert done.exit_code == 0 and (folder / "plan.png").stat().st_size > 10_000
    assert seen == list(codes.values())


def test_files_that_are_named_exist():
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.(?:py|toml|c|md))`", TEXT))
    assert len(named) > 10
    places = (ROOT, ROOT / "src" / "isoflop", ROOT / "src")
    assert not [each for each in named if not any((place / each).exists() for place in places)]


def test_registries_stand_where_they_are_said_to():
    from isoflop.fitting.objective import OBJECTIVES
    from isoflop.logs.readers import READERS
    from isoflop.runs.meanings import MEANINGS

    homes = {importlib.import_module(each.__module__).__file__ for each in OBJECTIVES.values()}
    assert {Path(each).parent.name for each in homes} == {"objective"} and len(homes) == len(OBJECTIVES)
    assert {each.read.__module__.rpartition(".")[0] for each in READERS} == {"isoflop.logs"}
    assert any(each.symbol == "N" for each in MEANINGS)
