"""A profile likelihood as a card."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from isoflop.report.card import Card
from isoflop.report.cards.rows import interval_row
from isoflop.report.pictures import likelihood_picture

if TYPE_CHECKING:
    from isoflop.uncertainty.profile import Profile


def likelihood_card(found: Profile) -> Card:
    """The interval of every parameter by its profile, and the picture of the most lopsided one."""
    law = found.fit.law
    level = next(iter(found.intervals.values())).level
    chosen = max(found.intervals, key=lambda name: _lopsided(found, name))
    interval = found.intervals[chosen]
    open_ends = [name for name, each in found.intervals.items() if not math.isfinite(each.high) or each.low == 0]
    return Card(
        title=f"profile likelihood of {law.name} on {found.fit.data.source}",
        answer=(
            f"The runs do not bound {', '.join(open_ends)}: {'its' if len(open_ends) == 1 else 'their'} interval has "
            "an open end."
            if open_ends
            else f"The runs bound every parameter on both sides; {chosen} is the most lopsided, "
            f"{interval.value - interval.low:.2g} down and {interval.high - interval.value:.2g} up."
        ),
        header=("", "value", "low", "high", ""),
        rows=tuple(
            interval_row(param.name, found.intervals[param.name], param.meaning)
            for param in law.params
            if param.name in found.intervals
        ),
        findings=found.findings,
        how=(
            f"{100 * level:g}% intervals: where the law, a parameter held and the others refitted, is not worse than "
            f"by chance; objective {found.fit.objective.name}; rows count as independent"
        ),
        picture=likelihood_picture(found, chosen),
    )


def _lopsided(found: Profile, name: str) -> float:
    """|log| of the ratio of the interval's two sides; an open end is more lopsided than any other."""
    each = found.intervals[name]
    down, up = each.value - each.low, each.high - each.value
    if not math.isfinite(up) or each.low == 0:
        return 1e9
    return abs(math.log(up / down)) if up > 0 and down > 0 else 0.0
