"""The same objective as papers minimized it: L-BFGS-B with SciPy's tolerances, summed or averaged over runs.

L-BFGS-B stops when a step gains less than 2.2e-9·max(|f|, 1). Huber's function of log residuals is of the order of 1e-3
summed and 1e-6 averaged, so the test is absolute, and averaging makes it as many times coarser as there are runs.
Source: Besiroglu et al. 2024, arXiv:2404.10102, on Chinchilla's third method.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting import Fit
from isoflop.fitting.fit import problem
from isoflop.fitting.kernel import Kernel
from isoflop.runs import Runs
from isoflop.values import Value

Floats = NDArray[np.float64]

_STARTS = 16


@dataclass(frozen=True)
class Ended(Value):
    """Where the routine stopped. fit: the base with these parameters; value: the objective there, summed over runs."""

    fit: Fit
    value: float
    calls: int
    starts: int


def by_lbfgs(base: Fit, runs: Runs, *, mean: bool, starts: int = _STARTS, seed: int = 0) -> Ended:
    """The best end of L-BFGS-B over ``starts`` starts, in logarithms of positive parameters, inputs not centered."""
    from scipy.optimize import minimize

    ready = problem(base.law, runs, objective=base.objective)
    plain = dict.fromkeys(ready.kernel.centers, 0.0)
    kernel = Kernel(ready.coords, ready.table.inputs, space=base.objective.space, centers=plain)
    begin = ready.coords.from_params(ready.params(ready.starts(count=starts, seed=seed)), plain)
    scale = np.array([base.objective.scale_at(base.scale, 1.0)])
    still = np.zeros(1, dtype=np.bool_)
    share = 1 / len(ready.target) if mean else 1.0

    def objective(theta: Floats) -> tuple[float, Floats]:
        total, slope = 0.0, np.zeros(len(theta))
        width = kernel.tile_rows(1)
        with np.errstate(all="ignore"):
            for start in range(0, kernel.n_rows, width):
                stop = min(start + width, kernel.n_rows)
                value, jacobian = kernel.value_and_jacobian(theta[None], start, stop)
                piece = base.objective.parts(value - ready.target[None, start:stop], None, still, scale)
                total += float(piece.total[0])
                slope += jacobian[0] @ piece.slope[0]
        return (total * share, slope * share) if np.isfinite(total) else (1e10, np.zeros(len(theta)))

    ends = [minimize(objective, each, jac=True, method="L-BFGS-B") for each in begin]
    best = min(ends, key=lambda end: float(end.fun))
    params = ready.coords.to_params(best.x[None], plain)[0]
    named = dict(zip(base.law.param_names, (float(value) for value in params), strict=True))
    value = float(best.fun) / share
    return Ended(replace(base, params=named, value=value), value, int(sum(end.nfev for end in ends)), len(begin))
