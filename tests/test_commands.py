"""Every command that the README and ``isoflop --help`` list, as a user runs it, on the bundled runs.

Needs nothing but isoflop's own dependencies and pytest: ``.ci/lowest`` runs it with the lowest versions of them.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from docs_build.runner import (
    write_activations,
    write_attempts,
    write_attention,
    write_checkpoints,
    write_networks,
    write_recipes,
    write_releases,
    write_selection,
    write_sweep,
)

from isoflop import law
from isoflop.runs.datasets import load

pytestmark = pytest.mark.slow  # some fifty processes, each of which reads, fits and draws
ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "isoflop"]
# What "…" leaves to the reader, and fewer draws where a command would take more than half a minute.
COMPLETED = {
    "cost": ["--vocab", "50257", "--context", "2048", "--tokens", "1T"],
    "design": ["--candidates", "N=10K:1M:4", "--candidates", "D=1M:30M:4"],
    "downstream": ["--at", "N=70B", "--at", "D=1.4T", "--draws", "50"],
    "rank": ["--draws", "20", "--windows", "1"],
    "report": ["--draws", "50"],
    "sweep": ["--plan"],  # training needs the lab extra
}
# The bundled runs repeat no token and their curves have eight points: these commands have tables of their own.
OTHER_TABLES = {"repeat": "repeats.csv"}
# Commands that the README does not show.
FURTHER = (
    "isoflop shape recipes.csv --by recipe",
    "isoflop tune sweep.csv --at N=7B --at D=140B",
    "isoflop probe activations.npz",
    "isoflop attention attention32.npz attention128.npz",
    "isoflop correlate networks.csv --response gap --by setting",
    "isoflop regions run.csv",
    "isoflop hardness examples.npz --keep 0.5",
    "isoflop prune pruned.csv --draws 20",
    "isoflop curate pools.csv --draws 20",
    "isoflop transport sources.csv --samples embedded.npz --at 2K --most 100 --draws 20",
    "isoflop explain fit.json --zipf 0.35",
    "isoflop track checkpoints.csv --task quiz,exam",
    "isoflop capability releases.csv --task quiz,exam,proof --scale N --draws 20",
    "isoflop transfer runs.csv --from loss --to score --draws 50",
    "isoflop decide recipes.csv --by recipe",
    "isoflop mixture mixtures.csv --draws 20",
    "isoflop sensitivity runs.csv --budget 1e24",
    "isoflop diagnose runs.csv --law chinchilla",
    "isoflop compare fit.json other.json",
    "isoflop score prediction.json --measured 2.31",
    "isoflop schema plan",
    "isoflop cost --layers 32 --width 4096 --heads 32 …",
    "isoflop datasets",
    "isoflop laws",
    "isoflop register fit.json --at N=70B --at D=1.4T",
    "isoflop study study.toml",
    "isoflop reconcile runs.csv",
    "isoflop simulate --constants epoch --design N=1M,1B --design D=20M,20B",
    "isoflop validate runs.csv --draws 20",
    "isoflop calibrate runs.csv --draws 20 -o prior.toml",
)
STUDY = """
draws = 50
[runs]
source = "runs.csv"
[plan]
budget = "1e24"
[forecast]
at = { N = "70B", D = "1.4T" }
[backtest]
"""


def readme_commands():
    """The command lines of the README's second block, without their comments."""
    block = re.search(r"```text\n(isoflop .*?)```", (ROOT / "README.md").read_text(), re.S)[1]
    lines = [line.split("  #")[0].strip() for line in block.splitlines() if line.strip()]
    lines.append(re.search(r"`(isoflop plan chinchilla:epoch [^`]*)`", (ROOT / "README.md").read_text())[1])
    return lines


def isoflop(folder, *words):
    """What the command prints; it must succeed and warn of nothing."""
    done = subprocess.run(
        [*COMMAND, *words], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"isoflop {shlex.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    assert "Traceback" not in done.stderr and "Warning" not in done.stderr, done.stderr[-3000:]
    return done.stdout


ENVIRONMENT = {**os.environ, "MPLBACKEND": "Agg", "OPENBLAS_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files that the README's lines name: the bundled runs as runs.csv, a saved fit, a curve, logs, specs."""
    place = tmp_path_factory.mktemp("readme")
    frame = load("python-bytes").to_polars()
    frame.with_columns(score=1 / (1 + (2 * (pl.col("loss") - 2)).exp())).write_csv(place / "runs.csv")
    rng = np.random.default_rng(0)
    web = np.linspace(0.1, 0.9, 9)
    mixed = 2 + 0.5 * np.exp(-2 * web) + 0.3 * np.exp(-3 * (1 - web))
    pl.DataFrame({"web": web, "code": 1 - web, "loss": mixed}).write_csv(place / "mixtures.csv")
    steps = np.arange(100, 14_001, 200)
    rate = 1e-3 * (0.55 + 0.45 * np.cos(np.pi * (steps - 100) / 23_900))
    losses = (2.0 + 8.0 * steps**-0.4) * np.exp(rng.normal(0, 0.002, len(steps)))
    pl.DataFrame({"step": steps, "lr": rate, "loss": losses}).write_csv(place / "run.csv")
    sizes, passes = (each.ravel() for each in np.meshgrid(np.logspace(7, 9, 6), [1.0, 2.0, 4.0, 8.0, 16.0]))
    unique = np.full(len(sizes), 4e8)
    truth = {"E": 1.8, "A": 400.0, "B": 2000.0, "alpha": 0.34, "beta": 0.36, "r_N": 5.3, "r_D": 15.4}
    each = law("muennighoff")
    inputs = {"N": sizes, "D": unique * passes, "U": unique}
    loss = each.value({name: truth[name] for name in each.param_names}, inputs)
    repeats = pl.DataFrame({**inputs, "loss": loss * np.exp(rng.normal(0, 0.002, len(loss)))})
    repeats.rename({"U": "unique_tokens"}).write_csv(place / "repeats.csv")
    write_recipes(place / "recipes.csv")
    write_sweep(place / "sweep.csv")
    write_checkpoints(place / "checkpoints.csv")
    write_releases(place / "releases.csv")
    write_attempts(place / "attempts.csv")
    write_activations(place / "activations.npz")
    write_attention(place)
    write_networks(place)
    write_selection(place)
    (place / "runs" / "a").mkdir(parents=True)
    history = [{"step": int(step), "loss": float(value)} for step, value in zip(steps, losses, strict=True)]
    (place / "runs" / "a" / "trainer_state.json").write_text(
        json.dumps({"log_history": history, "global_step": 14_000})
    )
    (place / "study.toml").write_text(STUDY)
    (place / "spec.toml").write_text((ROOT / "examples" / "sweeps" / "python-bytes.toml").read_text())
    for name in ("fit.json", "other.json"):
        isoflop(place, "fit", "runs.csv", "--law", "chinchilla", "--draws", "50", "--save", name)
    isoflop(place, "register", "fit.json", "--at", "N=70B", "--at", "D=1.4T", "-o", "prediction.json")
    return place


@pytest.mark.parametrize(
    "line",
    [pytest.param(line, id=line) for line in (*readme_commands(), *FURTHER) if not line.startswith("isoflop app")],
)
def test_the_command_works(folder, line):
    _, command, *words = shlex.split(line.replace("…", ""))
    words = [OTHER_TABLES.get(command, word) if word == "runs.csv" else word for word in words]
    if command in ("study", "register"):
        words += ["-o", {"study": "results", "register": "registered.json"}[command]]
    assert isoflop(folder, command, *words, *COMPLETED.get(command, [])).strip()


@pytest.mark.parametrize(
    "command", ["fit --law chinchilla", "check", "methods", "reconcile", "backtest --law chinchilla"]
)
def test_a_command_without_a_file_takes_the_bundled_runs_and_draws(folder, command):
    picture = [] if command.startswith("check") else ["--picture", "picture.svg"]
    isoflop(folder, *command.split(), *picture)
    if picture:
        assert (folder / "picture.svg").read_text().lstrip().startswith("<?xml")


def test_every_law_that_applies_to_the_bundled_runs_is_ranked_or_says_why(folder):
    tables = json.loads(isoflop(folder, "rank", "--draws", "20", "--windows", "1", "--json"))["tables"]
    ranked = {name for row in tables["laws"]["rows"] for name in (row["law"], *row["same_as"].split(", "))}
    assert "multi-power" in ranked and "muennighoff" in ranked
    (left,) = tables["unranked"]["rows"]
    assert left["law"] == "annealing" and "--fix lambda=" in left["reason"]


@pytest.mark.parametrize(
    "wrong", [["plam"], ["forecast", "fit.json"], ["fit", "--lwa"], ["plan", "chinchilla:epoch", "--budget", "much"]]
)
def test_a_wrong_command_line_is_answered_in_a_sentence(folder, wrong):
    done = subprocess.run([*COMMAND, *wrong], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Error: " in done.stderr and "Traceback" not in done.stderr


def test_the_page_is_served_and_fits(folder, tmp_path):
    words = ["app", "runs.csv", "--no-browser", "--port", "0", "--state", str(tmp_path / "state")]
    with subprocess.Popen(
        [*COMMAND, *words], cwd=folder, env={**ENVIRONMENT, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            address = re.search(r"(http://[^/]+)/s/(\w+)", server.stdout.readline())
            session = f"{address[1]}/api/s/{address[2]}"

            def said(url, asked=None):
                body = None if asked is None else json.dumps(asked).encode()
                request = urllib.request.Request(url, body, {"x-isoflop": "1"})
                return urllib.request.urlopen(request, timeout=60).read().decode()

            assert "<html" in said(address[0])
            said(f"{session}/tasks", {"kind": "fit", "law": "chinchilla", "draws": 20})
            for _ in range(600):
                (task,) = json.loads(said(session))["tasks"]
                if task["state"] not in ("waiting", "running"):
                    break
                time.sleep(0.1)
            assert task["state"] == "done", task
        finally:
            server.terminate()
            server.wait(30)


def test_no_command_is_forgotten(folder):
    listed = re.findall(r"^  (\w+)  ", isoflop(folder, "--help").partition("--help")[2], re.M)
    tested = {line.split()[1] for line in (*readme_commands(), *FURTHER)}
    assert len(listed) > 20 and set(listed) <= tested
