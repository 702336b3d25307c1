"""Kaplan against Chinchilla as cards: laws counted again, a table counted both ways, and groups of runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from isoflop.findings import Finding
from isoflop.report.card import Card
from isoflop.report.cards.rows import count_of_runs, interval_row, quantity_row
from isoflop.report.pictures import recount_picture
from isoflop.units import format_quantity

if TYPE_CHECKING:
    from isoflop.planning.counting import Counted, Step
    from isoflop.planning.reconcile import Recount
    from isoflop.uncertainty import Interval


def recount_card(answers: Mapping[str, Recount]) -> Card:
    """The exponent without embeddings over a range of sizes, its limits and its peak, for each law."""
    first = next(iter(answers.values()))
    low, high = (format_quantity(each) for each in first.sizes)
    rows: list[tuple[str, ...]] = []
    for name, each in answers.items():
        rows += [
            (name, "", "", "", ""),
            _exponent("  over the range", each.slope, f"N_E grows as C to this power from {low} to {high}"),
            _exponent("  small models", each.small, "limit where embeddings are all"),
            _exponent("  peak", each.peak, f"reached at {format_quantity(each.peak_at.value)} parameters"),
            _exponent("  large models", each.large, "limit where embeddings vanish: Chinchilla's exponent"),
            _exponent("  loss", each.loss_slope, "L grows as C to this power over the range"),
        ]
    slopes = ", ".join(f"{each.slope.value:.3f} ({name})" for name, each in answers.items())
    limits = ", ".join(f"{each.large.value:.3f}" for each in answers.values())
    return Card(
        title="Kaplan against Chinchilla: one law, N counted without embeddings",
        answer=(
            f"From {low} to {high} parameters the exponent reads {slopes}; for large models it becomes {limits}, as in "
            "all parameters."
        ),
        header=("", "value", "low", "high", ""),
        rows=tuple(rows),
        findings=tuple(dict.fromkeys(finding for each in answers.values() for finding in each.findings)),
        how=(
            f"N = N_E + ω N_E^(1/3) with ω = {first.omega:,.0f}, C = 6 N_E D (Pearce and Song 2024); the local "
            "exponent rises to its peak and falls again, so a range decides what a power law shows"
        ),
        picture=recount_picture(answers),
    )


def _exponent(label: str, interval: Interval, meaning: str) -> tuple[str, ...]:
    """An exponent: three decimals where no interval says how many it bears."""
    if math.isnan(interval.low):
        return (label, f"{interval.value:.3f}", "", "", meaning)
    return interval_row(label, interval, meaning)


def counted_card(answer: Counted) -> Card:
    """One table, N counted with and without embeddings."""
    rows: list[tuple[str, ...]] = []
    for way in answer.ways:
        if way.exponent_a is None:
            rows.append((way.name, "", "", "", way.why_not))
        else:
            rows.append(interval_row(way.name, way.exponent_a, ""))
    rows.append(quantity_row("peak of the local exponent", answer.recounted.peak_at, "parameters without embeddings"))
    one, two = (way.exponent_a for way in answer.ways[:2])
    low, high = (format_quantity(each) for each in answer.recounted.sizes)
    told = f"{one.value:.3f} in all parameters and {two.value:.3f} without embeddings" if one and two else ""
    return Card(
        title=f"N counted both ways, {answer.source}",
        answer=f"The compute-optimal size grows as C to the power {told} ({low} to {high} without embeddings).",
        header=("exponent a", "value", "low", "high", ""),
        rows=tuple(rows),
        findings=answer.findings,
        how=f"C = 6ND in each count; N = N_E + ω N_E^(1/3) with ω = {answer.omega:,.0f}, {answer.omega_source}",
        picture=recount_picture({answer.recounted.ensemble.fit.law.name: answer.recounted}),
    )


def steps_card(steps: Sequence[Step], source: str) -> Card:
    """The exponent of each group of runs, and the step to the next."""
    rows: list[tuple[str, ...]] = []
    for step in steps:
        if step.exponent_a is None:
            rows.append((step.name, "", "", "", "", step.why_not))
            continue
        change = "" if step.change is None else f"{step.change:+.3f}"
        row = interval_row(step.name, step.exponent_a, "")
        rows.append((*row[:4], change, f"{step.budgets} budgets, {count_of_runs(step.runs)}"))
    known = [step.exponent_a.value for step in steps if step.exponent_a is not None]
    told = " → ".join(f"{each:.3f}" for each in known[:8]) + (" …" if len(known) > 8 else "")
    return Card(
        title=f"Exponents of {len(steps)} groups of runs, {source}",
        answer=f"N* grows as C to the power {told}." if known else "No group of runs brackets three minima.",
        header=("", "value", "low", "high", "change", ""),
        rows=tuple(rows),
        findings=tuple(_of_group(finding, step) for step in steps for finding in step.findings),
        how="minima of splines through the losses of each budget; intervals: budgets redrawn",
    )


def _of_group(finding: Finding, step: Step) -> Finding:
    """The finding with the group that it is of."""
    group = ", ".join(step.labels.values())
    return Finding(finding.code, finding.level, f"{group}: {finding.message}", finding.remedy, finding.rows)
