"""The question of when tasks rise during training, in which order, and what early scores foretell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Cell, Column, Picture, Quantity, Table, literal, of_interval
from isoflop.answers.wording import number, plural, told
from isoflop.questions.base.comparison import listed, x_kind
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.kinds import Count, Number, Numbers, Text, Texts
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import LevelSpec, RunsSpec

if TYPE_CHECKING:
    from isoflop.validation.tracking import Tracking

_SHOWN = 12  # tasks that the alternative text names


@dataclass(frozen=True)
class Track(Question):
    """Onset of tasks over checkpoints: order, agreement between sizes, and final scores from early ones.

    A row is a checkpoint with a column a task (--task), or a task at a checkpoint (--task-column, --score). A task's
    onset is where its rising curve has gained half of its gain over guessing. Orders of onsets are compared with the
    largest model's. Each model's final scores are forecast from its early scores by the other models.

    isoflop track checkpoints.csv --task quiz --task exam
    isoflop track evals.parquet --task-column task --score acc --error stderr --by model
    """

    name: ClassVar[str] = "track"
    examples: ClassVar[tuple[str, ...]] = ("isoflop track checkpoints.csv --task quiz,exam,proof,riddle",)
    group: ClassVar[Group] = "Test"
    order: ClassVar[int] = 80
    subject: ClassVar[Subject] = "runs"
    results: ClassVar[tuple[str, ...]] = ("isoflop.validation.tracking:Tracking",)

    tasks: tuple[str, ...] = option(
        Texts("TASK"), (), flag="task", help="Column of a task's scores, or task of --task-column to keep; repeatable."
    )
    task_column: str | None = option(Text("COLUMN"), help="Column of the task's name, where a row is one task.")
    score: str | None = option(Text("COLUMN"), help="Column of the score, with --task-column.")
    error: str | None = option(
        Text("COLUMN"), help="Column of the score's standard error, with --task-column; else TASK_stderr."
    )
    model: str | None = option(
        Text("COLUMN"), flag="by", help="Column that names the model; run, model or family by default."
    )
    x: str | None = option(Text("COLUMN"), help="Column of the checkpoints; step or D by default.")
    chance: Mapping[str, float] = option(
        Numbers("TASK=SCORE"),
        {},
        help="Score by guessing, as quiz=0.25; the mean of first scores by default; repeatable.",
    )
    share: float = option(
        Number("SHARE", low=0.0, high=1.0, open=True), 0.5, help="Share of a task's gain at which its onset stands."
    )
    early: float | None = option(
        Number(low=0.0), help="Checkpoint from which final scores are forecast; half of the last by default."
    )
    seed: int = option(Count(high=2**32 - 1), 0, help="Seed of the draws of onsets.")

    def predicted(self) -> tuple[str, ...]:
        """Scores, which are no loss."""
        return self.tasks or (self.score or "score",)

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """How the table is read, and the level."""
        return (RunsSpec, LevelSpec)

    def compute(self, context: Context) -> Tracking:
        """Onsets, agreement and forecasts."""
        from isoflop.validation.score_curves import score_curves
        from isoflop.validation.tracking import track

        named = listed(self.tasks)
        curves = score_curves(
            context.runs,
            tasks=named,
            task_column=self.task_column,
            score=self.score,
            error=self.error,
            model=self.model,
            x=self.x,
        )
        return track(
            curves, chance=self.chance, share=self.share, early=self.early, level=context.level, seed=self.seed
        )

    def answer(self, result: Tracking, context: Context) -> Answer:
        """The onsets of the largest model in front; agreement and forecasts behind."""
        curves, kind = result.curves, x_kind(result.curves.by)
        rising = sorted({each.task for each in result.onsets if each.rises})
        models = len(curves.models)
        errors = [each.error for each in result.foretold]
        foretold = ""
        if errors:
            foretold = (
                "; final scores from {early:bare} of {end:bare} with a mean error of {error:bare} (staying as they are "
                "{baseline:bare}), {covered:bare} of {intervals:bare} in their intervals"
            )
        return Answer(
            question=self.name,
            title=f"tasks over {curves.by} in {curves.source}",
            headline=f"{{rising}} of {len(curves.tasks)} {plural(len(curves.tasks), 'task')} rise in {models} "
            f"{plural(models, 'model')}{foretold}.",
            quantities=(
                Quantity("rising", len(rising), "integer", label="tasks that rise in some model"),
                Quantity("early", result.early, kind, label=f"early {curves.by}"),
                Quantity("end", result.end, kind, label=f"last {curves.by}"),
                *_summary(result),
            ),
            tables=tuple(
                each
                for each in (
                    _onsets(result),
                    _agreement(result),
                    _foretold(result),
                    _unfinished(result),
                    _every(result),
                )
                if each.rows
            ),
            findings=result.findings,
            method=(
                f"rising least-squares curve of each task and model; onset at {number(result.share, 'share')} of the "
                f"gain over guessing; rises tested with Holm's correction over the tasks of a model; seed {result.seed}"
            ),
            pictures=(_picture(result),),
        )


def _summary(result: Tracking) -> tuple[Quantity, ...]:
    told_of = result.foretold
    if not told_of:
        return ()
    count = len(told_of)
    return (
        Quantity("error", sum(e.error for e in told_of) / count, label="mean absolute error of final scores"),
        Quantity("baseline", sum(e.baseline for e in told_of) / count, label="the same if scores stay as they are"),
        Quantity("covered", sum(e.covered for e in told_of), "integer", label="final scores in their intervals"),
        Quantity("intervals", sum(e.models for e in told_of), "integer", label="intervals of final scores"),
    )


def _onsets(result: Tracking) -> Table:
    """A row a task that rises in the largest model, in order of onset."""
    found = sorted(
        (each for each in result.onsets if each.rises and each.model == result.reference), key=lambda each: each.x.value
    )
    kind = x_kind(result.curves.by)
    rows: list[tuple[Cell, ...]] = []
    for each in found:
        others = sum(o.rises for o in result.onsets if o.task == each.task)
        rows.append((each.task, of_interval("onset", each.x, kind), each.start, each.final, each.p, others))
    columns = (
        Column("task"),
        Column("onset", f"onset in {result.curves.by}"),
        Column("start", "score by guessing"),
        Column("final", "final score"),
        Column("p_value", "p-value of no rise", detail=True),
        Column("models", "models in which it rises", "integer"),
    )
    return Table("onsets", columns, tuple(rows), title=f"Onsets in the largest model, {literal(result.reference)}")


def _agreement(result: Tracking) -> Table:
    rows = tuple((each.model, each.tasks, of_interval("rank", each.rank)) for each in result.agreements)
    columns = (Column("model"), Column("tasks", kind="integer"), Column("rank", "rank correlation"))
    return Table(
        "agreement",
        columns,
        rows,
        title=f"Order of onsets against {literal(result.reference)}",
        note="Spearman's correlation over the tasks that rise in both; tasks and scores are resampled.",
    )


def _foretold(result: Tracking) -> Table:
    rows = tuple(
        (each.task, each.error, each.baseline, each.covered, each.models, each.width, each.by or None, each.other_error)
        for each in result.foretold
    )
    columns = (
        Column("task"),
        Column("error", "mean error"),
        Column("baseline", "error if unchanged"),
        Column("covered", "in interval", "integer"),
        Column("models", kind="integer"),
        Column("width", "median width", detail=True),
        Column("by", "best other task"),
        Column("other_error", "its mean error"),
    )
    return Table(
        "foretold",
        columns,
        rows,
        title=f"Final scores from {result.curves.by} {number(result.early, x_kind(result.curves.by))}",
        note="Each model is predicted from the others; the other task is chosen without it.",
    )


def _unfinished(result: Tracking) -> Table:
    rows = tuple(
        (each.model, each.task, each.early, of_interval("score", each.score, promise="PI"))
        for each in result.unfinished
    )
    columns = (Column("model"), Column("task"), Column("early", "early score"), Column("score", "final score"))
    return Table("unfinished", columns, rows, title="Models that have not ended")


def _every(result: Tracking) -> Table:
    """Every onset, for JSON and data frames."""
    kind = x_kind(result.curves.by)
    rows = tuple(
        (
            each.model,
            each.task,
            of_interval("onset", each.x, kind) if each.rises else None,
            each.final,
            each.p,
            each.rises,
        )
        for each in result.onsets
        if each.p == each.p
    )
    columns = (
        Column("model"),
        Column("task"),
        Column("onset"),
        Column("final", "final score"),
        Column("p_value", "p-value of no rise"),
        Column("rises"),
    )
    return Table("models", columns, rows, title="Onsets in all models", detail=True)


def _picture(result: Tracking) -> Picture:

    kind = x_kind(result.curves.by)
    found = sorted(
        (each for each in result.onsets if each.rises and each.model == result.reference), key=lambda each: each.x.value
    )
    words = ", ".join(f"{each.task} {told(of_interval('onset', each.x, kind))}" for each in found[:_SHOWN])
    left = len(found) - _SHOWN
    return Picture(
        "onset_map",
        drawing("onset_map", result),
        f"Share of its gain that each task has made at each checkpoint of {literal(result.reference)}, in order of "
        f"onset: "
        f"{words or 'no task rises'}{f', and {left} more' if left > 0 else ''}. Marks: onsets in all models.",
        (7.2, 1.6 + 0.26 * max(4, min(len(found), 40))),
    )
