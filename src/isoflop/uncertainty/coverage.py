"""Coverage: simulate runs from a known law, and count how often the interval holds the truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting import Objective, fit
from isoflop.laws import Law
from isoflop.runs import Runs
from isoflop.uncertainty.bootstrap import bootstrap
from isoflop.uncertainty.ensemble import check_level
from isoflop.values import Value

Floats = NDArray[np.float64]
Noise = Callable[[np.random.Generator, int], Floats]


@dataclass(frozen=True)
class Coverage(Value):
    """How often intervals held the truth.

    held: quantity → share of simulations whose interval held it. error: the standard error of these shares at the
    nominal level. width: quantity → median width of the interval, relative to the truth.
    """

    level: float
    simulations: int
    held: Mapping[str, float]
    width: Mapping[str, float]

    @property
    def error(self) -> float:
        """√(level·(1 − level)/simulations)."""
        return math.sqrt(self.level * (1 - self.level) / self.simulations)


def coverage(
    law: Law,
    truth: Mapping[str, float],
    design: Runs,
    *,
    noise: Noise,
    at: Mapping[str, Mapping[str, float]] | None = None,
    objective: Objective | None = None,
    simulations: int = 200,
    draws: int = 300,
    level: float = 0.9,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Coverage:
    """P(truth ∈ interval) by simulation: log loss = log L(design; truth) + noise, fitted and bootstrapped each time.

    Parameters
    ----------
    law :
        The law that is simulated and fitted.
    truth :
        Every parameter's true value.
    design :
        Runs whose inputs (and run and seed columns) are kept.
    noise :
        (generator, rows) → residuals of log loss, (rows,).
    at :
        Name → inputs, where the curve's interval is to be checked as well.
    objective :
        Of the fits; Huber with δ = 1e-3 on log loss by default.
    simulations, draws :
        Number of simulated tables, and of bootstrap draws for each.
    level :
        The nominal coverage.
    seed :
        Of the simulation and of the draws.
    progress :
        Called with 1 for each simulation done.

    Returns
    -------
    Coverage
        The coverage of each parameter and of each point of ``at``.

    Raises
    ------
    FitError
        A parameter has no true value.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.uncertainty.coverage import coverage
    >>> design = isoflop.datasets.load("python-bytes")
    >>> law = isoflop.law("chinchilla")
    >>> truth = isoflop.fit(law, design).params
    >>> noise = lambda rng, rows: rng.normal(0, 0.003, rows)
    >>> found = coverage(law, truth, design, noise=noise, simulations=2, draws=20)
    >>> sorted(found.held) == sorted(truth)
    True
    """
    check_level(level)
    missing = set(law.param_names) - set(truth)
    if missing:
        raise FitError(f"coverage needs the true value of every parameter; {', '.join(sorted(missing))} is missing")
    curve = law.value(truth, {name: design[name] for name in law.input_names})
    points = {name: float(law.value(truth, inputs)) for name, inputs in (at or {}).items()}
    goals = {**{name: truth[name] for name in law.param_names}, **points}
    held, widths = dict.fromkeys(goals, 0), {name: [] for name in goals}  # type: ignore[var-annotated]
    for simulation in range(simulations):
        rng = np.random.default_rng([seed, simulation])
        simulated = design.with_column(law.response, curve * np.exp(noise(rng, len(curve))))
        fitted = fit(law, simulated, objective=objective, starts=24, seed=simulation)
        ensemble = bootstrap(fitted, draws=draws, seed=simulation, restarted=0)
        for name, goal in goals.items():
            interval = ensemble.interval(_quantity(law, at, name), level=level)
            held[name] += interval.low <= goal <= interval.high
            widths[name].append((interval.high - interval.low) / abs(goal))
        if progress is not None:
            progress(1)
    return Coverage(
        level,
        simulations,
        {name: count / simulations for name, count in held.items()},
        {name: float(np.median(each)) for name, each in widths.items()},
    )


def _quantity(
    law: Law, at: Mapping[str, Mapping[str, float]] | None, name: str
) -> str | Callable[[Mapping[str, Floats]], Floats]:
    if at is None or name not in at:
        return name
    inputs = at[name]
    return lambda params: law.value(params, inputs)
