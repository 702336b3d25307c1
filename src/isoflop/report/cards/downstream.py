"""Downstream scores as a card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.findings import Finding
from isoflop.report.card import Card
from isoflop.report.pictures import scores_picture
from isoflop.units import format_by_interval, format_quantity

if TYPE_CHECKING:
    from isoflop.planning.downstream import Downstream
    from isoflop.uncertainty import Interval


def downstream_card(answers: Mapping[str, Downstream], *, source: str, law: str, then: str) -> Card:
    """Each task's loss and score, with intervals; a finding that several tasks share is told once."""
    first = next(iter(answers.values()))
    where = ", ".join(f"{name} = {format_quantity(value)}" for name, value in first.loss.at.items())
    rows = []
    for name, each in answers.items():
        rows.append(
            (name, *_cells(each.loss.loss), *_cells(each.score), f"{each.expected.low:.3f} – {each.expected.high:.3f}")
        )
    name, each = next(iter(answers.items()))
    said = format_by_interval(each.score.value, each.score.low, each.score.high)
    told = f"Expect {name} {each.response} of {said}" if len(answers) == 1 else f"{len(answers)} tasks"
    return Card(
        title=f"{first.response} at {where}",
        answer=f"{told}, through the task's loss ({first.loss.reach_decades:.2f} decades beyond the runs).",
        header=("", "loss", "low", "high", first.response, "low", "high", "the curve alone"),
        rows=tuple(rows),
        findings=_once(answers),
        how=(
            f"{law}, then {then}, on {source}; {100 * first.score.level:g}% intervals of a new run: draws of both "
            "stages in pairs, with the scatter of each"
        ),
        picture=scores_picture(answers),
    )


def _cells(interval: Interval) -> tuple[str, str, str]:
    value, low, high = (
        format_by_interval(each, interval.low, interval.high) for each in (interval.value, interval.low, interval.high)
    )
    return value, low, high


def _once(answers: Mapping[str, Downstream]) -> tuple[Finding, ...]:
    """One finding of each code, told of the first task that has it, with the names of the others."""
    by_code: dict[str, dict[str, Finding]] = {}
    for name, each in answers.items():
        for finding in each.findings:
            by_code.setdefault(finding.code, {}).setdefault(name, finding)
    told = []
    for found in by_code.values():
        name, finding = next(iter(found.items()))
        others = ", ".join(list(found)[1:])
        if len(answers) > 1:
            finding = replace(finding, message=f"{name}{f' (likewise {others})' if others else ''}: {finding.message}")
        told.append(finding)
    order = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted(told, key=lambda finding: order[finding.level]))
