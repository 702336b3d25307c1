"""Three methods as a card."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from isoflop.report.card import Card
from isoflop.report.cards.rows import interval_row, quantity_row
from isoflop.report.pictures import methods_picture

if TYPE_CHECKING:
    from isoflop.planning.methods import Methods
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
    verdict = "their intervals overlap" if answer.agree else "their intervals do not all overlap"
    bias = (
        f"; on noiseless losses of this surface the parabolas' D* would be off by {answer.bias:+.1%}"
        if math.isfinite(answer.bias)
        else ""
    )
    return Card(
        title=f"compute-optimal size at {answer.budget:.3g} FLOPs, {ensemble.fit.data.source}",
        answer=f"The methods differ by a factor of {answer.apart:.3g}; {verdict}.",
        header=("", "value", "low", "high", ""),
        rows=tuple(rows),
        findings=answer.findings,
        how=f"parametric fit: {ensemble.fit.law.name}, {ensemble.fit.objective.name}{bias}",
        picture=methods_picture(answer),
    )
