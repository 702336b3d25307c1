"""A law fitted for a plan: to the runs near the compute-optimal size alone, whose loss the optimum depends on.

Runs far from the optimum, on the steep sides, decide the optimum of a fit to all runs, and with it they move N*.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.fitting import Fit, fit
from isoflop.laws.optimum import optimum, require_n_and_d
from isoflop.runs import Runs
from isoflop.uncertainty.bootstrap import bootstrap, too_few_runs
from isoflop.uncertainty.ensemble import Ensemble, Interval, log_t_interval
from isoflop.values import Value

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

WITHIN = 1.2  # in log N on both sides of the optimum of a fit to all runs
DRIFT = 0.45  # standard deviation of log N* for each decade of compute beyond the runs
ANYWHERE = 0.1  # standard deviation of log N* within the runs, beyond what resampling them says
_FREE = 4  # degrees of freedom of the interval
_FEWEST = 8
_DRAWS = 200
_STARTS = 24


@dataclass(frozen=True)
class NearOptimum(Value):
    """N* from a fit to the runs near the optimum.

    fit: of the same law to these runs. rows: how many they are. largest: their largest compute.
    sd_sampling: of log N*, as a function of budget through ``draws``.
    """

    fit: Fit
    rows: int
    largest: float
    draws: Ensemble = field(repr=False, compare=False)

    def sd(self, budget: float) -> float:
        """√(s² + 0.1² + (0.45 · decades beyond)²), s half of the central 68 % of log N* over draws of the runs."""
        with np.errstate(all="ignore"):
            there = optimum(self.fit.law, self.draws.draws, budget, counted=self.fit.data.flops)
            found = np.log(there.n[there.inside])
        found = found[np.isfinite(found)]
        low, high = np.quantile(found, [0.1587, 0.8413]) if len(found) > 1 else (0.0, 0.0)
        beyond = max(0.0, math.log10(budget / self.largest))
        return math.hypot(float(high - low) / 2, ANYWHERE, DRIFT * beyond)

    def n_at(self, budget: float, *, level: float = 0.9) -> Interval:
        """N* at a budget, with a t interval in log N. Raises IsoflopError where the fit has no optimum there."""
        here = optimum(
            self.fit.law,
            self.fit.one_draw,
            budget,
            counted=self.fit.data.flops,
        )
        if not here.inside[0]:
            raise IsoflopError(f"{self.fit.law.name} fitted near the optimum has none at {budget:g} FLOPs")
        return log_t_interval(float(here.n[0]), self.sd(budget), freedom=_FREE, level=level)


def near_optimum(whole: Fit, runs: Runs, *, seed: int = 0) -> NearOptimum:
    """The law fitted to runs with |log N − log N*(C)| ≤ 1.2, N*(C) the optimum of the fit to all runs.

    Raises IsoflopError where fewer runs are left than the law needs, or the law has other inputs than N and D.
    """
    require_n_and_d(whole.law)
    flops = whole.data.flops.flops(runs["N"], runs["D"])
    with np.errstate(all="ignore"):
        params = {name: np.full(len(flops), each) for name, each in whole.params.items()}
        best = optimum(whole.law, params, flops, counted=whole.data.flops)
    kept: Mask = best.inside & (np.abs(np.log(runs["N"]) - np.log(np.where(best.inside, best.n, 1.0))) <= WITHIN)
    codes = runs.run_codes()
    needed = max(_FEWEST, len(whole.law.params) + 3)
    count = len(np.unique(codes[kept]))
    if count < needed or len(np.unique(np.round(np.log(runs["N"][kept]), 6))) < 3:
        raise IsoflopError(
            f"{count} {'run of' if count == 1 else 'runs of'} {runs.source} lie within a factor e^{WITHIN:g} of the "
            f"compute-optimal size, and a fit near it needs {needed} of three sizes"
        )
    if kept.all() and whole.runs is not None:
        fitted = whole
    else:
        fitted = fit(whole.law, runs.take(kept), objective=whole.objective, starts=_STARTS, seed=seed)
    if too_few_runs(fitted) is not None:
        raise IsoflopError(f"{count} runs near the optimum cannot be resampled")
    return NearOptimum(
        fitted, int(kept.sum()), float(flops.max()), bootstrap(fitted, draws=_DRAWS, seed=seed, restarted=0)
    )
