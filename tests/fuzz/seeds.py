"""Real files of every kind, written by isoflop itself: what mutations begin with."""

import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from tests.fuzz import scores
from tests.fuzz.case import Case

STUDY = b"""law = "chinchilla"
further_laws = ["E + A/N^alpha"]
draws = 20
starts = 8
level = 0.9
fixed = { E = 1.8 }

[runs]
source = "runs.csv"
where = "N > 1e6"

[plan]
budget = "1e22"

[[forecast]]
at = { N = "7B", D = "1T" }

[influence]
draws = 20
"""
SWEEP = b"""name = "small"

[task]
name = "python-text"
context = 32

[model]
family = "transformer"
sizes = [{ width = 16, layers = 1, heads = 1 }]

[train]
batch = 64
lr = { at = 0.01, params = 1e5, power = 0.3 }
seeds = [0, 1]

[schedule]
kind = "cosine"
warmup = 0.05

[evaluate]
points = 2
windows = 4

[[design]]
kind = "grid"
tokens = [640, 1280]

[[design]]
kind = "isoflop"
budgets = [1e9]
"""
PROGRAMS = b"""[command]
run = "true {a} {b}"
values = { a = [1, 2], b = [0.5] }
loss_unit = "nats/token"

[limits]
seconds = 5
patience = 5
"""
LOG = b"""[2024-01-01 00:00:00] model has 124,000,000 parameters, batch 524288 tokens
step 10/100 | loss 5.2 | lr 3e-4 | tokens 5242880
step 50/100 | loss 4.1 | lr 3e-4 | tokens 26214400
step 100/100 | loss 3.9 | lr 3e-5 | tokens 52428800
"""


@dataclass(frozen=True)
class Seeds:
    """tables, logs, store: name → bytes. documents: kind → plain values. toml: kind → bytes. session: its id."""

    tables: dict[str, bytes]
    logs: dict[str, bytes]
    store: dict[str, bytes]
    documents: dict[str, object]
    toml: dict[str, bytes]
    session: str
    cell: str
    scores: dict[str, bytes]


def frame():
    """Twenty-four runs of a known law in two families, with a little noise."""
    rng = np.random.default_rng(0)
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(7, 9, 6), np.logspace(9, 11, 4)))
    loss = (1.8 + 400 / n**0.34 + 2000 / d**0.36) * np.exp(rng.normal(0, 0.003, n.size))
    return pl.DataFrame(
        {
            "N": n.round(), "D": d.round(), "loss": loss, "U": (d / rng.choice([1, 4], n.size)).round(),
            "family": ["a", "b"] * 12, "run": [f"r{i}" for i in range(24)], "acc": np.exp(-loss / 3),
        }
    )  # fmt: skip


def curves():
    """Checkpoints of four runs with their rate."""
    step = np.arange(100, 2_001, 100)
    return pl.concat(
        [
            pl.DataFrame(
                {
                    "run": [f"c{i}"] * step.size, "step": step, "N": np.full(step.size, 1e7 * 3**i),
                    "D": step * 5e5, "lr": 3e-3 * np.minimum(1, (2_000 - step + 1) / 400),
                    "loss": 2 + 10 / step**0.3 + 30 / (1e7 * 3**i) ** 0.2,
                }
            )
            for i in range(4)
        ]
    )  # fmt: skip


def sweep():
    """Six sizes and tokens, each with five learning rates and three batches around an optimum of their own."""
    n, d, lr, batch = (
        each.ravel()
        for each in np.meshgrid(np.logspace(7, 9, 3), [1e9, 1e10], np.logspace(-4, -2, 5), np.logspace(5, 6, 3))
    )
    away = np.log(lr / (2.0 * n**-0.4)) ** 2 + 0.3 * np.log(batch / (0.02 * d**0.75)) ** 2
    loss = (1.8 + 400 / n**0.34 + 2000 / d**0.36) * (1 + 0.003 * away)
    return pl.DataFrame({"N": n.round(), "D": d, "lr": lr, "batch": batch.round(), "loss": loss})


def recipes():
    """Four recipes at four sizes, two of which cross."""
    n, recipe = (each.ravel() for each in np.meshgrid(np.logspace(7, 9, 4), np.arange(4)))
    loss = 2 + (300 + 80 * recipe) / n ** (0.3 + 0.01 * recipe)
    return pl.DataFrame({"recipe": [f"mix {i}" for i in recipe], "N": n.round(), "D": 20 * n, "loss": loss})


def excerpts():
    """The logs of the documentation's pages of formats."""
    found = {}
    for page in sorted((Path(__file__).parents[2] / "docs" / "formats").glob("*.md")):
        told = re.search(r"## Form\n\n`([^`]+)`\n\n```\w+\n(.*?)\n```", page.read_text(), re.DOTALL)
        if told:
            found[f"{page.stem}/{told[1]}"] = told[2].encode() + b"\n"
    return found


def packed(table):
    """The table as Parquet."""
    held = io.BytesIO()
    table.write_parquet(held)
    return held.getvalue()


def make(runner, folder):
    """The seeds; isoflop writes those that are its own."""
    runs, along = frame(), curves()
    tables = {
        "runs.csv": runs.write_csv().encode(),
        "runs.tsv": runs.write_csv(separator="\t").encode(),
        "runs.jsonl": runs.write_ndjson().encode(),
        "runs.parquet": packed(runs),
        "curves.csv": along.write_csv().encode(),
        "sweep.csv": sweep().write_csv().encode(),
        "recipes.csv": recipes().write_csv().encode(),
    }

    def written(words, name, files=tables):
        done = runner.run(Case(words, files), keep=folder)
        assert done.code == 0, (words, done)
        return json.loads((folder / name).read_bytes() if name else done.out)

    quick = ("--law", "chinchilla", "--draws", "20", "--starts", "8")
    documents = {
        "fit": written(("fit", "runs.csv", *quick, "--save", "fit.json"), "fit.json"),
        "answer": written(("plan", "runs.csv", *quick, "--json"), ""),
    }
    fit = {"fit.json": json.dumps(documents["fit"]).encode()}
    at = ("--at", "N=7B", "--at", "D=1T")
    documents["prediction"] = written(("register", "fit.json", *at, "-o", "p.json"), "p.json", fit)
    name = "0123456789ab"
    documents["session"] = {
        "schema": "isoflop.session/2", "id": name, "kind": "file", "source": "runs.csv",
        "reading": {"columns": {}, "units": {}, "conventions": {}, "where": "N > 1"}, "dropped": [1],
        "tasks": [
            {
                "id": "r1", "kind": "forecast", "state": "waiting", "share": 0.0, "doing": "", "says": "",
                "drawn": False,
                "undrawn": "",
                "settings": {
                    "law": "chinchilla", "fixed": {}, "tied": {}, "domains": {}, "objective": "huber:1e-3", "draws": 20,
                    "seed": 0, "level": 0.9, "options": {"at": ["N=7B", "D=1T"]}, "dropped": [1],
                    "reading": {"columns": {}, "units": {}, "conventions": {}, "where": ""},
                },
            }
        ],
        "version": 3,
    }  # fmt: skip
    from isoflop.lab.command import Program, program_as_json

    program = Program("true {a} {b}", (("a", 1), ("b", 0.5)), folder=".")
    documents["cell"] = program_as_json(program)
    documents["result"] = {
        "row": {"run": "x", "family": "command", "a": 1, "N": 100, "D": 1e6, "loss": 2.5, "status": "done"},
        "curve": [{"run": "x", "step": 5, "loss": 3.0, "D": 1e5}],
        "status": "done",
    }
    documents["status"] = {
        "state": "done", "step": 3, "steps": 3, "started": 1.7e9, "beat": 1.7e9, "says": "", "host": "h", "pid": 7,
    }  # fmt: skip
    plain = {"train.log": LOG, "metrics.jsonl": along.write_ndjson().encode(), "curves.csv": tables["curves.csv"]}
    logs = {**plain, **excerpts()}
    scored = along.with_columns((pl.col("loss") * -1).exp().alias("acc"), pl.lit("a").alias("family"))
    place = folder / "stored"
    done = runner.run(Case(("import", "c.csv", "-o", "store"), {"c.csv": scored.write_csv().encode()}), keep=place)
    assert done.code == 0, done
    below = place / "store"
    store = {str(each.relative_to(below)): each.read_bytes() for each in below.rglob("*.parquet")}
    toml = {"study": STUDY, "sweep": SWEEP, "programs": PROGRAMS}
    return Seeds(tables, logs, store, documents, toml, name, program.name, scores.make())
