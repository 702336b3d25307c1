"""The question of a run under way: its last loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final

from isoflop.answers import Answer, Column, Picture, Quantity, Table, of_interval
from isoflop.answers.wording import number, plural, told, worded
from isoflop.errors import IsoflopError
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.kinds import Flag, Number, Text
from isoflop.questions.base.model_error import WITH_MODEL_ERROR, if_the_law_holds
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import FitSpec, LevelSpec, RunsSpec

if TYPE_CHECKING:
    from isoflop.runs import Runs
    from isoflop.validation.finish import Finish as FinishResult
    from isoflop.validation.finish import Truncation

_MEANINGS: Final = {
    "L_0": "loss after unlimited training at a constant rate",
    "A": "reducible loss at an area of 1",
    "alpha": "exponent of the area",
    "C": "loss saved by a unit of annealing area",
    "lambda": "share of a fall of the rate that is left after a step",
}
_SHARES: Final = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Truncated:
    """Finished runs as they would have been extrapolated on the way."""

    cuts: tuple[Truncation, ...]
    source: str
    level: float


@dataclass(frozen=True)
class Finish(Question):
    """Loss-curve extrapolation: the last loss of a run under way, from its curve and its learning rates.

    RUNS has columns step, lr and loss; rows with step and lr but without a loss give the rates to come. RUNS and
    --earlier may be stores; --run names the run that is under way.

    isoflop finish run.csv --steps 24000 --schedule cosine:0.1
    isoflop finish store/ --run gpt2-small
    isoflop finish finished-runs.csv --score
    """

    name: ClassVar[str] = "finish"
    examples: ClassVar[tuple[str, ...]] = ("isoflop finish curve.csv --steps 4000 --schedule wsd:0.2",)
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 70
    subject: ClassVar[Subject] = "runs"
    unused: ClassVar[tuple[str, ...]] = ("objective", "starts", "jobs", "resample_by")
    results: ClassVar[tuple[str, ...]] = (
        "isoflop.validation.finish:Finish",
        "isoflop.questions.finish:Truncated",
    )

    run: str | None = option(Text("NAME"), help="Run of a store; its only one where not given.")
    steps: float | None = option(
        Number("STEPS", low=0.0, open=True), help="Last step of the run; of a store that of the log where not given."
    )
    schedule: str | None = option(
        Text("SHAPE"),
        help="Learning rates to come: cosine:FINAL, linear:FINAL, wsd:DECAY:FINAL or constant; extrapolated from the "
        "rates so far where not given.",
    )
    earlier: str | None = option(
        Text("FILE"), help="Finished runs of the same kind, as a hierarchical prior; a table or a store."
    )
    score: bool = option(Flag(), False, help="Cut finished runs at 20, 40, 60 and 80% and compare with their ends.")

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """Draws, seed and level, but no law."""
        return (RunsSpec, FitSpec, LevelSpec)

    def check(self) -> None:
        """Scoring takes finished runs alone."""
        if self.score and (self.steps is not None or self.schedule is not None or self.earlier is not None):
            raise IsoflopError("--score cuts finished runs, whose rates are known; leave --steps and the like out")
        if self.score and self.run is not None:
            raise IsoflopError("--score cuts every run; choose some with --where in place of --run")

    def compute(self, context: Context) -> FinishResult | Truncated:
        """The end of one run, or the errors on finished ones."""
        from isoflop.validation import finish as ends
        from isoflop.validation.schedule_ahead import shape

        self.check()
        spec = context.fit_spec
        runs, steps = self._curve(context)
        if self.score:
            with context.progress(len(_SHARES) * (int(runs.run_codes().max()) + 1), "cuts") as advance:
                cuts = ends.truncations(
                    runs, shares=_SHARES, draws=spec.draws, seed=spec.seed, level=context.level, progress=advance
                )
            return Truncated(tuple(cuts), runs.source, context.level)
        return ends.finish(
            runs,
            steps=steps,
            schedule=shape(self.schedule) if self.schedule else None,
            earlier=None if self.earlier is None else _earlier(context.runs_spec, self.earlier, besides=runs),
            draws=spec.draws,
            seed=spec.seed,
            level=context.level,
        )

    def _curve(self, context: Context) -> tuple[Runs, float | None]:
        """The curve of the run under way (all curves, where they are scored), and its last step, where it is known."""
        from isoflop.runs.store_tables import planned_steps, run_curve, run_curves

        reading = context.runs_spec
        if context.given_runs is None and reading.source is None:
            raise IsoflopError("name the table of the run that is under way (columns step, lr and loss)")
        store = reading.store if context.given_runs is None else None
        if store is None:
            if self.run is not None:
                raise IsoflopError("--run names a run of a store; choose a row of a table with --where")
            return context.runs, self.steps
        if reading.columns or reading.units or reading.conventions:
            raise IsoflopError(
                "--column, --unit and --convention describe a table, and a store was given; see isoflop import"
            )
        if self.score:
            return run_curves(store, where=reading.where), None
        steps = planned_steps(store, run=self.run, where=reading.where) if self.steps is None else self.steps
        return run_curve(store, run=self.run, where=reading.where), steps

    def answer(self, result: FinishResult | Truncated, context: Context) -> Answer:
        """The last loss with its prediction interval, and the constants behind it."""
        if isinstance(result, Truncated):
            return _of_cuts(self.name, result)
        import numpy as np

        from isoflop.uncertainty.ensemble import interval_of

        level = result.loss.level
        prior = "the usual spread"
        if result.earlier:
            prior = f"{number(result.earlier, 'integer')} earlier {plural(result.earlier, 'run')}"
        return Answer(
            question=self.name,
            title=f"{result.run} at step {worded(Quantity('end', result.end, 'count'))}",
            headline="Expected last loss: {loss}; the loss is {now} at step {seen}.",
            quantities=(
                of_interval(
                    "loss", result.loss, unit=result.unit, label="last loss", promise="PI", note=WITH_MODEL_ERROR
                ),
                *if_the_law_holds(result.law_loss, result.model_error_share, unit=result.unit),
                of_interval("mean", result.expected, unit=result.unit, label="mean"),
                Quantity("now", result.last_loss, unit=result.unit, label="loss now"),
                Quantity("seen", result.seen, "count", label="last step with a loss"),
                Quantity("end", result.end, "count", label="last step"),
                Quantity("earlier", result.earlier, "integer", label="earlier runs in the prior"),
            ),
            tables=(
                Table(
                    "constants",
                    (Column("constant"), Column("value"), Column("meaning", "")),
                    tuple(
                        (name, of_interval(name, interval_of(float(np.median(draws)), draws, level=level)), meaning)
                        for (name, meaning), draws in zip(_MEANINGS.items(), result.params.T, strict=True)
                    ),
                    title="Annealing law",
                ),
            ),
            findings=result.findings,
            method=(
                f"annealing law; rates to come: {result.schedule}; {number(len(result.params), 'integer')} draws; "
                f"model error: what the law missed of the fall to come on published runs; prior: {prior}"
            ),
            pictures=(_picture(result),),
        )


def _earlier(reading: RunsSpec, source: str, *, besides: Runs) -> Runs:
    """Finished runs, of a table with the same headers or of a store, without the run under way."""
    from isoflop.runs.store_tables import run_curves

    other = replace(reading, source=source, where=None)
    if other.store is None:
        return other.read()
    import numpy as np

    runs = run_curves(other.store)
    if other.store != reading.store:
        return runs
    others = ~np.isin(runs.text("run"), besides.text("run"))
    if not others.any():
        raise IsoflopError(f"--earlier {source}: it holds no run but the one that is under way; name finished runs")
    return runs.take(others)


def _of_cuts(question: str, found: Truncated) -> Answer:
    middle: Sequence[Truncation] = found.cuts[len(found.cuts) // 2 :]
    best = middle[0]
    return Answer(
        question=question,
        title=f"ends extrapolated from part of a run, {found.source}",
        headline=(
            "With {share} of the steps the mean relative error (MRE) of the last loss is {mre}; taking the loss at "
            "that step as the last has {naive}."
        ),
        quantities=(
            Quantity("share", best.share, "share", label="steps seen"),
            Quantity("mre", best.are, "share", label="MRE"),
            Quantity("naive", best.naive, "share", label="MRE of the loss at the cut"),
        ),
        tables=(
            Table(
                "cuts",
                (
                    Column("share", "steps seen", "share"),
                    Column("runs", kind="integer"),
                    Column("mre", "MRE", "share"),
                    Column("bias", kind="change"),
                    Column("covered", f"coverage (nominal {100 * found.level:g}%)", "share"),
                    Column("law_covered", "if the law holds", "share"),
                    Column("naive", "MRE of the loss at the cut", "share"),
                    Column("runs_covered", "runs covered", "integer", detail=True),
                ),
                tuple(
                    (
                        cut.share,
                        cut.runs,
                        cut.are,
                        cut.bias,
                        cut.held / cut.runs,
                        cut.law_held / cut.runs,
                        cut.naive,
                        cut.held,
                    )
                    for cut in found.cuts
                ),
            ),
        ),
        method="an end is the mean of the last 2% of a run's losses; MRE is the mean of |L − L̂|/L",
    )


def _picture(result: FinishResult) -> Picture:

    seen, end = (worded(Quantity("step", each, "count")) for each in (result.seen, result.end))
    return Picture(
        "finish",
        drawing("run_to_its_end", result),
        f"Loss against step: measured to step {seen}, and the fitted loss with its band up to "
        f"{told(of_interval('loss', result.loss))} at step {end}.",
    )
