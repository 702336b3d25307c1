"""Everything that a fit says against itself: of its runs, its search, its parameters and its residuals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.fitting.doubts import (
    count_findings,
    family_findings,
    is_noiseless,
    name_findings,
    noiseless_findings,
    overflow_findings,
    parameter_findings,
    seed_findings,
    size_findings,
)
from isoflop.fitting.lack_of_fit import structure_findings
from isoflop.fitting.own_flops import own_flops
from isoflop.fitting.result import Fit
from isoflop.fitting.score_test import slopes_of
from isoflop.fitting.table import prepared_runs
from isoflop.runs import Runs
from isoflop.runs.checks import design_findings, evidence_findings
from isoflop.runs.prepare import preparation_findings

if TYPE_CHECKING:
    from isoflop.fitting.fit import Problem

Floats = NDArray[np.float64]


def fit_findings(
    ready: Problem,
    runs: Runs,
    fitted: Fit,
    residual: Floats,
    *,
    search: Sequence[Finding],
    settled: Sequence[Finding],
) -> tuple[Finding, ...]:
    """The findings of a fit; residual: (rows,); search, settled: those of its search and of settled constants."""
    law, theta = ready.law, fitted.theta
    return (
        *runs.findings,
        *evidence_findings(runs),
        *overflow_findings(fitted.params),
        *name_findings(law, runs),
        *search,
        *(own_flops(runs)[1] if {"N", "D"} <= set(law.input_names) else ()),
        *parameter_findings(law, ready.kernel, theta[None]),
        *settled,
        *preparation_findings(runs, {column: how.rule for column, how in law.prepared.items()}),
        *design_findings(prepared_runs(law, runs), _of_powers(ready)),
        *count_findings(law, ready.table),
        *size_findings(ready.table, residual, space=ready.objective.space),
        *_residual_findings(ready, runs, residual, theta),
    )


def _of_powers(ready: Problem) -> tuple[str, ...]:
    """The inputs whose logarithm matters: those that may not be negative."""
    return tuple(each.name for each in ready.law.inputs if each.name in ready.table.by_row and each.domain != "real")


def _residual_findings(ready: Problem, runs: Runs, residual: Floats, theta: Floats) -> list[Finding]:
    """What the pattern of the residuals tells; nothing but that there is no noise where they are rounding."""
    log_loss = ready.objective.of_logarithms
    if is_noiseless(ready.table, residual, log_loss=log_loss):
        return noiseless_findings(residual, log_loss=log_loss)
    return [
        *_seed_findings(ready, runs, residual),
        *_family_findings(ready, runs, residual),
        *structure_findings(ready.table, residual, slopes_of(ready.kernel, ready.table, ready.target, theta)),
    ]


def _family_findings(ready: Problem, runs: Runs, residual: Floats) -> list[Finding]:
    if "family" not in runs:
        return []
    return family_findings(ready.table, residual, runs.text("family"), log_loss=ready.objective.of_logarithms)


def _seed_findings(ready: Problem, runs: Runs, residual: Floats) -> list[Finding]:
    if "seed" not in runs:
        return []
    return seed_findings(
        ready.table,
        residual,
        np.asarray(runs.text("seed"), dtype=np.str_),
        len(ready.law.params),
        log_loss=ready.objective.of_logarithms,
    )
