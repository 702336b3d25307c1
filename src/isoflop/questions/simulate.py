"""The question of what a design would show: runs of a known law."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from isoflop.answers import Answer, Column, Kind, Quantity, Table, literal
from isoflop.answers.wording import number, plural
from isoflop.errors import IsoflopError
from isoflop.files import check_place, write_whole
from isoflop.questions.base.context import Context
from isoflop.questions.base.equation import written
from isoflop.questions.base.kinds import Count, Number, Text, Texts
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject

if TYPE_CHECKING:
    from isoflop.planning.simulate import Simulated

_KINDS: Final[Mapping[str, Kind]] = {"N": "count", "D": "count", "U": "count", "C": "flops", "seed": "integer"}
CANDIDATES = Texts("N=1M:1B:7")


@dataclass(frozen=True)
class Simulate(Question):
    """Simulated runs of a known law on a design: what a table of such runs would tell.

    Each run's response is the law's, times the exponential of normal noise. The same seed gives the same table; fit it
    as any other.

    isoflop simulate --law chinchilla --constants epoch --design N=1M:1B:7 --design D=20M:20B:7 -o simulated.csv
    isoflop simulate --law "E + A/N^alpha" --constants E=1.7 --constants A=400 --constants alpha=0.34 --design runs.csv
    """

    name: ClassVar[str] = "simulate"
    examples: ClassVar[tuple[str, ...]] = (
        "isoflop simulate --law chinchilla --constants epoch --design N=1M:1B:4 --design D=20M:20B:4 -o simulated.csv",
    )
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 90
    subject: ClassVar[Subject] = "nothing"
    has_pictures: ClassVar[bool] = False
    results: ClassVar[tuple[str, ...]] = ("isoflop.planning.simulate:Simulated",)
    in_study: ClassVar[bool] = False
    on_page: ClassVar[bool] = False

    law: str = option(
        Text("LAW"), "chinchilla",
        help='Law that is true: a name, with its constants as chinchilla:epoch, or a formula, as "E + A/N^alpha".',
    )  # fmt: skip
    constants: tuple[str, ...] = option(
        Texts("KEY|NAME=VALUE"), (), help="Key of published constants, as epoch, or a constant's value; repeatable."
    )
    design: tuple[str, ...] = option(
        CANDIDATES, (), help="Table with a row a run, or values of an input, as N=1M,1B or N=1M:1B:7; repeatable."
    )
    noise: float = option(Number(low=0.0, high=10.0), 0.005, help="Relative standard deviation of one run.")
    seeds: int = option(Count(low=1, high=1000), 1, help="Runs at each point.")
    outliers: float = option(Number(low=0.0, high=1.0), 0.0, help="Share of runs whose response is 5 to 50 % too high.")
    drift: float = option(
        Number(low=-10.0, high=10.0), 0.0, help="Relative departure from the law for each decade of cost."
    )
    cost: str | None = option(Text("FORMULA"), help="What a run costs, for the drift; 6*N*D by default.")
    seed: int = option(Count(high=2**32 - 1), 0, help="Seed of the noise.")
    output: str | None = option(Text("FILE.csv"), short=("-o",), help="New table of runs.", command_line_only=True)

    def check(self) -> None:
        """A design is needed, and a place that can hold a table."""
        if not self.design:
            raise IsoflopError(
                "there is no design; give --design as a table, or as N=1M:1B:7 for each input of the law"
            )
        if self.output is not None:
            check_place(self.output, "--output")
            if Path(self.output).suffix.lower() != ".csv":
                raise IsoflopError(f"simulated runs are written as .csv, not {self.output[:80]!r}")

    def compute(self, context: Context) -> Simulated:
        """The table."""
        from isoflop.laws import law
        from isoflop.laws.constants import stated_constants
        from isoflop.planning.design.reading import read_design
        from isoflop.planning.simulate import simulate

        self.check()
        name, _, given = self.law.partition(":")
        truth = law(name, columns=tuple(each.partition("=")[0].strip() for each in self.design if "=" in each))
        design = read_design(
            self.design, truth.input_names, cost=self.cost, costs_matter=self.drift != 0, option="--design"
        )
        truth = law(name, columns=tuple(design.frame.columns))
        made = simulate(
            truth,
            stated_constants(truth, (given, *self.constants)).values,
            design,
            noise=self.noise,
            seeds=self.seeds,
            outliers=self.outliers,
            drift=self.drift,
            seed=self.seed,
        )
        if self.output is not None:
            write_whole(Path(self.output), made.frame.write_csv().encode())
        return made

    def answer(self, result: Simulated, context: Context) -> Answer:
        """How many runs of which law; the runs."""
        count = len(result.frame)
        kept = "" if self.output is None else f"; kept in {literal(self.output)}"
        constants = ", ".join(f"{name} = {value:.6g}" for name, value in result.constants.items())
        return Answer(
            question=self.name,
            title=f"simulated runs of {result.law.name}",
            headline=f"{{runs}} {plural(count, 'run')} of {result.law.response} = {written(result.law)}{kept}.",
            quantities=(
                Quantity("runs", count, "integer"),
                Quantity("noise", result.noise, "share", label="noise of one run"),
                Quantity("raised", result.raised, "integer", label="outliers"),
                Quantity("drift", result.drift, "change", label="drift", note="for each decade of cost"),
            ),
            tables=(
                Table(
                    "runs",
                    tuple(Column(name, kind=_KINDS.get(name, "number")) for name in result.frame.columns),
                    tuple(result.frame.iter_rows()),
                ),
            ),
            method=f"{constants}; seed {number(result.seed, 'integer')}",
            provenance={"law": result.law.name, "constants": dict(result.constants), "seed": result.seed},
        )
