"""The law exp(−c·N^(−α)) of a pass rate: a straight line of ln(−ln p) in ln N, and a test of whether it bends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from isoflop.errors import DataError
from isoflop.evals.items import Items, Panel, panel
from isoflop.evals.lines import beyond_sampling, mean_covariance, quantile, solved, two_sided
from isoflop.evals.measures import pass_rates, with_measures
from isoflop.findings import Finding
from isoflop.uncertainty.ensemble import Interval, interval_of
from isoflop.values import Value

Floats = NDArray[np.float64]
Shape = Literal["straight", "convex", "concave", "unknown"]

FIXED_TRIES: Final = 100
_LEAST: Final = 3


@dataclass(frozen=True)
class Rates(Value):
    """Pass rates by model: x its scale, p and the covariance of the estimates over items, (M,) and (M, M).

    zero: models without a pass, which have no place on the line. items: how many, and spent: tries in all, (M,).
    """

    models: tuple[str, ...]
    x: Floats
    p: Floats
    covariance: Floats
    zero: tuple[str, ...]
    items: int
    spent: Floats
    each: Floats


@dataclass(frozen=True)
class PassLaw(Value):
    """p = exp(−c·x^(−α)) through the rates of models.

    alpha, c: with intervals. curvature: of ln(−ln p) in ln x, above 0 where the rate rises slower than the law
    (convex), below 0 where faster (concave: accelerated emergence); p_value: of none; shape: at 5 %. beyond: standard
    deviation of ln(−ln p) from model to model beyond the sampling of items. coefficients, spread: of the line around
    ``center``, for forecasts; freedom: of the t quantile, infinite where sampling explains the scatter.
    """

    rates: Rates
    alpha: Interval
    c: Interval
    curvature: Interval
    p_value: float
    shape: Shape
    beyond: float
    center: float
    coefficients: Floats
    spread: Floats
    freedom: float
    level: float

    def at(self, x: float) -> Interval:
        """The rate of a new model at scale x, with a prediction interval: training differs from model to model."""
        row = np.array([1.0, math.log(x) - self.center])
        middle = float(row @ self.coefficients)
        half = quantile(self.freedom, self.level) * math.sqrt(float(row @ self.spread @ row) + self.beyond**2)
        low, value, high = (math.exp(-math.exp(middle + each)) for each in (half, 0.0, -half))
        return Interval(value, low, high, self.level)


@dataclass(frozen=True)
class FixedTries(Value):
    """What a fixed number of tries on each item would have seen of the same models.

    unseen: chance that a model shows no pass at all, (M,), in the order of the rates. alpha: over the draws in which
    three models or more showed one; lost: share of the draws with fewer. bias: mean of α over the draws, less α.
    """

    tries: int
    unseen: Floats
    alpha: Interval
    lost: float


def rates_of(items: Items, task: str, metric: str, x: Floats) -> Rates:
    """Mean pass rate over the items that every model tried, with the covariance of the means.

    Over clusters of items, which holds difficulty and sampling alike; of one item, the unbiased variance of its
    estimate, p̂(1 − p̂)/(K − 2) where tries ended at the goal (Finney 1949), p̂(1 − p̂)/(n − 1) else.
    """
    rows = with_measures(items.of(task, metric))
    matrix = panel(rows, "pass", items.names)
    known = {name: value for name, value in zip(items.names, x, strict=True) if math.isfinite(value)}
    kept = [at for at, name in enumerate(matrix.models) if name in known]
    if len(kept) < 2:
        raise DataError(f"{task} has {len(kept)} models of known scale; give N of each model (--models FILE)")
    matrix = Panel(tuple(matrix.models[at] for at in kept), matrix.items, matrix.clusters, matrix.values[kept]).shared()
    if not matrix.items:
        raise DataError(f"no item of {task} was tried by every model; give the same items to all")
    order = np.argsort([known[name] for name in matrix.models], kind="stable")
    models = tuple(matrix.models[at] for at in order)
    values = matrix.values[order]
    mean = values.mean(axis=1)
    if len(np.unique(matrix.clusters)) > 1:
        covariance = mean_covariance(values, matrix.clusters)
    else:
        covariance = np.diag([_single(rows, name) for name in models]) / len(matrix.items)
    spent = [float(rows.filter(rows["model"] == name)["tries"].sum()) for name in models]
    zero = tuple(name for name, value in zip(models, mean, strict=True) if value <= 0)
    return Rates(models, np.array([known[name] for name in models]), mean, covariance, zero, len(matrix.items),
                 np.array(spent), values)  # fmt: skip


def _single(rows: object, name: str) -> float:
    own = rows.filter(rows["model"] == name)  # type: ignore[attr-defined,index]
    passes, tries = float(own["passes"].sum()), float(own["tries"].sum())
    reached = own["goal"].is_not_null().all() and (own["goal"] == own["passes"]).all() and len(own) == 1
    if reached:
        rate = float(pass_rates(np.array([passes]), np.array([tries]), np.array([passes]))[0])
        return rate * (1 - rate) / (tries - 2) if tries > 2 else math.nan
    rate = passes / tries
    return rate * (1 - rate) / (tries - 1) if tries > 1 else math.nan


def pass_law(rates: Rates, *, level: float = 0.9) -> PassLaw:
    """ln(−ln p) = ln c − α·ln x by least squares, with the covariance of the rates and the scatter beyond it.

    The bias of ln(−ln p̂) from the sampling of p̂ is taken off to second order.

    The variance τ² beyond sampling is the estimate of moments under the line with curvature; quantiles are Student's
    where τ² > 0. The test of curvature adds (ln x)²: α changes along x where it is not 0.

    Source: Hu et al. 2023, arXiv:2310.03262 (the law); DerSimonian & Laird 1986 (τ²).

    Raises
    ------
    DataError
        Fewer than three models have a rate above 0 and below 1.
    """
    usable = (rates.p > 0) & (rates.p < 1)
    if usable.sum() < _LEAST:
        raise DataError(
            f"{int(usable.sum())} models have a pass rate above 0 and below 1, and a law needs three; try until a "
            "number of passes (--goal) instead of a fixed number of times"
        )
    x, p = np.log(rates.x[usable]), rates.p[usable]
    slope = 1 / (p * np.log(p))  # of ln(−ln p)
    variance = np.diag(rates.covariance)[usable]
    f = np.log(-np.log(p)) + 0.5 * (np.log(p) + 1) / (p * np.log(p)) ** 2 * variance
    covariance = slope[:, None] * rates.covariance[np.ix_(usable, usable)] * slope[None, :]
    center = float(x.mean())
    line = np.stack([np.ones_like(x), x - center], axis=1)
    bent = np.column_stack([line, (x - center) ** 2])
    bends = len(x) > _LEAST and len(np.unique(x)) > _LEAST
    if len(np.unique(x)) < 2:
        raise DataError("the models with a pass rate between 0 and 1 have one scale; a law needs two or more")
    tau, freedom = beyond_sampling(bent if bends else line, f, covariance)
    coefficients, spread = solved(line, f, covariance + tau * np.eye(len(x)))
    own_freedom = math.inf if math.isinf(freedom) else float(len(x) - 2)
    times = quantile(own_freedom, level)
    alpha, width = -float(coefficients[1]), times * math.sqrt(spread[1, 1])
    at_one = np.array([1.0, -center])
    log_c, wide = float(at_one @ coefficients), times * math.sqrt(float(at_one @ spread @ at_one))
    curvature, p_value, shape = Interval(math.nan, math.nan, math.nan, level), math.nan, "unknown"
    if bends:
        full, covered = solved(bent, f, covariance + tau * np.eye(len(x)))
        error, value = math.sqrt(covered[2, 2]), float(full[2])
        half = quantile(freedom, level) * error
        curvature = Interval(value, value - half, value + half, level)
        p_value = 2 * float(stdtr(freedom, -abs(value) / error)) if math.isfinite(freedom) else two_sided(value / error)
        shape = "straight" if p_value >= 0.05 else "convex" if value > 0 else "concave"
    return PassLaw(
        rates,
        Interval(alpha, alpha - width, alpha + width, level),
        Interval(math.exp(log_c), math.exp(log_c - wide), math.exp(min(700.0, log_c + wide)), level),
        curvature, p_value, shape, math.sqrt(tau), center, coefficients, spread, own_freedom, level,  # type: ignore[arg-type]
    )  # fmt: skip


def fixed_tries(law: PassLaw, *, tries: int = FIXED_TRIES, draws: int = 400, seed: int = 0) -> FixedTries:
    """Binomial tries at each item's estimated rate: how often a model shows no pass, and which α is left.

    α is the slope of ordinary least squares over the models that showed a pass, as one would fit it.
    """
    rates, rng = law.rates, np.random.default_rng(seed)
    each = np.clip(rates.each, 0.0, 1.0)
    counts = np.stack([rng.binomial(tries, each).mean(axis=1) / tries for _ in range(draws)])
    x = np.log(rates.x)
    alphas = np.full(draws, np.nan)
    for at, p in enumerate(counts):
        seen = (p > 0) & (p < 1)
        if seen.sum() >= _LEAST and len(np.unique(x[seen])) > 1:
            alphas[at] = -np.polyfit(x[seen], np.log(-np.log(p[seen])), 1)[0]
    known = alphas[np.isfinite(alphas)]
    none = np.exp(np.log1p(-np.minimum(each, 1 - 1e-16)).sum(axis=1) * tries)
    middle = float(np.median(known)) if len(known) else math.nan
    found = (
        interval_of(middle, known, level=law.level)
        if len(known) > 1
        else Interval(middle, math.nan, math.nan, law.level)
    )
    return FixedTries(tries, none, found, 1 - len(known) / draws)


def law_findings(law: PassLaw, task: str) -> list[Finding]:
    """What the law of a task leaves out, and whether it bends."""
    found = []
    rates = law.rates
    if rates.zero:
        found.append(
            Finding(
                "no-passes",
                "warning",
                f"{len(rates.zero)} of {len(rates.models)} models have no pass of {task} ({', '.join(rates.zero[:3])}) "
                "and no place on the line: the law sees those alone that had luck.",
                "Try until a number of passes, two or more (--goal), instead of a fixed number of times.",
            )
        )
    if law.shape in ("convex", "concave"):
        faster = law.shape == "concave"
        found.append(
            Finding(
                "emergence-curvature",
                "warning",
                f"the pass rate of {task} rises {'faster' if faster else 'slower'} than exp(-c*N^-alpha): curvature "
                f"{law.curvature.value:+.2g} (p = {law.p_value:.2g}).",
                "Trust no forecast beyond the largest model; compare laws of the rate (isoflop compare).",
            )
        )
    return found


def goal_findings(rows: Sequence[tuple[int | None, int, int]], task: str) -> list[Finding]:
    """Tries that ended at the first pass, and items that the cap ended.

    rows: goal, passes and tries of each item.
    """
    found = []
    with_goal = [each for each in rows if each[0] is not None]
    if any(goal == 1 for goal, _, _ in with_goal):
        found.append(
            Finding(
                "single-pass-goal",
                "warning",
                f"tries of {task} ended at the first pass: 1/K is too high by -ln(p)/(1 - p), 4.7 times at a rate of "
                "0.01, and the unbiased estimate is 0 or 1.",
                "Try until two passes or more (--goal 2).",
            )
        )
    capped = sum(passes < (goal or 0) for goal, passes, _ in with_goal)
    if capped:
        cap = max(tries for goal, passes, tries in with_goal if passes < (goal or 0))
        found.append(
            Finding(
                "capped-tries",
                "note",
                f"{capped:,} of {len(with_goal):,} items of {task} reached the cap (at most {cap:,} tries) before "
                "their number of passes; there passes/tries is the unbiased estimate.",
                "Nothing to do.",
            )
        )
    return found
