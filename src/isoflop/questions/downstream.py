"""The question of a task's score at a size that was not trained, through the task's loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Column, Picture, Quantity, Table, literal, of_interval
from isoflop.answers.wording import told
from isoflop.errors import DataError, IsoflopError
from isoflop.findings import Finding
from isoflop.questions.base.context import DEFAULT_LAW, Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.gains import gain_tables, gains_told
from isoflop.questions.base.kinds import Count, Flag, Number, Numbers, Text, Words
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.sharing import sharing_table
from isoflop.questions.base.specs import PriorSpec
from isoflop.room import MOST_TASKS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from isoflop.laws import Law
    from isoflop.planning.downstream import Downstream as DownstreamResult
    from isoflop.planning.downstream import Stages
    from isoflop.planning.pretraining import Gain
    from isoflop.planning.suite import Suite
    from isoflop.runs import Runs

_THEN = "task-accuracy-to-one"
_SIGMOIDS = (_THEN, "task-accuracy")  # of which chance is b, and the ceiling one or a + b


@dataclass(frozen=True)
class Scores:
    """The forecast of each task by its name; together: where tasks were fitted at once."""

    tasks: Mapping[str, DownstreamResult]
    source: str
    together: Suite | None = None
    gains: Mapping[str, Gain] | None = None


@dataclass(frozen=True)
class Downstream(Question):
    """Scores of tasks in two stages: the task's loss by size and tokens, then the score by that loss.

    The laws of several tasks' losses are fitted at once: their exponents are each task's own or shared, every way
    weighted by its error on the largest runs, and the ceiling of a score is one or estimated. With --alone each task
    has the law of its own loss.

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
        "isoflop.planning.suite:Suite",
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
    alone: bool = option(
        Flag(),
        False,
        help="Fit each task's loss alone; several are fitted at once, exponents own or shared by held-out error.",
    )
    chance: Mapping[str, float] = option(
        Numbers("NAME=SCORE"), {}, help="Score of a task by guessing, as quiz=0.25; estimated by default; repeatable."
    )
    ceiling: Mapping[str, float] = option(
        Numbers("NAME=SCORE"), {}, help="Highest score of a task, as quiz=0.95; that of --then by default; repeatable."
    )

    without: Mapping[str, float] = option(
        Numbers("NAME=SCORE"), {}, help="Score of a task without pretraining, over which the gain is told; repeatable."
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
        if self.alone and len(self.tasks) < 2:
            raise IsoflopError("--alone is for several tasks, and there is one; repeat --task, or leave it out")
        for word, values in (("--chance", self.chance), ("--ceiling", self.ceiling)):
            for name, value in values.items():
                if name not in self.tasks:
                    raise IsoflopError(f"{word} {name[:40]} is no task; there are {', '.join(self.tasks)}")
                if not 0 < value <= 1:
                    raise IsoflopError(f"{word} {name[:40]} is a share above 0 and up to 1, not {value:g}")
                if self.then not in _SIGMOIDS:
                    raise IsoflopError(f"{word} is for the laws {' and '.join(_SIGMOIDS)}, not {self.then[:60]}")
        for name in set(self.without) - set(self.tasks):
            raise IsoflopError(f"--without {name[:40]} is no task; there are {', '.join(self.tasks)}")
        for name in set(self.chance) & set(self.ceiling):
            low, high = self.chance[name], self.ceiling[name]
            if not low < high:
                raise IsoflopError(f"--ceiling {name[:40]} must lie above its --chance, {low:g}, not at {high:g}")

    @property
    def at_once(self) -> bool:
        """Whether the losses of several tasks are fitted together."""
        return len(self.tasks) > 1 and not self.alone

    def predicted(self) -> tuple[str, ...]:
        """Each task's own loss and score."""
        from isoflop.planning.downstream import headers_in

        return tuple(
            header for name, text in self.tasks.items() for each in _headers(name, text) for header in headers_in(each)
        )

    def laws_of(self, name: str) -> tuple[Law, ...]:
        """The laws from a task's loss to its score; together, with its ceiling at one and estimated."""
        from isoflop.laws import fix, law, tie

        chance, ceiling = self.chance.get(name), self.ceiling.get(name)
        if self.then not in _SIGMOIDS:
            return (law(self.then),)
        if ceiling is not None and chance is not None:
            return (fix(law("task-accuracy"), {"a": ceiling - chance, "b": chance}),)
        if ceiling is not None:
            return (tie(law("task-accuracy"), {"a": f"{ceiling!r} - b"}),)
        named = _SIGMOIDS if self.at_once else (self.then,)
        return tuple(law(each) if chance is None else fix(law(each), {"b": chance}) for each in named)

    def compute(self, context: Context) -> Scores:
        """Both stages of every task, from the same resampled runs."""
        from isoflop.laws import law
        from isoflop.planning.downstream import check_chain, stages
        from isoflop.planning.suite import exponents_of

        self.check()
        if self.at_once and context.fit_spec.resample_by is not None:
            raise IsoflopError("--resample-by is for tasks fitted alone, and several are fitted at once; add --alone")
        named = {name: _headers(name, text) for name, text in self.tasks.items()}
        runs = self._runs(context, named)
        first_law, then_law = context.law_spec.build(runs.headers, default=DEFAULT_LAW), law(self.then)
        check_chain(first_law, then_law)
        tables = {
            name: stages(
                runs, first_law, loss=loss, score=score, response=then_law.response, average=self.average,
                skip=self.skip,
            )
            for name, (loss, score) in named.items()
        }  # fmt: skip
        if self.then in _SIGMOIDS:
            for name, (_, score) in named.items():
                _check_scores(name, score, tables[name].points[then_law.response])
        if self.at_once and exponents_of(first_law):
            return self._with_gains(self._at_once(context, first_law, tables, runs.source))
        return self._with_gains(Scores(self._one_by_one(context, first_law, tables), runs.source))

    def _with_gains(self, found: Scores) -> Scores:
        from isoflop.planning.pretraining import over_baseline

        gains = {name: over_baseline(found.tasks[name], value) for name, value in self.without.items()}
        return replace(found, gains=gains)

    def _one_by_one(
        self, context: Context, first_law: Law, tables: Mapping[str, Stages]
    ) -> dict[str, DownstreamResult]:
        from isoflop.fitting.fit import fit
        from isoflop.fitting.objective import Squares
        from isoflop.fitting.sampling_errors import weighed
        from isoflop.planning.downstream import downstream as chained
        from isoflop.uncertainty import bootstrap
        from isoflop.uncertainty.prior import shipped_prior

        prior, spec, found = context.prior or shipped_prior(), context.fit_spec, {}
        with context.progress(2 * spec.draws * len(tables), "bootstrap") as advance:
            for name, table in tables.items():
                (then_law,) = self.laws_of(name)
                fitted = fit(first_law, table.finals, objective=context.objective, starts=spec.starts, seed=spec.seed)
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
                second_fit = fit(then_law, table.points, objective=raw, starts=spec.starts, seed=spec.seed)
                if table.errors is not None:
                    weighted = weighed(second_fit, table.errors)
                    second_fit = fit(then_law, weighted, objective=raw, starts=spec.starts, seed=spec.seed)
                second = draw(second_fit)
                found[name] = chained(
                    replace(first, prior=prior), replace(second, prior=prior), self.at, level=context.level
                )
        return found

    def _at_once(self, context: Context, first_law: Law, tables: Mapping[str, Stages], source: str) -> Scores:
        from isoflop.planning.suite import suite

        spec = context.fit_spec
        laws = {name: self.laws_of(name) for name in tables}
        total = 3 * spec.draws + spec.draws * sum(len(each) for each in laws.values())
        with context.progress(total, "bootstrap") as advance:
            found = suite(
                tables, first_law, laws, self.at, objective=context.objective, draws=spec.draws, starts=spec.starts,
                level=context.level, seed=spec.seed, jobs=spec.jobs, progress=advance,
            )  # fmt: skip
        return Scores(found.tasks, source, found)

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

    def answer(self, result: Scores | Suite | DownstreamResult, context: Context) -> Answer:
        """Each task's loss and score."""
        found = _as_scores(result)
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
                *(() if found.together is None else (sharing_table(found.together),)),
                *gain_tables(found.gains or {}),
            ),
            findings=(
                *(() if found.together is None else found.together.findings),
                *gains_told(found.gains or {}, found.tasks),
                *_once(found.tasks),
            ),
            method=_method(found, first),
            provenance={
                "source": found.source,
                "law": first.first.fit.law.name,
                "then": first.second.fit.law.name,
                "draws": len(first.first),
            },
            pictures=(_picture(found.tasks),),
        )


def _as_scores(result: Scores | Suite | DownstreamResult) -> Scores:
    from isoflop.planning.suite import Suite

    if isinstance(result, Scores):
        return result
    if isinstance(result, Suite):
        return Scores(result.tasks, next(iter(result.tasks.values())).second.estimate.data.source, result)
    return Scores({result.response: result}, result.second.estimate.data.source)


def _method(found: Scores, first: DownstreamResult) -> str:
    law, then = first.first.estimate.law.name, first.second.estimate.law.name
    if found.together is None:
        return f"{law}, then {then}, on {found.source}; draws of both stages in pairs, with the scatter of each"
    return (
        f"{law} fitted to the losses of all tasks at once, averaged over what they share; then {then}, with the "
        f"ceiling at one and estimated where it was not given, on {found.source}"
    )


def _check_scores(name: str, header: str, values: NDArray[np.float64]) -> None:
    """Refuse scores in percent, and scores that show no curve."""
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        whole = header if len(header) <= 120 else "HEADER"
        raise DataError(
            f"scores of {literal(name)} ({literal(header)}) run from {low:g} to {high:g}, and a law of accuracy takes "
            f"shares from 0 to 1; scale them in --task, as 0.01*{whole}, or choose another law (--then)"
        )
    if low == high:
        raise DataError(
            f"all scores of {literal(name)} ({literal(header)}) are {low:g}, so nothing shows how they depend on the "
            "loss; leave the task out"
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
    shown = list(tasks.items())[:MOST_TASKS]
    words = "; ".join(
        f"{name} {told(of_interval('score', each.score))} at a loss of {told(of_interval('loss', each.loss.loss))}"
        for name, each in shown
    )
    left = len(tasks) - len(shown)
    return Picture(
        "scores",
        drawing("score_against_loss", tasks),
        f"Score against the task's loss, the law with its bands, and the forecast: {words}"
        f"{f'; {left} further tasks are not drawn' if left else ''}.",
    )
