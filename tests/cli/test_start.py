"""What a command imports: nothing that takes long and that it does not need."""

import subprocess
import sys

import pytest

SLOW = ("matplotlib", "scipy.stats", "scipy.optimize", "torch", "pandas", "starlette", "uvicorn")
CODE = f"""
import gc, sys
from isoflop.cli import main
sys.argv = ["isoflop", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
print("loaded:", *(name for name in {SLOW} if name in sys.modules), "collecting" if gc.isenabled() else "")
"""


@pytest.mark.parametrize(
    "words",
    ["--help", "check", "fit --law chinchilla --draws 50", "plan --law chinchilla --draws 50", "influence --draws 50"],
)
def test_a_command_loads_what_it_needs(words):
    done = subprocess.run([sys.executable, "-c", CODE, *words.split()], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split()[1:]
    assert loaded == ([] if words == "--help" else ["collecting"])
