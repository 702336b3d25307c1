"""``Sweep``: the runs of a sweep of settings, by the pairs of N and D at which settings were tried."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.runs import Runs
from isoflop.runs.table import rows_phrase
from isoflop.units import format_quantity
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SETTINGS = ("lr", "batch")
SCALES = ("N", "D")
WORDS = {"lr": "learning rate", "batch": "batch", "N": "parameters", "D": "training tokens"}
_ALIKE = 0.02  # natural log within which sizes and tokens are those of one pair: D is a whole number of batches
_LEVELS = 3  # values of a setting from which it was swept at a pair


@dataclass(frozen=True)
class Sweep(Value):
    """Runs by pair of scales, with what was swept.

    settings: those that were swept, of lr and batch. scales: those of N and D that differ between pairs.
    setting: their logarithms, (rows, settings). scale: those of each pair, (pairs, scales). cell: each row's pair.
    response: log loss, (rows,). lowest: the least of each pair. edge: whether the best row of a pair lies at an end of
    the setting's values there, (pairs, settings). fixed: settings with one value in the whole table.
    swept: whether settings were tried at pairs at all; where not, each pair's only row is taken for its best.
    """

    source: str
    settings: tuple[str, ...]
    scales: tuple[str, ...]
    setting: Floats
    scale: Floats
    cell: Ints
    response: Floats
    lowest: Floats
    edge: NDArray[np.bool_]
    fixed: tuple[tuple[str, float], ...]
    swept: bool

    @property
    def pairs(self) -> int:
        """How many pairs of N and D there are."""
        return len(self.lowest)

    @property
    def excess(self) -> Floats:
        """log loss above the lowest of its pair, (rows,)."""
        return np.asarray(self.response - self.lowest[self.cell])


def sweep_of(runs: Runs) -> Sweep:
    """The sweep that a table holds.

    Raises DataError where it has no learning rate or batch, where one of them or the loss is not positive, or where
    nothing was varied.
    """
    present = [name for name in SETTINGS if name in runs]
    if not present:
        raise DataError(
            f"{runs.source} has neither a learning rate nor a batch; name them: --column lr=HEADER --column "
            "batch=HEADER (tokens a step)"
        )
    if "loss" not in runs:
        raise DataError(f"{runs.source} has no loss; name it: --column loss=HEADER")
    named = [*present, *(name for name in SCALES if name in runs), "loss"]
    finite = np.all([np.isfinite(runs[name]) for name in named], axis=0)
    kept = runs.take(finite)
    if not len(kept):
        raise DataError(f"no row of {runs.source} has {', '.join(named)} together; check --column")
    for name in named:
        _refuse_not_positive(kept, name)
    values = {name: np.log(kept[name]) for name in named}
    fixed = tuple((name, float(kept[name][0])) for name in present if np.ptp(values[name]) < 1e-9)
    open_settings = [name for name in present if name not in dict(fixed)]
    if not open_settings:
        told = " and ".join(f"{name} = {_told(value)}" for name, value in fixed)
        raise DataError(f"every run of {runs.source} has {told}; a sweep needs {_LEVELS} or more values at one N and D")
    levels = [_grouped(values[name]) for name in SCALES if name in kept]
    cell = np.unique(np.stack(levels), axis=1, return_inverse=True)[1].ravel() if levels else np.zeros(len(kept), int)
    cell = cell.astype(np.int64)
    pairs = int(cell.max()) + 1
    mean = {name: np.array([values[name][cell == k].mean() for k in range(pairs)]) for name in SCALES if name in kept}
    scales = tuple(name for name in mean if np.ptp(mean[name]) > _ALIKE)
    tried = {name: np.array([len(np.unique(values[name][cell == k])) for k in range(pairs)]) for name in open_settings}
    swept = [name for name in open_settings if np.mean(tried[name] >= _LEVELS) >= 0.5]
    alone = not swept
    if alone and pairs < len(kept):
        most = max(open_settings, key=lambda name: int(tried[name].max()))
        raise DataError(
            f"no N and D of {runs.source} has more than {int(tried[most].max())} values of {WORDS[most]}; a sweep "
            f"needs {_LEVELS} or more"
            if tried[most].max() < _LEVELS
            else f"fewer than half of the {pairs} pairs of N and D have {_LEVELS} values of "
            f"{' or '.join(open_settings)}; keep those that were swept (--where)"
        )
    settings = tuple(open_settings if alone else swept)
    response = values["loss"]
    best = np.array([np.flatnonzero(cell == k)[np.argmin(response[cell == k])] for k in range(pairs)])
    edge = np.zeros((pairs, len(settings)), dtype=bool)
    for place, name in enumerate(settings):
        for k in range(pairs):
            own = values[name][cell == k]
            if tried[name][k] > 1:
                at = values[name][best[k]]
                edge[k, place] = at <= own.min() + 1e-9 or at >= own.max() - 1e-9
    return Sweep(
        source=runs.source,
        settings=settings,
        scales=scales,
        setting=np.stack([values[name] for name in settings], axis=1),
        scale=np.stack([mean[name] for name in scales], axis=1) if scales else np.zeros((pairs, 0)),
        cell=cell,
        response=response,
        lowest=response[best],
        edge=edge,
        fixed=fixed,
        swept=not alone,
    )


def _grouped(values: Floats) -> Ints:
    """Numbers of groups of logarithms that lie within 2 % of their neighbors."""
    order = np.argsort(values, kind="stable")
    steps = np.concatenate([[0], np.cumsum(np.diff(values[order]) > _ALIKE)])
    found = np.empty(len(values), dtype=np.int64)
    found[order] = steps
    return found


def _refuse_not_positive(runs: Runs, name: str) -> None:
    bad = np.flatnonzero(runs[name] <= 0)
    if len(bad):
        raise DataError(
            f"{len(bad)} of {len(runs)} runs have {name} ≤ 0 ({rows_phrase(runs.rows[bad].tolist())}); keep the "
            f'others: --where "{name} > 0"'
        )


def _told(value: float) -> str:
    return format_quantity(value) if value >= 1e3 else f"{value:.4g}"
