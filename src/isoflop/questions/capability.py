"""The question of how capable models are, how fast the best improve, and what size of reference model matches them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Cell, Column, Picture, Quantity, Table, literal, of_interval
from isoflop.answers.wording import number, plural, told
from isoflop.errors import IsoflopError
from isoflop.questions.base.comparison import x_kind
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.kinds import Count, Flag, Numbers, Text, Texts
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import LevelSpec, RunsSpec

if TYPE_CHECKING:
    from isoflop.planning.capability.index import Capability as Found
    from isoflop.planning.capability.index import Density

_SHOWN = 15  # models in the table of the terminal
_METHODS = {
    "panel": "panel", "item response": "index", "components": "components", "family line": "family_line",
    "line": "line", "line in inputs": "inputs_line", "unchanged": "unchanged", "mean": "mean",
}  # fmt: skip
_WORDS = {
    "panel": "family panel in {inputs}",
    "item response": "item response, slope of the index",
    "components": "principal components, their slope",
    "family line": "line in ln {scale}, intercept of the family",
    "line": "line in ln {scale}",
    "line in inputs": "plane in ln {scale} and ln {tokens}",
    "unchanged": "scores of the smallest model",
    "mean": "mean of the other families",
}
_FROM = {
    "components": "components",
    "line": "ln {scale}",
    "mean": "the mean",
}


@dataclass(frozen=True)
class Capability(Question):
    """Capability index of models by item response over benchmarks, its trend over dates, density, and family panels.

    A row is a model with a column a benchmark (--task), or one score (--task-column, --score); scores may be missing.
    The index is in logits of an average benchmark, from the mean model. With dates, the line of the 90 % quantile gives
    the slope of the best a year, beside that through the running best. With N or C, the index of the reference models
    against scale gives each model's effective size, its density, and the doubling time of the highest density. With
    families, each is left out in turn and its larger models are forecast from its smallest by several methods; --of
    FAMILY with --at forecasts a further model.

    isoflop capability leaderboard.csv --task mmlu,gsm8k,arc --by model --date released --scale N
    isoflop capability scores.csv --task-column benchmark --score score --percent --reference "family == 'pythia'"
    isoflop capability leaderboard.csv --task mmlu,gsm8k,arc --by model --scale N --of qwen --at N=200B
    """

    name: ClassVar[str] = "capability"
    examples: ClassVar[tuple[str, ...]] = ("isoflop capability releases.csv --task quiz,exam,proof,riddle --scale N",)
    group: ClassVar[Group] = "Test"
    order: ClassVar[int] = 85
    subject: ClassVar[Subject] = "runs"
    results: ClassVar[tuple[str, ...]] = ("isoflop.planning.capability.index:Capability",)

    tasks: tuple[str, ...] = option(
        Texts("TASK"), (), flag="task", help="Column of a benchmark, or one of --task-column to keep; repeatable."
    )
    task_column: str | None = option(Text("COLUMN"), help="Column of the benchmark's name, where a row is one score.")
    score: str | None = option(Text("COLUMN"), help="Column of the score, with --task-column.")
    percent: bool = option(Flag(), False, help="Scores are in percent.")
    model: str | None = option(Text("COLUMN"), flag="by", help="Column that names the model; model or run by default.")
    date: str | None = option(Text("COLUMN"), help="Column of the release date, as 2024-07-23; date by default.")
    scale: str | None = option(Text("COLUMN"), help="Column of scale that density is about; C or N by default.")
    reference: str | None = option(
        Text("EXPR"), help="Reference models of density, as \"family == 'pythia'\"; all by default."
    )
    tokens: str | None = option(
        Text("COLUMN"),
        help="Column of training tokens, a further input of family panels; D by default, unless C is given.",
    )
    family: str | None = option(
        Text("COLUMN"), help="Column of families, each left out once in turn; family by default."
    )
    of: str | None = option(Text("FAMILY"), help="Family of a further model whose scores are forecast, with --at.")
    at: Mapping[str, float] = option(
        Numbers("N=70B"), {}, help="Scale of that model, and its tokens where the panel has them; repeatable."
    )
    skills: int = option(Count(low=1, high=5), 2, help="Skills of a family panel.")
    chance: Mapping[str, float] = option(
        Numbers("TASK=SCORE"), {}, help="Score by guessing, as quiz=0.25; 0 by default; repeatable."
    )
    least: int = option(Count(low=1), 2, help="Scores that a model needs to be kept.")
    draws: int = option(Count(low=20, high=10_000), 200, help="Fits of the bootstrap.")
    seed: int = option(Count(high=2**32 - 1), 0, help="Seed of the bootstrap.")

    def check(self) -> None:
        """A forecast needs both a family and a scale."""
        if self.at and self.of is None:
            raise IsoflopError("--at is the scale of a further model; name its family (--of FAMILY)")
        if self.of is not None and not self.at:
            raise IsoflopError("--of asks for the scores of a further model; give its scale, as --at N=70B")

    def predicted(self) -> tuple[str, ...]:
        """Scores, which are no loss."""
        return self.tasks or (self.score or "score",)

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """How the table is read, and the level."""
        return (RunsSpec, LevelSpec)

    def compute(self, context: Context) -> Found:
        """The index, its trend and density, and families left out."""
        from isoflop.planning.capability.index import capability
        from isoflop.planning.capability.scores import model_scores

        self.check()

        named = tuple(dict.fromkeys(part.strip() for each in self.tasks for part in each.split(",") if part.strip()))
        scores = model_scores(
            context.runs,
            tasks=named,
            task_column=self.task_column,
            score=self.score,
            model=self.model,
            date=self.date,
            by=self.scale,
            tokens=self.tokens,
            family=self.family,
            reference=self.reference,
            percent=self.percent,
            least=self.least,
        )
        return capability(
            scores,
            chance=self.chance,
            member=self.of,
            at=self.at,
            skills=self.skills,
            level=context.level,
            draws=self.draws,
            seed=self.seed,
        )

    def answer(self, result: Found, context: Context) -> Answer:
        """The trend in front; models and benchmarks behind."""
        scores, trend, density = result.scores, result.trend, result.density
        head = f"Index of {{models}} models over {{tasks}} {plural(len(scores.tasks), 'benchmark')}"
        if trend is not None:
            head += ": the best (90 % quantile) rise by {slope} a year"
        if density is not None and density.trend is not None and math.isfinite(density.trend.slope.value):
            head += f"; the highest density ({density.by}) doubles in {{doubling}} days"
        if result.families is not None:
            head += (
                "; scores of a family left out, from its smallest model and scale, with a mean error of "
                "{panel_error:bare} by a family panel (by lines in scale {family_line_error:bare}, unchanged "
                "{unchanged_error:bare})"
            )
        if result.member is not None:
            head = f"Expected scores of a further model of {literal(result.member.family)}: " + ", ".join(
                f"{literal(task)} {{{name}}}" for name, task in _forecast_names(result)
            )
        return Answer(
            question=self.name,
            title=f"capability of {len(scores.models)} models in {scores.source}",
            headline=f"{head}.",
            quantities=_quantities(result),
            tables=tuple(
                each
                for each in (
                    _best(result),
                    _benchmarks(result),
                    _methods(result, context.level),
                    _others(result),
                    _families(result),
                    _every(result),
                )
                if each.rows
            ),
            findings=result.findings,
            method=(
                f"score = g + (1 - g)*logistic(s*(c - d)) by penalized least squares, root mean square error "
                f"{number(result.error, 'number')}; residuals of a benchmark and models resampled, "
                f"{result.draws} draws; seed {result.seed}"
            ),
            pictures=_pictures(result),
        )


def _quantities(result: Found) -> tuple[Quantity, ...]:
    found = [
        Quantity("models", len(result.scores.models), "integer", label="models"),
        Quantity("tasks", len(result.scores.tasks), "integer", label="benchmarks"),
        Quantity("fit_error", result.error, label="root mean square error of scores"),
    ]
    if result.trend is not None:
        found.append(of_interval("slope", result.trend.slope, label="index of the 90 % quantile, per year"))
        found.append(of_interval("record_slope", result.trend.records, label="index of the running best, per year"))
        found.append(Quantity("records", len(result.trend.envelope.rows), "integer", label="record holders"))
    density = result.density
    if density is not None:
        found.append(of_interval("gain", density.gain, label=f"index per unit of ln {density.by}"))
        if density.trend is not None:
            found.append(
                of_interval("density_slope", density.trend.slope, label="ln density of the 90 % quantile, per year")
            )
            if density.trend.doubling is not None:
                found.append(of_interval("doubling", density.trend.doubling, label="doubling time of density, days"))
            if density.trend.records_doubling is not None:
                found.append(
                    of_interval("record_doubling", density.trend.records_doubling, label="the same by the running best")
                )
    if result.families is not None:
        for method, name in _METHODS.items():
            if method in result.families.methods:
                error = result.families.error(method)
                found.append(Quantity(f"{name}_error", error, label=f"mean error, family left out: {method}"))
    if result.others is not None:
        for method, each in result.others.methods.items():
            label = f"mean error, benchmark from {_FROM[method]}"
            found.append(Quantity(f"others_{method}_error", each.error, label=label.format(scale=result.scores.by)))
    if result.member is not None:
        for name, task in _forecast_names(result):
            found.append(of_interval(name, result.member.scores[task], label=f"{task}, expected score", promise="PI"))
    return tuple(found)


def _order(result: Found) -> list[int]:
    return sorted(range(len(result.index)), key=lambda m: -result.index[m].value)


def _year(value: float) -> str | None:
    import datetime

    if not math.isfinite(value):
        return None
    return str(datetime.date(2000, 1, 1) + datetime.timedelta(days=round((value - 2000) * 365.25)))


def _model(result: Found, m: int) -> tuple[Cell, ...]:
    scores, density = result.scores, result.density
    row: tuple[Cell, ...] = (scores.models[m], _year(scores.year[m]), of_interval("index", result.index[m]))
    if density is None:
        return row
    known = math.isfinite(density.ratio[m].value)
    size: Cell = float(scores.scale[m]) if math.isfinite(scores.scale[m]) else None
    ratio = of_interval("density", density.ratio[m], "factor") if known else None
    return (*row, size, of_interval("effective", density.effective[m], x_kind(density.by)), ratio)


def _model_columns(density: Density | None) -> tuple[Column, ...]:
    own = (Column("model"), Column("date"), Column("index"))
    if density is None:
        return own
    kind = x_kind(density.by)
    return (
        *own,
        Column("scale", density.by, kind),
        Column("effective", f"effective {density.by}", kind),
        Column("density", kind="factor"),
    )


def _best(result: Found) -> Table:
    rows = tuple(_model(result, m) for m in _order(result)[:_SHOWN])
    return Table("best", _model_columns(result.density), rows, title="Models with the highest index")


def _every(result: Found) -> Table:
    """Every model, for JSON and data frames."""
    rows = tuple(_model(result, m) for m in _order(result))
    return Table("models", _model_columns(result.density), rows, title="All models", detail=True)


def _benchmarks(result: Found) -> Table:
    import numpy as np

    order = sorted(range(len(result.difficulty)), key=lambda t: result.difficulty[t].value)
    count = np.isfinite(result.scores.scores).sum(axis=0)
    rows = tuple(
        (
            result.scores.tasks[t],
            int(count[t]),
            of_interval("difficulty", result.difficulty[t]),
            of_interval("discrimination", result.discrimination[t]),
        )
        for t in order
    )
    columns = (Column("task"), Column("models", kind="integer"), Column("difficulty"), Column("discrimination"))
    return Table("benchmarks", columns, rows, title="Benchmarks")


def _forecast_names(result: Found) -> tuple[tuple[str, str], ...]:
    """Names of the quantities of a further model's scores."""
    tasks = () if result.member is None else tuple(result.member.scores)
    return tuple((f"score_{at + 1}", task) for at, task in enumerate(tasks))


def _methods(result: Found, level: float) -> Table:
    """Methods on families left out, and on benchmarks from the others."""
    columns = (
        Column("method"),
        Column("error", "mean error"),
        Column("coverage", f"coverage (nominal {100 * level:g}%)", "share"),
        Column("width", "mean width of the interval"),
    )
    found, scores = result.families, result.scores
    if found is None:
        return Table("methods", columns, (), title="Families left out, by method")
    named = {"scale": scores.by, "tokens": scores.tokens_by, "inputs": ", ".join(found.inputs)}
    rows = tuple(
        (_WORDS[each.method].format(**named), each.error, each.coverage, each.width) for each in found.methods.values()
    )
    return Table(
        "methods",
        columns,
        rows,
        title="Families left out, by method",
        note="Larger models of a family from its smallest; intervals from the errors of the other families.",
    )


def _others(result: Found) -> Table:
    """Each benchmark from components of the others."""
    found = result.others
    named = {"scale": result.scores.by}
    columns = [Column("task"), Column("scores", kind="integer")]
    if found is None:
        return Table("others", tuple(columns), (), title="A benchmark from the others")
    columns += [Column(name, f"error by {_FROM[name].format(**named)}") for name in found.methods]
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (each.task, each.scores, *(each.errors[name] for name in found.methods)) for each in found.each
    )
    groups = "families" if found.groups < 20 else f"families in {found.groups} groups"
    return Table(
        "others",
        tuple(columns),
        rows,
        title=f"A benchmark of {groups} left out, from {found.count} components of the others",
        note=f"Three components explain {100 * found.share:.3g} % of the variance of all benchmarks.",
    )


def _families(result: Found) -> Table:
    names = ("panel", "item response", "components", "family line", "unchanged")
    columns = (Column("family"), Column("models", "models predicted", "integer"), *(Column(name) for name in names))
    found = result.families
    rows: tuple[tuple[Cell, ...], ...] = ()
    if found is not None:
        rows = tuple((e.family, e.models, *(e.errors[n] for n in names)) for e in found.each)
    return Table(
        "families", columns, rows, title="Mean error of each family left out", note="Predicted from the smallest model."
    )


def _pictures(result: Found) -> tuple[Picture, ...]:

    scores, trend, density = result.scores, result.trend, result.density
    best = ", ".join(
        f"{literal(scores.models[m])} {told(of_interval('index', result.index[m]))}" for m in _order(result)[:5]
    )
    rise = f" The 90 % quantile rises by {told(of_interval('slope', trend.slope))} a year." if trend else ""
    over = "against their dates" if trend else "in order"
    found = [
        Picture("index", drawing("index_by_date", result), f"Capability index of models {over}; highest: {best}.{rise}")
    ]
    if density is not None and density.trend is not None:
        doubling = density.trend.doubling
        twice = f"; the 90 % quantile doubles in {told(of_interval('doubling', doubling))} days" if doubling else ""
        found.append(
            Picture("density", drawing("density_by_date", result), f"Density ({density.by}) of models by date{twice}.")
        )
    return tuple(found)
