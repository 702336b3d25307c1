"""``design --loop``: rounds of a design and its training in the lab, and what they left."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from isoflop.answers import Answer, Cell, Column, Kind, Picture, Quantity, Table, literal, of_interval
from isoflop.answers.wording import number, plural
from isoflop.errors import IsoflopError
from isoflop.questions.base.context import DEFAULT_LAW, Context
from isoflop.questions.base.drawing import drawing

if TYPE_CHECKING:
    from isoflop.planning.design import Candidates
    from isoflop.planning.design.loop import DesignLoop
    from isoflop.questions.design import Design
    from isoflop.runs import Runs
    from isoflop.uncertainty import Interval

_DRAWS: Final = 500  # of the answer after each round
_USUAL: Final = 1.5  # ratio of the ends that is narrow enough, where nobody says
_KINDS: Final[dict[str, Kind]] = {"N": "count", "D": "count", "U": "count", "C": "flops"}
_N_AT: Final = re.compile(r"\s*N\*\s+at\s+(\S+)\s*", re.IGNORECASE)


def check_loop(question: Design) -> None:
    """A loop trains a sweep's cells, from nothing, into a folder."""
    if len(question.candidates) != 1 or not question.candidates[0].lower().endswith(".toml"):
        raise IsoflopError(
            "--loop trains the cells of a sweep, of the lab or of your own program: give --candidates sweep.toml, and "
            "nothing else"
        )
    if question.output is not None:
        raise IsoflopError("--loop keeps what it trains in its own folder; leave --output out")


def loop_of(question: Design, context: Context) -> DesignLoop:
    """Batches chosen and trained in turn; the answer of each round is what a plan or a forecast gives."""
    from isoflop.lab.executors import connect
    from isoflop.lab.spec import parse_spec
    from isoflop.lab.sweep import perform
    from isoflop.planning.design.loop import design_loop
    from isoflop.planning.design.reading import read_design
    from isoflop.planning.design.sweep import runs_a_program, sweep_of
    from isoflop.runs import read_runs

    assert question.spend is not None and question.loop is not None and question.question is not None
    if context.runs_spec.source is not None:
        raise IsoflopError(
            f"--loop begins without runs, and {context.runs_spec.source} was given; leave it out, or design one batch "
            "without --loop"
        )
    base, folder = context.runs_spec.folder, Path(question.loop).expanduser()
    described = base / Path(question.candidates[0]).expanduser()
    derive = context.runs_spec.derive
    own = runs_a_program(described)
    if question.cost is not None and not own:
        raise IsoflopError("--loop pays in the counted FLOPs of the sweep's cells; leave --cost out")
    if question.seeds > 1 and own:
        raise IsoflopError(
            "a program is run once with its values, and --seeds would run it again with the same; list seed = [0, 1] "
            "in [command.values], and leave --seeds out"
        )
    pool = read_design(question.candidates, ["N", "D"], folder=base, cost=question.cost, derive=derive)
    columns = tuple(pool.frame.columns)
    laws = (question.laws_of(columns, before=True), question.laws_of(columns, before=False))
    if folder.exists() and not folder.is_dir():
        raise IsoflopError(f"{folder} is a file; give --loop a folder")

    with context.progress(question.rounds, "training") as advance:

        def train(rows: Sequence[int]) -> Runs:
            text = sweep_of(described, pool, rows)
            place = connect("local", workers=os.cpu_count() or 1, logs=folder / "logs", options={})
            swept = perform(parse_spec(text, base=described.parent), folder, executor=place)
            advance(1)
            if not swept.done:
                raise IsoflopError(
                    f"no cell of the batch finished; the reasons are in {folder / 'cells'}: "
                    + (swept.failed or swept.diverged)[0][1][:200]
                )
            return read_runs(swept.runs, derive=derive)

        return design_loop(
            *laws,
            pool,
            question.spend,
            question.question,
            train,
            until=question.until or _USUAL,
            ask=partial(_asked, question.question, context),
            rounds=question.rounds,
            objective=context.objective,
            prior=context.prior,
            noise=question.noise,
            seeds=question.seeds,
            least_gain=question.least_gain,
            level=context.level,
            draws=question.draws,
            seed=context.fit_spec.seed,
        )


def _asked(question: str, context: Context, runs: Runs) -> Interval | None:
    """N* as a plan gives it; None for another question, and where the runs allow no plan yet."""
    from isoflop.fitting import fit
    from isoflop.laws import law
    from isoflop.planning.answer import answer
    from isoflop.uncertainty import bootstrap
    from isoflop.units import parse_quantity

    found = _N_AT.fullmatch(question)
    if found is None:
        return None
    try:
        ensemble = bootstrap(fit(law(DEFAULT_LAW), runs, objective=context.objective), draws=_DRAWS)
        return answer(ensemble, budget=parse_quantity(found[1]), level=context.level).plan.n
    except IsoflopError:
        return None


def loop_answer(question: Design, result: DesignLoop) -> Answer:
    """What was trained, for how much, and how the interval shrank."""
    target = result.last.target
    answered: Kind = "count" if target.kind == "factor" else "number"
    count, pool = len(result.rows), result.last.candidates
    kind: Kind = "flops" if in_flops(pool) else "number"
    unit = "FLOPs" if kind == "flops" else ""
    table = Path(question.loop or "") / "runs.parquet"
    headline = (
        f"Trained {count} {plural(count, 'run')} in {len(result.rounds)} {plural(len(result.rounds), 'round')} for "
        f"{{spent}}: {target.name} is {{answer}}, and was {_ends(result.before, answered)} before any run; the "
        f"end was {result.stopped}. The runs are in {literal(str(table))}."
        if count
        else f"Nothing was trained: {result.stopped}."
    )
    return Answer(
        question=question.name,
        title=f"runs trained for {target.name}",
        headline=headline,
        quantities=(
            of_interval("answer", result.answer, answered, label=target.name),
            Quantity("spent", result.spent, kind, label="cost of the runs", unit=unit, note=pool.priced),
            Quantity("budget", result.budget, kind, label="budget", unit=unit),
            Quantity("runs", count, "integer", label="runs"),
        ),
        tables=(_rounds(result, answered, kind), _trained(result, kind)),
        findings=result.last.findings,
        method="linear Bayes over draws of the laws with model error, designed anew after every batch",
        pictures=(_picture(result),),
        provenance={"question": question.question, "candidates": list(question.candidates)},
    )


def _ends(interval: Interval, kind: Kind) -> str:
    return f"{number(interval.low, kind, digits=2)}–{number(interval.high, kind, digits=2)}"


def _rounds(result: DesignLoop, kind: Kind, paid: Kind) -> Table:
    spent, rows = 0.0, list[tuple[Cell, ...]]()
    for place, each in enumerate(result.rounds, start=1):
        spent += each.spent
        rows.append(
            (
                place,
                each.runs,
                spent,
                of_interval("expected", each.expected, kind),
                of_interval("answer", each.answer, kind),
                "the plan" if each.asked else "the design's belief",
            )
        )
    return Table(
        "rounds",
        (
            Column("round", kind="integer"),
            Column("runs", kind="integer"),
            Column("spent", "spent by then", paid),
            Column("expected", "expected"),
            Column("answer", "came out"),
            Column("source", "by", detail=True),
        ),
        tuple(rows),
        title="Rounds",
    )


def _trained(result: DesignLoop, paid: Kind) -> Table:
    pool = result.last.candidates
    frame = pool.frame[list(result.rows)]
    return Table(
        "trained",
        (*(Column(name, kind=_KINDS.get(name, "number")) for name in frame.columns), Column("cost", kind=paid)),
        tuple((*row, float(cost)) for row, cost in zip(frame.iter_rows(), pool.cost[list(result.rows)], strict=True)),
        title="Runs, in the order in which they were chosen",
        detail=True,
    )


def in_flops(pool: Candidates) -> bool:
    """Whether candidates are paid in training FLOPs."""
    return pool.priced in ("6*N*D", "the column C", "counted FLOPs")


def _picture(result: DesignLoop) -> Picture:

    return Picture(
        "rounds",
        drawing("answer_by_spend", result),
        f"{result.last.target.name} with its interval before any run and after each round, against what was spent.",
    )
