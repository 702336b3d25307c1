"""Pictures by name: each name is one of ``isoflop.plots``, and an answer loads none of them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import isoflop.questions
from isoflop import plots

SOURCE = Path(isoflop.questions.__file__).parent


def test_every_name_is_a_picture():
    named = {name for path in SOURCE.rglob("*.py") for name in re.findall(r'drawing\(\s*"(\w+)"', path.read_text())}
    assert len(named) > 30 and all(callable(getattr(plots, name)) for name in named)


def test_an_answer_loads_no_picture():
    script = (
        "import sys, json; from isoflop.cli import main\n"
        "sys.argv = ['isoflop', 'check', '--json']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(json.dumps([each for each in sys.modules if each.startswith(('isoflop.plots', 'matplotlib'))]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300)
    assert json.loads(done.stdout.splitlines()[-1]) == []
