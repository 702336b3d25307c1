"""Held-out errors of what groups share beside those of own parameters, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.answers import Column, Table
from isoflop.errors import DataError, FitError

if TYPE_CHECKING:
    from isoflop.fitting.panel import PanelFit
    from isoflop.validation.sharing_held_out import HeldOutSharing

_DRAWS = 100


def held_out(panel: PanelFit, *, draws: int, level: float, seed: int) -> HeldOutSharing | None:
    """Sharing held against own parameters on each group's largest runs; None where there are none to hold out."""
    from isoflop.validation.sharing_held_out import MOST_GROUPS, held_out_sharing

    if not (panel.share or panel.pool) or not 1 < len(panel.groups) <= MOST_GROUPS:
        return None
    try:
        return held_out_sharing(panel, draws=min(draws, _DRAWS), level=level, seed=seed)
    except (DataError, FitError):
        return None


def held_out_table(held: HeldOutSharing | None, response: str) -> Table | None:
    """A row for each group, and in the note whether sharing foretells better."""
    if held is None:
        return None
    columns = (
        Column("group"),
        Column("runs", "held-out runs", kind="integer"),
        Column("shared", "mean error, %, as fitted"),
        Column("own", "mean error, %, all own"),
    )
    rows = zip(held.groups, held.runs, (100 * held.shared).tolist(), (100 * held.own).tolist(), strict=True)
    gap = held.difference
    told = {
        "shared": "Sharing forecasts better",
        "own": "Own parameters forecast better",
        None: "Neither is shown to forecast better",
    }[held.better]
    note = (
        f"The largest runs of each group, forecast from its smaller ones. {told}: error shared less own "
        f"{100 * gap.value:.2g} % of the {response} "
        f"({100 * gap.level:g}% CI {100 * gap.low:.2g} to {100 * gap.high:.2g})."
    )
    return Table("held-out", columns, tuple(rows), title="Held-out error of what is shared", note=note)
