"""The question of a run that was not trained: its loss, and how far it may be off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Column, Picture, Quantity, Table, of_interval
from isoflop.answers.wording import interval, worded
from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.equation import equation
from isoflop.questions.base.evidence import forecast_evidence
from isoflop.questions.base.kinds import Points, Text
from isoflop.questions.base.model_error import WITH_MODEL_ERROR, if_the_law_holds
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject

if TYPE_CHECKING:
    from isoflop.planning import Forecast as ForecastResult
    from isoflop.uncertainty import Ensemble


@dataclass(frozen=True)
class Forecast(Question):
    """Expected loss of a run that was not trained, with a prediction interval.

    FIT is a saved fit, published constants such as chinchilla:epoch, or a table of runs, which is fitted first.

    isoflop forecast fit.json --at params=70B --at tokens=1.4T
    isoflop forecast fit.json --at N=1B,3B,7B --at D=100B,1T
    isoflop forecast fit.json --points runs-to-come.csv
    isoflop forecast annealing.json --schedule cosine:0.1 --at step=24000 --at lr=3e-4 --at warmup=500
    """

    name: ClassVar[str] = "forecast"
    examples: ClassVar[tuple[str, ...]] = ("isoflop forecast runs.csv --law chinchilla --at N=10M --at D=500M",)
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 10
    subject: ClassVar[Subject] = "fit"
    results: ClassVar[tuple[str, ...]] = ("isoflop.planning.forecast:Forecast",)

    at: tuple[str, ...] = option(Points(), (), help="Input of the law; repeatable. N=1B,3B forecasts at both.")
    points: str | None = option(
        Text("FILE"), help="Table with a row for each run to forecast, or with the steps and rates of its schedule."
    )
    schedule: str | None = option(
        Text("SHAPE"),
        help="Schedule of the run, for a law of learning rates: cosine:FINAL, linear:FINAL, wsd:DECAY:FINAL or "
        "constant, with --at step=, lr= and warmup=.",
    )

    def check(self) -> None:
        """Points from words or from a table, not both."""
        if not self.at and self.points is None:
            raise IsoflopError("a forecast needs --at, as --at N=70B --at D=1.4T, or --points FILE")
        if self.at and self.points is not None:
            raise IsoflopError("--at and --points both name the runs to forecast; give one")
        if self.schedule is not None and self.points is not None:
            raise IsoflopError("--points has the schedule of each run; leave --schedule out")

    def compute(self, context: Context) -> tuple[ForecastResult, ...]:
        """A forecast for each point."""
        from isoflop.planning import forecasts
        from isoflop.planning.points import points_in, points_of, points_on

        self.check()
        ensemble = context.ensemble
        law = ensemble.estimate.law
        asked = points_of(self.at, law) if self.points is None else points_in(self.points, law)
        if self.schedule is not None:
            asked = points_on(self.schedule, asked, law)
        return forecasts(ensemble, asked, level=context.level)

    def answer(self, result: ForecastResult | Sequence[ForecastResult], context: Context) -> Answer:
        """One point as named numbers, several as a table."""
        forecasts = tuple(result) if isinstance(result, Sequence) else (result,)
        ensemble = context.ensemble
        several = len(forecasts) > 1
        least = min(forecasts, key=lambda each: each.loss.value)
        word = ensemble.estimate.law.response.replace("_", " ")
        unit = least.unit if ensemble.estimate.law.response == "loss" else ""
        return Answer(
            question=self.name,
            evidence=forecast_evidence(context, at=least.at, beyond=least.reach_decades),
            title=f"{ensemble.estimate.law.name} at " + (f"{len(forecasts)} points" if several else _where(least)),
            headline=f"{'Lowest expected' if several else 'Expected'} {word}: {{loss}}"
            + (f", at {_where(least)}." if several else "."),
            quantities=_quantities(least, ensemble, unit, word),
            tables=(_table(forecasts, ensemble, word),) if several else (),
            equation=equation(ensemble, level=context.level),
            findings=common_findings(forecasts),
            pictures=() if several else (_picture(least, ensemble),),
        )


def _where(forecast: ForecastResult) -> str:
    return ", ".join(f"{name} = {worded(Quantity(name, value, 'count'))}" for name, value in forecast.at.items())


def _quantities(forecast: ForecastResult, ensemble: Ensemble, unit: str, word: str) -> tuple[Quantity, ...]:
    beyond = forecast.reach_decades
    note = f"of one run, {WITH_MODEL_ERROR}" if math.isfinite(forecast.loss.low) else "of one run"
    return (
        *(Quantity(f"at_{name}", forecast.at[name], "count", label=name) for name in ensemble.estimate.law.input_names),
        of_interval("loss", forecast.loss, unit=unit, label=word, promise="PI", note=note),
        of_interval("mean", forecast.expected, unit=unit, label=f"mean {word}", note="expected over runs"),
        *if_the_law_holds(forecast.law_loss, forecast.model_error_share, unit=unit, word=word),
        Quantity(
            "extrapolation", beyond if math.isfinite(beyond) else None, label="extrapolation distance",
            unit="decades beyond the runs",
        ),
    )  # fmt: skip


def _table(forecasts: Sequence[ForecastResult], ensemble: Ensemble, word: str) -> Table:
    names = ensemble.estimate.law.input_names
    rows = tuple(
        (
            *(each.at[name] for name in names),
            of_interval("loss", each.loss, promise="PI"),
            of_interval("mean", each.expected),
            of_interval("law_loss", each.law_loss, promise="PI"),
            each.model_error_share if math.isfinite(each.model_error_share) else None,
            each.reach_decades if math.isfinite(each.reach_decades) else None,
        )
        for each in forecasts
    )
    return Table(
        "forecasts",
        (
            *(Column(name, kind="count") for name in names),
            Column("loss", word),
            Column("mean", f"mean {word}", detail=True),
            Column("law_loss", f"{word} if the law holds"),
            Column("model_error_share", "model error", "share", detail=True),
            Column("extrapolation", "decades beyond"),
        ),
        rows,
        note="Each row is one run that was not trained; its interval has model error, the last that of sampling and "
        "scatter alone.",
    )


def _picture(forecast: ForecastResult, ensemble: Ensemble) -> Picture:
    """The fan to the point that was asked."""
    loss = of_interval("loss", forecast.loss)
    ends = f" [{interval(loss)}]" if loss.has_interval else ""
    beyond = (
        f" That is {forecast.reach_decades:.1f} decades beyond the runs, which is shaded."
        if forecast.reach and forecast.reach_decades > 0
        else ""
    )
    return Picture(
        "forecast",
        drawing("forecast_fan", forecast, ensemble),
        f"The law and its intervals on the way to {_where(forecast)}, with the prediction interval of one run at "
        f"{worded(loss)}{ends}.{beyond}",
    )


_DISTANCE = ("extrapolation", "far-extrapolation")


def common_findings(forecasts: Sequence[ForecastResult]) -> tuple[Finding, ...]:
    """Findings of all points once; of those that say how far a point is out, that of the farthest."""
    common = dict.fromkeys(finding for each in forecasts for finding in each.findings if finding.code not in _DISTANCE)
    farthest = max(forecasts, key=lambda each: each.reach_decades if math.isfinite(each.reach_decades) else -1.0)
    out = [finding for finding in farthest.findings if finding.code in _DISTANCE]
    if len(forecasts) > 1:
        out = [replace(finding, message=f"at the farthest point {finding.message}") for finding in out]
    return (*common, *out)
