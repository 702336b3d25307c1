"""The answer of a plan over any unknowns: what to choose, the loss there, what binds, and what is nearly as good."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.answers import Answer, Column, Picture, Quantity, Table, of_interval
from isoflop.answers.wording import interval, number, worded
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.equation import equation
from isoflop.questions.base.evidence import forecast_evidence, plan_evidence
from isoflop.questions.base.hardware import cost_table
from isoflop.questions.base.model_error import WITH_MODEL_ERROR, if_the_law_holds

if TYPE_CHECKING:
    from isoflop.accounting import Cost
    from isoflop.answers.quantity import Kind
    from isoflop.planning.program.critical_batch import CriticalBatch
    from isoflop.planning.program.optimized_plan import Chosen, OptimizedPlan
    from isoflop.planning.program.problem import Problem
    from isoflop.questions.base.context import Context

_COUNTED = re.compile(r"(N|D|U|S|step|steps|batch|T)(_\w+)?")
IF_LAW_HOLDS = "if the law holds"
_MOST_OPTIONS = 12
_UNITS = {"N": "parameters", "D": "tokens", "U": "tokens", "batch": "tokens", "S": "steps", "S_min": "steps"}


@dataclass(frozen=True)
class Planned:
    """A plan with what was asked beside it: its bill, and the critical batch at its loss."""

    plan: OptimizedPlan
    bill: Cost | None = None
    critical: CriticalBatch | None = None


def optimized_answer(result: Planned, context: Context) -> Answer:
    """Unknowns in front, then the loss, the cost, the conditions and what is nearly as good."""
    plan, ensemble = result.plan, context.ensemble
    problem = plan.problem
    return Answer(
        question="plan",
        evidence=_evidence(plan, context),
        title=f"{ensemble.estimate.law.name}: least {_objective(problem)}{_limits_told(plan)}",
        headline=_headline(result),
        quantities=tuple(_quantities(result)),
        tables=tuple(_tables(result)),
        equation=equation(ensemble, level=context.level),
        findings=plan.findings,
        method=_method(plan),
        pictures=(_picture(plan),),
    )


def _evidence(plan: OptimizedPlan, context: Context) -> Table | None:
    """Other methods for N* where the plan is the compute-optimal one of some budget; else what is known of the loss."""
    problem = plan.problem
    free = all(each.low_open and each.high_open and not each.menu for each in problem.unknowns)
    plain = set(problem.names) == set(problem.law.input_names) == {"N", "D"} and len(problem.limits) == 1
    paid = problem.cost is not None and problem.cost.table and problem.objective_text in ("loss", "cost")
    if free and plain and paid and plan.cost is not None and problem.limits[0].why in ("budget", "loss"):
        return plan_evidence(context, budget=plan.cost.value)
    beyond = max((each for each in _beyond(plan)), default=math.nan)
    return forecast_evidence(context, at=plan.at, beyond=beyond)


def _beyond(plan: OptimizedPlan) -> Iterator[float]:
    from isoflop.uncertainty.extrapolation import distances

    yield from distances(plan.ensemble.estimate, plan.at).values()


def _objective(problem: Problem) -> str:
    """What is least, in the law's own words: a law may predict something else than a loss."""
    return problem.law.response if problem.objective_text == "loss" else problem.objective_text


def _limits_told(plan: OptimizedPlan) -> str:
    problem = plan.problem
    told = []
    if problem.budget is not None:
        told.append(f"a cost of {number(problem.budget, _cost_kind(plan))}")
    if problem.target is not None:
        told.append(f"a loss of {problem.target:g}")
    return f" at {' and '.join(told)}" if told else ""


def _method(plan: OptimizedPlan) -> str:
    parts = [plan.method]
    if plan.problem.cost is not None:
        parts.append(f"cost {plan.problem.cost.text}")
    return ", ".join(parts)


def _headline(result: Planned) -> str:
    plan = result.plan
    names = plan.problem.names
    if names == ("N", "D"):
        words = "Train {N} parameters on {D} tokens"
    else:
        words = "Choose " + ", ".join(f"{name} = {{{name}}}" for name in names[:8])
        words += f" and {len(names) - 8} more" if len(names) > 8 else ""
    words += f"; expected {_word(plan)} {{{_response(plan)}}}"
    words += ", cost {cost}" if plan.problem.objective_text == "cost" else ""
    return words + "."


def _response(plan: OptimizedPlan) -> str:
    """The name of the predicted response among the quantities; another one where an unknown has it."""
    return "response" if "loss" in plan.problem.names else "loss"


def _word(plan: OptimizedPlan) -> str:
    return plan.problem.law.response.replace("_", " ")


def _unit(plan: OptimizedPlan) -> str:
    return plan.ensemble.estimate.data.loss_unit if plan.problem.law.response == "loss" else ""


def kind_of(plan: OptimizedPlan, name: str) -> Kind:
    """How the numbers of an unknown are read."""
    each = next(each for each in plan.problem.unknowns if each.name == name)
    if each.share:
        return "share"
    if name == "C":
        return "flops"
    if _COUNTED.fullmatch(name):
        return "count"
    return "integer" if each.integer else "number"


def _cost_kind(plan: OptimizedPlan) -> Kind:
    cost = plan.problem.cost
    kinds: dict[str, Kind] = {"FLOPs": "flops", "hours": "hours", "money": "money"}
    return "count" if cost is None else kinds.get(cost.unit, "flops" if _like_flops(plan) else "count")


def _like_flops(plan: OptimizedPlan) -> bool:
    return plan.cost is not None and plan.cost.value > 1e15


def _quantities(result: Planned) -> Iterator[Quantity]:
    plan = result.plan
    unit, word, seen = _unit(plan), _word(plan), plan.response
    for each in plan.chosen:
        yield _chosen(plan, each)
    yield of_interval(_response(plan), seen.mean_interval(), unit=unit, label=word)
    yield of_interval(
        "prediction", seen.interval(), unit=unit, label=f"{word} of one run", promise="PI", note=WITH_MODEL_ERROR
    )
    share = float(seen.model_error_share[0])
    yield from if_the_law_holds(seen.law_interval(), share, unit=unit, word=f"{word} of one run")
    if plan.cost is not None and plan.problem.cost is not None:
        cost = plan.problem.cost
        unit_of_cost = cost.unit if cost.unit not in ("hours", "money") else ""
        spread = plan.cost.high - plan.cost.low
        if spread > 1e-6 * abs(plan.cost.value):
            note = f"{cost.text}; {IF_LAW_HOLDS}"
            yield of_interval("cost", plan.cost, _cost_kind(plan), unit=unit_of_cost, note=note)
        else:
            yield Quantity("cost", plan.cost.value, _cost_kind(plan), unit=unit_of_cost, note=cost.text)
    if plan.problem.objective_text not in ("loss", "cost", *plan.problem.names):
        yield of_interval("objective", plan.objective, label=plan.problem.objective_text)
    if {"N", "D"} <= set(plan.at) and "ratio" not in plan.problem.names:
        yield Quantity("ratio", plan.at["D"] / plan.at["N"], label="D/N", unit="tokens per parameter")
    if plan.problem.budget is not None:
        yield Quantity("budget", plan.problem.budget, _cost_kind(plan))
    if plan.problem.target is not None:
        yield Quantity("target", plan.problem.target, label="target loss", unit=unit, note="of the law")
    for name, value in plan.problem.fixed.items():
        kind: Kind = "count" if _COUNTED.fullmatch(name) else "number"
        yield Quantity(f"given_{name}", value, kind, label=name, note="given")
    yield Quantity("within", plan.within, "share", label="near-optimal objective", note="above the optimum's")
    if result.critical is not None:
        yield from _critical(result.critical)
    if result.bill is not None:
        yield Quantity("hours", result.bill.hours, "hours", label="time")
        if result.bill.money is not None:
            yield Quantity("money", result.bill.money, "money", label="price")


def _chosen(plan: OptimizedPlan, each: Chosen) -> Quantity:
    """An unknown with its interval; of a menu, how many draws choose the same value."""
    kind, unit = kind_of(plan, each.name), _UNITS.get(each.name, "")
    known = next(one for one in plan.problem.unknowns if one.name == each.name)
    low, high = each.interval.low, each.interval.high
    if not known.menu and abs(high - low) <= 1e-6 * abs(each.interval.value):
        return Quantity(each.name, each.interval.value, kind, unit=unit, note="at its bound in every draw")
    if not known.menu:
        note = IF_LAW_HOLDS if len(each.draws) else ""
        return of_interval(each.name, each.interval, kind, unit=unit, note=note)
    own = each.draws[each.draws == each.draws]
    share = (
        f"the best in {number(float((own == each.interval.value).mean()), 'share')} of the draws" if len(own) else ""
    )
    note = share if len(known.menu) > 1 else "given"
    return Quantity(each.name, each.interval.value, kind, unit=unit, note=note)


def _critical(found: CriticalBatch) -> Iterator[Quantity]:
    yield Quantity("critical_batch", found.batch, "count", label="critical batch", unit="tokens")
    yield of_interval("least_steps", found.steps, "count", label="least steps", unit="steps", note="at a large batch")
    yield of_interval(
        "least_tokens", found.tokens, "count", label="least tokens", unit="tokens", note="at a small batch"
    )
    yield Quantity(
        "steps_at_critical_batch", found.steps_at(found.batch), "count", label="steps at the critical batch",
        unit="steps", note="twice the least steps, on twice the least tokens",
    )  # fmt: skip


def _tables(result: Planned) -> Iterator[Table]:
    plan = result.plan
    yield Table(
        "unknowns",
        (
            Column("unknown"),
            Column("near", "best"),
        ),
        tuple((each.name, _near(plan, each)) for each in plan.chosen),
        title="Near-optimal ranges",
        note=f"Where the objective is within {number(plan.within, 'share')} of the optimum's, each unknown by itself.",
    )
    if plan.held:
        yield Table(
            "conditions",
            (
                Column("condition"),
                Column("left", "left side", detail=True),
                Column("right", "right side", detail=True),
                Column("binding"),
                Column("worth", "elasticity"),
            ),
            tuple(
                (each.text, each.left, each.right, "yes" if each.binding else "no", _finite(each.worth))
                for each in plan.held
            ),
            title="Conditions",
            note="Elasticity: by how many percent the objective falls where the limit is loosened by one percent.",
        )
    if plan.options:
        yield _options(plan)
    if result.bill is not None:
        yield cost_table(result.bill)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _near(plan: OptimizedPlan, each: Chosen) -> Quantity:
    kind = kind_of(plan, each.name)
    return Quantity("near", each.interval.value, kind, *each.near, None, interval="range")


def _options(plan: OptimizedPlan) -> Table:
    best = plan.options[0].objective
    names = plan.problem.names
    shown = plan.options[:_MOST_OPTIONS]
    same = plan.problem.objective_text in names
    return Table(
        "options",
        (
            *(Column(name, name, kind_of(plan, name)) for name in names),
            *(() if same else (Column("objective", plan.problem.objective_text, _objective_kind(plan)),)),
            Column("above", "above the best", "change"),
        ),
        tuple(
            (
                *(each.values[name] for name in names),
                *(() if same else (each.objective,)),
                each.objective / best - 1 if best > 0 else None,
            )
            for each in shown
        ),
        title="Combinations of the menus",
        note="" if len(shown) == len(plan.options) else f"The best {len(shown)} of {len(plan.options)} possible ones.",
    )


def _objective_kind(plan: OptimizedPlan) -> Kind:
    text = plan.problem.objective_text
    if text == "cost":
        return _cost_kind(plan)
    return kind_of(plan, text) if text in plan.problem.names else "number"


def _picture(plan: OptimizedPlan) -> Picture:

    told = ", ".join(f"{each.name} {_range(plan, each)}" for each in plan.chosen[:8])
    return Picture(
        "near-optimal",
        drawing("near_optimal_set", plan),
        f"Every unknown over the near-optimal set (objective within {number(plan.within, 'share')} of the optimum's): "
        f"{told}.",
        size=(7.2, 1.6 + 0.42 * max(2, len(plan.chosen))),
    )


def _range(plan: OptimizedPlan, each: Chosen) -> str:
    near = _near(plan, each)
    return f"{worded(near)} ({interval(near)})"
