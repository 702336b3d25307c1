"""The question of scores: from items to tasks, suites and laws, with their sampling errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Picture, Quantity, literal
from isoflop.answers.wording import plural, told
from isoflop.errors import IsoflopError
from isoflop.files import check_place, write_whole
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.evals_answer import first_of, quantities_of, tables_of
from isoflop.questions.base.kinds import Choice, Count, Numbers, Text, Texts, Words
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import FitSpec, LevelSpec

if TYPE_CHECKING:
    import polars as pl

    from isoflop.evals.evaluate import Evaluation


@dataclass(frozen=True)
class Evals(Question):
    """Scores of evaluated models with sampling errors; laws of pass rates, the metric chain, uncertainty of ensembles.

    SOURCE is samples_*.jsonl or results_*.json of lm-evaluation-harness, a log of inspect-ai, a folder of them, or a
    table: a row an item (score; log-probabilities of options and the right one; passes and tries; probabilities of an
    ensemble's members), or a row a model and a column a task. --table writes the scores as a table of runs, to which
    every other command applies; --items writes the items themselves, which a study and the page read.

    isoflop evals outputs/ --models sizes.csv --table scores.csv
    isoflop evals attempts.csv --goal 2 --at N=7B
    """

    name: ClassVar[str] = "evals"
    examples: ClassVar[tuple[str, ...]] = (
        "isoflop evals attempts.csv --at N=10B",
        "isoflop evals choices.csv --table quiz.csv",
    )
    group: ClassVar[Group] = "Read"
    order: ClassVar[int] = 30
    subject: ClassVar[Subject] = "nothing"
    results: ClassVar[tuple[str, ...]] = ("isoflop.evals.evaluate:Evaluation",)
    unused: ClassVar[tuple[str, ...]] = ("objective", "starts", "jobs", "resample_by")

    sources: tuple[str, ...] = option(
        Texts("SOURCE"),
        (),
        positional=True,
        command_line_only=True,
        help="Logs of evaluations, folders of them, or one table.",
    )
    columns: Mapping[str, str] = option(
        Words("score=HEADER"), {}, flag="column",
        help="Header that is model, task, item, score, log_p, right, passes, tries, N …; repeatable.",
    )  # fmt: skip
    models: str | None = option(
        Text("FILE"), help="Table with N, D, C, date or family of each model.", command_line_only=True
    )
    where: str | None = option(Text("EXPR"), help='Rows of a table to keep, as "shots == 0".')
    tasks: tuple[str, ...] = option(Texts("TASK"), (), flag="task", help="Task to read; repeatable. All by default.")
    metrics: tuple[str, ...] = option(
        Texts("METRIC"), (), flag="metric", help="Metric or scorer to read; repeatable. The task's first by default."
    )
    goal: int | None = option(
        Count(low=1, high=1_000_000), help="Passes at which the tries of each item ended; fixed tries by default."
    )
    scale: str | None = option(
        Choice("WORD", values=("percent", "fraction")), help="Scale of scores: percent or fraction; by their range."
    )
    chances: Mapping[str, float] = option(
        Numbers("TASK=0.25"), {}, flag="chance", help="Score of a guess; 1/options where options are known. Repeatable."
    )
    ceilings: Mapping[str, float] = option(
        Numbers("TASK=0.95"), {}, flag="ceiling", help="Best possible score; 1 by default. Repeatable."
    )
    x: str | None = option(
        Choice("WORD", values=("N", "D", "C")), help="Scale of models: N, D or C; the first known of C, N, D."
    )
    baseline: str | None = option(Text("MODEL"), help="Model with which the others are compared, item by item.")
    at: Mapping[str, float] = option(Numbers("N=7B"), {}, help="Scale at which pass rates and accuracies are forecast.")
    hold_out: int = option(Count(low=1, high=50), 1, help="Largest models on which forecasts of accuracy are scored.")
    tries: int = option(Count(low=1, high=1_000_000), 100, help="Fixed tries to which pass rates are compared.")
    table: str | None = option(
        Text("FILE.csv"), help="New table of runs: a row a model, a column a measure of a task.",
        command_line_only=True,
    )  # fmt: skip

    items: str | None = option(
        Text("FILE.csv"), help="New table of the items of all logs, which a study and the page read as one file.",
        command_line_only=True,
    )  # fmt: skip

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """Draws, seed and level."""
        return (FitSpec, LevelSpec)

    def check(self) -> None:
        """A place that can hold a table."""
        for place, word in ((self.table, "--table"), (self.items, "--items")):
            if place is not None:
                check_place(place, word)
                if Path(place).suffix.lower() != ".csv":
                    raise IsoflopError(f"{word} writes .csv, not {place[:80]!r}")

    def compute(self, context: Context) -> Evaluation:
        """Read, and evaluate."""
        from isoflop.evals.evaluate import check_scale, evaluate
        from isoflop.evals.item_table import item_table
        from isoflop.evals.read import read_items

        self.check()
        scale, at = check_scale(self.at, self.x)
        items = read_items(
            self.sources or _own_table(context),
            columns={**context.runs_spec.columns, **self.columns},
            models=self.models,
            where=self.where or context.runs_spec.where,
            tasks=self.tasks,
            metrics=self.metrics,
            goal=self.goal,
            scale=self.scale,
            chances=self.chances,
            ceilings=self.ceilings,
        )
        found = evaluate(
            items,
            scale=scale,
            baseline=self.baseline,
            at=at,
            hold_out=self.hold_out,
            tries=self.tries,
            draws=context.fit_spec.draws,
            level=context.level,
            seed=context.fit_spec.seed,
        )
        if self.items is not None:
            write_whole(Path(self.items), item_table(items).write_csv().encode())
        if self.table is not None:
            write_whole(Path(self.table), found.table().write_csv().encode())
        return found

    def answer(self, result: Evaluation, context: Context) -> Answer:
        """What was read in one sentence, then a table of each thing that it says."""
        return Answer(
            question=self.name,
            title=f"scores of {result.items.source}",
            headline=_headline(result) + (f" Kept in {literal(self.table)}." if self.table else ""),
            quantities=quantities_of(result),
            tables=tables_of(result),
            findings=result.findings,
            method="errors over clusters of items; differences on the items of both models; p corrected by Holm",
            provenance={
                "source": result.items.source,
                "seed": context.fit_spec.seed,
                "draws": context.fit_spec.draws,
                "table": self.table,
            },
            pictures=_pictures(result),
        )


def _own_table(context: Context) -> list[Path] | pl.DataFrame:
    """The table of a study or of the page; a data set as a frame."""
    spec = context.runs_spec
    if spec.source is None and context.given_runs is None:
        raise IsoflopError("SOURCE is missing: give logs of evaluations, a folder of them, or a table of items")
    place = spec.folder / (spec.source or "")
    return [place] if spec.source is not None and place.is_file() else context.runs.frame.drop("row")


def _headline(found: Evaluation) -> str:
    models, tasks = len(found.items.names), len(found.items.tasks)
    words = f"{_expected(found)}{{models}} {plural(models, 'model')} on {{tasks}} {plural(tasks, 'task')}"
    if len(found.pass_laws) == 1:
        law = next(iter(found.pass_laws.values()))
        bend = {
            "straight": "no curvature is seen", "convex": "it rises slower than the law (convex)",
            "concave": "it rises faster than the law (concave)", "unknown": "too few models tell its curvature",
        }[law.shape]  # fmt: skip
        return f"{words}; the pass rate follows exp(-c*{found.scale}^-alpha) with alpha = {{alpha}}, and {bend}."
    if found.chains:
        from isoflop.evals.chain import WORDS

        task, chain = next(iter(found.chains.items()))
        lost = f", and most of the correlation is lost at {WORDS[chain.most_lost]}" if chain.most_lost else ""
        return f"{words}; items of {literal(task)} follow scale best in {WORDS[chain.recommended]}{lost}."
    return words + "."


def _expected(found: Evaluation) -> str:
    """The forecast at --at of the one task that has a law, in front of all else."""
    if found.ahead is None:
        return ""
    at = f"{found.scale} = {told(Quantity('at', found.ahead, 'flops' if found.scale == 'C' else 'count'))}"
    if len(found.pass_laws) == 1:
        return f"Expected pass rate at {at}: {{pass_rate}}; "
    if len(found.forecasts) == 1 and any(each.name == "accuracy" and each.value for each in quantities_of(found)):
        return f"Expected accuracy at {at}: {{accuracy:bare}}; "
    return f"Forecasts at {at} in the tables; " if found.pass_laws or found.forecasts else ""


def _pictures(found: Evaluation) -> tuple[Picture, ...]:

    made = []
    tasks = [task for task, _ in found.items.tasks]
    if found.scale:
        made.append(
            Picture(
                "scores",
                drawing("score_against_scale", found),
                f"Score of {first_of(tasks)} against {found.scale} with intervals, chance level and ceiling.",
            )
        )
    for task, law in list(found.pass_laws.items())[:1]:
        made.append(
            Picture(
                "passes",
                drawing("pass_line", law, found.scale),
                f"-ln of the pass rate of {task} against {found.scale}, both logarithmic, with the line of slope "
                f"-{law.alpha.value:.3g}.",
            )
        )
    for task, chain in list(found.chains.items())[:1]:
        made.append(
            Picture(
                "chain",
                drawing("correlations_along_chain", chain),
                f"Share of items of {task} with a higher correlation with {found.scale}, for log p, p, p among "
                "options, Brier score and accuracy.",
            )
        )
    return tuple(made)
