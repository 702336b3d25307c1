"""A comparison of groups as an answer: headline, numbers, tables, evidence, pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isoflop.answers import Answer, Cell, Column, Kind, Picture, Quantity, Table, literal, of_interval
from isoflop.answers.wording import plural, told, worded
from isoflop.errors import IsoflopError
from isoflop.questions.base.comparison_tables import factor_of, kind_of, place_of, tables
from isoflop.questions.base.drawing import drawing

if TYPE_CHECKING:
    from isoflop.planning.comparison import Comparison, Crossing
    from isoflop.planning.comparison.crossing import Place

_MOST_EVIDENCE = 6  # groups whose hold-out is computed
_DRAWS = 100
_IF = "if the laws hold"
_WITH = "model error included"


@dataclass(frozen=True)
class Evidence:
    """For each group how its law forecasts its own largest runs: which were held out, and the result, or why not."""

    rows: tuple[tuple[str, str], ...]

    @staticmethod
    def of(found: Comparison) -> Evidence:
        """The hold-out of each group, by ``isoflop backtest`` on its runs alone."""
        from isoflop.validation.backtest import backtest
        from isoflop.validation.split import HoldOut

        rows = []
        for group, fitted in list(zip(found.groups, found.fits, strict=True))[:_MOST_EVIDENCE]:
            how = HoldOut(by=None if found.curves.along.optimal else found.curves.along.x)
            try:
                tested = backtest(
                    fitted.law, group.runs, hold_out=how, objective=fitted.objective, draws=_DRAWS, level=found.level
                )
            except IsoflopError as error:
                rows.append((f"hold-out of {group.name}", str(error)))
                continue
            scores = tested.scores(tested.laws[0])
            words = f"MRE {told(of_interval('mre', scores.are, 'share'), True)}"
            if scores.covered is not None:
                words += f"; coverage {scores.covered}/{scores.rows}"
            rows.append((f"hold-out of {group.name}, {tested.windows[0].says}", words))
        return Evidence(tuple(rows))


def answer_of_groups(found: Comparison, *, question: str, evidence: Evidence | None) -> Answer:
    """The answer to who is better where."""
    lead, kind = found.lead, kind_of(found)
    quantities = [
        Quantity("x", lead.x, kind, label=found.curves.along.x),
        Quantity("best", lead.probability, "share", label=f"P({lead.leader} best)", note=_IF),
        of_interval("advantage", lead.advantage, label=f"{lead.leader} better than {lead.other} by", note=_IF),
        *_with_error(found),
        factor_of("multiplier", lead.multiplier, label=f"{found.curves.along.x} of {lead.other} for {lead.leader}'s"),
    ]
    place = _nearest(lead.crossing, lead.x)
    if place is not None:
        quantities.append(place_of("crossing", place, kind))
    return Answer(
        question=question,
        title=f"{found.response} of {len(found.names)} groups along {found.curves.along.told}",
        headline=_headline(found, place),
        quantities=tuple(quantities),
        evidence=_evidence(found, evidence, place),
        tables=tables(found),
        findings=found.findings,
        method="; ".join(method_of(found)),
        provenance=provenance_of(found),
        pictures=_pictures(found, kind),
    )


def _with_error(found: Comparison) -> list[Quantity]:
    """The same two with model error, where the fits have their runs."""
    from isoflop.planning.comparison.alike import in_common as error_in_common

    lead = found.lead
    if lead.with_error is None or lead.probability_with_error is None:
        return []
    share = error_in_common(found.curves.joint)
    both = min(float(share[found.names.index(each)]) for each in (lead.leader, lead.other))
    how = f"{_WITH}, {both:.0%} in common" if both else f"{_WITH}, independent between groups"
    return [
        Quantity("best_with_error", lead.probability_with_error, "share", label=f"P({lead.leader} best)", note=how),
        of_interval("advantage_with_error", lead.with_error, label=f"{lead.leader} better by", note=how),
    ]


def _headline(found: Comparison, place: Place | None) -> str:
    lead, level, along = found.lead, found.level, found.curves.along.x
    first, second = literal(lead.leader), literal(lead.other)
    better = f"{first} is better than {second}"
    sure = lead.probability >= level
    crossing = lead.crossing
    located = place is not None and crossing.verdict(level) == "cross"
    if located and place is not None and place.better == lead.leader and place.x <= lead.x and sure:
        begin = f"{better} from {along} = {{crossing}} on"
        begin = begin if len(found.names) == 2 else f"Of {len(found.names)} groups {first} is best: {begin}"
    elif sure:
        begin = better if len(found.names) == 2 else f"Of {len(found.names)} groups {first} is best, before {second}"
    else:
        begin = f"The runs do not tell {first} and {second} apart"
    here = f"at {along} = {{x}} by {{advantage}}, P(best) {{best}}"
    end, chance = "", f"(P {crossing.within:.2f})"
    if place is None and crossing.verdict(level) == "do not cross":
        end = f" They do not cross up to ten times the largest run {chance}."
    elif place is None:
        end = f" Whether they cross up to ten times the largest run is open {chance}."
    elif not located:
        end = f" Their laws cross at {along} = {{crossing}}, but whether they do is open {chance}."
    elif "{crossing}" not in begin:
        end = f" They cross at {along} = {{crossing}} {chance}, and {literal(place.better)} is better beyond."
    return f"{begin}; {here}.{end}" if sure else f"{begin} {here}.{end}"


def _nearest(crossing: Crossing, x: float) -> Place | None:
    """The place of a crossing that is nearest to x."""
    return min(crossing.places, key=lambda each: abs(math.log(each.x / x)), default=None)


def _evidence(found: Comparison, evidence: Evidence | None, place: Place | None) -> Table | None:
    if evidence is None:
        return None
    rows: list[tuple[Cell, ...]] = [(name, None, words) for name, words in evidence.rows]
    crossing = found.lead.crossing
    if crossing.inside is not None:
        rows.append(("cross among the runs of both", None, f"P {crossing.inside:.2f}"))
    if crossing.span is not None:
        beyond = max(0.0, math.log10(found.lead.x / crossing.span[1]))
        rows.append(("extrapolation distance", None, f"{beyond:.2f} decades"))
    rows.append(("draws", None, _drawn(found)))
    return Table(
        "evidence", (Column("source", "evidence"), Column("probability", ""), Column("result", "")), tuple(rows)
    )


def _drawn(found: Comparison) -> str:
    """Which draws go together, and by what that was judged."""
    from isoflop.uncertainty.joint_bootstrap import FEWEST_SHARED

    joint = found.curves.joint
    pairs = {pair: count for pair, count in joint.shared.items() if joint.together(*pair)}
    if pairs:
        alike = [joint.correlations[pair] for pair in pairs]
        some = "" if len(set(joint.clusters)) == 1 else " of some groups"
        r = f"{min(alike):.2f}" if len(alike) == 1 else f"{min(alike):.2f} to {max(alike):.2f}"
        return f"paired over {max(pairs.values())} shared configurations{some}, whose residuals correlate by {r}"
    if max(joint.shared.values(), default=0) < FEWEST_SHARED:
        return "independent"
    most = max(joint.correlations.values())
    return f"independent (residuals of shared configurations correlate by {most:.2f} at most)"


def method_of(found: Comparison) -> list[str]:
    """How the comparison was made."""
    joint = found.curves.joint
    fitted = found.fits[0]
    how = f"draws {_drawn(found)}"
    return [
        f"{fitted.law.response} = {fitted.law.formula} fitted to each group by {fitted.objective.name}",
        f"{len(joint)} joint bootstrap {plural(len(joint), 'draw')}, {how}",
        "intervals if the laws hold, except where model error is named",
        f"{found.better} is better",
    ]


def provenance_of(found: Comparison) -> dict[str, Any]:
    """What the comparison rests on."""
    fitted, joint = found.fits[0], found.curves.joint
    return {
        "source": [each.runs.source for each in found.groups],
        "digest": [each.runs.digest for each in found.groups],
        "runs": [each.data.n_runs for each in found.fits],
        "rows": [each.data.n_rows for each in found.fits],
        "law": fitted.law.name,
        "formula": fitted.law.formula,
        "objective": fitted.objective.name,
        "draws": len(joint),
        "draws_by": "joint bootstrap over configurations" if found.paired else "bootstrap over runs of each group",
        "seed": joint.seed,
        "level": found.level,
    }


def _pictures(found: Comparison, kind: Kind) -> tuple[Picture, ...]:

    place = _nearest(found.lead.crossing, found.lead.x)
    crossing = "" if place is None else f" {found.lead.crossing.first} and {found.lead.crossing.second} cross at "
    if place is not None:
        crossing += f"{found.curves.along.x} = {worded(place_of('crossing', place, kind))}."
    return (
        Picture(
            "curves",
            drawing("group_curves", found),
            f"{found.response} of {len(found.names)} groups against {found.curves.along.x}, with their runs and bands."
            f"{crossing}",
        ),
        Picture(
            "multiplier",
            drawing("group_multipliers", found),
            f"The {found.curves.along.x} that {found.reference} needs for what each other group reaches, as a factor, "
            "with intervals.",
        ),
    )
