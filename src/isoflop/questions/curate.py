"""The question of filtering by budget: which pools of data to train on, and when to admit worse ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from isoflop.answers import Answer, Cell, Column, Picture, Quantity, Table, literal, of_interval
from isoflop.answers.wording import number
from isoflop.findings import Finding
from isoflop.questions.base.context import OF_TOKENS, Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.kinds import Count, Number, Text, Texts
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import LevelSpec, RunsSpec

if TYPE_CHECKING:
    from isoflop.planning.selection.pools import Admission, Curation


@dataclass(frozen=True)
class Curate(Question):
    """Data filtering by budget: the best union of pools at each number of samples seen, and when to admit worse data.

    RUNS has a row for each pool and budget: samples seen (D), samples in the pool (U), the error, and the pool's name.
    The law goyal is fitted to all pools at once: utilities and half-lives are each pool's, a and d shared (--share).
    Unions are predicted; rows whose pool is several names joined by + are their check.

    isoflop curate pools.csv --by pool --at 10K --at 1M
    isoflop curate pools.csv --by pool --share a --share d --share tau
    """

    name: ClassVar[str] = "curate"
    examples: ClassVar[tuple[str, ...]] = ("isoflop curate pools.csv --by pool --at 500 --at 5K --draws 50",)
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 28
    subject: ClassVar[Subject] = "runs"
    results: ClassVar[tuple[str, ...]] = ("isoflop.planning.selection.pools:Curation",)

    by: str = option(Text("COLUMN"), "pool", help="Column that names the pool.")
    at: tuple[str, ...] = option(
        Texts("SAMPLES"), (), help="Samples seen, as 1M; repeatable; those that all pools were measured at by default."
    )
    response: str = option(Text("COLUMN"), "error", help="Column of the error.")
    quality: tuple[str, ...] = option(
        Texts("POOL"), (), help="Pools from best to worst, each once; by fitted utility by default; repeatable."
    )
    share: tuple[str, ...] = option(
        Texts("PARAM"), ("a", "d"), help="Parameter that all pools share: a, b, tau, d; repeatable."
    )
    objective: str = option(Text("OBJECTIVE"), "lsq", help="Objective, as of isoflop fit.")
    draws: int = option(Count(low=20, high=100_000), 200, help="Draws for intervals.")
    seed: int = option(Count(high=2**32 - 1), 0, help="Seed of the draws.")

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """How the table is read, and the level."""
        return (RunsSpec, LevelSpec)

    def compute(self, context: Context) -> Curation:
        """The pools fitted together, and every union at every budget."""
        from isoflop.fitting import objective
        from isoflop.planning.selection.pools import curate

        with context.progress(self.draws, "bootstrap") as advance:
            return curate(
                context.runs,
                by=self.by,
                budgets=[Number(low=0.0, open=True).convert(each, "--at") for each in self.at],
                response=self.response,
                order=self.quality,
                share=self.share,
                objective=objective(self.objective),
                draws=self.draws,
                level=context.level,
                seed=self.seed,
                progress=advance,
            )

    def findings(self, result: Any, context: Context) -> tuple[Finding, ...]:  # noqa: ANN401
        """Those of the runs but for what is known of language models' tokens: D counts samples of any kind here."""
        known = (*OF_TOKENS, "implausible-column") if context.has_runs and "U" in context.runs else OF_TOKENS
        return tuple(each for each in super().findings(result, context) if each.code not in known)

    def answer(self, result: Curation, context: Context) -> Answer:
        """The best union at the largest budget, and from where each pool is admitted."""
        last = result.choices[-1]
        quantities = [
            of_interval("error", last.errors[last.best], label=f"{result.response} there"),
            Quantity("probability", last.probability[last.best], "share", label="probability of being the best"),
        ]
        for k, each in enumerate(result.admissions):
            if math.isfinite(each.at.value):
                label = f"admit {each.name} from"
                quantities.append(_place(f"admission_{k + 1}", each, label))
        return Answer(
            question=self.name,
            title=f"{len(result.pools)} pools of {context.runs.source}" if context.has_runs else "pools of data",
            headline=f"At {number(last.budget, 'count')} samples seen train on {literal(result.unions[last.best])}: "
            f"{literal(result.response)} {{error}}, the best of {len(result.unions)} unions in "
            "{probability} of draws.",
            quantities=tuple(quantities),
            tables=(_budgets(result), _pools(result), _checks(result)),
            findings=result.findings,
            method="goyal fitted to all pools at once, shared: "
            + (", ".join(self.share) or "nothing")
            + "; unions: utilities averaged by size, half-lives longer by the inverse of a pool's share",
            pictures=(
                Picture(
                    "pools",
                    drawing("pool_errors", result),
                    f"Predicted {result.response} of each union of pools against samples seen, with the measured.",
                ),
            ),
            provenance={"draws": self.draws, "seed": self.seed, "share": list(self.share)},
        )


def _place(name: str, each: Admission, label: str = "") -> Quantity:
    """A budget; without the end that lies beyond what is followed."""
    known = math.isfinite(each.at.high)
    return Quantity(
        name, each.at.value, "count", low=each.at.low if known else None, high=each.at.high if known else None,
        level=each.at.level if known else None, label=label,
    )  # fmt: skip


def _budgets(result: Curation) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            each.budget, union, of_interval("error", each.errors[place]), each.probability[place],
            "best" if place == each.best else "",
        )
        for each in result.choices
        for place, union in enumerate(result.unions)
    ]  # fmt: skip
    return Table(
        "budgets",
        (
            Column("budget", "samples seen", "count"),
            Column("union", "pools"),
            Column("error", literal(result.response)),
            Column("probability", "P(best)", "share"),
            Column("choice"),
        ),
        tuple(rows),
        title="Unions of pools at each budget",
    )


def _pools(result: Curation) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for k, each in enumerate(result.pools):
        admitted = result.admissions[k - 1] if k else None
        finite = admitted is not None and math.isfinite(admitted.at.value)
        rows.append(
            (
                each.name, each.size, of_interval("utility", each.utility), of_interval("half_life", each.half_life),
                _place("admit", admitted) if admitted is not None and finite else None,
                admitted.probability if admitted is not None else None,
            )
        )  # fmt: skip
    return Table(
        "pools",
        (
            Column("pool"),
            Column("size", "samples", "count"),
            Column("utility"),
            Column("half_life", "half-life (epochs)"),
            Column("admit", "admit from"),
            Column("probability", "share of draws", "share"),
        ),
        tuple(rows),
        title="Pools from best to worst",
        note="Admitted into the union of those before it; share of draws in which that happens within ten times the "
        "largest budget.",
    )


def _checks(result: Curation) -> Table:
    rows: list[tuple[Cell, ...]] = [(each.union, each.rows, each.error, each.largest) for each in result.checks]
    return Table(
        "checks",
        (
            Column("union"),
            Column("rows", kind="integer"),
            Column("error", "mean relative error", "share"),
            Column("largest", "largest", "share"),
        ),
        tuple(rows),
        title="Measured unions, not fitted",
        detail=not rows,
    )
