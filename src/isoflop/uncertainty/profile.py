"""Profile-likelihood intervals: how far one parameter can move while the others do their best to follow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.findings import Finding
from isoflop.fitting import Fit
from isoflop.fitting.fit import Problem, problem
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import Interval, check_level

Floats = NDArray[np.float64]

_REFINEMENTS = 6
_LONGEST_WALK = 60


@dataclass(frozen=True)
class Profile(Shown):
    """Intervals by the profile likelihood.

    intervals: parameter → interval; an end that the likelihood never reaches is 0 or infinite.
    curves: parameter → (values, deviances), the points that were solved, ascending in the value; the deviance is zero
    at the fit and ``threshold`` at the ends of the interval.
    """

    fit: Fit
    intervals: Mapping[str, Interval]
    curves: Mapping[str, tuple[Floats, Floats]]
    threshold: float
    findings: tuple[Finding, ...]


def profile(fit: Fit, *, params: Sequence[str] | None = None, level: float = 0.9) -> Profile:
    """{p : 2·(ℓ̂ − max over the others of ℓ(p, others)) ≤ t²}, t the Student quantile with n − k degrees of freedom.

    For ``squares`` ℓ = −(n/2)·log RSS and t² becomes n·log(1 + t²/(n − k)), exact where the law is linear; for
    ``student_t`` ℓ is the likelihood itself. Rows count as independent: a finding says so where runs have checkpoints.

    Parameters
    ----------
    fit :
        By an objective that is a likelihood, with its runs.
    params :
        The parameters to profile; all by default.
    level :
        Of the intervals.

    Returns
    -------
    Profile
        An interval and a curve for each parameter.

    Raises
    ------
    FitError
        An objective that is no likelihood, a name that is no free parameter, or no more rows than parameters.

    Examples
    --------
    >>> import isoflop
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> fitted = isoflop.fit(isoflop.law("chinchilla"), runs, objective=isoflop.squares())
    >>> found = isoflop.profile(fitted, params=["alpha"]).intervals["alpha"]
    >>> found.low < fitted.params["alpha"] < found.high
    True
    """
    check_level(level)
    if not fit.objective.likelihood:
        raise FitError(
            f"{fit.objective.name} is not a likelihood, so it has no profile intervals; fit with student_t() or "
            "squares() (--objective student-t or lsq), or use the bootstrap"
        )
    runs = fit.require_runs()
    names = list(fit.law.param_names if params is None else params)
    unknown = [name for name in names if name not in fit.law.param_names]
    if unknown:
        raise FitError(f"{', '.join(unknown)} is no free parameter; there are {', '.join(fit.law.param_names)}")
    n_rows, n_params = len(runs), len(fit.law.params)
    if n_rows <= n_params + 1:
        raise FitError(f"{n_rows} rows leave no residual freedom for {n_params} parameters; add runs")
    from scipy.special import stdtrit

    quantile = float(stdtrit(n_rows - n_params, (1 + level) / 2))
    threshold = fit.objective.deviance_quantile(quantile, n_rows, n_rows - n_params)
    intervals, curves = {}, {}
    for name in names:
        walk = _Walk(fit, problem(fit.law, runs, objective=fit.objective, hold=(name,)), name, threshold)
        low, high = walk.end(-1), walk.end(+1)
        value = fit.params[name]
        intervals[name] = Interval(value, walk.user_value(low), walk.user_value(high), level)
        curves[name] = walk.curve()
    return Profile(fit, intervals, curves, threshold, _findings(fit, intervals))


class _Walk:
    """Solves the other parameters along one held parameter, each time from where the last points lead."""

    def __init__(self, fit: Fit, ready: Problem, name: str, threshold: float) -> None:
        self.ready = ready
        self.threshold = threshold
        order = (*ready.coords.names, *ready.coords.held)
        user = np.array([[fit.params[each] for each in order]])
        self.theta = ready.coords.from_params(user, ready.kernel.centers)[0]
        self.origin = float(self.theta[-1])
        self.scale = np.log(fit.scale) if fit.scale is not None else 0.0
        self.minimum = fit.value
        self.points: dict[float, tuple[float, Floats]] = {self.origin: (0.0, self.theta)}
        self.domain = next(param.domain for param in fit.law.params if param.name == name)

    def deviance(self, at: float) -> float:
        """2·(ℓ̂ − ℓ) with the held coordinate at ``at``."""
        if at in self.points:
            return self.points[at][0]
        start = self._predict(at)
        found = self.ready.solve(start[None], scales=np.array([self.scale]), tolerance=1e-12)
        value = float(found.value[0])
        deviance = self.ready.objective.deviance(value, self.minimum, len(self.ready.target))
        self.points[at] = (max(deviance, 0.0), found.theta[0])
        return self.points[at][0]

    def _predict(self, at: float) -> Floats:
        """The other coordinates, extrapolated through the two nearest points."""
        near = sorted(self.points, key=lambda each: abs(each - at))[:2]
        first = self.points[near[0]][1]
        start = first.copy()
        if len(near) == 2 and near[0] != near[1]:
            slope = (first - self.points[near[1]][1]) / (near[0] - near[1])
            start = first + np.clip(slope * (at - near[0]), -3, 3)
        start[-1] = at
        return start

    def end(self, side: int) -> float:
        """Where the deviance crosses the threshold on one side, or ±infinity."""
        goal = math.sqrt(self.threshold)
        step = self._first_step(side)
        inner, outer = self.origin, self.origin + side * step
        for _ in range(_LONGEST_WALK):
            reached = math.sqrt(self.deviance(outer))
            if reached >= goal:
                break
            if abs(outer - self.origin) > 40:  # a logarithm or an exponent this far off means no bound
                return side * math.inf
            inner, outer = outer, outer + side * step * min(2.0, max(1.0, goal / max(reached, 0.1) - 1))
            step *= 1.3
        else:
            return side * math.inf
        for _ in range(_REFINEMENTS):
            a, b = math.sqrt(self.deviance(inner)), math.sqrt(self.deviance(outer))
            if b - a < 1e-9:
                break
            middle = inner + (outer - inner) * min(0.95, max(0.05, (goal - a) / (b - a)))
            if math.sqrt(self.deviance(middle)) < goal:
                inner = middle
            else:
                outer = middle
            if abs(outer - inner) < 1e-7 * max(1.0, abs(outer)) or abs(math.sqrt(self.deviance(middle)) - goal) < 1e-5:
                return middle
        return (inner + outer) / 2

    def _first_step(self, side: int) -> float:
        """A step that raises the deviance to about a quarter of the threshold, by trial."""
        step = 0.02 * max(1.0, abs(self.origin) if self.domain == "real" else 1.0)
        for _ in range(12):
            reached = self.deviance(self.origin + side * step)
            if reached > self.threshold:
                del self.points[self.origin + side * step]
                step /= 4
            elif reached < self.threshold / 100:
                step *= 3
            else:
                return step * math.sqrt(self.threshold / max(reached, 1e-12)) / 2
        return step

    def user_value(self, coordinate: float) -> float:
        """The held parameter's value at a coordinate."""
        if self.domain == "real":
            return coordinate
        if self.domain == "positive":
            return math.exp(coordinate) if coordinate < 700 else math.inf
        low, high = (float(each) for each in self.domain)
        return low + (high - low) / (1 + math.exp(-coordinate)) if coordinate > -700 else low

    def curve(self) -> tuple[Floats, Floats]:
        """All solved points, ascending."""
        order = sorted(self.points)
        return np.array([self.user_value(at) for at in order]), np.array([self.points[at][0] for at in order])


def _findings(fit: Fit, intervals: Mapping[str, Interval]) -> tuple[Finding, ...]:
    found = []
    if fit.data.n_rows > fit.data.n_runs:
        found.append(
            Finding(
                "rows-as-independent",
                "warning",
                f"the profile counts {fit.data.n_rows} rows as independent, from {fit.data.n_runs} runs.",
                "Use the bootstrap, which keeps the checkpoints of a run together.",
            )
        )
    for name, interval in intervals.items():
        if math.isinf(interval.high) or interval.low in (0.0, -math.inf):
            found.append(
                Finding(
                    "open-interval",
                    "warning",
                    f"the likelihood sets no {'upper' if math.isinf(interval.high) else 'lower'} bound on {name}.",
                    f"The runs do not determine {name}; fix or tie it, or add runs.",
                )
            )
    return tuple(found)
