"""Which columns of a table of curves tell runs apart: so few as make every step of a run stand once."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.logs.run_builder import is_loss

_NAMES: Final = (
    "run", "run_id", "run_name", "run id", "run name", "name", "run_file", "experiment", "exp_name", "experiment_id",
    "model_name", "model", "id",
)  # fmt: skip
_MOST_KEYS: Final = 4


def run_columns(frame: pl.DataFrame, step: str) -> tuple[tuple[str, ...], list[Finding]]:
    """The columns that name the runs, none for a table of one run, and a note where they are not the usual ones.

    A column with a usual name (``run``, ``model`` …) comes first; others follow as long as a step of one run has
    several values of one metric and they make that rarer.
    """
    for word in _NAMES:
        name = next((name for name in frame.columns if name.strip().lower() == word and name != step), None)
        if name is not None and _is_name(frame[name]) and in_order(frame, (name,), step):
            return (name,), []
    candidates = [name for name in frame.columns if name != step and _may_name(frame, name)]
    if not candidates:
        return (), []
    usual = [name for word in _NAMES for name in candidates if name.strip().lower() == word][:1]
    metrics = [name for name in frame.columns if name != step and name not in candidates]
    keys = usual
    surplus = _surplus(frame, keys, step, metrics)
    while surplus and len(keys) < _MOST_KEYS:
        further = [name for name in candidates if name not in keys]
        trials = [(_surplus(frame, [*keys, name], step, metrics), frame[name].n_unique(), name) for name in further]
        if not trials or min(trials)[0] >= surplus:
            break
        surplus, _, best = min(trials)
        keys = [*keys, best]
    if keys == usual:
        return tuple(keys), []
    told = " and ".join(map(repr, keys))
    note = Finding("run-columns", "note", f"runs are told apart by {told}.", "Name the runs in a column called run.")
    return tuple(keys), [note]


def _is_name(series: pl.Series) -> bool:
    return series.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Boolean)


def _may_name(frame: pl.DataFrame, name: str) -> bool:
    series = frame[name]
    if is_loss(name) or series.n_unique() < 2:
        return False
    # numbers: sizes and seeds take few values, measurements many
    few = series.dtype.is_numeric() and not series.has_nulls() and series.n_unique() <= max(2, frame.height // 20)
    return _is_name(series) or few


def _surplus(frame: pl.DataFrame, keys: list[str], step: str, metrics: list[str]) -> int:
    """How many values there are beyond one of a metric at a step of a run."""
    if keys and in_order(frame, tuple(keys), step):
        return 0
    count = pl.max_horizontal(pl.col(name).drop_nulls().n_unique() for name in metrics) if metrics else pl.len()
    values = frame.lazy().group_by([*keys, step]).agg(count.alias("values"))
    return int(values.select((pl.col("values").cast(pl.Int64) - 1).clip(0).sum()).collect().item())


def in_order(frame: pl.DataFrame, keys: tuple[str, ...], step: str) -> bool:
    """Whether the runs follow each other as blocks whose steps only grow, which is quickly seen."""
    grows = (frame[step] > frame[step].shift(1)).fill_null(False).to_numpy()
    begins = blocks(frame, keys)
    grows[begins] = True
    return bool(grows.all()) and frame[begins].select(keys).is_unique().all()


def blocks(frame: pl.DataFrame, keys: tuple[str, ...]) -> NDArray[np.int64]:
    """The rows at which the keys change, the first row among them."""
    changes = pl.any_horizontal(pl.col(key).ne_missing(pl.col(key).shift(1)) for key in keys)
    told = frame.select(changes).to_series().to_numpy().copy()
    told[:1] = True
    return np.flatnonzero(told)
