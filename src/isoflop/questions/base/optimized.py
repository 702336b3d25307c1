"""A plan over any unknowns: from the options of the question to the engine's result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.questions.base.context import Context
from isoflop.questions.base.optimized_answer import Planned
from isoflop.questions.base.question import refuse_errors

if TYPE_CHECKING:
    from isoflop.planning.program.plan_conditions import PlanWords
    from isoflop.questions.plan import Plan

UNIT_RATES = ("FLOPs", "hours", "money")  # units of a cost from which FLOPs follow


def optimized(question: Plan, context: Context) -> Planned:
    """The plan over any unknowns."""
    from isoflop.planning.program.critical_batch import critical_batch
    from isoflop.planning.program.optimized_plan import optimized_plan
    from isoflop.planning.program.problem import plan_problem

    ensemble = context.ensemble
    law, counted = ensemble.estimate.law, ensemble.estimate.data.flops
    rates = _rates(question)
    problem = plan_problem(law, _words(question, context, rates), counted=counted)
    found = optimized_plan(ensemble, problem, level=context.level, within=question.within, seed=context.fit_spec.seed)
    if not context.force:
        refuse_errors(found.findings)
    cost = problem.cost
    bill = None
    if question.hardware is not None and cost is not None and found.cost is not None and cost.unit in UNIT_RATES:
        rate = 1.0 if cost.unit == "FLOPs" else rates[cost.unit]
        bill = question.bill(found.cost.value / rate)
    batch = None if question.critical_batch is None else critical_batch(found, question.critical_batch)
    return Planned(found, bill, batch)


def _rates(question: Plan) -> dict[str, float]:
    """Hours and money of one FLOP on the given hardware."""
    if question.hardware is None:
        return {}
    one = question.bill(1.0)
    return {"hours": one.hours} | ({} if one.money is None else {"money": one.money})


def _words(question: Plan, context: Context, rates: dict[str, float]) -> PlanWords:
    """What is asked, with the budget of a deadline; the usual budget of the runs where nothing else bounds it."""
    from isoflop.planning.program.plan_conditions import PlanWords

    law = context.ensemble.estimate.law
    budget = question.budget
    if question.deadline is not None:
        budget = question.deadline if question.cost == "hours" else question.flops_within(question.deadline)
    words = PlanWords(
        minimize=question.minimize,
        over=question.over,
        cost=question.cost,
        budget=budget,
        loss=question.loss,
        subject_to=question.subject_to,
        menus=question.menu,
        integers=question.integer,
        at=question.given(law),
        define=question.define,
        served=question.inference_tokens,
        samples=question.samples,
        rates=rates,
        usual={"vocab": float(question.vocabulary), "context": float(question.context_length)},
    )
    open_loss = (
        question.minimize in (None, "loss") and question.loss is None and budget is None and not question.subject_to
    )
    if (
        open_loss
        and question.cost in (None, "table", "6ND")
        and context.has_runs
        and {"N", "D"} <= set(law.input_names)
    ):
        return replace(words, budget=context.budget)
    return words
