"""The commands whose ``--json`` is kept in ``golden/``, all on public tables read in place.

``ISOFLOP_DATASETS=FOLDER python -m tests.questions.golden_cases`` renews the files after a change that is meant; the
difference in version control then shows what the change did to every answer. Names renew those alone.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from click.testing import CliRunner

from isoflop.cli import isoflop
from isoflop.questions import questions

GOLDEN = Path(__file__).parent / "golden"
EPOCH = ["epoch-chinchilla", "--where", "loss < 3.44"]
FITTED = [*EPOCH, "--law", "chinchilla", "--draws", "50"]
_SHAPE = "--layers 80 --width 8192 --heads 64 --vocab 32000 --context 2048 --tokens 1.4T".split(" ")  # noqa: SIM905
CASES = {
    "check": ["check", *EPOCH],
    "fit": ["fit", *FITTED],
    "diagnose": ["diagnose", *FITTED],
    "laws": ["laws", "chinchilla"],
    "forecast": ["forecast", *FITTED, "--at", "N=70B", "--at", "D=1.4T"],
    "plan": ["plan", *FITTED, "--budget", "5.76e23"],
    "methods": ["methods", *FITTED, "--budget", "5.76e23"],
    "repeat": ["repeat", "datablations", "--unique", "100B", "--budget", "1e23", "--draws", "50"],
    "reconcile": ["reconcile", "python-bytes", "--draws", "50"],
    "cost": [
        "cost",
        "--layers",
        "80",
        "--width",
        "8192",
        "--heads",
        "64",
        "--vocab",
        "32000",
        "--context",
        "2048",
        "--tokens",
        "1.4T",
    ],
    "backtest": ["backtest", *EPOCH, "--law", "chinchilla", "--draws", "50"],
    "rank": ["rank", *EPOCH, "--law", "chinchilla", "--law", "kaplan", "--draws", "50"],
    "influence": ["influence", *FITTED, "--budget", "5.76e23"],
    "sensitivity": ["sensitivity", *FITTED, "--budget", "5.76e23"],
    "compare": ["compare", "chinchilla:hoffmann", "chinchilla:epoch", "--budget", "5.76e23"],
}
# Of this machine or of this moment, files, or minutes of work: what they say is tested where they are.
WITHOUT = {"calibrate", "datasets", "validate", "import", "register", "score", "report", "downstream", "finish"}


def printed(name, tables):
    """What the command of a case prints, as plain values, without the version of the package."""
    words = [*CASES[name], "--json"]
    with tempfile.TemporaryDirectory() as cache:
        env = {"ISOFLOP_DATASETS": str(tables), "XDG_CACHE_HOME": cache}
        done = CliRunner().invoke(isoflop, words, env=env, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    answer["provenance"].pop("isoflop", None)
    return answer


def main():
    """Write the golden files, and take away those of no case."""
    tables = Path(os.environ["ISOFLOP_DATASETS"]).resolve()
    assert set(CASES) | WITHOUT == set(questions())
    for name in sys.argv[1:] or CASES:
        text = json.dumps(printed(name, tables), indent=1, ensure_ascii=False, sort_keys=True)
        (GOLDEN / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(f"wrote {name}.json", flush=True)
    for each in GOLDEN.glob("*.json"):
        if each.stem not in CASES:
            each.unlink()


if __name__ == "__main__":
    main()
