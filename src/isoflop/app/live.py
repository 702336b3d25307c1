"""What the page redraws at once when runs go in or out: IsoFLOP minima, and a law's best fit without its intervals."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from isoflop.app.requests import law_of
from isoflop.app.session import Session, used
from isoflop.errors import IsoflopError

if TYPE_CHECKING:
    from isoflop.runs import Runs

MOST_ROWS: Final = 20_000  # beyond it a fit takes too long to follow a pointer
_STARTS: Final = 16  # of the search: a full fit, with 64, stands beside it
_AROUND: Final = 1.4  # log N on both sides of a minimum over which its parabola is drawn: a factor of 4
_SAME: Final = 0.1  # log C within which a run belongs to a minimum's budget


def live(session: Session, runs: Runs, settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """The minima of the runs that are used, and the law of a task fitted to them.

    minima: budget, n, loss, curvature of log loss over log N, and the ends of the sizes near it. line: through them,
    log N* = value + exponent·(log C − center). exponent: with its interval. params: the law's, by name; None where
    there is no law, or no fit.
    """
    some = used(session, runs)
    said: dict[str, Any] = {"rows": len(some), "minima": [], "line": None, "exponent": None, "params": None}
    if len(some) > MOST_ROWS:
        return said
    with contextlib.suppress(IsoflopError, KeyError):
        said |= minima(some)
    if settings is not None:
        with contextlib.suppress(IsoflopError):
            said["params"] = _refitted(some, settings)
    return said


def minima(runs: Runs) -> dict[str, Any]:
    """Local parabolas of the budgets, log L = log L* + c·(log N − log N*)², L* by least squares over their runs.

    Raises IsoflopError where fewer than three budgets have a minimum.
    """
    from isoflop.planning.isoflop_minima import isoflop_minima
    from isoflop.planning.parabolas import flops_of_budgets

    found = isoflop_minima(runs)
    log_n, log_loss = np.log(runs["N"]), np.log(runs["loss"])
    log_c = np.log(flops_of_budgets(runs, log_n)[0] if "D" in runs else runs["C"])
    drawn = []
    for each in found.minima:
        away = log_n - each.log_n
        near = (np.abs(log_c - np.log(each.budget)) < _SAME) & (np.abs(away) < _AROUND)
        if not near.any():
            continue
        height = float(np.median(log_loss[near] - each.curvature * away[near] ** 2))
        low, high = float(away[near].min()), float(away[near].max())
        drawn.append(
            {
                "budget": each.budget,
                "n": float(np.exp(each.log_n)),
                "loss": float(np.exp(height)),
                "curvature": each.curvature,
                "from": max(-_AROUND, min(low, 0.0)),
                "to": min(_AROUND, max(high, 0.0)),
            }
        )
    line = {"value": found.value, "exponent": found.exponent, "center": found.center}
    return {"minima": drawn, "line": line, "exponent": found.exponent_interval().as_dict()}


def _refitted(runs: Runs, settings: Mapping[str, Any]) -> dict[str, float]:
    from isoflop.fitting import fit, objective

    chosen = law_of(settings, runs.headers)
    fitted = fit(chosen, runs, objective=objective(settings["objective"]), starts=_STARTS)
    return {name: float(value) for name, value in fitted.params.items()}
