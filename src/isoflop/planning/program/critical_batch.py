"""Steps, tokens and batch for a loss: what fewer steps cost in tokens, from the critical batch at that loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoflop.errors import IsoflopError, shown
from isoflop.laws.evaluate import array_value
from isoflop.laws.expression import names
from isoflop.laws.law import catalogue
from isoflop.planning.program.conditions import formula
from isoflop.planning.program.optimized_plan import OptimizedPlan
from isoflop.uncertainty.ensemble import Interval, interval_of
from isoflop.values import Value

STEPS = ("S_min", "S")  # inputs that count optimizer steps far above the critical batch


@dataclass(frozen=True)
class CriticalBatch(Value):
    """B_crit at a plan's loss, its least steps, and its least tokens S_min·B_crit; at B_crit it takes twice both."""

    batch: float
    steps: Interval
    tokens: Interval

    def steps_at(self, batch: float) -> float:
        """S = S_min (1 + B_crit/B): (S/S_min − 1)(D/D_min − 1) = 1 with D = S·B."""
        return self.steps.value * (1 + self.batch / batch)


def critical_batch(plan: OptimizedPlan, text: str) -> CriticalBatch:
    """The critical batch of a plan whose law has steps as an input.

    text: a formula of the loss, such as ``2e8/loss^(1/0.21)``, or ``kaplan`` for its published constants.
    Raises IsoflopError for a law without steps, and a formula of anything but the loss.
    Source: McCandlish et al. 2018, arXiv:1812.06162; Kaplan et al. 2020, section 5.1.
    """
    law = plan.problem.law
    label = next((each for each in STEPS if each in law.input_names), None)
    if label is None:
        raise IsoflopError(
            f"--critical-batch needs a law with steps as an input (S_min or S), such as kaplan-steps; {law.name} has "
            f"{', '.join(law.input_names)}"
        )
    known = catalogue()["kaplan-critical-batch"]
    expression = known.expression if text == "kaplan" else formula(text, "--critical-batch")
    values = dict(known.published[0].values) if text == "kaplan" else {}
    other = [each for each in names(expression) if each != "loss" and each not in values]
    if other:
        raise IsoflopError(
            f"--critical-batch {shown(text)} has {', '.join(other)}; write a formula of the loss, as 2e8/loss^(1/0.21)"
        )
    loss = float(plan.response.value[0])
    batch = float(np.asarray(array_value(expression, {**values, "loss": loss})))
    if not (np.isfinite(batch) and batch > 0):
        raise IsoflopError(f"--critical-batch {shown(text)} is {batch:g} at a loss of {loss:.4g}; it must be above 0")
    level = plan.objective.level
    chosen = {each.name: each for each in plan.chosen}
    if label in chosen:
        steps = chosen[label].interval
        tokens = interval_of(steps.value * batch, chosen[label].draws * batch, level=level)
    else:
        steps = interval_of(plan.at[label], np.empty(0), level=level)
        tokens = interval_of(plan.at[label] * batch, np.empty(0), level=level)
    return CriticalBatch(batch, steps, tokens)
