"""A plan as a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.report.card import Card
from isoflop.report.cards.rows import interval_row, quantity_row, sureness
from isoflop.report.pictures import plan_picture
from isoflop.units import format_by_interval, format_quantity

if TYPE_CHECKING:
    from isoflop.accounting import Cost
    from isoflop.planning.answer import Answer
    from isoflop.planning.shapes import Built
    from isoflop.planning.waste import Waste
    from isoflop.uncertainty import Ensemble, Interval


def plan_card(said: Answer, ensemble: Ensemble) -> Card:
    """A plan: the allocation with intervals, the flat band, what a wrong size wastes, shapes, hours and money."""
    plan, unit = said.plan, ensemble.fit.data.loss_unit
    rows = [
        quantity_row("N", plan.n, "parameters"),
        quantity_row("D", plan.d, "training tokens"),
        quantity_row("D/N", plan.ratio, "tokens per parameter"),
        interval_row("loss", plan.loss, f"{unit}, the curve's"),
        interval_row("exponent a", plan.exponent_a, "N grows as C to this power"),
    ]
    low, high = (format_quantity(each) for each in plan.band.n)
    rows.append(("flat band", "", low, high, f"N whose loss is within {plan.band.within:.2%} of the best"))
    for factor, waste in said.waste.items():
        rows.append(_share_row(f"{factor} × N", waste.share, f"of the budget wasted by that size{_money(waste, said)}"))
    rows += [*_fixed_rows(said), *_served_rows(said), *_shape_rows(said)]
    template = said.shapes.built[0].shape if said.shapes.built else None
    drawn = (
        f"; shapes: N {said.shapes.convention}, vocabulary {template.vocabulary:,}, context {template.context:,}, "
        f"{'gated' if template.gated else 'plain'} feed-forward, {'tied' if template.tied else 'untied'} output matrix"
        if template
        else ""
    )
    return Card(
        title=f"{ensemble.fit.law.name} at {plan.budget:.3g} training FLOPs" + _deadline(said),
        answer=_answer(said, unit),
        header=("", "value", "low", "high", ""),
        rows=tuple(rows),
        findings=said.findings,
        how=f"{plan.method}, C = 6ND; {sureness(ensemble, plan.n.level)}{drawn}",
        picture=plan_picture(plan, ensemble),
    )


def _answer(said: Answer, unit: str) -> str:
    n, d, _ = said.trained
    loss = said.plan.loss if said.fixed is None else said.fixed.waste.loss
    says = (
        f"Train {format_quantity(n)} parameters on {format_quantity(d)} tokens; expect "
        f"{format_by_interval(loss.value, loss.low, loss.high)} {unit}"
    )
    if said.fixed is not None:
        best = said.plan
        says += (
            f", {loss.value - best.loss.value:.3g} above the best plan ({format_quantity(best.n.value)} on "
            f"{format_quantity(best.d.value)})"
        )
    if said.cost is not None:
        says += f": {_bill(said.cost)} on {said.cost.devices:,} × {said.cost.hardware.name} at {said.cost.mfu:.0%}"
        says += f" of its {said.cost.precision} peak"
    return says + "."


def _bill(bill: Cost) -> str:
    """``12 days, for 1.2M`` or ``7.5 hours``."""
    time = f"{bill.hours:,.3g} hours" if bill.hours < 48 else f"{bill.hours / 24:,.3g} days"
    return time + ("" if bill.money is None else f", for {format_quantity(bill.money)}")


def _deadline(said: Answer) -> str:
    return "" if said.deadline is None else f", all that the hardware does in {said.deadline / 24:.3g} days"


def _money(waste: Waste, said: Answer) -> str:
    bill = said.priced(waste.flops.value)
    return f", {_bill(bill)}" if bill is not None else ""


def _share_row(label: str, share: Interval, meaning: str) -> tuple[str, ...]:
    shown = (f"{each:.1%}" if each == each else "" for each in (share.value, share.low, share.high))
    return (label, *shown, meaning)


def _fixed_rows(said: Answer) -> list[tuple[str, ...]]:
    fixed = said.fixed
    if fixed is None:
        return []
    of = "the size that is given" if fixed.given == "params" else "the tokens that are given"
    longer = f"{fixed.over:.3g} times the best" if fixed.over >= 1 else f"1/{1 / fixed.over:.3g} of the best"
    return [
        ("N, given" if fixed.given == "params" else "N, then", format_quantity(fixed.n), "", "", f"with {of}"),
        ("D, then" if fixed.given == "params" else "D, given", format_quantity(fixed.d), "", "", ""),
        ("D/N, then", format_quantity(fixed.ratio), "", "", longer),
        interval_row("loss, then", fixed.waste.loss, ""),
        _share_row("wasted", fixed.waste.share, f"of the budget{_money(fixed.waste, said)}"),
    ]


def _served_rows(said: Answer) -> list[tuple[str, ...]]:
    served = said.served
    if served is None:
        return []
    tokens = format_quantity(served.tokens)
    return [
        quantity_row("N, served", served.n, f"cheapest at the plan's loss with {tokens} tokens served"),
        quantity_row("D, served", served.d, "training tokens"),
        quantity_row("D/N, served", served.ratio, "tokens per parameter"),
        _share_row("saved", served.saved, "of training and serving, against the plan's size"),
        quantity_row("half of N", served.break_even, "tokens to serve from which half the plan's size is cheaper"),
    ]


def _shape_rows(said: Answer) -> list[tuple[str, ...]]:
    return [_shape_row(each, said, number) for number, each in enumerate(said.shapes.built, 1)]


def _signed(share: float) -> str:
    """A relative difference in percent, where what rounds to nothing has no sign."""
    return "±0.00%" if abs(share) < 0.5e-4 else f"{share:+.2%}"


def _shape_row(each: Built, said: Answer, number: int) -> tuple[str, ...]:
    shape, bill = each.shape, said.priced(each.flops)
    says = (
        f"{shape.layers} layers × {shape.width:,}, {shape.heads} heads, feed-forward {shape.hidden:,}; "
        f"{format_quantity(each.d)} tokens; loss {_signed(each.above)}; counted exactly {each.ratio:.3g} × 6ND"
    )
    return (f"shape {number}", format_quantity(each.n), "", "", says + (f", {_bill(bill)}" if bill is not None else ""))
