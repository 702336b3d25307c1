"""The question of which runs to train next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from isoflop.answers import Answer, Cell, Column, Kind, Picture, Quantity, Table, literal, of_interval
from isoflop.answers.wording import number, plural
from isoflop.errors import IsoflopError
from isoflop.files import check_place, write_whole
from isoflop.findings import Finding
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.kinds import Count, Flag, Number, Text, Texts
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject, refuse_errors
from isoflop.questions.base.specs import FitSpec, LevelSpec, PriorSpec, RunsSpec
from isoflop.questions.design_loop import check_loop, in_flops, loop_answer, loop_of

if TYPE_CHECKING:
    from isoflop.laws import Law
    from isoflop.planning.design import Candidates, RunDesign
    from isoflop.planning.design.loop import DesignLoop
    from isoflop.uncertainty import Interval

_DEFAULT_LAWS: Final = ("chinchilla", "skaling", "kaplan")
_DEFAULT_LAW: Final = "chinchilla"  # before any run
_WRITTEN: Final = (".toml", ".csv")


@dataclass(frozen=True)
class Design(Question):
    """Runs to train next: the batch that lowers the expected error of an answer most within a budget.

    Candidates are a table with a row each, a sweep (of the lab, or of your own program), or all combinations of
    values. What is believed of them comes from the runs, or from published constants with --scratch; model error, the
    choice of the law and the scatter of single runs count. The answer gives the interval expected after the batch, and
    after other ways to spend as much.

    isoflop design runs.csv --question "N* at 1e21" --candidates N=10M:1B:7 --candidates D=200M:20B:7 --spend 1e20
    isoflop design runs.csv --question "loss at N=7B D=140B" --candidates pool.csv --cost "6*N*D" --spend 1e20
    isoflop design runs.csv --question "which recipe is better at N=7B D=140B" --candidates pool.csv --spend 1e20
    isoflop design --scratch --question "N* at 1e15" --candidates sweep.toml --spend 2e13 -o next.toml
    isoflop design --question "N* at 1e14" --candidates sweep.toml --spend 2e13 --loop trained --until 3
    """

    name: ClassVar[str] = "design"
    examples: ClassVar[tuple[str, ...]] = (
        'isoflop design runs.csv --question "N* at 1e15" --candidates N=10K:1M:6 --candidates D=1M:30M:6 --spend 1e14',
        'isoflop design --scratch --question "loss at N=7B D=140B" --candidates N=10M:1B:5 --candidates D=200M:20B:5 '
        "--spend 1e19 -o batch.csv",
    )
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 25
    subject: ClassVar[Subject] = "law"
    unused: ClassVar[tuple[str, ...]] = ("starts", "jobs", "resample_by")
    results: ClassVar[tuple[str, ...]] = (
        "isoflop.planning.design.design:RunDesign",
        "isoflop.planning.design.loop:DesignLoop",
    )

    question: str | None = option(
        Text("QUESTION"),
        help='What to find out: "N* at 1e21", "loss at N=7B D=140B", "exponent of N* at 1e21", "which recipe is better '
        'at N=7B D=140B" (a column of two values), or a constant. N* at ten times the largest run by default.',
    )
    candidates: tuple[str, ...] = option(
        Texts("N=1M:1B:7"),
        (),
        required=True,
        help="Runs that may be trained: a table, a sweep (.toml), or values of each input, as N=1M,1B or N=1M:1B:7 "
        "(evenly in the logarithm); repeatable.",
    )
    spend: float | None = option(
        Number("COST", low=0.0, open=True), required=True, help="Budget for the batch, in the unit of --cost."
    )
    cost: str | None = option(
        Text("FORMULA"), help='Cost of a candidate, as "6*N*D"; by default its column cost or C, or 6*N*D.'
    )
    laws: tuple[str, ...] = option(
        Texts("LAW"),
        (),
        flag="law",
        help="Law to weigh; repeatable. chinchilla, skaling and kaplan by default. Constants behind it "
        "(chinchilla:epoch, FORMULA:NAME=VALUE,…) are what is believed before runs.",
    )
    scratch: bool = option(Flag(), False, help="No runs yet: constants as published, with their spread.")
    noise: float | None = option(
        Number(low=0.0, high=1.0, open=True), help="Relative scatter of one run; that of the runs, or 0.005."
    )
    seeds: int = option(Count(low=1, high=1000), 1, help="How often a candidate may be trained.")
    least_gain: float = option(
        Number(low=0.0, high=1.0), 0.05,
        help="Share by which the error must fall for the whole budget; the batch ends where no run does as much.",
    )  # fmt: skip
    draws: int = option(Count(low=20, high=10_000), 128, help="Draws of each law's constants.")
    output: str | None = option(
        Text("FILE"),
        short=("-o",),
        help="Write the batch: .csv, or .toml where the candidates are a sweep.",
        command_line_only=True,
    )

    loop: str | None = option(
        Text("FOLDER/"),
        help="Train the batch in the lab, design again with its runs, and so on: a folder for the sweep, which goes "
        "on where it was stopped.",
        command_line_only=True,
    )
    until: float | None = option(
        Number(low=0.0, open=True),
        help="With --loop: stop where the ratio of the interval's ends (for an exponent or a constant their "
        "difference) is no more.",
        command_line_only=True,
    )
    rounds: int = option(
        Count(low=1, high=100), 4, help="With --loop: at most so many batches.", command_line_only=True
    )

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """Laws are its own option."""
        return (RunsSpec, FitSpec, LevelSpec, PriorSpec)

    def check(self) -> None:
        """A place that can hold the batch; a question where there are no runs to take one from."""
        if self.output is not None:
            check_place(self.output, "--output")
            ending = Path(self.output).suffix.lower()
            if ending not in _WRITTEN:
                raise IsoflopError(f"a batch is written as {' or '.join(_WRITTEN)}, not {self.output[:80]!r}")
            if ending == ".toml" and not any(each.lower().endswith(".toml") for each in self.candidates):
                raise IsoflopError(
                    "a sweep is written from a sweep, whose sizes and settings it keeps; give --candidates sweep.toml, "
                    "or write the batch to a .csv"
                )
        if self.loop is not None:
            check_loop(self)
        elif self.until is not None:
            raise IsoflopError("--until ends a loop; give --loop FOLDER as well")
        if (self.scratch or self.loop is not None) and self.question is None:
            raise IsoflopError('before any run there is no usual question; give --question, as "N* at 1e21"')

    def compute(self, context: Context) -> RunDesign | DesignLoop:
        """The batch, or what rounds of batches left."""
        from isoflop.fitting.own_flops import own_flops
        from isoflop.laws.training_flops import SIX_ND
        from isoflop.planning.design import design
        from isoflop.planning.design.reading import read_design

        self.check()
        assert self.spend is not None
        if self.loop is not None:
            return loop_of(self, context)
        if self.scratch and context.runs_spec.source is not None:
            raise IsoflopError(
                f"--scratch designs without runs, and {context.runs_spec.source} was given; leave one of them out"
            )
        runs = None if self.scratch else context.runs
        if runs is not None and not context.force:
            refuse_errors(context.run_findings)
        grid = tuple(each.partition("=")[0].strip() for each in self.candidates if "=" in each)
        laws = self.laws_of(grid if runs is None else runs.names, before=runs is None)
        names = list(dict.fromkeys(name for each in laws for name in each.input_names))
        spec = context.runs_spec
        pool = read_design(self.candidates, names, folder=spec.folder, cost=self.cost, derive=spec.derive)
        counted = SIX_ND if runs is None or not {"N", "D"} <= set(runs.names) else own_flops(runs)[0]
        question = self.question or f"N* at {context.budget:.6g}"
        found = design(
            laws,
            pool,
            self.spend,
            question,
            runs=runs,
            objective=context.objective,
            prior=context.prior,
            noise=self.noise,
            counted=counted,
            seeds=self.seeds,
            least_gain=self.least_gain,
            level=context.level,
            draws=self.draws,
            seed=context.fit_spec.seed,
        )
        if self.output is not None:
            write_whole(Path(self.output), self._written(pool, found.rows, context.runs_spec.folder).encode())
        return found

    def laws_of(self, columns: Sequence[str], *, before: bool) -> list[Law]:
        """Its own laws, or the usual ones: all of them after runs, ``before`` any the one with published constants."""
        from isoflop.laws import law
        from isoflop.planning.published import law_with_constants

        if self.laws:
            return [law_with_constants(text, columns=columns) for text in dict.fromkeys(self.laws)]
        return [law(_DEFAULT_LAW)] if before else [law(text) for text in _DEFAULT_LAWS]

    def _written(self, pool: Candidates, rows: Sequence[int], folder: Path) -> str:
        if self.output is not None and self.output.lower().endswith(".toml"):
            from isoflop.planning.design.sweep import sweep_of

            described = folder / Path(self.candidates[0]).expanduser()
            return sweep_of(described, pool, rows, place=Path(self.output))
        chosen = pool.frame[list(rows)]
        text: str = chosen.with_columns(cost=pool.cost[list(rows)]).write_csv()
        return text

    def rests_on_runs(self, result: RunDesign | DesignLoop, context: Context) -> bool:
        """Not before any run."""
        return not self.scratch and self.loop is None and context.has_runs

    def findings(self, result: RunDesign | DesignLoop, context: Context) -> tuple[Finding, ...]:
        """Those of the runs."""
        return context.run_findings if self.rests_on_runs(result, context) else ()

    def answer(self, result: RunDesign | DesignLoop, context: Context) -> Answer:
        """The batch, the interval now and after it, and after other ways to spend as much."""
        from isoflop.planning.design.loop import DesignLoop

        if isinstance(result, DesignLoop):
            return loop_answer(self, result)
        target, pool = result.target, result.candidates
        kept = "" if self.output is None else f"; kept in {literal(self.output)}"
        headline = f"{_headline(result)}{kept}."
        kind: Kind = "flops" if in_flops(pool) else "number"
        unit = "FLOPs" if kind == "flops" else ""
        answered: Kind = "count" if target.kind == "factor" else "number"
        return Answer(
            question=self.name,
            title=f"runs to train for {target.name}",
            headline=headline,
            quantities=(
                Quantity("spent", result.spent, kind, label="cost of the batch", unit=unit, note=pool.priced),
                Quantity("budget", result.budget, kind, label="budget", unit=unit),
                of_interval("now", result.now, answered, label="now", note=target.name),
                of_interval("after", result.after, answered, label="expected after the batch", note=target.name),
                *_wrong(result),
                *(
                    Quantity(
                        "noise" if not place else f"noise_{place + 1}",
                        each.noise,
                        "share",
                        label="scatter of one run" + (f" of {group}" if group else ""),
                    )
                    for place, (group, each) in enumerate(result.beliefs.items())
                ),
            ),
            tables=(_batch(result, kind), _alternatives(result, kind, answered), _weights(result)),
            findings=result.findings,
            method="linear Bayes over draws of the laws with model error; greedy by gain per cost, then exchanged",
            pictures=(_picture(result),),
            provenance={"question": self.question, "candidates": list(self.candidates), "cost": pool.priced},
        )


def _headline(result: RunDesign) -> str:
    target, count = result.target, len(result.rows)
    if not count:
        return f"No candidate within the budget lowers the error of {target.name} enough for its cost"
    words = f"Train {count} of {len(result.candidates)} candidates for {{spent}}: "
    if result.wrong is None:
        return (
            f"{words}the interval of {target.name} is expected to shrink from {_ends(result.now, result)} to "
            f"{_ends(result.after, result)}"
        )
    return (
        f"{words}the sign of {target.name}, which is now wrong with a probability of {{wrong:bare}}, is expected to be "
        "wrong with one of {wrong_after:bare}"
    )


def _wrong(result: RunDesign) -> tuple[Quantity, ...]:
    if result.wrong is None:
        return ()
    assert result.target.compared is not None
    first, second = result.target.compared
    better = first if (result.now.value < (1.0 if result.target.kind == "ratio" else 0.0)) else second
    now, after = result.wrong
    return (
        Quantity("wrong", now, "share", label="P(wrong sign) now", note=f"{better} is taken to be the better"),
        Quantity("wrong_after", after, "share", label="P(wrong sign) expected after the batch"),
    )


def _ends(interval: Interval, result: RunDesign) -> str:
    kind: Kind = "count" if result.target.kind == "factor" else "number"
    return f"{number(interval.low, kind, digits=2)}–{number(interval.high, kind, digits=2)}"


def _batch(result: RunDesign, kind: Kind) -> Table:
    frame = result.candidates.frame
    rows: list[tuple[Cell, ...]] = []
    spent = 0.0
    for place, row in enumerate(result.rows):
        spent += float(result.candidates.cost[row])
        rows.append((*frame.row(row), float(result.candidates.cost[row]), spent, float(result.errors[place + 1])))
    kinds: dict[str, Kind] = {"C": "flops", "N": "count", "D": "count", "U": "count"}
    return Table(
        "batch",
        (
            *(Column(name, kind=kinds.get(name, "number"), detail=name == "C") for name in frame.columns),
            Column("cost", kind=kind),
            Column("spent", "spent by then", kind),
            Column("error", "expected error", detail=False),
        ),
        tuple(rows),
        title="Runs, in the order in which to train them",
        note=f"expected error: standard deviation of {_of(result)} after this run and those above.",
    )


def _of(result: RunDesign) -> str:
    word = {
        "factor": "log N*",
        "relative": "the logarithm of the response",
        "ratio": "the logarithm of the ratio",
        "number": result.target.name,
    }
    return word[result.target.kind]


def _alternatives(result: RunDesign, kind: Kind, answered: Kind) -> Table:
    return Table(
        "alternatives",
        (
            Column("way", ""),
            Column("runs", kind="integer"),
            Column("spent", "cost", kind),
            Column("answer", "interval"),
        ),
        tuple(
            (each.name, each.runs, each.spent, of_interval("answer", each.answer, answered))
            for each in result.alternatives
        ),
        title="Other ways to spend the budget",
        note="small: at most a tenth of the budget each. All candidates: whatever they cost.",
    )


def _weights(result: RunDesign) -> Table:
    compared = result.target.compared is not None
    return Table(
        "laws",
        (*((Column("group"),) if compared else ()), Column("law"), Column("weight", kind="share"), Column("constants")),
        tuple(
            (*((group,) if compared else ()), name, weight, ", ".join(belief.sources.get(name, ())))
            for group, belief in result.beliefs.items()
            for name, weight in belief.weights.items()
        ),
        title="Laws",
        detail=True,
    )


def _picture(result: RunDesign) -> Picture:

    count = len(result.rows)
    return Picture(
        "spend",
        drawing("batch_by_spend", result),
        f"Expected error of {result.target.name} against spend: {result.errors[0]:.3g} now, {result.errors[-1]:.3g} "
        f"after {count} {plural(count, 'run')}; and after other ways to spend the budget.",
    )
