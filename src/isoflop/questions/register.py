"""The question of a prediction on record, made before the run is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, literal, of_interval
from isoflop.answers.wording import number
from isoflop.errors import IsoflopError
from isoflop.files import check_place
from isoflop.questions.base.context import Context
from isoflop.questions.base.kinds import Points, Text
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject

if TYPE_CHECKING:
    from isoflop.planning.register import Prediction


@dataclass(frozen=True)
class Register(Question):
    """Prediction on record: a dated, sealed file, to be scored when the run is done (isoflop score).

    isoflop register fit.json --at N=70B --at D=1.4T -o prediction.json
    """

    name: ClassVar[str] = "register"
    examples: ClassVar[tuple[str, ...]] = (
        "isoflop register runs.csv --law chinchilla --at N=1M --at D=10M -o prediction.json",
    )
    group: ClassVar[Group] = "Share"
    order: ClassVar[int] = 20
    subject: ClassVar[Subject] = "fit"
    has_pictures: ClassVar[bool] = False
    results: ClassVar[tuple[str, ...]] = ("isoflop.planning.register:Prediction",)
    recommends: ClassVar[bool] = True
    in_study: ClassVar[bool] = False  # a study is performed again to the byte; a prediction has a date
    on_page: ClassVar[bool] = False

    at: tuple[str, ...] = option(Points(), (), required=True, help="Input of the law; repeatable.")
    about: str = option(Text("TEXT"), "", flag="note", help="What the prediction is for.")
    output: str = option(Text("FILE"), "prediction.json", short=("-o",), help="New file.", command_line_only=True)

    def check(self) -> None:
        """A prediction never replaces a file."""
        check_place(self.output, "--output")

    def compute(self, context: Context) -> Prediction:
        """Write the prediction."""
        from isoflop.planning.points import points_of
        from isoflop.planning.register import register

        points = points_of(self.at, context.ensemble.estimate.law)
        if len(points) != 1:
            raise IsoflopError(f"a prediction is of one run, and --at names {len(points)}; register them one by one")
        return register(context.ensemble, points[0], self.output, level=context.level, note=self.about)

    def answer(self, result: Prediction, context: Context) -> Answer:
        """What was predicted, and the file that keeps it."""
        where = ", ".join(f"{name} = {number(value, 'count')}" for name, value in result.at.items())
        return Answer(
            question=self.name,
            title=f"registered {result.made:%Y-%m-%d %H:%M} UTC: {result.law} at {where}",
            headline=f"Predicted {result.response.replace('_', ' ')}: {{loss}}; kept in {literal(self.output)}.",
            quantities=(of_interval("loss", result.loss, unit=result.unit, note="of one run", promise="PI"),),
            method=f"runs: {result.source}; seal {result.seal[:16]}…",
            provenance={
                "made": result.made.isoformat(),
                "at": dict(result.at),
                "file": self.output,
                "seal": result.seal,
                "note": result.note,
            },
        )
