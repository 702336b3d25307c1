"""Whether a score falls while the loss improves: over all runs, or over those of lowest loss."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.fitting import Estimate
from isoflop.runs import Runs
from isoflop.uncertainty.ranks import p_positive, spearman

Floats = NDArray[np.float64]

_ALPHA = 0.01
_TREND = 0.05
_FEWEST = 6  # runs whose order says something


def reversal_findings(points: Runs, fitted: Estimate) -> list[Finding]:
    """Ranks of loss and score that run against the fitted law, among all runs or the half of lowest loss, each at 1 %.

    The law of a score goes one way whatever the runs show, so what lies beyond them is no extrapolation while such a
    reversal is open. The last checkpoint of a run counts: its checkpoints err together.
    """
    loss, score, rises = _of_runs(points, fitted)
    response, verb = fitted.law.response, "rises" if rises else "falls"
    order = np.argsort(loss, kind="stable")
    whole = _tested(loss, score)
    if whole is not None:
        return [_finding(*whole, f"{len(loss)} runs", f"{response} {verb}")]
    best = order[: max(_FEWEST, math.ceil(len(order) / 2))]
    part = _tested(loss[best], score[best]) if len(best) < len(order) else None
    return [] if part is None else [_finding(*part, f"{len(best)} runs of lowest loss", f"{response} {verb}")]


def score_findings(points: Runs, fitted: Estimate) -> list[Finding]:
    """A reversal, or else that the score does not go with the loss."""
    return reversal_findings(points, fitted) or trend_findings(points, fitted)


def trend_findings(points: Runs, fitted: Estimate) -> list[Finding]:
    """That the score does not go with the loss: no rank correlation at 5 %, as at the chance level.

    A law fitted to such scores goes where their scatter sends it.
    """
    loss, score, _ = _of_runs(points, fitted)
    if len(loss) < _FEWEST or np.ptp(score) == 0:
        return []
    correlation = -spearman(loss, score)
    p = p_positive(correlation, len(loss))
    if p <= _TREND:
        return []
    return [
        Finding(
            "no-score-trend",
            "warning",
            f"the {fitted.law.response} does not improve with the loss among the {len(loss)} runs (rank correlation "
            f"{correlation:.2f}, p = {p:.2g}), so the law follows their scatter.",
            "Do not forecast this task from these runs; add larger runs, or take the likelihood of the right answer.",
        )
    ]


def _of_runs(points: Runs, fitted: Estimate) -> tuple[Floats, Floats, bool]:
    """Loss and score of each run's last checkpoint, better scores the larger, and whether they were turned around."""
    (link,), response = fitted.law.input_names, fitted.law.response
    codes = points.run_codes()
    last = np.array([np.flatnonzero(codes == each)[-1] for each in np.unique(codes)])
    loss, score = points[link][last], points[response][last]
    ends = fitted.predict({link: np.array([loss.min(), loss.max()])})
    rises = bool(ends[1] > ends[0])  # as an error does
    return loss, -score if rises else score, rises


def _tested(loss: Floats, score: Floats) -> tuple[float, float] | None:
    """The correlation and its p-value where it is significantly positive."""
    if len(loss) < _FEWEST:
        return None
    correlation = spearman(loss, score)
    p = p_positive(correlation, len(loss))
    return (correlation, p) if p <= _ALPHA else None


def _finding(correlation: float, p: float, runs: str, moves: str) -> Finding:
    return Finding(
        "score-reversal",
        "error",
        f"the {moves} while the loss improves among the {runs} (rank correlation {abs(correlation):.2f}, p = {p:.2g}), "
        "and the law of the score goes the other way.",
        "Do not extrapolate; look at the shape of the score (isoflop shape), and train larger runs until it is clear.",
    )
