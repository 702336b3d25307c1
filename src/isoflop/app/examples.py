"""Tables to begin with, each with its picture's points: public ones where this machine has them, else bundled ones."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from isoflop.errors import DataError, IsoflopError, shown

if TYPE_CHECKING:
    import polars as pl

_TRUTH: Final = {"E": 1.8172, "A": 482.01, "alpha": 0.3478, "B": 2085.43, "beta": 0.3658}  # Besiroglu et al. 2024
_BUDGETS: Final = (6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21)
_MOST_POINTS: Final = 240


@dataclass(frozen=True)
class Example:
    """A table to begin with. source: a data set's name, or the file name of one that is simulated."""

    name: str
    title: str
    says: str
    source: str
    x: str
    color: str


EXAMPLES: Final = (
    Example(
        "isoflop-sweep",
        "IsoFLOP sweep with broken runs",
        "Simulated: nine budgets, 180 runs, six of which ended early. Which are they, and what do they change?",
        "isoflop-sweep.csv",
        "N",
        "C",
    ),
    Example(
        "trained-models",
        "70 trained models",
        "Byte-level transformers of 6.6K to 820K parameters, trained for this package. How far do they reach?",
        "python-bytes",
        "C",
        "N",
    ),
    Example(
        "loss-curves",
        "Loss curves by step",
        "Simulated: twelve runs with forty checkpoints each. What does a law of size and tokens make of checkpoints?",
        "loss-curves.csv",
        "D",
        "N",
    ),
)


PUBLIC: Final = (
    Example(
        "chinchilla-sweep",
        "Chinchilla's 245 runs",
        "Hoffmann et al. (2022), digitized by Besiroglu et al. (2024): an IsoFLOP sweep. Eight runs are odd; which?",
        "epoch-chinchilla",
        "N",
        "C",
    ),
    Example(
        "porian-sweep",
        "A sweep that resolves two laws",
        "Porian et al. (2024): the IsoFLOP runs that explain why Kaplan and Chinchilla disagree.",
        "porian-isoflop",
        "N",
        "C",
    ),
    Example(
        "repeated-data",
        "Loss curves with repeated data",
        "Muennighoff et al. (2023): 48 runs by tokens seen, some with a few unique tokens many times.",
        "datablations/curves",
        "D",
        "N",
    ),
)


def example(name: str) -> Example:
    """An example by its name; raises DataError with the names that there are."""
    for each in (*PUBLIC, *EXAMPLES):
        if each.name == name:
            return each
    raise DataError(f"there is no example {shown(name)}; there are {', '.join(each.name for each in offered())}")


def offered() -> tuple[Example, ...]:
    """The three examples of the first screen: the public tables of this machine's copies, filled up from the others."""
    from isoflop.runs.datasets import find, locate

    here = []
    for each in PUBLIC:
        with contextlib.suppress(IsoflopError):
            locate(*find(each.source))
            here.append(each)
    return (*here, *EXAMPLES[: len(PUBLIC) - len(here)])


def table(chosen: Example) -> pl.DataFrame:
    """The rows of an example that is simulated."""
    return _sweep() if chosen.name == "isoflop-sweep" else _curves()


def _law(n: Any, d: Any) -> Any:  # noqa: ANN401 - arrays
    return _TRUTH["E"] + _TRUTH["A"] / n ** _TRUTH["alpha"] + _TRUTH["B"] / d ** _TRUTH["beta"]


@cache
def _sweep() -> pl.DataFrame:
    import polars as pl

    rng = np.random.default_rng(7)
    c = np.repeat(np.array(_BUDGETS), 20)
    best = 0.6 * (c / 6) ** 0.5 * 0.28
    n = best * np.tile(np.geomspace(1 / 8, 8, 20), len(_BUDGETS)) * np.exp(rng.normal(0, 0.03, len(c)))
    loss = _law(n, c / (6 * n)) * np.exp(rng.normal(0, 0.003, len(c)))
    broken = rng.choice(np.flatnonzero(n > 3 * best), 6, replace=False)
    loss[broken] *= rng.uniform(1.06, 1.2, 6)
    return pl.DataFrame({"params": n.round(), "flops": c, "loss": loss.round(4)})


@cache
def _curves() -> pl.DataFrame:
    import polars as pl

    rng = np.random.default_rng(11)
    parts = []
    for run, n in enumerate(np.geomspace(2e7, 2e9, 12)):
        tokens = np.geomspace(2e8, 20 * n * 1.5, 40)
        loss = _law(n, tokens) * np.exp(rng.normal(0, 0.002, 40))
        parts.append(
            pl.DataFrame({"run": [f"run {run + 1}"] * 40, "params": n, "tokens": tokens.round(), "loss": loss})
        )
    return pl.concat(parts).with_columns(pl.col("params").round(), pl.col("loss").round(4))


def shown_examples() -> list[dict[str, Any]]:
    """What the page's first screen shows of each: title, text, and the points of a small picture in log10."""
    return [dict(said) for each in offered() if (said := _shown(each)) is not None]


@cache
def _shown(each: Example) -> dict[str, Any] | None:
    from isoflop.runs import read_runs
    from isoflop.runs.datasets import load
    from isoflop.units import training_flops

    try:
        runs = load(each.source) if not each.source.endswith(".csv") else read_runs(table(each))
    except IsoflopError:  # a copy of the package without its data
        return None
    every = max(1, len(runs) // _MOST_POINTS)
    flops = runs["C"] if "C" in runs else training_flops(runs["N"], runs["D"])
    of = {"N": runs["N"], "D": runs["D"], "C": flops}
    x, y, color = (np.log10(values[::every]) for values in (of[each.x], runs["loss"], of[each.color]))
    return {
        "name": each.name,
        "title": each.title,
        "says": each.says,
        "rows": len(runs),
        "public": each in PUBLIC,
        "x": x.round(3).tolist(),
        "y": y.round(4).tolist(),
        "color": color.round(3).tolist(),
    }


def write(chosen: Example, folder: Path) -> None:
    """Write the table of a simulated example into a session's folder."""
    table(chosen).write_csv(folder / chosen.source)
