"""Rows whose response was measured with errors that are known, such as an accuracy on a few hundred questions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import DataError, FitError
from isoflop.findings import Finding
from isoflop.fitting.objective import OBJECTIVES
from isoflop.fitting.result import Fit
from isoflop.fitting.table import WEIGHT, law_inputs
from isoflop.runs import Runs

Floats = NDArray[np.float64]


def weighed(fitted: Fit, errors: Floats) -> Runs:
    """The runs of a fit with weights w_i = 1/(σ_i² + τ²), of mean one, for another fit.

    τ² = max(0, Σ r_i²/(n − p) − mean σ²) is the scatter of runs beyond what sampling explains (the estimate of moments
    of DerSimonian & Laird 1986, begun from equal weights). Without it a score of 0 or 1, whose error is reported as 0,
    would outweigh all others.

    fitted: by squares, with equal weights; where its residuals are of logarithms, so are r_i and σ_i here.
    errors: σ_i of the response, (rows,); one that is not known is taken for the median of the others, and one of 0 for
    the least of the others where τ² is 0.
    Raises DataError where no error is known, or one is negative; FitError for an objective in which weights are not
    the precision of rows.
    """
    runs, objective = fitted.require_runs(), fitted.objective
    if not objective.weighs_errors:
        usable = [each.word for each in OBJECTIVES.values() if each.weighs_errors]
        raise FitError(
            f"sampling errors make weights for {' or '.join(usable)}, not for {objective.name}; fit with squares()"
        )
    measured = runs[fitted.law.response]
    errors = objective.target_errors(measured, np.asarray(errors, dtype=np.float64))
    known = np.isfinite(errors)
    if not known.any() or not (errors[known] > 0).any() or (errors[known] < 0).any():
        raise DataError(
            f"the sampling errors of {fitted.law.response} in {runs.source} are missing, all 0, or negative; leave "
            "their column out"
        )
    sigma = np.where(known, errors, np.median(errors[known]))
    residual = objective.target(measured) - objective.target(fitted.predict(law_inputs(fitted.law, runs)))
    sampling = float(np.mean(sigma**2))
    total = float(residual @ residual) / max(1, len(residual) - len(fitted.law.params))
    beyond = max(0.0, total - sampling)
    variance = beyond + (sigma if beyond else np.maximum(sigma, errors[known & (errors > 0)].min())) ** 2
    weight = 1 / variance
    finding = Finding(
        "weighed",
        "note",
        f"rows weigh by the sampling errors of {fitted.law.response} (typically {np.sqrt(sampling):.2g}), which "
        f"explain {min(1.0, sampling / total if total else 1.0):.0%} of its scatter; beyond them it scatters by "
        f"{np.sqrt(beyond):.2g}.",
        "Nothing to do.",
    )
    frame = runs.frame.with_columns(pl.Series(WEIGHT, weight / weight.mean()))
    return replace(runs, frame=frame, findings=(*runs.findings, finding))
