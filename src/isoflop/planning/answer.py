"""``answer``: everything that one asks of a budget at once: allocation, constraint, serving, waste, shapes and cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from isoflop.accounting import Cost, doubts, parameters
from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.planning.allocate import Plan, losses_of
from isoflop.planning.constrained import Fixed, with_params, with_tokens
from isoflop.planning.optimal import optimal_plan
from isoflop.planning.overtrain import Served, inference_aware
from isoflop.planning.shapes import Shapes, Template, buildable
from isoflop.planning.waste import Waste, compute_penalty
from isoflop.uncertainty.ensemble import Ensemble, Interval
from isoflop.uncertainty.predictive import predictive
from isoflop.values import Value

FACTORS = (0.5, 2.0)  # the wrong sizes whose price is told

Bill = Callable[[float], Cost]


@dataclass(frozen=True)
class Recommended(Value):
    """The model to be trained, and why this one.

    n, d, flops (6nd): with intervals, save where they were given or follow from what was given. loss, prediction: of a
    run of this very N and D, its mean and what it would measure, with model error; law_loss, law_prediction: the same
    if the law holds; model_error_share: the share of the width of ``prediction`` that model error adds.
    """

    why: Literal["compute-optimal", "given size", "given tokens", "inference-aware"]
    n: Interval
    d: Interval
    flops: Interval
    loss: Interval
    prediction: Interval
    law_loss: Interval
    law_prediction: Interval
    model_error_share: float


@dataclass(frozen=True)
class Answer(Value):
    """A plan with what follows from it.

    recommended: the model to be trained, one of the three that follow.
    plan: the compute-optimal one (:func:`isoflop.planning.optimal_plan`). fixed: with the size or the tokens given.
    served: the over-trained one.
    waste: what half and twice the best size waste. shapes: nearest to the size that is to be trained.
    cost: of its training FLOPs, where hardware was given. deadline: hours, where the budget came from one.
    """

    recommended: Recommended
    plan: Plan
    fixed: Fixed | None
    served: Served | None
    waste: Mapping[str, Waste]
    shapes: Shapes
    cost: Cost | None
    deadline: float | None
    bill: Bill | None = field(repr=False, compare=False)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What to doubt in any part."""
        held = self.shapes.built[0].shape if self.shapes.built else None
        return (
            *self.plan.findings,
            *(self.fixed.findings if self.fixed is not None else ()),
            *self.shapes.findings,
            *(doubts(self.cost, parameters(held)) if self.cost is not None and held is not None else ()),
        )

    def priced(self, flops: float) -> Cost | None:
        """Hours and money of FLOPs on the given hardware; None without hardware or without FLOPs."""
        return None if self.bill is None or not flops > 0 else self.bill(flops)


def answer(
    ensemble: Ensemble,
    *,
    budget: float,
    params: float | None = None,
    tokens: float | None = None,
    served: float | None = None,
    bill: Bill | None = None,
    deadline: float | None = None,
    template: Template | None = None,
    within: float = 0.002,
    level: float = 0.9,
) -> Answer:
    """The compute-optimal plan of a budget, and what a given size, given tokens or tokens to be served make of it.

    budget: training FLOPs. params, tokens, served: at most one of them. bill: FLOPs to cost.
    Raises IsoflopError for quantities ≤ 0, more than one question, and a law without an optimum in N and D.
    """
    if sum(each is not None for each in (params, tokens, served)) > 1:
        raise IsoflopError("a given size, given tokens and inference tokens are different questions; give one")
    plan = optimal_plan(ensemble, budget=budget, level=level, within=within)
    if plan.least_loss is None and (params is not None or tokens is not None or served is not None):
        raise IsoflopError(
            f"{ensemble.estimate.law.name} has no compute-optimal size at {budget:g} FLOPs, so it cannot say what "
            "another size costs; leave --params, --tokens and --inference-tokens out"
        )
    fixed = None
    if params is not None:
        fixed = with_params(ensemble, plan, params=params)
    elif tokens is not None:
        fixed = with_tokens(ensemble, plan, tokens=tokens)
    over = None if served is None else inference_aware(ensemble, plan, tokens=served)
    recommended = _recommended(ensemble, plan, fixed, over)
    flops = recommended.flops.value
    return Answer(
        recommended=recommended,
        plan=plan,
        fixed=fixed,
        served=over,
        waste={} if plan.least_loss is None else _penalties(ensemble, plan, level),
        shapes=buildable(ensemble.estimate, n=recommended.n.value, budget=flops, template=template, shift=plan.shift),
        cost=None if bill is None else bill(flops),
        deadline=deadline,
        bill=bill,
    )


def _penalties(ensemble: Ensemble, plan: Plan, level: float) -> dict[str, Waste]:
    return {
        f"{factor:g}": compute_penalty(
            ensemble, budget=plan.budget, params=plan.n.value * factor, level=level, shift=plan.shift
        )
        for factor in FACTORS
    }


def _recommended(ensemble: Ensemble, plan: Plan, fixed: Fixed | None, served: Served | None) -> Recommended:
    level = plan.n.level

    def known(value: float) -> Interval:
        return Interval(value, math.nan, math.nan, level)

    if fixed is None and served is None:
        return Recommended(
            "compute-optimal", plan.n, plan.d, known(plan.budget), plan.loss, plan.prediction, plan.law_loss,
            plan.law_prediction, plan.model_error_share,
        )  # fmt: skip
    if fixed is not None:
        why: Literal["given size", "given tokens"] = "given size" if fixed.given == "params" else "given tokens"
        said = predictive(ensemble, {"N": fixed.n, "D": fixed.d}, level=level)
        return Recommended(why, known(fixed.n), known(fixed.d), known(plan.budget), **losses_of(said))
    assert served is not None
    said = predictive(ensemble, {"N": served.n.value, "D": served.d.value}, level=level)
    return Recommended("inference-aware", served.n, served.d, served.flops, **losses_of(said))
