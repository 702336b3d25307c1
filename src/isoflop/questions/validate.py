"""The question of coverage: how many held-out runs lie inside forecast intervals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer
from isoflop.answers.wording import number
from isoflop.questions.base.context import Context
from isoflop.questions.base.kinds import Text
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.trials import TrialOptions, coverage_quantities, coverage_tables, left_out

if TYPE_CHECKING:
    from isoflop.validation.forecasts import ForecastValidation


@dataclass(frozen=True)
class Validate(TrialOptions, Question):
    """Coverage of forecast intervals on held-out runs: each table cut at several sizes, fitted below, forecast above.

    isoflop validate sweeps/*.csv --law chinchilla
    isoflop validate runs.csv --prior prior.toml
    """

    name: ClassVar[str] = "validate"
    examples: ClassVar[tuple[str, ...]] = ("isoflop validate python-bytes --draws 20",)
    group: ClassVar[Group] = "Test"
    order: ClassVar[int] = 15
    subject: ClassVar[Subject] = "nothing"
    has_pictures: ClassVar[bool] = False
    results: ClassVar[tuple[str, ...]] = ("isoflop.validation.forecasts:ForecastValidation",)
    in_study: ClassVar[bool] = False
    on_page: ClassVar[bool] = False

    prior: str | None = option(Text("FILE"), None, help="Prior of the model error, written by isoflop calibrate.")

    def compute(self, context: Context) -> ForecastValidation:
        """Every cut of every table, scored by both intervals."""
        from isoflop.uncertainty.prior import read_prior
        from isoflop.validation.forecasts import validate_forecasts

        prior = None if self.prior is None else read_prior(self.prior)
        tables, unread = self.read(context)
        with context.progress(len(tables), "tables") as advance:
            found = validate_forecasts(tables, prior=prior, draws=self.draws, progress=advance)
        return replace(found, without={**unread, **found.without})

    def answer(self, result: ForecastValidation, context: Context) -> Answer:
        """Coverage of both intervals, by distance and by table."""
        return Answer(
            question=self.name,
            title=f"{number(result.rows, 'integer')} forecasts of held-out runs",
            headline=(
                "90% prediction intervals with model error cover {coverage:bare} of the held-out runs, those that hold "
                "only if the law does {law_coverage:bare}."
            ),
            quantities=tuple(coverage_quantities(result)),
            tables=tuple(coverage_tables(result)),
            findings=tuple(left_out(result)),
            method=(
                "each table one vote, shared by its cuts and these by their rows; up to 1.7 decades beyond the fitted "
                f"runs; prior of {result.prior.date}: {result.prior.source}"
            ),
            provenance={"without": dict(result.without)},
        )
