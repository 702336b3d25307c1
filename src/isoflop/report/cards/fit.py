"""A fit as a card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from isoflop.findings import Finding
from isoflop.report.card import Card
from isoflop.report.cards.rows import count_of_runs, interval_row
from isoflop.report.pictures import fit_picture

if TYPE_CHECKING:
    from isoflop.uncertainty import Ensemble


def fit_card(ensemble: Ensemble, *, level: float, findings: Sequence[Finding]) -> Card:
    """A fit: its parameters, with intervals where there are draws."""
    fit = ensemble.fit
    rows: list[tuple[str, ...]] = []
    for param in fit.law.params:
        value = fit.params[param.name]
        if math.isinf(value):
            # the finding says why; the draws that are still numbers are no interval of it
            rows.append((param.name, "> 1e308" if value > 0 else "< -1e308", "", "", param.meaning))
        elif len(ensemble):
            rows.append(interval_row(param.name, ensemble.interval(param.name, level=level), param.meaning))
        else:
            rows.append((param.name, f"{value:.6g}", "", "", param.meaning))
    searched = fit.search.constants
    rows += [
        (name, f"{value:.6g}", "", "", "searched, then held" if name in searched else "fixed")
        for name, value in fit.law.fixed.items()
    ]
    rows += [(name, f"= {formula}", "", "", "tied") for name, formula in fit.law.tied.items()]
    runs = count_of_runs(fit.data.n_runs) + (f" ({fit.data.n_rows} rows)" if fit.data.n_rows != fit.data.n_runs else "")
    search = fit.search
    checked = f", {ensemble.restarted} of them searched again from all starts" if ensemble.restarted else ""
    sure = f"{ensemble.method}, {len(ensemble)} draws, seed {ensemble.seed}{checked}" if len(ensemble) else "none yet"
    return Card(
        title=f"{fit.law.name} on {fit.data.source}",
        answer=f"L = {fit.law.formula}, fitted to {runs}.",
        header=("", "value", f"{(1 - level) / 2:.6g} quantile", f"{(1 + level) / 2:.6g} quantile", ""),
        rows=tuple(rows),
        findings=tuple(findings),
        how=(
            f"objective {fit.objective.name} = {fit.value:.8g}, reached from {search.reached} of {search.starts} "
            f"starts; intervals: {sure}"
        ),
        picture=fit_picture(ensemble, level=level),
    )
