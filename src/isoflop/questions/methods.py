"""The question of N* by Chinchilla's three methods."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from isoflop.answers import Answer, Column, Picture, Quantity, Table, of_interval
from isoflop.answers.wording import interval, number, plural, worded
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.evidence import methods_of
from isoflop.questions.base.kinds import Number
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, InReport, Question, Subject

if TYPE_CHECKING:
    from isoflop.planning.methods import Methods as MethodsResult
    from isoflop.planning.parabolas import Parabolas


_APART: Final = 1.25  # a factor between two methods' N* from which the reason is given


@dataclass(frozen=True)
class Methods(Question):
    """Compute-optimal size by three methods: envelope of curves, IsoFLOP parabolas, parametric fit.

    isoflop methods runs.csv --budget 1e22 --picture methods.svg
    """

    name: ClassVar[str] = "methods"
    examples: ClassVar[tuple[str, ...]] = ("isoflop methods runs.csv --budget 1e16",)
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 30
    subject: ClassVar[Subject] = "fit"
    in_report: ClassVar[InReport] = "always"
    results: ClassVar[tuple[str, ...]] = (
        "isoflop.planning.methods:Methods",
        "isoflop.planning.parabolas:Parabolas",
    )

    budget: float | None = option(
        Number("FLOPS", low=0.0, open=True),
        unit="FLOPs",
        help="Compute at which N* is compared; ten times the largest run's where not given.",
    )

    def compute(self, context: Context) -> MethodsResult:
        """The three methods on the same runs."""
        return methods_of(context, context.budget if self.budget is None else self.budget)

    def answer(self, result: MethodsResult | Parabolas, context: Context) -> Answer:
        """How far the methods are apart, and each with its interval."""
        from isoflop.planning.methods import NAMES
        from isoflop.planning.parabolas import Parabolas

        if isinstance(result, Parabolas):
            return _of_parabolas(self.name, result)
        rows = []
        for each in result.methods:
            tokens = each.tokens(result.budget)
            rows.append(
                (
                    each.name,
                    None if each.n is None else of_interval("N", each.n, "count"),
                    None if tokens is None else of_interval("D", tokens, "count"),
                    None if each.exponent_a is None else of_interval("exponent", each.exponent_a),
                    each.why_not,
                )
            )
        reasons = "; ".join(f"{each.name}: {each.why_not}" for each in result.methods if each.why_not)
        answered = [each.name for each in result.methods if each.n is not None and each.name in NAMES]
        overlap = "their intervals overlap" if result.agree else "their intervals do not all overlap"
        fit = result.ensemble.fit
        quantities = [Quantity("budget", result.budget, "flops", label="training compute", unit="FLOPs")]
        if len(answered) > 1:
            quantities.append(Quantity("apart", result.apart, label="largest ratio of two N*"))
        if math.isfinite(result.bias):
            quantities.append(
                Quantity(
                    "bias", result.bias, "change", label="bias of the parabolas' D*",
                    note="on noiseless losses of the fitted surface",
                )
            )  # fmt: skip
        curves = result.curves
        return Answer(
            question=self.name,
            title=f"N* at {number(result.budget, 'flops')} FLOPs, {fit.data.source}",
            headline=(
                f"Chinchilla's methods differ by a factor of {{apart}}; {overlap}."
                if len(answered) > 1
                else f"Only the {answered[0]} has an answer here, so there is nothing to compare it with."
            ),
            quantities=tuple(quantities),
            tables=(
                Table(
                    "methods",
                    (
                        Column("method"),
                        Column("N", "N*"),
                        Column("D", "D*"),
                        Column("exponent", "exponent a"),
                        Column("why_not", detail=True),
                    ),
                    tuple(rows),
                    note="; ".join(filter(None, (reasons, _apart(result)))),
                ),
                *(() if curves is None else (_budgets(curves),)),
            ),
            findings=result.findings,
            method=f"parametric fit: {fit.law.name}, {fit.objective.name}"
            + (f"; parabolas: {_sizes_fitted(curves)}" if curves is not None else ""),
            pictures=(_picture(result), *(() if curves is None else (_curves_picture(curves),))),
        )


def _apart(result: MethodsResult) -> str:
    """Why the parametric fit and the parabolas differ, where they do by more than a quarter."""
    from isoflop.planning.methods import NAMES, why_apart

    sizes = {each.name: each for each in result.methods if each.n is not None}
    second, third = sizes.get(NAMES[1]), sizes.get(NAMES[2])
    if result.curves is None or not math.isfinite(result.at_minima) or second is None or third is None:
        return ""
    assert second.n is not None and third.n is not None and third.exponent_a is not None
    if abs(math.log(second.n.value / third.n.value)) < math.log(_APART):
        return ""
    return why_apart(result.at_minima, result.curves, third.exponent_a)


def _sizes_fitted(found: Parabolas) -> str:
    """Which sizes the parabolas went through."""
    reaches = sorted({each.reach for each in found.profiles if each.bracketed})
    if not reaches or reaches[-1] == math.inf:
        return "all sizes of a budget" if reaches == [math.inf] else "sizes near each least loss"
    ends = f"{reaches[0]:g}" if len(reaches) == 1 else f"{reaches[0]:g} to {reaches[-1]:g}"
    return f"sizes within a factor of {ends} of the least loss, the widest without a cubic term"


def _of_parabolas(name: str, found: Parabolas) -> Answer:
    kept = [each for each in found.profiles if each.bracketed]
    budgets = f"{len(kept)} of {len(found.profiles)} {plural(len(found.profiles), 'budget')}"
    brackets = "brackets" if len(kept) == 1 else "bracket"
    return Answer(
        question=name,
        title=f"IsoFLOP curves of {found.source}",
        headline=f"{budgets} {brackets} a minimum; N* grows as C to the power {{exponent}}.",
        quantities=(of_interval("exponent", found.exponent_a, label="exponent a"),),
        tables=(_budgets(found),),
        findings=found.findings,
        method=f"parabolas in log N through {_sizes_fitted(found)}; residuals redrawn within each budget",
        pictures=(_curves_picture(found),),
    )


def _budgets(found: Parabolas) -> Table:
    level = found.exponent_a.level
    return Table(
        "budgets",
        (
            Column("budget", "budget, FLOPs", "flops"),
            Column("runs", kind="integer"),
            Column("fitted", "fitted", kind="integer"),
            Column("N", "N*"),
            Column("loss", "least loss"),
            Column("bracketed"),
        ),
        tuple(
            (
                float(each.budget),
                len(each.n),
                len(each.fitted) or len(each.n),
                of_interval("N", each.minimum(level=level), "count") if each.bracketed else None,
                float(each.loss_best) if each.bracketed else None,
                bool(each.bracketed),
            )
            for each in found.profiles
        ),
        title="IsoFLOP curves: the minimum of each budget",
    )


def _picture(result: MethodsResult) -> Picture:

    told = "; ".join(
        f"{each.name} none" if each.n is None else f"{each.name} {_brief(of_interval('N', each.n, 'count'))}"
        for each in result.methods
    )
    return Picture(
        "methods",
        drawing("methods_compared", result),
        f"Compute-optimal parameters at {number(result.budget, 'flops')} FLOPs by each method: {told}.",
        (7.2, 3.0),
    )


def _curves_picture(found: Parabolas) -> Picture:

    told = "; ".join(
        f"{number(each.budget, 'flops', digits=2)} FLOPs {worded(Quantity('N', float(each.n_best), 'count'))}"
        for each in found.profiles
        if each.bracketed
    )
    return Picture(
        "isoflop-curves",
        drawing("isoflop_curves", found),
        f"Loss against parameters at {len(found.profiles)} budgets with a parabola through each; minima with their "
        f"intervals: {told}.",
        (7.2, 5.0),
        claim=_grows(found),
    )


def _grows(found: Parabolas) -> str:
    kept = sum(each.bracketed for each in found.profiles)
    exponent = of_interval("exponent", found.exponent_a)
    return (
        f"N* grows as C to the power {worded(exponent)} ({100 * found.exponent_a.level:g}% CI {interval(exponent)}) "
        f"over {kept} of {len(found.profiles)} {plural(len(found.profiles), 'budget')}"
    )


def _brief(each: Quantity) -> str:
    return worded(each) + (f" [{interval(each)}]" if each.has_interval else "")
