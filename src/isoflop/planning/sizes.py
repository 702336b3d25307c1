"""Where N* comes from: IsoFLOP minima, the law fitted to the runs near its optimum, or the law fitted to all runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.fitting import Estimate, Fit
from isoflop.fitting.objective.space import moved
from isoflop.laws.optimum import Optimum, optimum
from isoflop.planning.allocate import Basis, exponent, near_optimal
from isoflop.planning.isoflop_minima import IsoflopMinima, isoflop_minima
from isoflop.planning.near_optimum import NearOptimum, near_optimum
from isoflop.runs import Runs
from isoflop.special import special
from isoflop.uncertainty.ensemble import Ensemble, Interval, interval_of, log_t_interval
from isoflop.uncertainty.extrapolation import compute_distance
from isoflop.values import Value

Floats = NDArray[np.float64]

LAW_ANYWHERE = 0.3  # standard deviation of log N* of a fit to all runs, beyond what resampling them says
LAW_DRIFT = 0.75  # the same for each decade of compute beyond the runs
_FREE = 4
_DECADE = 10.0  # times the largest budget, where minima and the runs near the optimum are compared
_SCATTERED = 3.5  # ratio of the ends of N* there from which they are
_DRAWS = 200  # whose optima say how much resampling moves a fit to all runs


@dataclass(frozen=True)
class Sizes(Value):
    """N* at any budget, from the runs that show it.

    runs: those that were fitted, or None where they are not known, as for a paper's constants; N* is then the law's.
    seed: of redrawn residuals and of resampling.
    """

    ensemble: Ensemble
    runs: Runs | None = field(repr=False)
    seed: int = 0

    @cached_property
    def minima(self) -> IsoflopMinima | None:
        """IsoFLOP minima, where three or more budgets bracket theirs, unless the runs near the optimum tell more.

        Budgets that runs share by accident may bracket minima that scatter over decades.
        """
        if self.runs is None:
            return None
        try:
            found = isoflop_minima(self.runs, seed=self.seed)
        except IsoflopError:
            return None
        beyond = _DECADE * float(found.budgets.max())
        wide = _ends(found.n_at(beyond))
        if wide > _SCATTERED and self.near is not None:
            try:
                return found if wide <= _ends(self.near.n_at(beyond)) else None
            except IsoflopError:
                return found
        return found

    @cached_property
    def near(self) -> NearOptimum | None:
        """The law fitted to the runs near its optimum, where these are enough."""
        if self.runs is None or not isinstance(self.ensemble.estimate, Fit):
            return None
        try:
            return near_optimum(self.ensemble.estimate, self.runs, seed=self.seed)
        except IsoflopError:
            return None

    def at(self, budget: float, *, level: float = 0.9) -> tuple[Interval, Basis]:
        """N* with its interval, and what it rests on. Raises IsoflopError where nothing shows one."""
        if self.minima is not None:
            return self.minima.n_at(budget, level=level), "IsoFLOP minima"
        if self.near is not None:
            try:
                return self.near.n_at(budget, level=level), "runs near the optimum"
            except IsoflopError:
                pass
        return self._of_law(budget, level), "law"

    def exponent(self, budget: float, basis: Basis, *, level: float = 0.9) -> Interval:
        """a of N* ∝ C^a, of what N* rests on at the budget."""
        if self.minima is not None:
            return self.minima.exponent_interval(level=level)
        drawn = self.ensemble if basis == "law" or self.near is None else self.near.draws
        return exponent(drawn, budget, level=level)

    def near_optimal(self, budgets: Floats, within: float) -> tuple[Floats, Floats]:
        """How far below and above N* the loss stays within a share of its least, in log N, (budgets,) each.

        By the curvature c of the minima's parabolas √(log(1 + within)/c); else by the law.
        """
        if self.minima is not None:
            half = np.full(len(budgets), math.sqrt(math.log1p(within) / self.minima.curvature()))
            return half, half
        fitted = self.ensemble.estimate if self.near is None else self.near.fit
        return near_optimal(fitted, _optima(fitted, budgets), budgets, within)

    def valley(self, budgets: Floats, factors: Floats, within: float) -> Floats:
        """L(f·N*)/L(N*) along budgets, (budgets, factors): the law's around its own optimum.

        Where the law has none, the parabola in log f whose ends are the near-optimal range.
        """
        estimate = self.ensemble.estimate
        best = _optima(estimate, budgets)
        at = best.n[:, None] * factors
        with np.errstate(all="ignore"):
            found = estimate.predict({"N": at, "D": estimate.data.flops.tokens(at, budgets[:, None])})
            found = found / best.loss[:, None]
        if best.inside.all():
            return found
        _, half = self.near_optimal(budgets, within)
        parabola = np.exp(math.log1p(within) * (np.log(factors) / half[:, None]) ** 2)
        return np.where(best.inside[:, None], found, parabola)

    def _of_law(self, budget: float, level: float) -> Interval:
        """The law's optimum with the error that optima of fits to all runs had on other tables.

        Without runs there is no such error to count, and the interval is that of the draws.
        """
        law, counted = self.ensemble.estimate.law, self.ensemble.estimate.data.flops
        here = optimum(law, self.ensemble.estimate.one_draw, budget, counted=counted)
        if not here.inside[0]:
            raise IsoflopError(f"{law.name} has no compute-optimal size at {budget:g} FLOPs")
        n = float(here.n[0])
        draws = {name: values[:_DRAWS] for name, values in self.ensemble.draws.items()}
        there = optimum(law, draws, budget, counted=counted)
        drawn = interval_of(n, there.n[there.inside], level=level)
        if self.runs is None:
            return drawn
        spread = 0.0
        if drawn.low > 0 and math.isfinite(drawn.high):
            spread = math.log(drawn.high / drawn.low) / (2 * float(special.ndtri((1 + level) / 2)))
        drift = LAW_DRIFT * compute_distance(self.runs, budget)
        return log_t_interval(n, math.hypot(spread, LAW_ANYWHERE, drift), freedom=_FREE, level=level)


def _ends(interval: Interval) -> float:
    return interval.high / interval.low


def _optima(estimate: Estimate, budgets: Floats) -> Optimum:
    """The law's optimum at each budget."""
    params = {name: np.full(len(budgets), value) for name, value in estimate.params.items()}
    return optimum(estimate.law, params, budgets, counted=estimate.data.flops)


def sizes(ensemble: Ensemble, *, seed: int = 0) -> Sizes:
    """Where N* of a law in N and D comes from; found once for an ensemble, and forgotten with it."""
    kept: dict[int, Sizes] = ensemble.__dict__.setdefault("_sizes", {})
    if seed not in kept:
        kept[seed] = Sizes(ensemble, fitted_runs(ensemble.estimate), seed)
    return kept[seed]


def best_n(fit: Fit, budget: float, *, seed: int = 0) -> float:
    """N* for a fit alone, without draws. Raises IsoflopError where there is none."""
    alone = Ensemble(replace(fit, findings=()), np.empty((0, len(fit.law.params))), method="none", seed=seed)
    return sizes(alone, seed=seed).at(budget)[0].value


def fitted_runs(estimate: Estimate) -> Runs | None:
    """The runs; of a saved fit, those whose inputs and residuals it remembers; None where the response is no loss."""
    if estimate.law.response != "loss":
        return None
    runs, rows = estimate.runs, estimate.data.rows
    if runs is None and rows is not None:
        inputs = {name: np.asarray(values) for name, values in rows.inputs.items()}
        fitted = estimate.predict(inputs)
        loss = moved(fitted, rows.residual, estimate.data.space)
        spent = estimate.data.flops.flops(inputs["N"], inputs["D"]) if {"N", "D"} <= set(inputs) else np.nan * loss
        columns: dict[str, Any] = {**inputs, "C": spent, "loss": loss, "run": [str(each) for each in rows.run.tolist()]}
        runs = Runs.from_columns(columns, source=estimate.data.source)
    if runs is None or not {"N", "D", "loss"} <= set(runs.frame.columns):
        return None
    return runs if ((runs["N"] > 0) & (runs["D"] > 0) & (runs["loss"] > 0)).all() else None
