"""The question of a training budget: how big a model, on how many tokens."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Column, Picture, Quantity, Table, of_interval
from isoflop.answers.wording import interval, number, worded
from isoflop.errors import IsoflopError
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.equation import equation
from isoflop.questions.base.evidence import plan_evidence
from isoflop.questions.base.hardware import Hardware, cost_table
from isoflop.questions.base.kinds import Count, Duration, Flag, Number
from isoflop.questions.base.model_error import WITH_MODEL_ERROR, if_the_law_holds
from isoflop.questions.base.optimized import optimized
from isoflop.questions.base.optimized_answer import Planned, optimized_answer
from isoflop.questions.base.option import option
from isoflop.questions.base.planner import Planner
from isoflop.questions.base.question import Group, Question, Subject, refuse_errors
from isoflop.questions.base.tuning_answer import planned_settings

if TYPE_CHECKING:
    from isoflop.planning.allocate import Plan as Allocation
    from isoflop.planning.answer import Answer as PlanResult
    from isoflop.planning.constrained import Fixed
    from isoflop.planning.overtrain import Served
    from isoflop.planning.program.optimized_plan import OptimizedPlan
    from isoflop.uncertainty import Interval

TOKENS = Number("TOKENS", low=0.0, open=True)


@dataclass(frozen=True)
class Plan(Planner, Hardware, Question):
    """Compute-optimal model size and tokens for a budget, or the best of any unknowns of any law.

    FIT is a saved fit (isoflop fit … --save), published constants such as chinchilla:epoch, or a table of runs, which
    is fitted with --law first. Without --budget the budget is ten times the compute of the largest run.

    With --minimize, --over, --cost, --loss, --subject-to, --menu, --integer, --at, --define or --samples, and for a law
    with other inputs than N and D, the plan is over all inputs without a value: the least loss (or cost, or any
    formula) under the conditions, for the fit and for every draw.

    isoflop plan fit.json --budget 1e24 --hardware h100 --devices 512 --price 2.5
    isoflop plan fit.json --deadline 30d --hardware h100 --devices 512
    isoflop plan runs.csv --law chinchilla --budget 1e24 --params 8B
    isoflop plan fit.json --loss 2.0 --subject-to "N <= 8B"
    isoflop plan parscale:stack --minimize N --loss 1.05 --menu P=1,2,4,8
    """

    name: ClassVar[str] = "plan"
    examples: ClassVar[tuple[str, ...]] = ("isoflop plan runs.csv --law chinchilla --budget 1e16",)
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 20
    subject: ClassVar[Subject] = "fit"
    recommends: ClassVar[bool] = True
    results: ClassVar[tuple[str, ...]] = (
        "isoflop.planning.answer:Answer",
        "isoflop.planning.allocate:Plan",
        "isoflop.planning.program.optimized_plan:OptimizedPlan",
    )

    budget: float | None = option(
        Number("FLOPS", low=0.0, open=True),
        unit="FLOPs",
        help="Training compute, as 1e24; the most that --cost may be.",
    )
    deadline: float | None = option(Duration(), help="Time in place of a budget: all that the hardware does by then.")
    params: float | None = option(Number("8B", low=0.0, open=True), help="Given model size: how long to train it.")
    tokens: float | None = option(Number("2T", low=0.0, open=True), help="Given training tokens: how big a model.")
    inference_tokens: float | None = option(
        TOKENS, help="Inference tokens, as 10T: recommends the inference-aware optimum."
    )
    vocabulary: int = option(Count(low=1), 32_000, flag="vocab", help="Vocabulary of the proposed shapes.")
    context_length: int = option(Count(low=1), 2_048, flag="context", help="Context length of the proposed shapes.")
    gated: bool = option(Flag(), True, off="plain", help="Feed-forward blocks of the proposed shapes are gated.")
    tied_embeddings: bool = option(Flag(), False, off="untied-embeddings", help="Proposed shapes tie their embeddings.")
    within: float = option(
        Number(low=0.0, high=1.0, open=True), 0.002, help="Relative loss that counts as near-optimal."
    )

    def check(self) -> None:
        """One question at a time; a deadline needs hardware."""
        self.require_hardware()
        given = {
            "--params": self.params,
            "--tokens": self.tokens,
            "--inference-tokens": self.inference_tokens,
        }
        asked = [name for name, value in given.items() if value is not None]
        if len(asked) > 1:
            raise IsoflopError(f"{' and '.join(asked)} are different questions; give one")
        if self.budget is not None and self.deadline is not None:
            raise IsoflopError("--budget and --deadline both say how much compute there is; give one")
        if self.deadline is not None and self.hardware is None:
            raise IsoflopError("--deadline needs --hardware, such as h100")
        if self.asked():
            for name, value, symbol in (("--params", self.params, "N"), ("--tokens", self.tokens, "D")):
                if value is not None:
                    raise IsoflopError(f"{name} beside {self.asked()[0]}: write --at {symbol}={value:g} instead")

    def compute(self, context: Context) -> PlanResult | Planned:
        """The plan and what follows from it."""
        self.check()
        law = context.ensemble.estimate.law
        if self.asked() or set(law.input_names) != {"N", "D"}:
            return optimized(self, context)
        return self._of_budget(context)

    def _of_budget(self, context: Context) -> PlanResult:
        """The plan in N and D."""
        from isoflop.planning.answer import answer
        from isoflop.planning.shapes import Template

        if self.deadline is not None:
            budget = self.flops_within(self.deadline)
        elif self.budget is not None:
            budget = self.budget
        elif context.has_runs:
            budget = context.budget
        else:
            raise IsoflopError("this fit comes without its runs, so it has no usual budget; give --budget, as 1e24")
        found = answer(
            context.ensemble,
            budget=budget,
            params=self.params,
            tokens=self.tokens,
            served=self.inference_tokens,
            bill=self.bill if self.hardware is not None else None,
            deadline=self.deadline,
            template=Template(self.vocabulary, self.context_length, self.gated, self.tied_embeddings),
            within=self.within,
            level=context.level,
        )
        if not context.force:
            refuse_errors(found.plan.findings)
        return found

    def _is_usual(self, context: Context) -> bool:
        """Whether other questions of the context have the same plan."""
        return self.within == type(self).within and context.fit_spec.seed == 0

    def answer(self, result: PlanResult | Allocation | OptimizedPlan | Planned, context: Context) -> Answer:
        """The recommended model in front, the compute-optimal one and everything else behind it."""
        from isoflop.planning.answer import Answer as PlanResult
        from isoflop.planning.answer import answer
        from isoflop.planning.program.optimized_plan import OptimizedPlan

        if isinstance(result, OptimizedPlan):
            result = Planned(result)
        if isinstance(result, Planned):
            return optimized_answer(result, context)

        if not isinstance(result, PlanResult):  # the allocation alone, as a notebook has it
            result = answer(result.ensemble, budget=result.budget, level=result.n.level, within=result.band.within)
        ensemble, plan = context.ensemble, result.plan
        quantities = tuple(_quantities(result, ensemble.estimate.data.loss_unit))
        best = result.recommended
        tuned, settings, doubts = planned_settings(context, best.n.value, best.d.value)
        return Answer(
            question=self.name,
            evidence=plan_evidence(context, budget=plan.budget, plan=plan if self._is_usual(context) else None),
            title=f"{ensemble.estimate.law.name} at {number(plan.budget, 'flops')} training FLOPs",
            headline=_headline(result),
            quantities=(*quantities, *tuned),
            tables=(*_tables(result, ensemble.estimate.data.loss_unit), *settings),
            equation=equation(ensemble, level=context.level),
            findings=(*result.findings, *doubts),
            method=_method(plan),
            pictures=(_picture(result, context),),
        )


_BASES = {
    "IsoFLOP minima": "N* from a parabola at each IsoFLOP budget and a weighted power law through the minima",
    "runs near the optimum": "N* from the law fitted to the runs near the optimum",
}


def _method(plan: Allocation) -> str:
    basis = _BASES.get(plan.basis)
    return f"{plan.method if basis is None else basis}, {plan.ensemble.estimate.data.flops.told()}"


def _headline(result: PlanResult) -> str:
    words = "Train {N} parameters on {D} tokens; expected loss {loss}"
    if result.fixed is not None:
        words += ", {excess:bare} above that of the compute-optimal {N_optimal:bare} parameters"
    if result.cost is not None:
        words += f": {{hours:bare}} on {result.cost.devices:,} × {result.cost.hardware.name}"
        words += ", for {money:bare}" if result.cost.money is not None else ""
    return words + "."


_NOTES = {"given size": ("given", "from the given size"), "given tokens": ("from the given tokens", "given")}


def _quantities(result: PlanResult, unit: str) -> Iterator[Quantity]:
    plan, best = result.plan, result.recommended
    tail = "" if best.why == "compute-optimal" else "_optimal"
    if tail:
        of_n, of_d = _NOTES.get(best.why, (f"{best.why} optimum", ""))
        yield of_interval("N", best.n, "count", unit="parameters", note=of_n)
        yield of_interval("D", best.d, "count", unit="tokens", note=of_d)
    if result.fixed is not None:
        yield from _of_given(result.fixed, plan, unit)
    elif result.served is not None:
        yield from _of_served(result.served)
    if tail:
        yield of_interval("loss", best.loss, unit=unit)
        yield _new_run("prediction", best.prediction, unit)
        yield from if_the_law_holds(best.law_prediction, best.model_error_share, unit=unit, word="loss of one run")
    label = " (compute-optimal)" if tail else ""
    yield of_interval(f"N{tail}", plan.n, "count", unit="parameters", label=f"N{label}")
    yield of_interval(f"D{tail}", plan.d, "count", unit="tokens", label=f"D{label}")
    yield of_interval(f"ratio{tail}", plan.ratio, label=f"D/N{label}", unit="tokens per parameter")
    yield of_interval(f"loss{tail}", plan.loss, unit=unit, label=f"loss{label}")
    if not tail:
        yield _new_run("prediction", plan.prediction, unit)
        yield from if_the_law_holds(plan.law_prediction, plan.model_error_share, unit=unit, word="loss of one run")
    if plan.least_loss is not None:
        yield of_interval(
            "least_loss", plan.least_loss, unit=unit, label="the law's least loss", note="each draw at its own N*"
        )
    if plan.basis != "law" and plan.law is not None:
        yield of_interval(
            "N_law", plan.law.n, "count", unit="parameters", label="N* of the law", note="fitted to all runs"
        )
    yield of_interval("exponent", plan.exponent_a, label="exponent a", note="N* grows as C to this power")
    yield Quantity("budget", plan.budget, "flops", label="training compute", unit="FLOPs")
    near = Quantity("within", plan.band.within, "share", label="near-optimal loss", note="above the optimum's")
    yield Quantity(
        "near_optimal", None, "count", *plan.band.n, None, "parameters", "near-optimal range",
        f"loss within {worded(near)}", interval="range",
    )  # fmt: skip
    yield Quantity(
        "near_optimal_D", None, "count", *plan.band.d, None, "tokens", "near-optimal tokens", interval="range"
    )
    yield near
    if result.cost is not None:
        yield Quantity("hours", result.cost.hours, "hours", label="time")
        if result.cost.money is not None:
            yield Quantity("money", result.cost.money, "money", label="cost")
    if result.deadline is not None:
        yield Quantity("deadline", result.deadline, "hours")


def _new_run(name: str, prediction: Interval, unit: str) -> Quantity:
    note = WITH_MODEL_ERROR if math.isfinite(prediction.low) else ""
    return of_interval(name, prediction, unit=unit, label="loss of one run", promise="PI", note=note)


def _of_given(fixed: Fixed, plan: Allocation, unit: str) -> Iterator[Quantity]:
    yield Quantity("ratio", fixed.ratio, "number", label="D/N", unit="tokens per parameter")
    yield Quantity("over", fixed.over, "factor", label="D/N over the optimum's")
    least = plan.least_loss.value if plan.least_loss is not None else plan.law_loss.value
    yield Quantity("excess", fixed.waste.loss.value - least, unit=unit, label="loss above the optimum")
    yield of_interval("penalty", fixed.waste.share, "share", label="compute penalty", note="share of the budget")
    yield of_interval("penalty_flops", fixed.waste.flops, "flops", label="compute penalty", unit="FLOPs")


def _of_served(served: Served) -> Iterator[Quantity]:
    yield of_interval("ratio", served.ratio, label="D/N", unit="tokens per parameter")
    yield Quantity("inference_tokens", served.tokens, "count", label="inference tokens", unit="tokens")
    yield of_interval("training", served.flops, "flops", label="training compute (inference-aware)", unit="FLOPs")
    yield of_interval("compute", served.compute, "flops", label="training and inference compute", unit="FLOPs")
    yield of_interval("saved", served.saved, "share", label="compute saved", note="of training and inference")
    yield of_interval(
        "break_even", served.break_even, "count", label="break-even inference tokens", note="for half the size"
    )


def _tables(result: PlanResult, unit: str) -> Iterator[Table]:
    if result.waste:
        yield _penalties(result, unit)
    if result.shapes.built:
        yield _shapes(result)
    if result.cost is not None:
        yield cost_table(result.cost)


def _penalties(result: PlanResult, unit: str) -> Table:
    plan = result.plan
    assert plan.least_loss is not None
    raised = plan.loss.value / plan.least_loss.value  # the law's losses, at the level of the plan's
    by_law = plan.basis != "law"
    return Table(
        "penalties",
        (
            Column("size", "size", "factor"),
            Column("N", "N", "count"),
            Column("loss", f"loss, {unit}"),
            Column("penalty", "compute penalty", "share"),
            Column("flops", "compute penalty, FLOPs", "flops", "FLOPs", detail=True),
            Column("hours", "time lost", "hours"),
            Column("money", "cost", "money"),
        ),
        tuple(
            (
                float(factor),
                each.params,
                of_interval("loss", _times(each.loss, raised)),
                of_interval("penalty", each.share, "share"),
                of_interval("flops", each.flops, "flops", unit="FLOPs"),
                *_priced(result, each.flops.value),
            )
            for factor, each in result.waste.items()
        ),
        title="Compute penalty of another size",
        note="by the law's own curve, moved to the plan's N*; the near-optimal range is that of the runs."
        if by_law
        else "",
    )


def _times(interval: Interval, factor: float) -> Interval:
    return replace(interval, value=interval.value * factor, low=interval.low * factor, high=interval.high * factor)


def _shapes(result: PlanResult) -> Table:
    template = result.shapes.built[0].shape
    return Table(
        "shapes",
        (
            Column("layers", kind="integer"),
            Column("width", kind="integer"),
            Column("heads", kind="integer"),
            Column("feed_forward", "feed-forward", "integer"),
            Column("N", kind="count"),
            Column("N_total", "all parameters", "count", detail=True),
            Column("D", kind="count"),
            Column("loss", detail=True),
            Column("above", "loss above", "change"),
            Column("flops", "FLOPs", "flops", detail=True),
            Column("flops_ratio", "FLOPs / 6ND", "number"),
            Column("hours", "time", "hours"),
            Column("money", "cost", "money"),
            Column("vocabulary", kind="integer", detail=True),
            Column("context", kind="integer", detail=True),
            Column("gated", detail=True),
            Column("tied", "tied embeddings", detail=True),
        ),
        tuple(
            (
                each.shape.layers, each.shape.width, each.shape.heads, each.shape.hidden, each.n, each.total, each.d,
                each.loss, each.above, each.flops, each.ratio, *_priced(result, each.flops), each.shape.vocabulary,
                each.shape.context, each.shape.gated, each.shape.tied,
            )
            for each in result.shapes.built
        ),
        title=f"Nearest shapes (N {result.shapes.convention})",
        note=(
            f"Vocabulary {number(template.vocabulary, 'integer')}, context {number(template.context, 'integer')}, "
            f"{'gated' if template.gated else 'plain'} feed-forward, "
            f"{'tied' if template.tied else 'untied'} embeddings."
        ),
    )  # fmt: skip


def _priced(result: PlanResult, flops: float) -> tuple[float | None, float | None]:
    """Hours and money of FLOPs; None where no hardware or no price was given."""
    bill = result.priced(flops)
    return (None, None) if bill is None else (bill.hours, bill.money)


def _picture(result: PlanResult, context: Context) -> Picture:

    plan = result.plan
    best = of_interval("N", plan.n, "count")
    marked = None if result.recommended.why == "compute-optimal" else result.recommended
    chosen = (
        ""
        if marked is None
        else (f" Recommended ({marked.why}): {worded(of_interval('N', marked.n, 'count'))} parameters.")
    )
    sure = f" (interval {interval(best)})" if best.has_interval else ""
    band = Quantity("band", plan.n.value, "count", *plan.band.n)
    return Picture(
        "plan",
        drawing("flat_band", plan, context.ensemble, recommended=marked),
        f"Loss against model size at {number(plan.budget, 'flops')} FLOPs: least at {worded(best)} parameters{sure}, "
        f"and within {number(plan.band.within, 'share')} of that for {interval(band)}.{chosen}",
    )
