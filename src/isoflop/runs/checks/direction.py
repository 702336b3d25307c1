"""A loss that rises with compute is none: it may be a score, or a column that was named by mistake."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import excerpt
from isoflop.findings import Finding
from isoflop.runs.columns import is_score
from isoflop.runs.table import Runs

Floats = NDArray[np.float64]

_FEWEST = 6
_MOST = 50_000  # rows of a larger table that are drawn for the correlation
_RISES = 0.5  # Spearman's rank correlation from which more compute goes with more loss


def direction_findings(runs: Runs) -> list[Finding]:
    """Spearman's correlation of the loss with C, N·D, N or D above 0.5."""
    if "loss" not in runs.frame.columns:
        return []
    name, effort = _effort(runs)
    if effort is None:
        return []
    loss = runs["loss"]
    known = np.isfinite(loss) & np.isfinite(effort)
    if known.sum() < _FEWEST:
        return []
    loss_known, effort_known = loss[known], effort[known]
    if len(loss_known) > _MOST:  # as good as all to two digits, at a fiftieth of the time for a million
        some = np.random.default_rng(0).integers(0, len(loss_known), _MOST)
        loss_known, effort_known = loss_known[some], effort_known[some]
    first, second = _ranks(loss_known), _ranks(effort_known)
    if np.std(first) == 0 or np.std(second) == 0:
        return []
    correlation = float(np.corrcoef(first, second)[0, 1])
    header = runs.columns["loss"].header if "loss" in runs.columns else "loss"
    if correlation < _RISES:
        return []
    inside = bool((loss[known] >= 0).all() and (loss[known] <= 1).all())
    score = is_score(header) or inside
    kind = "a score, by its name or its range" if score else "a score, or another column"
    own = header if header.isidentifier() else f"`{header[:60]}`"
    remedy = (
        f'Fit what is left of it: --derive "error = 1 - {own}" --column loss=error, or name the loss with --column '
        "loss=HEADER."
    )
    return [
        Finding(
            "loss-rises",
            "warning",
            f"the loss, read from {excerpt(header)}, rises with {name} (rank correlation {correlation:.2f}), and a "
            f"loss falls: it is {kind}.",
            remedy if score else "Name the loss with --column loss=HEADER.",
        )
    ]


def _effort(runs: Runs) -> tuple[str, Floats | None]:
    there = set(runs.frame.columns)
    if "C" in there and runs.frame["C"].dtype.is_numeric():
        return "C", runs["C"]
    for name in ("D", "N", "N_active", "step"):
        if name in there and runs.frame[name].dtype.is_numeric():
            return name, runs[name]
    return "", None


def _ranks(values: Floats) -> Floats:
    """Ranks with ties at their mean, (rows,)."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    ends = np.append(begins[1:], len(values))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat((begins + ends - 1) / 2, ends - begins)
    return ranks
