"""``with_params``, ``with_tokens``: the answer where the model size or the tokens are given, against the free one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.laws.optimum import check_positive
from isoflop.planning.allocate import Plan
from isoflop.planning.waste import Waste, compute_penalty
from isoflop.uncertainty.ensemble import Ensemble
from isoflop.units import format_quantity
from isoflop.values import Value


@dataclass(frozen=True)
class Fixed(Value):
    """A plan of which one side is given.

    given: ``params`` or ``tokens``. n, d: the size and the tokens that use the budget up, 6nd = C. ratio: d/n.
    over: d/n over that of the free plan; above 1 the model is trained for longer than is compute-optimal.
    waste: its loss, and what the constraint costs in FLOPs.
    """

    given: Literal["params", "tokens"]
    n: float
    d: float
    ratio: float
    over: float
    waste: Waste
    findings: tuple[Finding, ...]


def with_params(ensemble: Ensemble, plan: Plan, *, params: float) -> Fixed:
    """D = C/(6N) for a given size N at the plan's budget. Raises IsoflopError for a size ≤ 0."""
    check_positive(params, "the model size", "parameters")
    return _fixed(ensemble, plan, "params", params, ensemble.estimate.data.flops.tokens(params, plan.budget))


def with_tokens(ensemble: Ensemble, plan: Plan, *, tokens: float) -> Fixed:
    """N = C/(6D) for given tokens D at the plan's budget. Raises IsoflopError for tokens ≤ 0."""
    check_positive(tokens, "the training tokens", "tokens")
    return _fixed(ensemble, plan, "tokens", ensemble.estimate.data.flops.params(tokens, plan.budget), tokens)


def _fixed(ensemble: Ensemble, plan: Plan, given: Literal["params", "tokens"], n: float, d: float) -> Fixed:
    if n < 1 or d < 1:
        raise IsoflopError(
            f"{plan.budget:g} FLOPs leave {n:.3g} parameters and {d:.3g} tokens; give a smaller number or more FLOPs"
        )
    waste = compute_penalty(ensemble, budget=plan.budget, params=n, level=plan.n.level, shift=plan.shift)
    found = []
    if given == "tokens" and d > plan.d.value:
        found.append(
            Finding(
                "tokens-to-spare",
                "note",
                f"the best plan at this budget needs {format_quantity(plan.d.value)} tokens, fewer than the "
                f"{format_quantity(d)} that are given.",
                "Leave the rest unused, unless the smaller model is what you want.",
            )
        )
    if waste.share.value > 0.5:
        found.append(
            Finding(
                "far-from-optimal",
                "warning",
                f"the best size ({format_quantity(plan.n.value)} parameters) would reach this loss with "
                f"{1 - waste.share.value:.0%} of the budget.",
                "Free the constraint or spend less, unless a small model saves inference (--inference-tokens).",
            )
        )
    return Fixed(given, float(n), float(d), d / n, d / n / plan.ratio.value, waste, tuple(found))
