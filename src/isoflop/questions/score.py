"""The question of predictions on record: what was then measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Column, Quantity, Table, of_interval
from isoflop.answers.wording import number
from isoflop.errors import IsoflopError
from isoflop.questions.base.context import Context
from isoflop.questions.base.kinds import Number, Text, Texts
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject

if TYPE_CHECKING:
    from isoflop.planning.register import Score as ScoreResult


@dataclass(frozen=True)
class Scored:
    """Predictions beside what was measured."""

    scores: tuple[ScoreResult, ...]


@dataclass(frozen=True)
class Score(Question):
    """Registered predictions compared with the runs that were then trained.

    isoflop score prediction.json --measured 2.31
    isoflop score predictions/*.json --runs finished.csv
    """

    name: ClassVar[str] = "score"
    examples: ClassVar[tuple[str, ...]] = (
        "isoflop register runs.csv --law chinchilla --at N=1M --at D=10M -o prediction.json",
        "isoflop score prediction.json --measured 1.21",
    )
    group: ClassVar[Group] = "Share"
    order: ClassVar[int] = 30
    subject: ClassVar[Subject] = "nothing"
    has_pictures: ClassVar[bool] = False
    results: ClassVar[tuple[str, ...]] = ("isoflop.questions.score:Scored", "isoflop.planning.register:Score")
    in_study: ClassVar[bool] = False
    on_page: ClassVar[bool] = False

    files: tuple[str, ...] = option(Texts("PREDICTION.json"), (), positional=True, required=True, help="Predictions.")
    measured: float | None = option(Number("LOSS"), help="What the run measured; for one prediction.")
    runs: str | None = option(Text("FILE"), help="Table, store or data set with the finished runs, found by inputs.")

    def check(self) -> None:
        """One loss for one prediction, or a table for several."""
        if (self.measured is None) == (self.runs is None):
            raise IsoflopError("a score needs --measured 2.31 for one prediction, or --runs FILE for several")
        if self.measured is not None and len(self.files) > 1:
            raise IsoflopError(f"--measured is one loss for {len(self.files)} predictions; give --runs FILE")

    def compute(self, context: Context) -> Scored:
        """Every prediction beside its run."""
        from isoflop.planning.register import load_prediction, measured_in, score

        predictions = [load_prediction(file) for file in self.files]
        if self.measured is not None:
            measured = [self.measured]
        else:
            table = replace(context.runs_spec, source=self.runs).read()
            measured = [measured_in(each, table) for each in predictions]
        return Scored(tuple(score(each, value) for each, value in zip(predictions, measured, strict=True)))

    def answer(self, result: Scored | ScoreResult, context: Context) -> Answer:
        """Error, and whether the interval held the measurement."""
        scores: Sequence[ScoreResult] = result.scores if isinstance(result, Scored) else (result,)
        known = [each for each in scores if each.held is not None]
        covered = sum(bool(each.held) for each in known)
        first = scores[0]
        one = len(scores) == 1
        inputs = tuple(dict.fromkeys(name for each in scores for name in each.prediction.at))
        return Answer(
            question=self.name,
            title="registered predictions, scored",
            headline="Measured {measured}, {error} from the prediction."
            if one
            else f"{len(scores)} predictions have a mean relative error of {{mre}}; {{covered}} of {{known}} intervals "
            "hold the measurement.",
            quantities=(
                *(
                    (
                        Quantity("measured", first.measured, unit=first.prediction.unit),
                        Quantity("error", first.error, "change"),
                    )
                    if one
                    else ()
                ),
                Quantity("mre", sum(abs(each.error) for each in scores) / len(scores), "share", label="MRE"),
                Quantity("covered", covered, "integer", label="covered"),
                Quantity("known", len(known), "integer", label="predictions with an interval"),
            ),
            tables=(
                Table(
                    "scores",
                    (
                        Column("made"),
                        Column("prediction"),
                        Column("loss", "predicted"),
                        Column("measured"),
                        Column("error", kind="change"),
                        Column("covered"),
                        Column("place", "quantile", "share"),
                        Column("law", detail=True),
                        *(Column(f"at_{name}", name, "count", detail=True) for name in inputs),
                    ),
                    tuple(
                        (
                            each.prediction.made.isoformat(),
                            f"{each.prediction.law} at "
                            + ", ".join(f"{name} = {number(at, 'count')}" for name, at in each.prediction.at.items()),
                            of_interval("loss", each.prediction.loss, promise="PI"),
                            each.measured,
                            each.error,
                            each.held,
                            each.place,
                            each.prediction.law,
                            *(each.prediction.at.get(name) for name in inputs),
                        )
                        for each in scores
                    ),
                ),
            ),
            method="error: (measured − predicted)/predicted; quantile: share of the draws below the measurement",
        )
