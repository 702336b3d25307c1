"""The question of several groups of runs: which is better where, by how much, and whether they cross."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from isoflop.answers import Answer
from isoflop.errors import DataError, IsoflopError, excerpt
from isoflop.findings import Finding
from isoflop.questions.base.comparison_answer import Evidence, answer_of_groups
from isoflop.questions.base.context import Context, distinct, is_saved_fit, open_saved
from isoflop.questions.base.kinds import Choice, Number, Points, Text, Texts, Words
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, InReport, Question, Subject
from isoflop.questions.base.responses_answer import answer_of_responses
from isoflop.questions.base.specs import FitSpec, LevelSpec, PriorSpec, RunsSpec
from isoflop.questions.base.two_fits import Compared, answer_of_two, compare

if TYPE_CHECKING:
    from isoflop.fitting import Objective
    from isoflop.laws import Law
    from isoflop.planning.comparison import Comparison
    from isoflop.planning.comparison import Group as RunsGroup
    from isoflop.planning.comparison.groups import Better
    from isoflop.planning.comparison.responses import Responses
    from isoflop.runs import Runs

_BY = "family"
_TABLE = "table"


@dataclass(frozen=True)
class ComparedGroups:
    """A comparison with what stands beside it: the hold-out of each group, and where its runs came from.

    tables: the runs, all groups together for one table, one for each file else. notes: findings of grouping.
    """

    comparison: Comparison
    evidence: Evidence | None
    tables: tuple[Runs, ...]
    notes: tuple[Finding, ...]


@dataclass(frozen=True)
class ComparedResponses:
    """The same for several responses."""

    responses: Responses
    tables: tuple[Runs, ...]
    notes: tuple[Finding, ...]


@dataclass(frozen=True)
class Compare(Question):
    """Groups of runs compared: which is better at which scale, by how much, and whether and where they cross.

    The groups are the values of a column (--by), all or some (--only), selections that get names (--group), or several
    tables. One law is fitted to each; gaps, probabilities,
    crossings and multipliers are those of joint draws, in which configurations that groups share are resampled
    together. Two saved fits are put side by side: parameters, and the plan of each at --budget.

    isoflop compare runs.csv --by recipe
    isoflop compare runs.csv --by family --only dense,sparse --x C --at C=1e22,1e23 --law "E + A/C^alpha"
    isoflop compare runs.csv --group "small=N < 1e9" --group "large=N >= 1e9" --x D
    isoflop compare ours.csv theirs.csv
    isoflop compare first.json second.json --budget 1e22
    """

    name: ClassVar[str] = "compare"
    examples: ClassVar[tuple[str, ...]] = (
        "isoflop fit runs.csv --law chinchilla --save whole.json",
        'isoflop fit runs.csv --law chinchilla --where "N < 300000" --save small.json',
        "isoflop compare small.json whole.json --budget 1e16",
        "isoflop compare families.csv --by family --draws 200",
    )
    group: ClassVar[Group] = "Test"
    order: ClassVar[int] = 60
    subject: ClassVar[Subject] = "law"
    in_report: ClassVar[InReport] = "on request"
    unused: ClassVar[tuple[str, ...]] = ("jobs",)
    results: ClassVar[tuple[str, ...]] = (
        "isoflop.questions.base.two_fits:Compared",
        "isoflop.questions.compare:ComparedGroups",
        "isoflop.questions.compare:ComparedResponses",
        "isoflop.planning.comparison.compare:Comparison",
        "isoflop.planning.comparison.responses:Responses",
    )

    others: tuple[str, ...] = option(
        Texts("OTHER"), (), positional=True, command_line_only=True, help="Further table, or a second saved fit."
    )
    by: str | None = option(Text("COLUMN"), help="Column whose values are the groups; family by default.")
    only: tuple[str, ...] = option(
        Texts("GROUP"), (), help="Group that is compared, as a value of --by; repeatable; all by default."
    )
    named: Mapping[str, str] = option(
        Words("NAME=EXPR"), {}, flag="group", help="Group of selected rows, instead of --by; repeatable."
    )
    law: str | None = option(
        Text("LAW"), help="Law of every group; a power law with a floor in what the runs vary by default."
    )
    x: str | None = option(
        Text("INPUT"), help="Input along which groups are compared; C for a law of N and D. The law's own by default."
    )
    at: tuple[str, ...] = option(
        Points("C=1e22"), (), help="Scale of the comparison, or value of an input that is held; repeatable."
    )
    reference: str | None = option(
        Text("GROUP"), help="Group with which the others are compared; the first by default."
    )
    response: tuple[str, ...] = option(
        Texts("COLUMN"),
        (),
        help="Column that the law predicts, the loss by default; several are corrected for their number.",
    )
    better: str = option(
        Choice("auto|lower|higher", ("auto", "lower", "higher")),
        "auto",
        help="Which response is better; auto by its name.",
    )
    bins: float | None = option(
        Number("FACTOR", low=1.0, open=True), help="Keep the best run of each group in each bin of x, this factor wide."
    )
    draw: str = option(
        Choice("auto|paired|independent", ("auto", "paired", "independent")),
        "auto",
        help="Whether configurations that groups share are resampled together; auto where their residuals correlate.",
    )
    objective: str = option(
        Text("OBJECTIVE"), "lsq", help="Objective, as of isoflop fit; least squares cancel noise that groups share."
    )
    budget: float | None = option(
        Number("FLOPS", low=0.0, open=True), unit="FLOPs", help="Compute at which two saved fits are planned."
    )

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """The law is its own option."""
        return (RunsSpec, FitSpec, LevelSpec, PriorSpec)

    @classmethod
    def for_report(cls, *, budget: float | None, at: Mapping[str, float]) -> Question | None:
        """By family."""
        return cls()

    def check(self) -> None:
        """Groups are the values of a column or selections, not both."""
        if self.named and (self.by is not None or self.only):
            other = "--by" if self.by is not None else "--only"
            raise IsoflopError(f"--group names groups by selections and {other} by a column; leave one of them out")

    def compute(self, context: Context) -> Compared | ComparedGroups | ComparedResponses:
        """Both saved fits, or every group with its joint draws."""
        source = context.runs_spec.source
        if source is not None and context.given_runs is None and is_saved_fit(source):
            return self._two_fits(source, context)
        if self.budget is not None:
            raise IsoflopError("--budget plans two saved fits; give --at for the scale at which groups are compared")
        named = self._responses
        if len(named) < 2:
            return self._one(context, evidence=not context.from_result)
        from isoflop.planning.comparison.responses import responses

        several = [replace(self, response=(each,))._one(context, evidence=False) for each in named]
        return ComparedResponses(
            responses([each.comparison for each in several]),
            several[0].tables,
            distinct([note for each in several for note in each.notes]),
        )

    def _one(self, context: Context, *, evidence: bool) -> ComparedGroups:
        """The groups compared by one response."""
        from isoflop.planning.comparison import compare_groups

        tables, groups, notes = self._groups(context)
        spec, chosen = context.fit_spec, self._law(tables[0])
        with context.progress(spec.draws * len(groups), "joint bootstrap") as advance:
            found = compare_groups(
                groups,
                law=chosen,
                x=self.x,
                at=self._at(tables[0]),
                reference=self.reference,
                response=self._response(tables[0]),
                better=None if self.better == "auto" else self.better,  # type: ignore[arg-type]
                objective=self._objective(),
                paired=None if self.draw == "auto" else self.draw == "paired",
                draws=spec.draws,
                level=context.level,
                starts=spec.starts,
                seed=spec.seed,
                prior=context.prior,
                progress=advance,
            )
        return ComparedGroups(found, Evidence.of(found) if evidence else None, tables, notes)

    @property
    def _responses(self) -> tuple[str, ...]:
        """The columns of ``response``, which may also stand in one text between commas."""
        return tuple(dict.fromkeys(name.strip() for each in self.response for name in each.split(",") if name.strip()))

    @property
    def _given(self) -> str | None:
        """The option that groups the rows of one table, where one is given."""
        given = (("--by", self.by), ("--only", self.only), ("--group", self.named))
        return next((word for word, value in given if value), None)

    def _two_fits(self, source: str, context: Context) -> Compared:
        if len(self.others) != 1:
            raise IsoflopError(f"a saved fit is compared with one other, and {len(self.others)} are given; name two")
        if self._given is not None:
            raise IsoflopError(f"{self._given} groups the rows of a table, and {source!r} is a saved fit; leave it out")
        return compare(open_saved(source), open_saved(self.others[0]), budget=self.budget, level=context.level)

    def _objective(self) -> Objective:
        from isoflop.fitting import objective

        return objective(self.objective)

    def _law(self, runs: Runs) -> Law | None:
        if self.law is None:
            return None
        from isoflop.laws import law

        inputs = () if self.x is None or self.x == "C" or self.x not in runs.names else (self.x,)
        chosen = law(self.law, columns=runs.names, inputs=inputs)
        return replace(chosen, response=self._responses[0]) if self._responses else chosen

    def _at(self, runs: Runs) -> dict[str, tuple[float, ...]]:
        from isoflop.planning.points import values_of

        return {name: tuple(each) for name, each in values_of(self.at, (*runs.names, "C")).items()}

    def _groups(self, context: Context) -> tuple[tuple[Runs, ...], tuple[RunsGroup, ...], tuple[Finding, ...]]:
        from isoflop.planning.comparison import groups_by, groups_of
        from isoflop.runs.grouping import only_groups

        if not self.others:
            by = self._column(context)
            table = only_groups(self._reduced(self._table(context, by), by), (by,), self.only)
            found, notes = groups_by(table, by)
            return (table,), found, notes
        if self._given is not None:
            raise IsoflopError(f"{self._given} groups the rows of one table, and {1 + len(self.others)} are given")
        names = [context.runs_spec.source or "", *self.others]
        for each in self.others:
            if is_saved_fit(each):
                raise IsoflopError(f"{each!r} is a saved fit and {names[0]!r} a table; give two of one kind")
        tables = {
            label: replace(context.runs_spec, source=name).read()
            for label, name in zip(_labels(names), names, strict=True)
        }
        reduced = {
            label: self._reduced(runs.with_column(_TABLE, [label] * len(runs)), _TABLE)
            for label, runs in tables.items()
        }
        return tuple(reduced.values()), groups_of(reduced), ()

    def _column(self, context: Context) -> str:
        if self.named:
            from isoflop.runs.grouping import NAMED

            return NAMED
        if self.by is not None:
            return self.by
        runs = context.runs
        if _BY in runs:
            return _BY
        text = [name for name in runs.headers if not runs.frame[name].dtype.is_numeric()]
        has = f"; its columns of words are {', '.join(text[:8])}" if text else ""
        raise DataError(f"{runs.source} has no column {_BY}; name the column of the groups with --by{has}")

    def _table(self, context: Context, by: str) -> Runs:
        """The runs; the best rows of each setting, and the frontier, are those of each group."""
        spec = context.runs_spec
        if context.given_runs is not None or not (spec.best or spec.frontier):
            return _named(context.runs, self.named)
        table = context.once(
            ("compare", by, *self.named.items()), lambda: best_of_groups(spec, by=by, named=self.named)
        )
        if spec.frontier is None:
            return table
        from isoflop.planning.comparison.groups import frontier

        own = () if spec.best else tuple(name for name in spec.settings if name != by)
        return context.once(
            ("compare frontier", by, *self.named.items(), self.response, self.better),
            lambda: frontier(
                table, spec.frontier or "C", by=by, response=self._response(table), better=self._way(table), per=own
            ),
        )

    def _reduced(self, runs: Runs, by: str) -> Runs:
        if self.bins is None:
            return runs
        from isoflop.planning.comparison.groups import best_of_bins, with_compute

        return best_of_bins(
            with_compute(runs), self.x or "C", ratio=self.bins, by=by, response=self._response(runs),
            better=self._way(runs),
        )  # fmt: skip

    def _response(self, runs: Runs) -> str:
        law = self._law(runs)
        return next(iter(self._responses), "loss" if law is None else law.response)

    def _way(self, runs: Runs) -> Better:
        from isoflop.planning.comparison.groups import better_of

        return better_of(self._response(runs), runs) if self.better == "auto" else self.better  # type: ignore[return-value]

    def rests_on_runs(self, result: object, context: Context) -> bool:
        """What groups rest on is told by the answer itself, since each has a frontier of its own."""
        return False

    def findings(self, result: Any, context: Context) -> tuple[Finding, ...]:  # noqa: ANN401
        """Those of the runs, and of grouping."""
        if not isinstance(result, ComparedGroups | ComparedResponses) or context.from_result:
            return ()
        from isoflop.runs.checks import evidence_findings

        own = [each for table in result.tables for each in (*table.findings, *evidence_findings(table))]
        return distinct((*own, *result.notes))

    def answer(
        self, result: Compared | ComparedGroups | ComparedResponses | Comparison | Responses, context: Context
    ) -> Answer:
        """Who is better where; gaps at scales, crossings, multipliers, parameters."""
        if isinstance(result, Compared):
            return answer_of_two(result, question=self.name)
        if isinstance(result, ComparedResponses):
            return answer_of_responses(result.responses, question=self.name)
        if isinstance(result, ComparedGroups):
            return answer_of_groups(result.comparison, question=self.name, evidence=result.evidence)
        from isoflop.planning.comparison.responses import Responses

        if isinstance(result, Responses):
            return answer_of_responses(result, question=self.name)
        return answer_of_groups(result, question=self.name, evidence=None)


def best_of_groups(spec: RunsSpec, *, by: str, named: Mapping[str, str]) -> Runs:
    """The table with the best rows of each setting in each group; not yet its frontier."""
    from isoflop.runs.reduce import reduced

    table = replace(spec, best=None, per=(), within=0.0, frontier=None).read()
    table = _named(table, named)
    if spec.best is None:
        return table
    per = spec.settings if by in spec.settings else (*spec.settings, by)
    return reduced(table, best=spec.best, per=per, within=spec.within)


def _named(runs: Runs, named: Mapping[str, str]) -> Runs:
    from isoflop.runs.grouping import with_named_groups

    return with_named_groups(runs, named) if named else runs


def _labels(names: list[str]) -> list[str]:
    """Names of files without folders and endings, where they tell the files apart."""
    short = [Path(name).stem or name for name in names]
    if len(set(short)) == len(short):
        return short
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise IsoflopError(f"{excerpt(twice)} is given twice; give two different tables")
    return names
