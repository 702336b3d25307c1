"""Groups compared by several responses: one table, corrected for their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.answers import Answer, Cell, Column, Quantity, Table, literal, of_interval
from isoflop.answers.wording import plural
from isoflop.questions.base.comparison_answer import method_of, provenance_of
from isoflop.questions.base.comparison_tables import kind_of, place_of

if TYPE_CHECKING:
    from isoflop.planning.comparison.responses import Responses


def answer_of_responses(found: Responses, *, question: str) -> Answer:
    """Who is better in how many of the responses."""
    first = found.comparisons[0]
    kind, along = kind_of(first), first.curves.along
    count = len(found.comparisons)
    wins: dict[str, list[str]] = {}
    for place, each in enumerate(found.comparisons):
        name = each.lead.leader if found.decided(place) else ""
        wins.setdefault(name, []).append(each.response)
    open_ones = wins.pop("", [])
    said = [
        f"{literal(name)} is better in {len(won)} of {count} responses ({literal(', '.join(won))})"
        for name, won in sorted(wins.items(), key=lambda pair: -len(pair[1]))
    ]
    rest = f"; {len(open_ones)} {plural(len(open_ones), 'response')} ({literal(', '.join(open_ones))}) "
    rest += "does not tell the groups apart" if len(open_ones) == 1 else "do not tell the groups apart"
    begin = "; ".join(said) if said else f"None of {count} responses tells the groups apart"
    rows: list[tuple[Cell, ...]] = []
    for place, each in enumerate(found.comparisons):
        lead = each.lead
        crossing = min(lead.crossing.places, key=lambda one: abs(one.x - lead.x), default=None)
        rows.append(
            (
                each.response,
                lead.leader,
                round(found.corrected[place], 4),
                of_interval("advantage", lead.advantage),
                lead.other,
                found.p_values[place],
                lead.probability,
                None if crossing is None else place_of("crossing", crossing, kind),
                lead.crossing.verdict(each.level),
                each.better,
            )
        )
    return Answer(
        question=question,
        title=f"{count} responses of {len(first.names)} groups along {along.told}",
        headline=f"{begin}{rest if said and open_ones else ''}, at {along.x} = {{x}}, corrected for {count} responses.",
        quantities=(Quantity("x", first.lead.x, kind, label=along.x),),
        tables=(
            Table(
                "responses",
                (
                    Column("response"),
                    Column("best"),
                    Column("corrected", "p, corrected"),
                    Column("advantage", "better by"),
                    Column("next"),
                    Column("p", detail=True),
                    Column("probability", "P(best)", "share"),
                    Column("crossing", along.x, kind),
                    Column("verdict", "crossing"),
                    Column("better", "better is", detail=True),
                ),
                tuple(rows),
                title="Responses",
                note="p: two-sided, of the gap between the best group and the next, over the joint draws; corrected by "
                "Holm's method. If the laws hold.",
            ),
        ),
        findings=tuple(dict.fromkeys(finding for each in found.comparisons for finding in each.findings)),
        method="; ".join(method_of(first)[1:]),
        provenance={**provenance_of(first), "law": [each.fits[0].law.name for each in found.comparisons]},
    )
