"""Three methods as a card, and the curves of the second."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from isoflop.report.card import Card
from isoflop.report.cards.rows import interval_row, quantity_row
from isoflop.report.pictures import isoflops_picture, methods_picture
from isoflop.units import format_quantity

if TYPE_CHECKING:
    from isoflop.planning.methods import Methods
    from isoflop.planning.parabolas import Parabolas
    from isoflop.uncertainty import Ensemble


def methods_card(answer: Methods, ensemble: Ensemble) -> Card:
    """Three methods side by side."""
    rows: list[tuple[str, ...]] = []
    for each in answer.methods:
        if each.n is None or each.exponent_a is None:
            rows.append((each.name, "", "", "", each.why_not))
        else:
            rows.append(quantity_row(each.name, each.n, "N*"))
            tokens = each.tokens(answer.budget)
            if tokens is not None:
                rows.append(quantity_row("", tokens, "D*"))
            rows.append(interval_row("", each.exponent_a, "exponent a"))
    answered = [each.name for each in answer.methods if each.n is not None]
    if len(answered) > 1:
        overlap = "their intervals overlap" if answer.agree else "their intervals do not all overlap"
        verdict = f"The methods differ by a factor of {answer.apart:.3g}; {overlap}."
    else:
        verdict = f"Only one method answers here, the {answered[0]}: there is nothing to compare it with."
    bias = (
        f"; on noiseless losses of this surface the parabolas' D* would be off by {answer.bias:+.1%}"
        if math.isfinite(answer.bias)
        else ""
    )
    return Card(
        title=f"compute-optimal size at {answer.budget:.3g} FLOPs, {ensemble.fit.data.source}",
        answer=verdict,
        header=("", "value", "low", "high", ""),
        rows=tuple(rows),
        findings=answer.findings,
        how=f"parametric fit: {ensemble.fit.law.name}, {ensemble.fit.objective.name}{bias}",
        picture=methods_picture(answer),
    )


def isoflops_card(found: Parabolas) -> Card:
    """Each budget's own minimum, and the power law through them."""
    level = found.exponent_a.level
    rows: list[tuple[str, ...]] = []
    for each in found.profiles:
        budget = f"{each.budget:.3g} FLOPs"
        if each.bracketed:
            loss = f"loss {each.loss_best:.4g}, {len(each.n)} runs"
            rows.append(quantity_row(budget, each.minimum(level=level), loss))
        else:
            rows.append((budget, "", "", "", f"no minimum among {len(each.n)} runs"))
    rows.append(interval_row("exponent a", found.exponent_a, "N* grows as C to this power"))
    kept = [each for each in found.profiles if each.bracketed]
    ends = [format_quantity(each.n_best) for each in (kept[0], kept[-1])]
    return Card(
        title=f"IsoFLOP curves of {found.source}",
        answer=(
            f"{len(kept)} of {len(found.profiles)} budgets have a least loss between their sizes, at {ends[0]} "
            f"parameters for {kept[0].budget:.3g} FLOPs and at {ends[1]} for {kept[-1].budget:.3g}."
        ),
        header=("", "N*", "low", "high", ""),
        rows=tuple(rows),
        findings=found.findings,
        how=(
            f"parabolas in log N; {100 * level:g}% intervals: residuals redrawn within each budget, for a minimum "
            "alone with Student's tails"
        ),
        picture=isoflops_picture(found),
    )
