"""The answer that words a fit's constants beside the literature's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.answers import Answer, Cell, Column, Quantity, Table, identifier, literal, of_interval
from isoflop.answers.wording import plural
from isoflop.questions.base.equation import equation

if TYPE_CHECKING:
    from isoflop.planning.literature import LiteratureComparison, SourceComparison


def literature_answer(question: str, found: LiteratureComparison) -> Answer:
    """Sources with their error on the fit's runs, and every constant beside the fit's."""
    sources = found.sources
    agreeing = sum(each.agreeing == each.judged > 0 for each in sources)
    known = any(each.judged for each in sources)
    nearest = next((each for each in sources if each.error is not None), None)
    of_all = f"{len(sources)} {plural(len(sources), 'source')}"
    words = (
        f"Of {of_all} for {literal(found.law)}, {agreeing} {'agrees' if agreeing == 1 else 'agree'} with the fit in "
        "every constant"
        if known
        else f"{of_all} for {literal(found.law)} beside constants without intervals"
    )
    if nearest is not None:
        words += (
            f"; on the fit's own runs {literal(nearest.published.key)} misses least, by {{nearest}} on average"
            f"{' (the fit: {error})' if found.error is not None else ''}"
        )
    return Answer(
        question=question,
        title=f"{found.law}: {found.ensemble.estimate.data.source} and the literature",
        headline=words + ".",
        quantities=(
            Quantity("sources", len(sources), "integer"),
            Quantity("agreeing", agreeing if known else None, "integer", label="sources that agree in every constant"),
            Quantity(
                "nearest",
                None if nearest is None else nearest.error,
                "share",
                label="least MRE of a source" if nearest is None else f"MRE of {nearest.published.key}",
            ),
            Quantity("error", found.error, "share", label="MRE of the fit"),
        ),
        tables=(_sources(found), _constants(found)),
        equation=equation(found.ensemble, level=found.level),
        findings=found.findings,
        method="a constant agrees where the fit's interval holds the published value; MRE: mean of |L̂ − L|/L over the "
        "runs of the fit",
        provenance={"law": found.law, "fit": found.ensemble.estimate.data.source},
    )


def _sources(found: LiteratureComparison) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            each.published.key,
            _agreement(each),
            each.error,
            each.offset,
            each.published.label,
            each.published.convention,
            each.published.unit,
            each.published.source,
            each.published.data,
        )
        for each in found.sources
    ]
    return Table(
        "sources",
        (
            Column("key"),
            Column("agreeing", "constants that agree"),
            Column("error", "MRE on the fit's runs", "share"),
            Column("offset", "median offset", "change"),
            Column("label"),
            Column("convention", "N counts"),
            Column("unit", detail=True),
            Column("source", detail=True),
            Column("data", detail=True),
        ),
        tuple(rows),
        title="Sources",
        note="Amplitudes depend on units and go together with exponents, so that curves may agree where constants do "
        "not.",
    )


def _agreement(each: SourceComparison) -> str:
    return f"{each.agreeing} of {each.judged}" if each.judged else "no interval"


def _constants(found: LiteratureComparison) -> Table:
    names = dict.fromkeys(one.name for each in found.sources for one in each.constants)
    own = {one.name: one.own for each in found.sources for one in each.constants}
    rows: list[tuple[Cell, ...]] = [
        (
            "this fit",
            *(of_interval(identifier(name), own[name]) for name in names),
            *(None for _ in names),
        )
    ]
    for each in found.sources:
        given = {one.name: one for one in each.constants}
        rows.append(
            (
                each.published.key,
                *(given[name].published if name in given else None for name in names),
                *(given[name].agrees if name in given else None for name in names),
            )
        )
    return Table(
        "constants",
        (
            Column("key", "source"),
            *(Column(identifier(name), name) for name in names),
            *(Column(f"{identifier(name)}_agrees", f"{name} agrees", detail=True) for name in names),
        ),
        tuple(rows),
        title="Constants",
    )
