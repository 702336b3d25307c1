"""Seeds of the commands that read no table of runs: scores of evaluated models, checkpoints of tasks, activations."""

import io
import json
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from docs_build.runner import write_selection


def items():
    """Scores of forty items by four models, with their sizes; and the passes of five tries."""
    rng = np.random.default_rng(1)
    model, item = (each.ravel() for each in np.meshgrid(np.arange(4), np.arange(40)))
    chance = 1 / (1 + np.exp(-(model - 1.5 + rng.normal(size=40)[item])))
    return pl.DataFrame(
        {
            "model": [f"m{each}" for each in model], "N": 10.0 ** (7 + model), "task": "quiz", "item": item,
            "score": rng.random(item.size) < chance, "passes": rng.binomial(5, chance), "tries": 5,
        }
    ).with_columns(pl.col("score").cast(pl.Int64))  # fmt: skip


def board():
    """Fourteen models with dates, sizes and five benchmarks."""
    rng = np.random.default_rng(2)
    ability = np.linspace(-1, 2, 14)
    scores = 1 / (1 + np.exp(-(ability[:, None] - rng.normal(size=5) + 0.1 * rng.normal(size=(14, 5)))))
    return pl.DataFrame(
        {
            "model": [f"m{each}" for each in range(14)],
            "date": [f"2024-{1 + each % 12:02d}-0{1 + each % 9}" for each in range(14)],
            "N": np.logspace(7, 11, 14).round(), "family": ["a", "b"] * 7,
            **{f"t{each}": scores[:, each].round(4) for each in range(5)},
        }
    )  # fmt: skip


def checkpoints():
    """Three tasks at sixteen checkpoints of three models."""
    model, step = (each.ravel() for each in np.meshgrid(np.arange(3), np.arange(1, 17) * 500.0))
    rise = {f"t{k}": 0.25 + 0.5 / (1 + np.exp(-(step / 500 - 4 - 2 * k + model))) for k in range(3)}
    return pl.DataFrame({"model": [f"m{each}" for each in model], "N": 10.0 ** (7 + model), "step": step, **rise})


def corpora():
    """Runs of equal sizes and tokens on two data sets, and both losses of each run."""
    n, d, corpus = (each.ravel() for each in np.meshgrid(np.logspace(7, 9, 4), np.logspace(9, 11, 3), [0, 1]))
    loss = (1.8 + 400 / n**0.34 + 2000 / d**0.36) * (1 + 0.1 * corpus)
    names = [("web", "code")[int(each)] for each in corpus]
    return pl.DataFrame({"N": n.round(), "D": d.round(), "loss": loss, "code_loss": 0.4 + 0.8 * loss, "corpus": names})


def long_curve():
    """Two curves of sixty points with a plateau before and behind a power law."""
    d = np.logspace(6, 11, 60)
    loss = np.minimum(4.0, 1.8 + (1e8 / d) ** 0.4)
    return pl.DataFrame(
        {"run": ["a"] * 60 + ["b"] * 60, "D": np.tile(d, 2), "loss": np.concatenate([loss, loss * 1.1])}
    )


def measures():
    """What ``isoflop probe --rows`` writes."""
    low = {"dimension": 12.0, "dimension_low": 10.0, "dimension_high": 14.0, "spectrum": 0.4, "spectrum_low": 0.3}
    return pl.DataFrame([{"checkpoint": f"step{each}", "array": "z", **low, "spectrum_high": 0.5} for each in range(3)])


def activations():
    """One array with labels and inputs in each kind of file."""
    rng = np.random.default_rng(3)
    points = rng.normal(size=(80, 5))
    labels = (points[:, 0] > 0).astype(np.int64)
    packed, plain, columns = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.savez(packed, z=points, y=labels, x=points[:, :2])
    np.save(plain, points)
    frame = pl.DataFrame({f"f{each}": points[:, each] for each in range(5)})
    frame.with_columns(pl.Series("y", labels)).write_parquet(columns)
    numbers = points.astype("<f4").tobytes()
    head = json.dumps({"z": {"dtype": "F32", "shape": [80, 5], "data_offsets": [0, len(numbers)]}}).encode()
    tensors = len(head).to_bytes(8, "little") + head + numbers
    return {
        "a.npz": packed.getvalue(),
        "a.npy": plain.getvalue(),
        "a.parquet": columns.getvalue(),
        "a.safetensors": tensors,
    }


def logs():
    """Samples and results as lm-evaluation-harness writes them, and a log of inspect-ai."""
    samples = [
        {"doc_id": each, "acc": float(each % 3 == 0), "target": "A", "resps": [[[-1.0, False]]], "doc": {"q": "why"}}
        for each in range(30)
    ]
    results = {
        "results": {"quiz": {"acc,none": 0.5, "acc_stderr,none": 0.05, "alias": "quiz"}},
        "n-samples": {"quiz": {"original": 30, "effective": 30}}, "model_name": "m1", "config": {"model": "hf"},
    }  # fmt: skip
    about = {"task": "quiz", "model": "openai/m", "created": "2024-01-01T00:00:00"}
    scored = [{"id": each, "epoch": 1, "scores": {"match": {"value": "IC"[each % 2]}}} for each in range(20)]
    inspected = {
        "version": 2, "status": "success", "eval": about, "samples": scored,
    }  # fmt: skip
    return {
        "samples_quiz_2024-01-01T00-00-00.jsonl": "\n".join(map(json.dumps, samples)).encode(),
        "results_2024-01-01T00-00-00.json": json.dumps(results).encode(),
        "log.json": json.dumps(inspected).encode(),
    }  # fmt: skip


def make():
    """Name → bytes of every file of scores and activations."""
    frames = {
        "items": items(), "board": board(), "checkpoints": checkpoints(), "corpora": corpora(), "curve": long_curve(),
        "measures": measures(),
    }  # fmt: skip
    tables = {f"{name}.csv": frame.write_csv().encode() for name, frame in frames.items()}
    with tempfile.TemporaryDirectory() as place:
        write_selection(Path(place))
        chosen = {name: (Path(place) / name).read_bytes() for name in ("pruned.csv", "pools.csv", "examples.npz")}
    return {**tables, **activations(), **logs(), **chosen}
