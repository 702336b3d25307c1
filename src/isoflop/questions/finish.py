"""The question of a run under way: its last loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from isoflop.answers import Answer, Column, Picture, Quantity, Table, of_interval
from isoflop.answers.wording import told, worded
from isoflop.errors import IsoflopError
from isoflop.questions.base.context import Context
from isoflop.questions.base.kinds import Flag, Number, Text
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import FitSpec, LevelSpec, RunsSpec

if TYPE_CHECKING:
    from isoflop.validation.finish import Finish as FinishResult
    from isoflop.validation.finish import Truncation

_MEANINGS: Final = {
    "L_0": "loss after unlimited training",
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

    RUNS has columns step, lr and loss; rows with step and lr but without a loss give the rates to come. It may be a
    store, of which --run names the run.

    isoflop finish run.csv --steps 24000 --schedule cosine:0.1
    isoflop finish store/ --run gpt2-small
    isoflop finish finished-runs.csv --score
    """

    name: ClassVar[str] = "finish"
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 70
    subject: ClassVar[Subject] = "runs"
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
    earlier: str | None = option(Text("FILE"), help="Finished runs of the same kind, as a hierarchical prior.")
    score: bool = option(Flag(), False, help="Cut finished runs at 20, 40, 60 and 80% and compare with their ends.")

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """Draws, seed and level, but no law."""
        return (RunsSpec, FitSpec, LevelSpec)

    def check(self) -> None:
        """Scoring takes finished runs alone."""
        if self.score and (self.steps is not None or self.schedule is not None or self.earlier is not None):
            raise IsoflopError("--score cuts finished runs, whose rates are known; leave --steps and the like out")

    def compute(self, context: Context) -> FinishResult | Truncated:
        """The end of one run, or the errors on finished ones."""
        from isoflop.validation import finish as ends
        from isoflop.validation.schedule_ahead import shape

        reading, spec = context.runs_spec, context.fit_spec
        if context.given_runs is None and reading.source is None:
            raise IsoflopError("name the table of the run that is under way (columns step, lr and loss)")
        steps = self.steps
        store = reading.store if context.given_runs is None else None
        if not self.score and store is not None:
            from isoflop.runs.store_tables import planned_steps, run_curve

            runs = run_curve(store, run=self.run, where=reading.where)
            if steps is None:
                steps = planned_steps(store, run=self.run, where=reading.where)
        elif self.run is not None:
            raise IsoflopError("--run names a run of a store; choose a row of a table with --where")
        else:
            runs = context.runs
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
            earlier=replace(reading, source=self.earlier, where=None).read() if self.earlier else None,
            draws=spec.draws,
            seed=spec.seed,
            level=context.level,
        )

    def answer(self, result: FinishResult | Truncated, context: Context) -> Answer:
        """The last loss with its prediction interval, and the constants behind it."""
        if isinstance(result, Truncated):
            return _of_cuts(self.name, result)
        import numpy as np

        from isoflop.uncertainty.ensemble import interval_of

        level = result.loss.level
        prior = "the usual spread" if not result.earlier else f"{result.earlier} earlier runs"
        return Answer(
            question=self.name,
            title=f"{result.run} at step {worded(Quantity('end', result.end, 'count'))}",
            headline="Expected last loss: {loss}; it is {now} at step {seen}.",
            quantities=(
                of_interval("loss", result.loss, unit=result.unit, label="last loss", promise="PI"),
                of_interval("mean", result.expected, unit=result.unit, label="mean of the curve"),
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
                f"annealing law; rates to come: {result.schedule}; {len(result.params)} draws, widened by the "
                f"law's own error; prior: {prior}"
            ),
            pictures=(_picture(result),),
        )


def _of_cuts(question: str, found: Truncated) -> Answer:
    middle: Sequence[Truncation] = found.cuts[len(found.cuts) // 2 :]
    best = middle[0]
    return Answer(
        question=question,
        title=f"ends extrapolated from part of a run, {found.source}",
        headline=(
            f"With {best.share:.0%} of the steps the mean relative error (MRE) of the last loss is {{mre}}; taking the "
            "loss at that step as the last has {naive}."
        ),
        quantities=(
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
                    Column("naive", "MRE of the loss at the cut", "share"),
                ),
                tuple((cut.share, cut.runs, cut.are, cut.bias, cut.held / cut.runs, cut.naive) for cut in found.cuts),
            ),
        ),
        method="an end is the mean of the last 2% of a run's losses; MRE is the mean of |L − L̂|/L",
    )


def _picture(result: FinishResult) -> Picture:
    from isoflop import plots

    seen, end = (worded(Quantity("step", each, "count")) for each in (result.seen, result.end))
    return Picture(
        "finish",
        partial(plots.run_to_its_end, result),
        f"Loss against step: measured to step {seen}, and the curve with its band on to "
        f"{told(of_interval('loss', result.loss))} at step {end}.",
    )
