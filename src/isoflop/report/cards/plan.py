"""A plan as a card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from isoflop.report.card import Card
from isoflop.report.cards.rows import interval_row, quantity_row, sureness
from isoflop.units import format_by_interval, format_quantity

if TYPE_CHECKING:
    from isoflop.planning.allocate import Plan
    from isoflop.planning.overtrain import Served
    from isoflop.uncertainty import Ensemble


def plan_card(plan: Plan, ensemble: Ensemble, *, served: Served | None, wasted: Mapping[str, float]) -> Card:
    """A plan: the allocation with intervals, the flat band, what a wrong size wastes, the over-trained answer."""
    fit = ensemble.fit
    rows = [
        quantity_row("N", plan.n, "parameters"),
        quantity_row("D", plan.d, "training tokens"),
        quantity_row("D/N", plan.ratio, "tokens per parameter"),
        interval_row("loss", plan.loss, f"{fit.data.loss_unit}, the curve's"),
        interval_row("exponent a", plan.exponent_a, "N grows as C to this power"),
    ]
    low, high = (format_quantity(each) for each in plan.band.n)
    rows.append(("flat band", "", low, high, f"N whose loss is within {plan.band.within:.2%} of the best"))
    for factor, flops in wasted.items():
        rows.append((f"{factor} × N", f"{flops / plan.budget:.1%}", "", "", "of the budget wasted by that size"))
    if served is not None:
        rows += [
            quantity_row(
                "N, served", served.n, f"cheapest at this loss with {format_quantity(served.tokens)} tokens served"
            ),
            quantity_row("D, served", served.d, f"saves {served.saved:.1%} of training and serving"),
            (
                "half of N",
                format_quantity(served.break_even),
                "",
                "",
                "tokens to serve from which half is cheaper",
            ),
        ]
    return Card(
        title=f"{fit.law.name} at {plan.budget:.3g} training FLOPs",
        answer=(
            f"Train {format_quantity(plan.n.value)} parameters on {format_quantity(plan.d.value)} tokens; expect "
            f"{format_by_interval(plan.loss.value, plan.loss.low, plan.loss.high)} {fit.data.loss_unit}."
        ),
        header=("", "value", "low", "high", ""),
        rows=tuple(rows),
        findings=plan.findings,
        how=f"{plan.method}, C = 6ND; {sureness(ensemble, plan.n.level)}",
    )
