"""A transfer from one to four runs on a new data set, as an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.answers import Answer, Picture, Quantity, literal, of_interval
from isoflop.answers.wording import plural, told
from isoflop.questions.base.drawing import drawing

if TYPE_CHECKING:
    from isoflop.planning.forecast import Forecast
    from isoflop.planning.transfer_few import FewTransfer


def few_answer(question: str, few: FewTransfer, own: Forecast | None) -> Answer:
    """The loss on B in front, what it rests on behind."""
    a, b = (literal(each) for each in few.names)
    estimate = few.source.estimate
    unit, law = estimate.data.loss_unit, estimate.law
    source = f"measured on {a}" if few.measured is not None else f"on {a} by its law"
    quantities = [
        of_interval("loss", few.loss, unit=unit, label=f"loss on {b}", promise="PI"),
        Quantity("given", few.asked, unit=unit, label=f"loss {source}"),
        of_interval("gamma", few.gamma, label="gamma, power of the loss on A"),
        Quantity("runs", few.runs, "integer", label=f"runs on {b}"),
        Quantity("apart", few.apart, label=f"ln of the loss on {a} to the nearest of them"),
    ]
    if own is not None:
        quantities.append(of_interval("own", own.loss, unit=unit, label=f"loss on {a}, by its law", promise="PI"))
    return Answer(
        question=question,
        title=f"transfer from {a} to {b}",
        headline=(
            f"Expected loss on {b}: {{loss}}, from {{runs:bare}} {plural(few.runs, 'run')} on it and {{given:bare}} "
            f"{source}."
        ),
        quantities=tuple(quantities),
        findings=(*few.findings, *estimate.findings, *few.source.findings),
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
