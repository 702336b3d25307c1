"""Commands of the documentation, run where their example files lie, with what they printed."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner

FORMATS = Path(__file__).parents[1] / "docs" / "formats"
WIDTH = 84  # of the site's blocks
# What would make the same command print something else on another machine.
_ENVIRONMENT = {
    "COLUMNS": str(WIDTH),
    "NO_COLOR": "1",
    "TERM": "dumb",
    "ISOFLOP_DATASETS": None,
    "XDG_CACHE_HOME": "cache",
}


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder with the example files, as the current one for as long as the context lasts."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        write_examples(Path(name))
        yield Path(name)


def write_examples(place: Path) -> None:
    """Bundled runs, simulated ones and items (scores, suite, pools …) as .csv; arrays as .npz; a log."""
    import numpy as np
    import polars as pl

    from isoflop import datasets, law

    hidden = ("row", "task_digest", "wall_seconds", "hardware", "shape", "C_6ND")
    runs = datasets.load("python-bytes").frame
    runs.drop([each for each in hidden if each in runs.columns]).write_csv(place / "runs.csv")
    curves = datasets.load("python-bytes/curves").frame
    curves.drop([each for each in hidden if each in curves.columns]).write_csv(place / "curves.csv")
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(8, 10, 5), np.logspace(9.5, 11.5, 5)))
    draws = np.random.default_rng(0)
    loss = law("chinchilla").value({"E": 0.9, "A": 300.0, "B": 900.0, "alpha": 0.35, "beta": 0.33}, {"N": n, "D": d})
    loss = loss * np.exp(draws.normal(0, 0.01, n.size))
    score = 0.25 + 0.7 / (1 + np.exp(4 * (loss - 1.6))) + draws.normal(0, 0.005, n.size)
    pl.DataFrame({"N": n, "D": d, "quiz_loss": loss, "quiz_score": score}).write_csv(place / "scores.csv")
    suite = {"N": n, "D": d}
    for task, floor, middle in (("quiz", 0.9, 1.6), ("exam", 1.1, 1.7)):
        lost = (floor + 300 / n**0.35 + 900 / d**0.33) * np.exp(np.random.default_rng(2).normal(0, 0.01, n.size))
        suite[f"{task}_loss"], suite[f"{task}_score"] = lost, 0.25 + 0.7 / (1 + np.exp(4 * (lost - middle)))
    pl.DataFrame(suite).write_csv(place / "suite.csv")
    mixed = np.random.default_rng(3).dirichlet([2.0, 2.0, 2.0], 40)
    lost = 2 + 0.5 * np.exp(-3 * mixed[:, 0]) + 0.3 * np.exp(-4 * mixed[:, 1]) + 0.2 * np.exp(-5 * mixed[:, 2])
    columns = dict(zip(("web", "code", "books"), mixed.T.round(6), strict=True))
    lost = lost * np.exp(np.random.default_rng(4).normal(0, 0.002, 40))
    pl.DataFrame({**columns, "loss": lost}).write_csv(place / "mixtures.csv")
    step = np.arange(20, 2001, 20)
    rate = 1e-3 * np.minimum(step / 200, 1)  # constant after the warm-up
    falling = 2.4 + 9 * step**-0.4 + draws.normal(0, 0.01, step.size)
    pl.DataFrame({"step": step, "lr": rate, "loss": falling}).write_csv(place / "curve.csv")
    write_families(place / "families.csv")
    write_recipes(place / "recipes.csv")
    write_sweep(place / "sweep.csv")
    write_checkpoints(place / "checkpoints.csv")
    write_releases(place / "releases.csv")
    write_attempts(place / "attempts.csv")
    write_choices(place / "choices.csv")
    write_activations(place / "activations.npz")
    write_attention(place)
    write_networks(place)
    write_selection(place)
    excerpt = re.search(r"```(?:text)?\n(.*?)```", (FORMATS / "nanogpt.md").read_text(encoding="utf-8"), re.DOTALL)
    assert excerpt is not None
    (place / "train.log").write_text(excerpt[1], encoding="utf-8")


def write_recipes(place: Path) -> None:
    """Five recipes at six sizes, three seeds each, whose losses cross; a quiz score goes with the loss."""
    import numpy as np
    import polars as pl

    draws = np.random.default_rng(0)
    recipe, size, seed = (each.ravel() for each in np.meshgrid(np.arange(5), np.logspace(7, 9.5, 6), np.arange(3)))
    floor, rise = np.array([1.9, 1.97, 1.93, 2.02, 1.99])[recipe], np.array([1000, 850, 960, 820, 900])[recipe]
    loss = floor + rise / size**0.42 + draws.normal(0, 0.004, size.size)
    score = 0.25 + 0.7 / (1 + np.exp(6 * (loss - 2.3))) + draws.normal(0, 0.006, size.size)
    names = np.array(["web", "web-filtered", "books", "code", "mixed"])[recipe]
    table = {"recipe": names, "N": size, "D": 20 * size, "seed": seed, "loss": loss, "quiz_acc": score}
    pl.DataFrame(table).write_csv(place)


def write_checkpoints(place: Path) -> None:
    """Six sizes at sixteen checkpoints, whose tasks rise one after the other; the coin never does."""
    import numpy as np
    import polars as pl

    draws = np.random.default_rng(0)
    size, step = (each.ravel() for each in np.meshgrid(np.logspace(8, 10, 6), np.round(np.logspace(1, 5, 16))))
    scale = np.log10(size / 1e8)
    table = {"run": [f"{each / 1e6:.0f}M" for each in size], "N": size, "step": step}
    for task, middle, gain in (("quiz", 2.6, 0.4), ("exam", 3.1, 0.3), ("proof", 3.7, 0.25), ("riddle", 4.2, 0.2)):
        rise = (gain + 0.1 * scale) / (1 + np.exp(-4 * (np.log10(step) - middle)))
        table[task] = 0.25 + rise + draws.normal(0, 0.008, size.size)
        table[f"{task}_stderr"] = np.full(size.size, 0.008)
    table["coin"] = 0.5 + draws.normal(0, 0.008, size.size)
    table["coin_stderr"] = np.full(size.size, 0.008)
    pl.DataFrame(table).write_csv(place)


def write_releases(place: Path) -> None:
    """Forty models of eight families in four years, whose scores rise with size and by half a logit a year."""
    import numpy as np
    import polars as pl

    draws = np.random.default_rng(0)
    family, size = (each.ravel() for each in np.meshgrid(np.arange(8), np.logspace(9, 11, 5), indexing="ij"))
    year = family / 2 + draws.uniform(0, 0.4, size.size)
    index = -1 + 0.35 * np.log(size / 1e9) + 0.5 * year + draws.normal(0, 0.1, size.size)
    day = np.datetime64("2021-01-01") + np.round(365.25 * year).astype(int)
    table = {"model": [f"{'abcdefgh'[f]}-{n / 1e9:.0f}B" for f, n in zip(family, size, strict=True)]}
    table |= {"family": ["abcdefgh"[f] for f in family], "date": day.astype(str), "N": size}
    for task, hard, steep in (("quiz", -1, 0.8), ("exam", 0, 1.2), ("proof", 1, 1.0), ("riddle", 2, 1.1)):
        score = 1 / (1 + np.exp(-steep * (index - hard))) + draws.normal(0, 0.01, size.size)
        table[task] = np.where(draws.uniform(size=size.size) < 0.15, np.nan, np.clip(score, 0, 1))
    pl.DataFrame(table).fill_nan(None).write_csv(place)


def write_activations(place: Path) -> None:
    """400 samples of 40 features near a curved surface of 3 dimensions, in 4 classes, with their 3 inputs."""
    import numpy as np

    draws = np.random.default_rng(0)
    labels = np.arange(400) % 4
    inputs = draws.normal(size=(400, 3)) + 2 * np.eye(4)[labels][:, :3]
    hidden = np.tanh(inputs @ draws.normal(size=(3, 40)) / 2 + 0.3 * draws.normal(size=40))
    np.savez(place, hidden=hidden.astype(np.float32), labels=labels, inputs=inputs)


def write_attention(place: Path) -> None:
    """attention32.npz and attention128.npz: queries and keys of six heads of 16 dimensions, sharp and even ones."""
    import numpy as np

    draws = np.random.default_rng(0)
    sharp = np.linspace(0.8, 2.0, 6)[:, None, None]
    queries = draws.normal(size=(6, 24, 16)) * sharp
    keys = draws.normal(size=(6, 128, 16))
    for tokens in (32, 128):
        np.savez(place / f"attention{tokens}.npz", queries=queries, keys=keys[:, -tokens:])


def write_networks(place: Path) -> None:
    """networks.csv: 24 networks with their gap, three seeds a setting; information.csv, measured of them."""
    import numpy as np
    import polars as pl

    draws = np.random.default_rng(0)
    setting = np.repeat(np.arange(8), 3)
    width, decay = np.array([16, 64])[setting % 2], np.array([0, 1e-3, 3e-3, 1e-2])[setting // 2]
    norm = 4 + 0.05 * width - 200 * decay + draws.normal(0, 0.3, 24)
    gap = 0.2 * norm + draws.normal(0, 0.15, 24)
    names = [f"w{w}-d{d:g}-s{k % 3}" for k, (w, d) in enumerate(zip(width, decay, strict=True))]
    own = {"checkpoint": names, "setting": [f"s{k}" for k in setting]}
    networks = {**own, "params": 9000 * width, "norm": norm.round(3), "gap": gap.round(4)}
    pl.DataFrame(networks).write_csv(place / "networks.csv")
    information = (1.5 + 0.1 * gap + draws.normal(0, 0.1, 24)).round(3)
    pl.DataFrame({"checkpoint": names[::-1], "conditional": information[::-1]}).write_csv(place / "information.csv")


def write_selection(place: Path) -> None:
    """examples.npz, pruned.csv, pools.csv, sources.csv and embedded.npz: training data to be scored and chosen from."""
    import numpy as np
    import polars as pl

    from isoflop import law
    from isoflop.lab.worlds import perceptron

    draws = np.random.default_rng(0)
    labels = np.arange(300) % 3
    hidden = draws.normal(size=(300, 6)) + 2 * np.eye(6)[labels]
    logits = hidden @ draws.normal(np.eye(6)[:, :3], 0.3) + draws.normal(0, 0.5, (300, 3))
    correct = np.array([(logits + draws.normal(0, 1 / k, logits.shape)).argmax(axis=1) == labels for k in (1, 2, 4, 8)])
    np.savez(place / "examples.npz", logits=logits, embedding=hidden, correct=correct, labels=labels)
    runs, _ = perceptron(dimension=40, loads=(1, 3, 10, 30), keeps=(1.0, 0.5, 0.25), repetitions=4)
    runs.frame.select("family", "keep", "seed", "D", "loss").write_csv(place / "pruned.csv")
    seen, parts = np.geomspace(50, 3200, 9).round(), []
    for pool, size, utility, half_life in (("clean", 100, 0.4, 1.5), ("fair", 300, 0.3, 3.0), ("web", 2000, 0.2, 3.0)):
        params = {"a": 1.5, "b": utility, "tau": half_life, "d": 0.02}
        error = law("goyal").value(params, {"D": seen, "U": np.full(seen.size, size)}).ravel()
        error = error * np.exp(draws.normal(0, 0.01, seen.size))
        parts.append(pl.DataFrame({"pool": [pool] * seen.size, "D": seen, "U": [size] * seen.size, "error": error}))
    pl.concat(parts).write_csv(place / "pools.csv")
    write_sources(place)


def write_sources(place: Path) -> None:
    """Three sources of six classes, each rich in two, whose mixtures train a linear classifier at three sizes."""
    import numpy as np
    import polars as pl

    draws = np.random.default_rng(0)
    centers = draws.normal(size=(6, 8))

    def samples(count: int, rich: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        odds = np.where(np.isin(np.arange(6), rich), 0.47, 0.015)
        classes = draws.choice(6, count, p=odds / odds.sum())
        return centers[classes] + 0.9 * draws.normal(size=(count, 8)), classes

    names, rich = ("news", "forum", "papers"), ((0, 1), (2, 3), (4, 5))
    arrays = {}
    for name, some in zip(names, rich, strict=True):
        arrays[name], arrays[f"{name}_labels"] = samples(120, some)
    arrays["validation"], arrays["validation_labels"] = samples(200, (0, 1, 2))
    np.savez(place / "embedded.npz", **arrays)
    grid = [(i / 5, j / 5, 1 - (i + j) / 5) for i in range(6) for j in range(6 - i)]
    test, truth = samples(1500, (0, 1, 2))
    rows = []
    for size in (60, 240, 960):
        for shares in grid:
            counts = np.round(size * np.array(shares)).astype(int)
            errors = []
            for _ in range(4):
                drawn = [samples(int(n), some) for n, some in zip(counts, rich, strict=True) if n]
                x, y = (np.concatenate(each) for each in zip(*drawn, strict=True))
                x = np.column_stack((np.ones(len(x)), x))
                weights = np.linalg.solve(x.T @ x + np.eye(9), x.T @ np.eye(6)[y])
                errors.append((np.column_stack((np.ones(1500), test)) @ weights).argmax(axis=1) != truth)
            rows.append((*(round(s, 1) for s in shares), size, float(np.mean(errors))))
    pl.DataFrame(rows, schema=[*names, "D", "loss"], orient="row").write_csv(place / "sources.csv")


def write_sweep(place: Path) -> None:
    """Nine learning rates and seven batches at four sizes and three durations."""
    import numpy as np
    import polars as pl

    draws = np.random.default_rng(0)
    sizes, durations = np.logspace(7.5, 9, 4), np.logspace(9.5, 10.7, 3)
    grid = np.meshgrid(sizes, durations, np.logspace(-4, -2, 9), 2.0 ** np.arange(15, 22), indexing="ij")
    n, d, rate, batch = (each.ravel() for each in grid)
    off_rate = np.log(rate / (1e-3 * (n / 1e8) ** -0.6 * (d / 1e10) ** 0.2))
    off_batch = np.log(batch / (3e5 * (d / 1e10) ** 0.5))
    loss = (1.7 + 400 / n**0.35 + 1500 / d**0.36) * np.exp(
        0.004 * off_rate**2 - 0.002 * off_rate * off_batch + 0.006 * off_batch**2 + draws.normal(0, 0.0008, n.size)
    )
    pl.DataFrame({"N": n, "D": d, "lr": rate, "batch": batch, "loss": loss}).write_csv(place)


def write_attempts(place: Path) -> None:
    """Twenty problems tried by six models until the second pass, whose rates follow exp(-300·N^(-0.2))."""
    import numpy as np
    import polars as pl

    draws = np.random.default_rng(0)
    model, problem = (each.ravel() for each in np.meshgrid(np.arange(6), np.arange(20), indexing="ij"))
    size = np.logspace(7.5, 9.5, 6)[model]
    tries = draws.negative_binomial(2, np.exp(-300 * size**-0.2)) + 2
    names = [f"model-{each}" for each in model]
    columns = {"model": names, "N": size, "problem": problem, "passes": 2, "tries": tries, "goal": 2}
    pl.DataFrame(columns).write_csv(place)


def write_choices(place: Path) -> None:
    """Sixty questions with four options: log-probabilities of seven models, of which the last option is right."""
    import numpy as np
    import polars as pl

    draws = np.random.default_rng(0)
    models, questions = 7, 60
    slope, base = draws.normal([0.2, 0.2, 0.2, 0.7], 0.2, (questions, 4)), draws.normal(-9, 1, (questions, 4))
    scale = np.arange(models)[:, None, None]
    log_p = np.minimum(base + slope * scale + draws.normal(0, 0.4, (models, questions, 4)), -0.05)
    rows = [
        {
            "model": f"model-{m}",
            "N": 10 ** (7 + m / 3),
            "D": 20 * 10 ** (7 + m / 3),
            "task": "quiz",
            "item": q,
            "answer": 3,
        }
        | {f"logp_{k}": log_p[m, q, k] for k in range(4)}
        for m in range(models)
        for q in range(questions)
    ]
    pl.DataFrame(rows).write_csv(place)


def write_families(place: Path) -> None:
    """Three families of runs with one alpha and one beta, 24 runs each."""
    import numpy as np
    import polars as pl

    from isoflop import law

    draws, parts = np.random.default_rng(1), []
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(7.5, 9.5, 6), np.logspace(9, 11, 4)))
    for family, floor, a, b in (
        ("dense", 1.9, 420.0, 900.0),
        ("sparse", 1.85, 240.0, 900.0),
        ("hybrid", 1.7, 330.0, 1300.0),
    ):
        loss = law("chinchilla").value({"E": floor, "A": a, "B": b, "alpha": 0.34, "beta": 0.3}, {"N": n, "D": d})
        parts.append(
            pl.DataFrame({"family": family, "N": n, "D": d, "loss": loss * np.exp(draws.normal(0, 0.004, n.size))})
        )
    pl.concat(parts).write_csv(place)


def run(line: str, *, datasets: Path | None = None) -> tuple[int, str]:
    """The exit code and the output of one ``isoflop …`` command in the current folder; datasets: public tables."""
    from isoflop.cli import isoflop
    from isoflop.errors import IsoflopError

    program, *words = shlex.split(line, comments=True)
    if program != "isoflop":
        raise ValueError(f"{line!r} is no command of isoflop")
    env = _ENVIRONMENT if datasets is None else {**_ENVIRONMENT, "ISOFLOP_DATASETS": str(datasets)}
    done = CliRunner().invoke(isoflop, words, prog_name="isoflop", env=env)
    if isinstance(done.exception, IsoflopError):  # as isoflop.cli.main ends it
        return 2, f"{done.output}Error: {done.exception}\n"
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, without_place(done.output)


def without_place(text: str) -> str:
    """The output without the name of the temporary folder."""
    return text.replace(f"{Path.cwd()}{os.sep}", "")
