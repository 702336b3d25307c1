"""``methods``: Chinchilla's three methods on one table, side by side, and how far apart they are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.laws.optimum import optimum
from isoflop.laws.training_flops import SIX_ND, TrainingFlops
from isoflop.planning.allocate import Plan
from isoflop.planning.envelope import envelope
from isoflop.planning.optimal import optimal_plan
from isoflop.planning.parabolas import Parabolas, Profile, parabola_bias, parabolas
from isoflop.runs import Runs
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import Ensemble, Interval
from isoflop.values import Value

NAMES = ("envelope of curves", "IsoFLOP parabolas", "parametric fit")
_MISSES = 1.25  # a factor between the law's N* and a measured minimum that no extrapolation explains
_WHOLE = 8.0  # the factor on both sides that stands for a whole valley
_NAMES_OF_BASIS = {"IsoFLOP minima": "IsoFLOP minima", "runs near the optimum": "parametric fit near the optimum"}


@dataclass(frozen=True)
class Method(Value):
    """One method's answer, or why it has none."""

    name: str
    exponent_a: Interval | None
    n: Interval | None
    why_not: str = ""
    counted: TrainingFlops = SIX_ND

    def tokens(self, budget: float) -> Interval | None:
        """D* = C/(6N*), or as the table counts C, with its interval."""
        if self.n is None:
            return None
        value, low, high = (self.counted.tokens(each, budget) for each in (self.n.value, self.n.high, self.n.low))
        return Interval(value, low, high, self.n.level)


@dataclass(frozen=True)
class Methods(Shown):
    """Three answers to one question: N* at a budget.

    curves: method 2, or None where it has no answer. apart: the largest ratio of two methods' N*. agree: every
    two intervals of N* overlap. bias: what method 2 would get wrong in D* at the budget on noiseless losses of the
    fitted surface (relative), or NaN without method 2. at_minima: the law's N* over the measured minimum at the largest
    budget that method 2 used, or NaN without one of both.
    recommended: the plan at the budget (:func:`isoflop.planning.optimal_plan`), whose N* stands among ``methods`` as
    ``IsoFLOP minima`` or ``parametric fit near the optimum`` where it is not the parametric fit's own; ``apart``,
    ``agree`` and ``bias`` are those of Chinchilla's three methods.
    """

    budget: float
    methods: tuple[Method, ...]
    curves: Parabolas | None
    apart: float
    agree: bool
    bias: float
    findings: tuple[Finding, ...]
    ensemble: Ensemble = field(repr=False, compare=False)
    recommended: Plan = field(repr=False)
    at_minima: float = math.nan

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """Method 2's budgets, with what became of each."""
        return () if self.curves is None else self.curves.profiles


def compare_methods(
    ensemble: Ensemble, runs: Runs, *, budget: float, level: float = 0.9, seed: int = 0, plan: Plan | None = None
) -> Methods:
    """N* and a by the envelope of curves, IsoFLOP parabolas and the parametric fit.

    ensemble: the parametric fit of a law in N and D. runs: the table, with C for method 2 and curves for method 1.
    plan: what ``optimal_plan`` says of the same budget, level and seed, where it is at hand.
    """
    counted = ensemble.estimate.data.flops
    plan = plan or optimal_plan(ensemble, budget=budget, level=level, seed=seed)
    law = plan.law or (plan if plan.basis == "law" else None)
    found: list[Finding] = []
    answers = []
    budgets = np.empty(0)
    second: Parabolas | None = None
    try:
        first = envelope(runs, level=level, seed=seed, counted=counted)
        answers.append(Method(NAMES[0], first.exponent_a, first.n_at(budget), counted=counted))
    except IsoflopError as error:
        answers.append(Method(NAMES[0], None, None, _reason(error, runs)))
    try:
        second = parabolas(runs, level=level, seed=seed)
        answers.append(Method(NAMES[1], second.exponent_a, second.n_at(budget), counted=counted))
        budgets = np.array([profile.budget for profile in second.profiles if profile.bracketed])
        found += second.findings
    except IsoflopError as error:
        answers.append(Method(NAMES[1], None, None, _reason(error, runs)))
    if law is None:
        answers.append(Method(NAMES[2], None, None, f"{ensemble.estimate.law.name} has no optimum at this budget"))
    else:
        answers.append(Method(NAMES[2], law.exponent_a, law.n, counted=counted))
    intervals = [each.n for each in answers if each.n is not None]
    apart = max(each.value for each in intervals) / min(each.value for each in intervals)
    agree = max(each.low for each in intervals) <= min(each.high for each in intervals)
    at_minima = math.nan if law is None or second is None else _law_at_minima(ensemble, second)
    if not agree:
        why = f" {why_apart(at_minima, second, law.exponent_a)}" if law and second and math.isfinite(at_minima) else ""
        found.append(
            Finding(
                "methods-disagree",
                "warning",
                f"the methods' intervals for N* at {budget:.3g} FLOPs do not all overlap; they are a factor of "
                f"{apart:.2g} apart.{why}",
                "Method 2 is biased where the exponents differ, method 1 by its grid of sizes; look at the residuals "
                "of the parametric fit before trusting it.",
            )
        )
    found += _repeats(runs)
    bias = _bias(ensemble, second, budgets, budget) if second is not None and len(budgets) > 1 else math.nan
    if plan.basis != "law":
        answers.append(Method(_NAMES_OF_BASIS[plan.basis], plan.exponent_a, plan.n, counted=counted))
    return Methods(
        float(budget), tuple(answers), second, apart, agree, bias, (*found, *plan.findings), ensemble, plan, at_minima
    )


def _repeats(runs: Runs) -> list[Finding]:
    """Runs that saw tokens twice, which a law in N and D takes for fresh ones."""
    if "U" not in runs:
        return []
    again = int((runs["D"] > runs["U"] * (1 + 1e-9)).sum())
    if not again:
        return []
    return [
        Finding(
            "repeated-tokens",
            "warning",
            f"{again} of {len(runs)} runs saw tokens more than once, and a law in N and D counts these as unique ones.",
            'Keep runs without repeats (--where "D <= U"), or ask isoflop repeat.',
        )
    ]


def _reason(error: IsoflopError, runs: Runs) -> str:
    """Why a method has no answer, without the name of the table, which the reader has at hand."""
    says = str(error)
    return f"the table {says.removeprefix(runs.source).strip()}" if says.startswith(runs.source) else says


def why_apart(at_minima: float, curves: Parabolas, exponent: Interval) -> str:
    """Whether the law misses measured minima already, or parts from them beyond the runs; curves: of method 2."""
    largest = max(each.budget for each in curves.profiles if each.bracketed)
    off = max(at_minima, 1 / at_minima)
    if off >= _MISSES:
        side = "above" if at_minima > 1 else "below"
        return (
            f"The fitted law's N* lies a factor of {off:.2g} {side} the measured minimum at {largest:.2g} FLOPs, so it "
            "misses minima that were trained."
        )
    return (
        f"The fitted law agrees with the measured minimum at {largest:.2g} FLOPs within {100 * (off - 1):.0f}%, and "
        f"parts beyond: its exponent is {exponent.value:.2g}, that of the parabolas {curves.exponent_a.value:.2g}."
    )


def _law_at_minima(ensemble: Ensemble, curves: Parabolas) -> float:
    """The law's N* over the parabola's minimum at the largest budget with one; NaN where the law has no optimum."""
    largest = max((each for each in curves.profiles if each.bracketed), key=lambda each: each.budget)
    estimate = ensemble.estimate
    params = {name: np.array([value]) for name, value in estimate.params.items()}
    best = optimum(estimate.law, params, largest.budget, counted=estimate.data.flops)
    return float(best.n[0]) / largest.n_best if best.inside[0] else math.nan


def _bias(ensemble: Ensemble, curves: Parabolas, budgets: np.ndarray, budget: float) -> float:
    """With sizes as far from each optimum as those that the parabolas went through."""
    reach = float(np.median([min(each.reach, _WHOLE) for each in curves.profiles if each.bracketed]))
    return parabola_bias(
        ensemble.estimate.law,
        dict(ensemble.estimate.params),
        budgets=np.asarray(budgets, dtype=np.float64),
        at=budget,
        reach=reach,
        counted=ensemble.estimate.data.flops,
    )
