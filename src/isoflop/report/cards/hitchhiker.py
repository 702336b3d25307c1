"""A study by the Hitchhiker's protocol as a card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from isoflop.report.card import Card
from isoflop.report.pictures import families_picture
from isoflop.validation.hitchhiker import iso_error

if TYPE_CHECKING:
    import polars as pl

    from isoflop.validation.hitchhiker import Comparison, Hitchhiker


def hitchhiker_card(study: Hitchhiker, comparisons: Sequence[Comparison], grid: pl.DataFrame) -> Card:
    """What each choice did to the error, and how much training keeps it within 5, 10 and 15 %."""
    rows = [
        (
            f"{comparison.choice}, against {comparison.against}",
            f"{comparison.ratio.value:.2f}",
            f"{comparison.ratio.low:.2f}–{comparison.ratio.high:.2f}" if comparison.families > 1 else "–",
            f"{comparison.helped} of {comparison.pairs}",
            f"{comparison.families} of {comparison.collections}",
            comparison.verdict,
        )
        for comparison in comparisons
    ]
    iso = iso_error(grid)
    trials = study.trials
    families = trials["family"].n_unique()
    typical = float(np.nanmedian(trials["are"].to_numpy()))
    lines = []
    for models in sorted(set(iso["models"])):
        kept = {row["error"]: row["share"] for row in iso.filter(iso["models"] == models).iter_rows(named=True)}
        shares = ", ".join(f"{error:.0%}: {share:.0%}" if share else f"{error:.0%}: –" for error, share in kept.items())
        lines.append(f"{models} models {shares}")
    floor = ""
    if study.floors.height:
        spreads = study.floors["spread"].to_numpy()
        floor = f"; runs that repeat one another end {spreads.min():.2%} to {spreads.max():.2%} apart"
    count = f"{families} families" if families > 1 else "one family"
    laws = f"{trials.height} laws" if trials.height > 1 else "one law"
    return Card(
        title=f"Hitchhiker's protocol, {study.law}",
        answer=f"{laws} of {count}; the median of their errors on the largest model is {typical:.1%}.",
        header=("choice", "error ×", "between", "smaller", "families of sources", ""),
        rows=tuple(rows),
        findings=study.findings,
        how=(
            f"objective {study.objective}; error: mean |measured − predicted| / measured over the last 30 % of the "
            "largest model's training; error ×: geometric mean over families and their sources; smaller: in how many "
            f"pairs of laws{floor}. Share of training that keeps the median error within (nearest models, beginning "
            f"dropped where that leaves enough): {'; '.join(lines)}."
        ),
        picture=families_picture(grid, says="; ".join(lines)),
    )
