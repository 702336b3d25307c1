"""The tables of a comparison of groups: gaps at scales, crossings, multipliers, parameters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from isoflop.answers import Cell, Column, Kind, Quantity, Table, of_interval
from isoflop.answers.wording import number

if TYPE_CHECKING:
    from isoflop.planning.comparison import Comparison
    from isoflop.planning.comparison.crossing import Place
    from isoflop.uncertainty import Interval

_KINDS: dict[str, Kind] = {"C": "flops", "N": "count", "D": "count"}


def tables(found: Comparison) -> tuple[Table, ...]:
    """All of them, the most asked first."""
    kind = kind_of(found)
    return (_scales(found, kind), _crossings(found, kind), _multipliers(found), _parameters(found))


def kind_of(found: Comparison) -> Kind:
    """How x is read."""
    return _KINDS.get(found.curves.along.x, "number")


def place_of(name: str, place: Place, kind: Kind) -> Quantity:
    """Where two groups cross; the note says what is known of an interval with an open end."""
    if place.low is None or place.high is None:
        return Quantity(
            name, place.x, kind, low=place.low, high=place.high, level=place.level, label="crossing",
            note="; ".join(_ends(place, kind)),
        )  # fmt: skip
    return Quantity(name, place.x, kind, low=place.low, high=place.high, level=place.level, label="crossing")


def _ends(place: Place, kind: Kind) -> list[str]:
    """What is known of an interval with an open end."""
    known = []
    if place.low is not None:
        known.append(f"above {number(place.low, kind, digits=2)}")
    if place.high is not None:
        known.append(f"below {number(place.high, kind, digits=2)}")
    return known or ["not bounded"]


def factor_of(name: str, value: Interval, *, label: str = "") -> Quantity:
    """A multiplier; one that is not reached has a lower limit, or none."""
    if math.isinf(value.value):
        if math.isfinite(value.low) and value.low > 0:
            return Quantity(name, value.low, "factor", label=label, limit="lower", note="not reached in most draws")
        return Quantity(name, None, "factor", label=label, note="not reached")
    return of_interval(name, value, "factor", label=label)


def _scales(found: Comparison, kind: Kind) -> Table:
    along = found.curves.along.x
    gaps = {(each.group, each.x): each for each in found.gaps}
    factors = {(each.group, float(x)): each.at(k) for each in found.multipliers_at for k, x in enumerate(each.x)}
    rows: list[tuple[Cell, ...]] = []
    for scale in found.scales:
        for place, name in enumerate(found.names):
            gap, factor = gaps.get((name, scale.x)), factors.get((name, scale.x))
            rows.append(
                (
                    Quantity("x", scale.x, kind),
                    name,
                    None if gap is None else of_interval("gap", gap.difference),
                    scale.best[place],
                    None if factor is None else factor_of("multiplier", factor),
                    None if gap is None or gap.with_error is None else of_interval("with_error", gap.with_error),
                    None if scale.best_with_error is None else scale.best_with_error[place],
                    None if gap is None or gap.log_ratio is None else of_interval("log_ratio", gap.log_ratio),
                    of_interval("response", scale.response[place]),
                )
            )
    return Table(
        "scales",
        (
            Column("x", along, kind),
            Column("group"),
            Column("gap", f"minus {found.reference}"),
            Column("best", "P(best)", "share"),
            Column("multiplier", "multiplier", "factor"),
            Column("with_error", "gap with model error"),
            Column("best_with_error", "P(best) with model error", "share"),
            Column("log_ratio", f"log ratio to {found.reference}", detail=True),
            Column("response", found.response),
        ),
        tuple(rows),
        title="At scales",
        note="Intervals and P(best) if the laws hold; those with model error add what laws missed on other "
        f"tables. Multiplier m: {found.reference} reaches at m times the {along} what the group "
        "does.",
    )


def _crossings(found: Comparison, kind: Kind) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for each in found.crossings:
        for place in each.places or (None,):
            rows.append(
                (
                    each.first,
                    each.second,
                    each.verdict(found.level),
                    None if place is None else place_of("crossing", place, kind),
                    "" if place is None else "; ".join(_ends(place, kind)) if None in (place.low, place.high) else "",
                    "" if place is None else place.better,
                    each.inside,
                    each.within,
                    each.ever,
                )
            )
    return Table(
        "crossings",
        (
            Column("first"),
            Column("second"),
            Column("verdict"),
            Column("crossing", found.curves.along.x, kind),
            Column("limits", "its interval"),
            Column("better", "better beyond"),
            Column("inside", "P among runs", "share"),
            Column("within", "P within 10×", "share"),
            Column("ever", "P ever", "share"),
        ),
        tuple(rows),
        title="Crossings",
        note="P: the share of draws in which the gap changes its sign among the runs of both groups, up to ten times "
        "the largest run, and up to 100,000 times it. Interval: where the gap's interval holds zero.",
    )


def _multipliers(found: Comparison) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for each in found.multipliers_at:
        change = each.change
        constant = "" if change is None else "no" if not change.low <= 1 <= change.high else "not rejected"
        unreached = float(each.unreached.max())
        rows.append(
            (each.group, each.reference, None if change is None else factor_of("change", change), constant, unreached)
        )
    return Table(
        "multipliers",
        (
            Column("group"),
            Column("reference"),
            Column("change", "m at the top / m at the bottom", "factor"),
            Column("constant", "constant multiplier"),
            Column("unreached", "not reached", "share", detail=True),
        ),
        tuple(rows),
        title="Constant multiplier",
        note="Over the x that runs of both groups reach; a multiplier is constant where its change includes 1.",
    )


def _parameters(found: Comparison) -> Table:
    equal = found.equality
    how = ""
    if equal is not None:
        by = "the likelihood ratio" if equal.method == "likelihood-ratio" else "simulated tables"
        how = (
            f" p: that the parameter is equal in all groups, the others being each group's own, by {by}, which takes "
            "runs of different groups for independent."
        )
    return Table(
        "parameters",
        (
            Column("parameter"),
            Column("group"),
            Column("difference", f"minus {found.reference}"),
            Column("differs"),
            Column("p_equal", "p, all equal"),
            Column("value"),
            Column("base", found.reference),
        ),
        tuple(
            (
                each.name,
                each.group,
                of_interval("difference", each.difference),
                each.differs,
                None if equal is None else float(f"{equal.each[each.name]:.3g}"),
                of_interval("value", each.value),
                of_interval("base", each.base),
            )
            for each in found.parameters
        ),
        title="Parameters",
        note="Differences are over the joint draws. Constants vary together; who is better at a scale is in the table "
        f"of gaps, not here.{how}",
    )
