"""The table of what the laws of several tasks share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.answers import Column, Table

if TYPE_CHECKING:
    from isoflop.planning.suite import Suite


def sharing_table(together: Suite) -> Table:
    """Each way of sharing exponents, its held-out error and its weight."""
    rows = tuple((", ".join(each.share) or "none", each.error, each.weight) for each in together.structures)
    held = f"{together.held_out} runs, the largest in {together.by} of each task" if together.held_out else "none"
    return Table(
        "sharing",
        (
            Column("share", "shared exponents"),
            Column("error", "held-out error", "share"),
            Column("weight", "", "share"),
        ),
        rows,
        title="Exponents that tasks share",
        note=f"Held out: {held}. Error: root mean square of the logarithm.",
    )
