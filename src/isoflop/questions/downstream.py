"""The question of a task's score at a size that was not trained, through the task's loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Column, Picture, Quantity, Table, literal, of_interval
from isoflop.answers.wording import told
from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.questions.base.context import DEFAULT_LAW, Context
from isoflop.questions.base.kinds import Count, Number, Numbers, Text, Words
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import PriorSpec

if TYPE_CHECKING:
    from isoflop.planning.downstream import Downstream as DownstreamResult
    from isoflop.runs import Runs

_THEN = "task-accuracy-to-one"


@dataclass(frozen=True)
class Scores:
    """The forecast of each task by its name."""

    tasks: Mapping[str, DownstreamResult]
    source: str


@dataclass(frozen=True)
class Downstream(Question):
    """Scores of tasks in two stages: the task's loss by size and tokens, then the score by that loss.

    isoflop downstream runs.csv --task "hellaswag=hs_loss,hs_acc" --at N=70B --at D=1.4T
    """

    name: ClassVar[str] = "downstream"
    examples: ClassVar[tuple[str, ...]] = (
        "isoflop downstream scores.csv --task quiz=quiz_loss,quiz_score --at N=20B --at D=1T",
    )
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 60
    subject: ClassVar[Subject] = "law"
    results: ClassVar[tuple[str, ...]] = (
        "isoflop.questions.downstream:Scores",
        "isoflop.planning.downstream:Downstream",
    )

    tasks: Mapping[str, str] = option(
        Words("NAME=LOSS,SCORE"), {}, flag="task", required=True,
        help="Task by the headers of its loss and its score, or sums such as 0.3*a+0.7*b; repeatable.",
    )  # fmt: skip
    at: Mapping[str, float] = option(Numbers("N=70B"), {}, required=True, help="Input of the law; repeatable.")
    then: str = option(Text("LAW"), _THEN, help="Law from loss to score.")
    average: int = option(Count(low=1, high=10_000), 1, help="Checkpoints averaged into one.")
    skip: float = option(
        Number(low=0.0, high=1.0), 0.0, help="Share of a run's first checkpoints left out of the score."
    )

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """Both stages are forecast with their model error."""
        return (*super().groups(), PriorSpec)

    def check(self) -> None:
        """Every task names a loss and a score."""
        if not self.tasks:
            raise IsoflopError('scores need --task, as --task "quiz=quiz_loss,quiz_score"')
        if not self.at:
            raise IsoflopError("scores need --at, the inputs of the law, as --at N=70B --at D=1.4T")
        for name, text in self.tasks.items():
            _headers(name, text)

    def compute(self, context: Context) -> Scores:
        """Both stages of every task, from the same resampled runs."""
        from isoflop.fitting.fit import fit
        from isoflop.fitting.objective import Squares
        from isoflop.fitting.sampling_errors import weighed
        from isoflop.laws import law
        from isoflop.planning.downstream import check_chain, stages
        from isoflop.planning.downstream import downstream as chained
        from isoflop.uncertainty import bootstrap
        from isoflop.uncertainty.prior import shipped_prior

        self.check()
        prior = context.prior or shipped_prior()
        named = {name: _headers(name, text) for name, text in self.tasks.items()}
        runs, spec = self._runs(context, named), context.fit_spec
        first_law, then_law = context.law_spec.build(runs.headers, default=DEFAULT_LAW), law(self.then)
        check_chain(first_law, then_law)
        found = {}
        with context.progress(2 * spec.draws * len(named), "bootstrap") as advance:
            for name, (loss, score) in named.items():
                tables = stages(
                    runs, first_law, loss=loss, score=score, response=then_law.response, average=self.average,
                    skip=self.skip,
                )  # fmt: skip
                fitted = fit(first_law, tables.finals, objective=context.objective, starts=spec.starts, seed=spec.seed)
                draw = partial(
                    bootstrap,
                    draws=spec.draws,
                    seed=spec.seed,
                    jobs=spec.jobs,
                    resample_by=spec.resample_by,
                    progress=advance,
                )
                first = draw(fitted)
                raw = Squares(space="raw")
                second_fit = fit(then_law, tables.points, objective=raw, starts=spec.starts, seed=spec.seed)
                if tables.errors is not None:
                    table = weighed(second_fit, tables.errors)
                    second_fit = fit(then_law, table, objective=raw, starts=spec.starts, seed=spec.seed)
                second = draw(second_fit)
                found[name] = chained(
                    replace(first, prior=prior), replace(second, prior=prior), self.at, level=context.level
                )
        return Scores(found, runs.source)

    @staticmethod
    def _runs(context: Context, named: Mapping[str, tuple[str, str]]) -> Runs:
        """The table; of a store the checkpoints at which losses and scores were logged, where its curves have them."""
        from isoflop.planning.downstream import headers_in
        from isoflop.runs.store import open_store, scan_curves
        from isoflop.runs.store_tables import checkpoint_table

        folder = context.runs_spec.store if context.given_runs is None and not context.saved else None
        if folder is None:
            return context.runs
        store = open_store(folder)
        there = set(scan_curves(store).collect_schema().names()) if store.parts else set()
        columns = [header for texts in named.values() for text in texts for header in headers_in(text)]
        if not set(columns) & there:
            return context.runs
        return checkpoint_table(folder, columns=columns, where=context.runs_spec.where)

    def answer(self, result: Scores | DownstreamResult, context: Context) -> Answer:
        """Each task's loss and score."""
        found = (
            result
            if isinstance(result, Scores)
            else Scores({result.response: result}, result.second.estimate.data.source)
        )
        name, first = next(iter(found.tasks.items()))
        where = ", ".join(
            f"{label} = {told(Quantity(label, value, 'count'))}" for label, value in first.loss.at.items()
        )
        one = len(found.tasks) == 1
        return Answer(
            question=self.name,
            title=f"{first.response} at {where}",
            headline=(f"Expected {literal(name)} {first.response}: {{score}}" if one else f"{len(found.tasks)} tasks")
            + ", through the task's loss, {extrapolation} beyond the runs.",
            quantities=(
                *((of_interval("score", first.score, label=first.response, promise="PI"),) if one else ()),
                Quantity("extrapolation", first.loss.reach_decades, label="extrapolation distance", unit="decades"),
                *(Quantity(label, value, "count") for label, value in first.loss.at.items()),
            ),
            tables=(
                Table(
                    "tasks",
                    (
                        Column("task"),
                        Column("loss"),
                        Column("score", first.response),
                        Column("mean", "mean", detail=True),
                        Column("law_score", "score if the laws hold"),
                        Column("extrapolation", "decades beyond the runs"),
                        Column("below", "loss below all measured"),
                    ),
                    tuple(
                        (
                            label,
                            of_interval("loss", each.loss.loss, unit=each.loss.unit, promise="PI"),
                            of_interval("score", each.score, promise="PI"),
                            of_interval("mean", each.expected),
                            of_interval("law_score", each.law_score, promise="PI"),
                            each.loss.reach_decades,
                            each.beyond,
                        )
                        for label, each in found.tasks.items()
                    ),
                ),
            ),
            findings=_once(found.tasks),
            method=(
                f"{first.first.estimate.law.name}, then {first.second.estimate.law.name}, on {found.source}; "
                "draws of both stages in pairs, with the scatter of each"
            ),
            provenance={
                "source": found.source,
                "law": first.first.fit.law.name,
                "then": first.second.fit.law.name,
                "draws": len(first.first),
            },
            pictures=(_picture(found.tasks),),
        )


def _headers(name: str, text: str) -> tuple[str, str]:
    loss, comma, score = text.partition(",")
    if not (loss.strip() and comma and score.strip()):
        raise IsoflopError(
            f"--task {name[:40]} takes LOSS,SCORE, the headers of its loss and its score, not {text[:80]!r}"
        )
    return loss.strip(), score.strip()


def _once(tasks: Mapping[str, DownstreamResult]) -> tuple[Finding, ...]:
    """Each finding once, told of the first task that has one of its code, with the names of the others."""
    by_code: dict[tuple[str, int], dict[str, Finding]] = {}
    for name, each in tasks.items():
        seen: Counter[str] = Counter()
        for finding in each.findings:
            by_code.setdefault((finding.code, seen[finding.code]), {})[name] = finding
            seen[finding.code] += 1
    found = []
    for same in by_code.values():
        name, finding = next(iter(same.items()))
        others = ", ".join(list(same)[1:])
        if len(tasks) > 1:
            words = f"{name}{f' (likewise {others})' if others else ''}: {finding.message}"
            finding = replace(finding, message=words)
        found.append(finding)
    return tuple(found)


def _picture(tasks: Mapping[str, DownstreamResult]) -> Picture:
    from isoflop import plots

    shown = list(tasks.items())[: plots.MOST_TASKS]
    words = "; ".join(
        f"{name} {told(of_interval('score', each.score))} at a loss of {told(of_interval('loss', each.loss.loss))}"
        for name, each in shown
    )
    left = len(tasks) - len(shown)
    return Picture(
        "scores",
        partial(plots.score_against_loss, tasks),
        f"Score against the task's loss, the law with its bands, and the forecast: {words}"
        f"{f'; {left} further tasks are not drawn' if left else ''}.",
    )
