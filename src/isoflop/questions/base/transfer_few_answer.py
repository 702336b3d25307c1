"""A transfer from one to four runs on a new data set, as an answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.answers import Answer, Picture, Quantity, literal, of_interval
from isoflop.answers.wording import plural, told
from isoflop.questions.base.drawing import drawing

if TYPE_CHECKING:
    from isoflop.findings import Finding
    from isoflop.planning.forecast import Forecast
    from isoflop.planning.transfer_few import FewTransfer


# What is doubted of single constants of the law, of which only losses are taken here.
_OF_CONSTANTS = ("draws-not-converged", "draws-disagree", "not-identified", "narrow-range")


def few_answer(question: str, few: FewTransfer, own: Forecast | None) -> Answer:
    """The loss on B in front, what it rests on behind."""
    a, b = (literal(each) for each in few.names)
    estimate = few.source.estimate
    unit, law = estimate.data.loss_unit, estimate.law
    source = f"measured on {a}" if few.measured is not None else f"on {a} by its law"
    given = Quantity("given", few.asked, unit=unit, label=f"loss {source}")
    if own is not None and few.measured is None:
        given = of_interval("given", own.loss, unit=unit, label=f"loss {source}", promise="PI")
    quantities = [
        of_interval("loss", few.loss, unit=unit, label=f"loss on {b}", promise="PI"),
        given,
        of_interval("gamma", few.gamma, label="gamma, power of the loss on A"),
        Quantity("runs", few.runs, "integer", label=f"runs on {b}"),
        Quantity("apart", few.apart, label="distance to the nearest run", note="in ln of the loss on A"),
    ]
    if own is not None and few.measured is not None:
        quantities.append(of_interval("own", own.loss, unit=unit, label=f"loss on {a}, by its law", promise="PI"))
    return Answer(
        question=question,
        title=f"transfer from {a} to {b}",
        headline=(
            f"Expected loss on {b}: {{loss}}, from {{runs:bare}} {plural(few.runs, 'run')} on it and {{given:bare}} "
            f"{source}."
        ),
        quantities=tuple(quantities),
        findings=(*few.findings, *_of_law(few, a)),
        method=(
            f"{law.formula} fitted to the loss on A; ln L_B = a + gamma*ln L_A, gamma normal around 1 with a standard "
            "deviation of 0.25 beforehand"
        ),
        provenance={"law": law.name, "draws": len(few.source)},
        pictures=(
            Picture(
                "transfer",
                drawing("loss_from_few", few),
                f"Loss on {b} against loss on {a}: {few.runs} {plural(few.runs, 'run')}, the power law between both "
                f"losses with its band, and the forecast {told(of_interval('loss', few.loss, promise='PI'))}.",
            ),
        ),
    )


def _of_law(few: FewTransfer, a: str) -> tuple[Finding, ...]:
    """What is said of the law of the loss on A, where its losses suffer from it, with the name of the loss."""
    said = (*few.source.estimate.findings, *few.source.findings)
    kept = (each for each in said if each.level == "error" or each.code not in _OF_CONSTANTS)
    return tuple(replace(each, message=f"loss on {a}: {each.message}") for each in dict.fromkeys(kept))
