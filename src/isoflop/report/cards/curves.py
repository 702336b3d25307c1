"""Runs on their way, as a card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from isoflop.report.card import Card
from isoflop.report.pictures import curves_picture
from isoflop.units import format_quantity

if TYPE_CHECKING:
    from isoflop.runs import Runs

_ALONG: Final = ("step", "D", "S", "C")
_APART: Final = ("schedule", "family", "run")
_POINTS: Final = 4  # rows of a run, from which they are a curve


def curves_card(runs: Runs) -> Card | None:
    """How the runs came down, told apart by schedule, family or name; None for a table of finished runs."""
    along = next((name for name in _ALONG if name in runs.frame.columns), "")
    if not along or "loss" not in runs.frame.columns:
        return None
    x, loss, codes = runs[along], runs["loss"], runs.run_codes()
    known = np.isfinite(x) & np.isfinite(loss) & (x > 0) & (loss > 0)
    points = np.bincount(codes[known], minlength=int(codes.max()) + 1)
    if not (points >= _POINTS).any():
        return None
    by = next((name for name in _APART if name in runs.frame.columns and len(set(runs.text(name))) > 1), "run")
    if by not in runs.frame.columns:
        return None
    kinds = len(set(runs.text(by)))
    count, usual = int((points >= 2).sum()), int(np.median(points[points > 1]))
    return Card(
        title="training curves",
        answer=(
            f"{count} {'run has' if count == 1 else 'runs have'} losses on the way, {usual} each as a "
            f"rule, down to {loss[known].min():.4g} {runs.loss_unit}."
        ),
        header=(),
        rows=(),
        findings=(),
        how=f"loss against {along} up to {format_quantity(float(x[known].max()))}; told apart by {by}, {kinds} of them",
        picture=curves_picture(runs, by=by, along=along),
    )
