"""The question of a prior: how far were laws from the runs of past tables?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Column, Table, literal
from isoflop.errors import IsoflopError
from isoflop.files import check_place
from isoflop.questions.base.context import Context
from isoflop.questions.base.kinds import Text
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.trials import TrialOptions, coverage_quantities, coverage_tables, left_out

if TYPE_CHECKING:
    from isoflop.uncertainty.prior import Prior
    from isoflop.validation.forecasts import ForecastValidation


@dataclass(frozen=True)
class Calibrated:
    """A learned prior, and how forecasts came out for each table with what the others gave."""

    prior: Prior
    validation: ForecastValidation


@dataclass(frozen=True)
class Calibrate(TrialOptions, Question):
    """Prior of the model error, learned from past tables of runs and written to a file.

    isoflop calibrate sweeps/*.csv -o prior.toml
    """

    name: ClassVar[str] = "calibrate"
    examples: ClassVar[tuple[str, ...]] = ("isoflop calibrate python-bytes --draws 20 -o prior.toml",)
    group: ClassVar[Group] = "Test"
    order: ClassVar[int] = 16
    subject: ClassVar[Subject] = "nothing"
    has_pictures: ClassVar[bool] = False
    results: ClassVar[tuple[str, ...]] = ("isoflop.questions.calibrate:Calibrated",)
    in_study: ClassVar[bool] = False  # the file has a date
    on_page: ClassVar[bool] = False

    output: str = option(Text("FILE"), "prior.toml", short=("-o",), help="New file.", command_line_only=True)

    def check(self) -> None:
        """The file can be written."""
        check_place(self.output, "--output")

    def compute(self, context: Context) -> Calibrated:
        """Weights of the usual hypotheses by the tables' held-out runs; each table scored with those of the others."""
        from dataclasses import replace
        from datetime import UTC, datetime

        from isoflop.uncertainty.prior import save_prior, shipped_prior
        from isoflop.validation.forecast_trials import all_trials
        from isoflop.validation.forecasts import score_trials
        from isoflop.validation.prior_learning import learn, pruned, usual_hypotheses

        tables, unread = self.read(context)
        wide = replace(shipped_prior(), hypotheses=usual_hypotheses())
        with context.progress(len(tables), "tables") as advance:
            found, without = all_trials(tables, wide, draws=self.draws, progress=advance)
        if not found:
            why = next(iter(without.items()), ("", "no table was given"))
            raise IsoflopError(f"no table can be cut for a forecast; {why[0]}: {why[1]}")
        names = tuple(dict.fromkeys(each.dataset for each in found))
        prior = replace(
            pruned(learn(found, wide)),
            date=f"{datetime.now(UTC):%Y-%m-%d}",
            source=f"{len(names)} tables with their largest runs held out",
            script="isoflop calibrate",
            tables=names,
        )
        save_prior(prior, self.output)
        return Calibrated(prior, score_trials(found, wide, leave_out=len(names) > 1, without={**unread, **without}))

    def answer(self, result: Calibrated, context: Context) -> Answer:
        """Coverage with priors of the other tables, and the hypotheses that have weight."""
        other = "each with the prior of the others" if result.validation.left_out else "with the even prior"
        return Answer(
            question=self.name,
            title=f"prior of the model error: {literal(self.output)}",
            headline=f"Forecasts of these tables, {other}, cover {{coverage:bare}} of the held-out runs.",
            quantities=tuple(coverage_quantities(result.validation)),
            tables=(
                Table(
                    "hypotheses",
                    (
                        Column("weight", kind="share"),
                        Column("size", "size of the model error", "share"),
                        Column("length", "length, decades"),
                        Column("noise_share", "noise, share of residuals", "share"),
                    ),
                    tuple(
                        (each.weight, each.size, each.length, each.noise_share)
                        for each in sorted(result.prior.hypotheses, key=lambda each: -each.weight)
                    ),
                    title="Hypotheses",
                ),
                *coverage_tables(result.validation),
            ),
            findings=tuple(left_out(result.validation)),
            method=(
                f"isoflop validate --prior {self.output} scores it on other tables; forecast, plan, report and fit "
                "take it as --prior too, a study as the key prior"
            ),
            provenance={"file": self.output, "without": dict(result.validation.without)},
        )
