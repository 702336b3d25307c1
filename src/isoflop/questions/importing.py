"""The question of run logs: read them into a store of runs and curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from isoflop.answers import Answer, Cell, Column, Quantity, Table
from isoflop.answers.wording import plural
from isoflop.errors import IsoflopError
from isoflop.questions.base.context import Context
from isoflop.questions.base.kinds import Choice, Count, Number, Text, Texts, Words
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject

if TYPE_CHECKING:
    from isoflop.logs.imported import Imported

_FORMATS: Final = "wandb, wandb-files, aim, tensorboard, mlflow, trackio, trainer, lm-eval, lightning, text, table"


@dataclass(frozen=True)
class Import(Question):
    """Run logs (files, folders, globs, addresses) read into a store of runs and curves; again adds what is new.

    Without SOURCE the losses of an existing store are chosen anew by the options. A store stands wherever a table does.

    isoflop import runs/ -o store/
    isoflop import train.log -o store/ --tokens-per-step 0.5M --rule last:10
    """

    name: ClassVar[str] = "import"
    examples: ClassVar[tuple[str, ...]] = ("isoflop import train.log -o store/",)
    group: ClassVar[Group] = "Read"
    order: ClassVar[int] = 20
    subject: ClassVar[Subject] = "nothing"
    has_pictures: ClassVar[bool] = False
    results: ClassVar[tuple[str, ...]] = ("isoflop.logs.imported:Imported",)
    in_study: ClassVar[bool] = False
    on_page: ClassVar[bool] = False

    sources: tuple[str, ...] = option(
        Texts("SOURCE"), (), positional=True, help="Logs: files, folders, globs, addresses."
    )
    output: str = option(
        Text("STORE/"), "", short=("-o", "--out"), required=True, help="Folder of the store.", command_line_only=True
    )
    format: str | None = option(Text("WORD"), help=f"Read SOURCE as this and nothing else: {_FORMATS}.")
    pattern: str | None = option(Text("REGEX"), help="For text logs: (?P<step>…) and a named group for each metric.")
    loss: str | None = option(Text("NAME"), help="Metric that counts as the loss.")
    rule: str | None = option(Text("RULE"), help="Value of it that counts: last (default), last:10, min, step:20000.")
    warmup: int | None = option(Count(low=0), help="Steps cut from curves in fits; as in the log where not given.")
    unfinished: str | None = option(
        Choice("keep|drop", ("keep", "drop")), help="Unfinished runs; kept where not given."
    )
    tokens_per_step: float | None = option(
        Number("TOKENS", low=0.0, open=True), help="Tokens of a step, for every run."
    )
    columns: Mapping[str, str] = option(
        Words("N=NAME"), {}, flag="column", help="Setting or metric that is N, D, batch …; repeatable."
    )
    units: Mapping[str, str] = option(
        Words("loss=UNIT"), {}, flag="unit", help="Unit of the loss: nats/token, bits/byte, perplexity …"
    )
    conventions: Mapping[str, str] = option(
        Words("N=WORD"), {}, flag="convention", help="What N counts: total or non-embedding."
    )
    run_table: str | None = option(
        Text("FILE"), help="Table with a column run that gives N, D and others of runs whose logs lack them."
    )
    kept: tuple[str, ...] = option(Texts("SETTING"), (), flag="keep", help="Setting that becomes a column; repeatable.")

    def check(self) -> None:
        """A store needs a place."""
        if not self.output:
            raise IsoflopError("the store needs a folder: -o store/")

    def compute(self, context: Context) -> Imported:
        """Read what is new, or choose the losses of a store again."""
        from isoflop.logs.importing import choose_again, import_logs
        from isoflop.logs.rules import Rules, pick
        from isoflop.logs.run_table import read_run_table

        self.check()
        given: dict[str, Any] = {
            "pick": None if self.rule is None else pick(self.rule),
            "loss": self.loss,
            "warmup": self.warmup,
            "unfinished": self.unfinished,
            "named": dict(self.columns),
            "given": {} if self.tokens_per_step is None else {"batch": self.tokens_per_step},
            "unit": _only(self.units, "--unit", "loss"),
            "convention": _only(self.conventions, "--convention", "N"),
            "kept": self.kept,
        }
        given = {name: value for name, value in given.items() if value not in (None, {}, ())}
        told = read_run_table(self.run_table) if self.run_table is not None else None
        if not self.sources:
            rules = None if told is not None and not given else Rules(**given)
            return choose_again(self.output, rules, run_table=told)
        with context.progress(10_000, "runs") as advance:
            return import_logs(
                self.sources,
                self.output,
                rules=Rules(**given) if given else None,
                format=self.format,
                pattern=self.pattern,
                run_table=told,
                progress=lambda name: advance(1),
            )

    def answer(self, result: Imported, context: Context) -> Answer:
        """What was read, run by run, and what could not be."""
        import polars as pl

        store = result.store
        new = [*result.added, *result.grown]
        runs = store.runs.filter(pl.col("run").is_in(new)) if new else store.runs
        unread = Table(
            "unread",
            (Column("source"), Column("reason")),
            tuple((each.source, each.says) for each in result.unread),
            title="Not read",
        )
        return Answer(
            question=self.name,
            title=f"runs in {store.folder}",
            headline=_headline(result),
            quantities=(
                Quantity("added", len(result.added), "integer"),
                Quantity("grown", len(result.grown), "integer", label="continued"),
                Quantity("scored", len(result.scored), "integer", label="with new scores"),
                Quantity("unchanged", result.unchanged, "integer"),
                Quantity("left_out", len(result.left_out), "integer", label="unfinished, left out"),
                Quantity("unread", len(result.unread), "integer", label="logs not read"),
                Quantity("runs", store.runs.height, "integer", label="runs in the store"),
                Quantity("rows", int(store.runs["rows"].sum()), "integer", label="rows of curves"),
            ),
            tables=(_runs(runs), *((unread,) if result.unread else ()), _changes(result)),
            findings=result.findings,
            method=store.record["says"],
            provenance={"store": str(store.folder), "rules": dict(store.record["rules"])},
        )


def _headline(result: Imported) -> str:
    """What happened, without what did not."""
    new = (
        (len(result.added), f"{{added}} {plural(len(result.added), 'run')} added"),
        (len(result.grown), "{grown} continued"),
        (len(result.scored), f"scores of {{scored}} {plural(len(result.scored), 'run')} added"),
        (result.unchanged, "{unchanged} unchanged"),
        (len(result.left_out), "{left_out} unfinished left out"),
        (len(result.unread), f"{{unread}} {plural(len(result.unread), 'log')} not read"),
    )
    words = ", ".join(text for count, text in new if count) or "Nothing new"
    runs = plural(result.store.runs.height, "run")
    rows = plural(int(result.store.runs["rows"].sum()), "row")
    return f"{words}; the store holds {{runs}} {runs} with {{rows}} {rows} of curves."


def _changes(result: Imported) -> Table:
    """What became of which run."""
    kinds = (
        ("added", result.added), ("continued", result.grown), ("with new scores", result.scored),
        ("unfinished, left out", result.left_out),
    )  # fmt: skip
    rows = tuple((str(run), kind) for kind, runs in kinds for run in runs)
    return Table("changes", (Column("run"), Column("change")), rows, title="Changes", detail=True)


def _runs(runs: Any) -> Table:  # noqa: ANN401 - a Polars frame, which this module does not import
    def row(each: Mapping[str, Any]) -> tuple[Cell, ...]:
        metric = each["loss_metric"] or ("as logged" if each["loss"] is not None else "no loss")
        return (
            str(each["run"]), str(each["status"]), each["N"], each["D"], each["steps"], each["loss"],
            str(each["loss_unit"] or ""), f"{metric} ({each['format']})", str(each["derived"] or ""),
        )  # fmt: skip

    return Table(
        "runs",
        (
            Column("run"),
            Column("status"),
            Column("N", kind="count"),
            Column("D", kind="count"),
            Column("steps", kind="integer"),
            Column("loss"),
            Column("unit"),
            Column("origin", "from"),
            Column("derived"),
        ),
        tuple(row(each) for each in runs.iter_rows(named=True)),
        title="Runs",
    )


def _only(texts: Mapping[str, str], option_: str, name: str) -> str | None:
    """The value of the one NAME that the option knows."""
    if set(texts) - {name}:
        raise IsoflopError(f"{option_} takes {name}=…, not {next(iter(texts))[:40]}=…")
    return texts.get(name)
