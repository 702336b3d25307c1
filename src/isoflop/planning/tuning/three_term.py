"""The best batch by E + A/N^alpha + B/batch^beta + G/step^gamma, which knows batch and steps, not tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, FitError
from isoflop.fitting import fit, huber
from isoflop.laws import law
from isoflop.planning.tuning.sweep import Sweep
from isoflop.runs import Runs
from isoflop.uncertainty.bootstrap import bootstrap
from isoflop.values import Value

Floats = NDArray[np.float64]

_FORMULAS = {
    True: "batch-steps-loss",
    False: "E + B/batch^beta + G/step^gamma",
}
_LEAST = 12  # runs with the best rate of their batch
_BATCHES = 3


@dataclass(frozen=True)
class BatchLine(Value):
    """batch* = (beta B/(gamma G))^(1/(beta + gamma)) D^(gamma/(beta + gamma)).

    factor, exponent: (draws + 1,), the fit first. rows: runs that the law was fitted to. error: mean relative error.
    """

    factor: Floats
    exponent: Floats
    rows: int
    error: float

    def batch(self, tokens: float) -> Floats:
        """The best batch for so many tokens, (draws + 1,)."""
        return np.asarray(self.factor * tokens**self.exponent)


def three_term(sweep: Sweep, runs: Runs, *, draws: int, seed: int) -> BatchLine | str:
    """The law fitted to the best rate of each batch, or why it cannot be."""
    if "batch" not in sweep.settings or "D" not in runs:
        return "needs batches that were swept, and tokens"
    chosen = _best_rates(sweep)
    if len(chosen) < _LEAST:
        return f"{len(chosen)} batches have a best learning rate inside their sweep, and {_LEAST} are needed"
    place = sweep.settings.index("batch")
    batch = np.exp(sweep.setting[chosen, place])
    scale = {name: np.exp(sweep.scale[sweep.cell[chosen], k]) for k, name in enumerate(sweep.scales)}
    tokens = scale.get("D", np.full(len(chosen), float(np.median(runs["D"]))))
    if len(np.unique(batch)) < _BATCHES:
        return f"needs {_BATCHES} batches or more"
    by_size = "N" in scale
    columns = {"batch": batch, "step": tokens / batch, "loss": np.exp(sweep.response[chosen])}
    if by_size:
        columns["N"] = scale["N"]
    try:
        fitted = fit(law(_FORMULAS[by_size]), Runs.from_columns(columns), objective=huber(), seed=seed)
        drawn = bootstrap(fitted, draws=max(20, draws), seed=seed, restarted=0)
    except (DataError, FitError) as why:
        return f"could not be fitted: {why}"
    values = {name: np.concatenate([[fitted.params[name]], each]) for name, each in drawn.draws.items()}
    both = values["beta"] + values["gamma"]
    with np.errstate(all="ignore"):
        factor = (values["beta"] * values["B"] / (values["gamma"] * values["G"])) ** (1 / both)
        exponent = values["gamma"] / both
    known = np.isfinite(factor) & np.isfinite(exponent) & (values["beta"] > 0) & (values["gamma"] > 0) & (factor > 0)
    if not known[0]:
        return "its fit has no best batch: loss does not fall with both batch and steps"
    error = float(np.abs(np.expm1(fitted.residuals)).mean())
    return BatchLine(factor[known], exponent[known], len(chosen), error)


def _best_rates(sweep: Sweep) -> NDArray[np.int64]:
    """The row with the lowest loss of each pair and batch, where its learning rate lies inside those tried there."""
    place = sweep.settings.index("batch")
    rate = sweep.settings.index("lr") if "lr" in sweep.settings else None
    groups = np.unique(np.column_stack([sweep.cell, np.round(sweep.setting[:, place], 6)]), axis=0, return_inverse=True)
    code = groups[1].ravel()
    chosen = []
    for each in range(int(code.max()) + 1):
        rows = np.flatnonzero(code == each)
        best = rows[np.argmin(sweep.response[rows])]
        if rate is not None:
            tried = sweep.setting[rows, rate]
            inside = tried.min() + 1e-9 < sweep.setting[best, rate] < tried.max() - 1e-9
            if len(np.unique(tried)) < _BATCHES or not inside:
                continue
        chosen.append(int(best))
    return np.asarray(chosen, dtype=np.int64)
