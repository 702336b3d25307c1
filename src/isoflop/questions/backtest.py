"""The question of the largest runs: what laws would have forecast for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Cell, Column, Picture, Quantity, Table, literal, of_interval
from isoflop.answers.wording import number
from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.evidence import backtest_of
from isoflop.questions.base.hitchhiker import hitchhiker_answer, hitchhiker_result
from isoflop.questions.base.hold_out import HoldOutOptions
from isoflop.questions.base.kinds import Choice, Count, Text, Texts
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, InReport, Question, Subject
from isoflop.questions.base.scores import MRE, score_cells, score_columns, windows_table
from isoflop.questions.base.specs import FitSpec, LevelSpec, PriorSpec, RunsSpec

if TYPE_CHECKING:
    from isoflop.laws import Law
    from isoflop.questions.base.hitchhiker import HitchhikerStudy
    from isoflop.validation.backtest import Backtest as BacktestResult


@dataclass(frozen=True)
class Backtest(HoldOutOptions, Question):
    """Held-out test: fit without the largest runs, forecast them, and compare error and coverage with baselines.

    isoflop backtest runs.csv --law chinchilla --law kaplan --hold-out N:20% --windows 3
    isoflop backtest checkpoint-families --protocol hitchhiker
    """

    name: ClassVar[str] = "backtest"
    examples: ClassVar[tuple[str, ...]] = ("isoflop backtest runs.csv --law chinchilla --draws 100",)
    group: ClassVar[Group] = "Test"
    order: ClassVar[int] = 10
    subject: ClassVar[Subject] = "law"
    in_report: ClassVar[InReport] = "where cheap"
    unused: ClassVar[tuple[str, ...]] = ("starts",)
    results: ClassVar[tuple[str, ...]] = (
        "isoflop.validation.backtest:Backtest",
        "isoflop.validation.hitchhiker:Hitchhiker",
        "isoflop.questions.base.hitchhiker:HitchhikerStudy",
    )

    laws: tuple[str, ...] = option(
        Texts("LAW"), (), flag="law", help="Law, by name or as a formula; repeatable. chinchilla where not given."
    )
    windows: int = option(Count(low=1, high=1000), 1, help="Hold-outs, each forecast from smaller runs alone.")
    protocol: str | None = option(
        Choice("hitchhiker", ("hitchhiker",)),
        help="Many laws of every family: how many models, which, how much of their training.",
    )
    cut: str | None = option(
        Text("SHARE"), help="With --protocol: dropped where a run begins, as 10% (the default) or 10B tokens."
    )
    jobs: int | None = option(
        Count(low=1, high=1024), help="With --protocol: processes, one law in each.", command_line_only=True
    )

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """Laws are its own option."""
        return (RunsSpec, FitSpec, LevelSpec, PriorSpec)

    def check(self) -> None:
        """A protocol holds out by its own rules."""
        for flag, value in (("--cut", self.cut), ("--jobs", self.jobs)):
            if self.protocol is None and value is not None:
                raise IsoflopError(f"{flag} is an option of --protocol hitchhiker; add it, or leave {flag} out")
        if self.protocol is not None and (self.hold_out is not None or self.windows != 1 or self.per_family):
            raise IsoflopError(
                "--protocol holds out by its own rules; leave out --hold-out, --windows and --per-family"
            )
        if self.protocol is not None and len(self.laws) > 1:
            raise IsoflopError("--protocol hitchhiker takes one --law")

    def compute(self, context: Context) -> BacktestResult | HitchhikerStudy:
        """Every law on every window."""
        from isoflop.validation.backtest import backtest

        self.check()
        if self == type(self)():
            return backtest_of(context)
        runs = context.runs
        laws = self._laws(context)
        if self.protocol is not None and context.prior_spec.prior is not None:
            raise IsoflopError("--protocol hitchhiker has no intervals with model error; leave --prior out")
        if self.protocol is not None and context.fit_spec.resample_by is not None:
            raise IsoflopError("--protocol hitchhiker resamples nothing; leave --resample-by out")
        if self.protocol is not None:
            return hitchhiker_result(laws[0], context, cut=self.cut or "10%", jobs=self.jobs or context.fit_spec.jobs)
        families = len(set(runs.text("family"))) if self.per_family and "family" in runs else 1
        with context.progress(len(laws) * families, "backtest") as advance:
            return backtest(
                laws,
                runs,
                windows=self.windows,
                progress=advance,
                prior=context.prior,
                **self.hold_out_settings(context),
            )

    def _laws(self, context: Context) -> list[Law]:
        from isoflop.laws import law

        if not self.laws:
            return [context.law]
        return [law(text, columns=context.runs.names) for text in dict.fromkeys(self.laws)]

    def answer(self, result: BacktestResult | HitchhikerStudy, context: Context) -> Answer:
        """Errors and coverage of every law and baseline, over all windows and one by one."""
        from isoflop.validation.backtest import Backtest as BacktestResult
        from isoflop.validation.backtest import backtest_findings

        if not isinstance(result, BacktestResult):
            return hitchhiker_answer(self.name, result, context.level)
        best = min(result.laws, key=lambda each: result.scores(each).are.value)
        scores = result.scores(best)
        interval = f"its {100 * result.level:g}% prediction intervals"
        first = result.windows[0].says
        cuts = (
            f"With {first}" if len(result.windows) == 1 else f"Over {len(result.windows)} windows ({first} the first)"
        )
        return Answer(
            question=self.name,
            title=f"backtest on {result.source}",
            headline=(
                f"{literal(cuts)}, {best.name} has a mean relative error (MRE) of {{mre}} on the held-out "
                f"{result.response.replace('_', ' ')}"
                + ("." if scores.covered is None else f"; {interval} cover {{covered}} of {{rows}} rows.")
            ),
            quantities=(
                of_interval("mre", scores.are, "share", label=f"MRE of {best.name}"),
                Quantity("covered", scores.covered, "integer", label="rows covered"),
                Quantity(
                    "law_covered",
                    result.scores(best, model_error=False).covered,
                    "integer",
                    label="rows covered if the law holds",
                    note="intervals without model error",
                ),
                Quantity("rows", scores.rows, "integer", label="rows held out"),
                Quantity("runs", scores.runs, "integer", label="runs held out"),
            ),
            tables=(
                _scores(result),
                windows_table(result, detail=len(result.windows) == 1),
                *_by_window(result),
                _held_out(result, context),
            ),
            findings=backtest_findings(result),
            method=(
                f"objective {result.objective.name}, {result.draws} draws a window, seed {result.seed}; {MRE}; "
                "coverage: share of the rows inside the prediction interval; log score: mean log density at what was "
                "measured, in units of relative loss, higher is better"
            ),
            pictures=tuple(_pictures(result)),
            provenance={"response": result.response},
        )

    def findings(self, result: object, context: Context) -> tuple[Finding, ...]:
        """Those of the runs."""
        return context.runs.findings if context.has_runs else ()


def _scores(result: BacktestResult) -> Table:
    return Table(
        "scores",
        (Column("forecaster", "law or baseline"), *score_columns(result.level)),
        tuple((each.name, *score_cells(result.scores(each))) for each in (*result.laws, *result.baselines)),
        title="Scores over all windows",
    )


def _by_window(result: BacktestResult) -> tuple[Table, ...]:
    """Scores of each law in each window, where there are several."""
    if len(result.windows) == 1:
        return ()
    rows: list[tuple[Cell, ...]] = [
        (law.name, place, *score_cells(result.scores(law, window=place)))
        for law in result.laws
        for place in range(len(result.windows))
    ]
    return (
        Table(
            "scores_by_window",
            (Column("law"), Column("window", kind="integer"), *score_columns(result.level)),
            tuple(rows),
            title="Scores by window",
        ),
    )


def _held_out(result: BacktestResult, context: Context) -> Table:
    """Each held-out row: what was measured, and what each forecaster said."""
    forecasters = (*result.laws, *result.baselines)
    numbers = context.runs.rows.tolist() if context.has_runs else None
    rows: list[tuple[Cell, ...]] = []
    for position, row in enumerate(result.held.row.tolist()):
        cells: list[Cell] = [row + 1 if numbers is None else int(numbers[row]), int(result.held.window[position])]
        cells.append(float(result.held.truth[position]))
        for each in forecasters:
            low, high = each.low, each.high
            known = low is not None and high is not None
            cells.append(
                Quantity(
                    "forecast",
                    float(each.value[position]),
                    low=float(low[position]) if known and low is not None else None,
                    high=float(high[position]) if known and high is not None else None,
                    level=result.level if known else None,
                    interval="PI",
                )
            )
        rows.append(tuple(cells))
    names = _distinct([each.name for each in forecasters])
    return Table(
        "held_out",
        (
            Column("row", kind="integer"),
            Column("window", kind="integer"),
            Column("measured"),
            *(Column(name, each.name) for name, each in zip(names, forecasters, strict=True)),
        ),
        tuple(rows),
        title="Held-out rows",
        detail=True,
    )


def _distinct(names: list[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        plain, count = name, 1
        while plain in found or plain in ("row", "window", "measured"):
            count += 1
            plain = f"{name} ({count})"
        found.append(plain)
    return found


def _pictures(result: BacktestResult) -> Iterator[Picture]:

    best = min(result.laws, key=lambda each: result.scores(each).are.value)
    scores = result.scores(best)
    held = "" if scores.covered is None else f"; {scores.covered} of {scores.rows} lie inside their interval"
    yield Picture(
        "backtest",
        drawing("predicted_against_actual", result, law=best.name),
        f"Forecasts of {best.name} for {scores.rows} held-out rows against what was measured: mean relative error "
        f"{number(scores.are.value, 'share', digits=2)}{held}.",
        size=(5.8, 5.2),
        claim=f"{best.name} forecasts {scores.rows} held-out rows with a mean relative error of "
        f"{number(scores.are.value, 'share', digits=2)}{held}",
    )
    told = [f"{each.name} {result.scores(each).covered} of {result.scores(each).rows}" for each in result.laws]
    yield Picture(
        "coverage",
        drawing("coverage_by_law", result),
        f"Share of the held-out rows inside each law's {100 * result.level:g}% interval: {', '.join(told)}.",
        (7.2, 1.4 + 0.35 * len(result.laws)),
        claim=f"{100 * result.level:g}% intervals hold the held-out rows: {', '.join(told)}",
    )
