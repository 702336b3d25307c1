"""The question of the best mixture of training data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, cast

from isoflop.answers import Answer, Cell, Column, Picture, Quantity, Table, literal, of_interval
from isoflop.answers.wording import number
from isoflop.errors import IsoflopError, choices, shown
from isoflop.findings import Finding
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.kinds import Choice, Count, Number, Numbers, Text, Texts
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import LevelSpec, RunsSpec

if TYPE_CHECKING:
    from isoflop.planning.mixtures import Form, FormScore, MixtureForecast, MixturePlan, MixtureTable

_FORMS: Final = ("exponential", "log-linear", "bimix", "exponential-power")
_NAMED: Final = 4  # domains in a headline
_NONE: Final = 0.0005  # a share that is told as 0.1 % or more
_VARIES: Final = 1.05  # ratio of the largest to the smallest size or length of runs that a mixture law still compares


@dataclass(frozen=True)
class Mixed:
    """The best mixture, the forecast there, how each form did on held-out mixtures, and the runs behind it all.

    unlike: inputs in which the runs differ beside their mixtures.
    """

    table: MixtureTable
    plan: MixturePlan
    there: MixtureForecast
    scores: tuple[FormScore, ...]
    asked: MixtureForecast | None
    unlike: tuple[str, ...]


@dataclass(frozen=True)
class Mixture(Question):
    """The best mixture of training data: argmin_r Σ_i w_i L_i(r) over shares that add up to 1.

    Forms are compared on mixtures that are held out, and the best is fitted. Domains are columns of shares (--domain,
    found where they add up to 1) or one column that holds all (--shares). With --tokens and --unique no domain is
    passed over more often than --epochs.

    isoflop mixture runs.csv
    isoflop mixture runs.csv --domain web --domain code --domain books --tokens 1T --unique code=50B --epochs 4
    isoflop mixture runs.csv --at web=0.5 --at code=0.3 --at books=0.2
    """

    name: ClassVar[str] = "mixture"
    examples: ClassVar[tuple[str, ...]] = ("isoflop mixture mixtures.csv --tokens 1T --unique code=50B --draws 50",)
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 24
    subject: ClassVar[Subject] = "runs"
    results: ClassVar[tuple[str, ...]] = ("isoflop.questions.mixture:Mixed",)

    domains: tuple[str, ...] = option(
        Texts("COLUMN"), (), flag="domain", help="Column of a domain's share, or with --shares its name; repeatable."
    )
    shares: str | None = option(Text("COLUMN"), help="One column that holds all shares, as 0.25-0.75.")
    tasks: tuple[str, ...] = option(
        Texts("COLUMN"), ("loss",), flag="task", help="Column of a loss, or a name in --task-column; repeatable."
    )
    task_column: str | None = option(Text("COLUMN"), help="Of a table with a row a mixture and task: names the task.")
    weights: Mapping[str, float] = option(
        Numbers("TASK=NUMBER"), {}, flag="weight", help="Weight of a loss; 1 for others; repeatable."
    )
    caps: Mapping[str, float] = option(
        Numbers("DOMAIN=SHARE"), {}, flag="cap", help="Largest share of a domain; repeatable."
    )
    tokens: float | None = option(Number("1T", low=0.0, open=True), help="Training tokens of the planned run.")
    unique: Mapping[str, float] = option(
        Numbers("DOMAIN=TOKENS"), {}, help="Unique tokens of a domain, with --tokens; repeatable."
    )
    epochs: float = option(Number(low=0.0, open=True), 4.0, help="How often unique tokens may be passed.")
    at: Mapping[str, float] = option(
        Numbers("DOMAIN=SHARE"), {}, help="A mixture whose loss is forecast as well; repeatable."
    )
    form: str | None = option(
        Choice("FORM", values=_FORMS),
        help="Form of the law; by default the best on held-out mixtures.",
    )
    within: float = option(
        Number(low=0.0, high=1.0, open=True), 0.002, help="Relative loss that counts as near-optimal."
    )
    draws: int = option(Count(low=20, high=10_000), 100, help="Refits for intervals.")
    seed: int = option(Count(high=2**32 - 1), 0, help="Seed of refits.")

    def predicted(self) -> tuple[str, ...]:
        """The losses of the tasks."""
        return self.tasks

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """How the table is read, and the level."""
        return (RunsSpec, LevelSpec)

    def check(self) -> None:
        """Tokens and pools belong together."""
        if (self.tokens is None) != (not self.unique):
            raise IsoflopError("--tokens and --unique DOMAIN=TOKENS belong together; give both or neither")

    def compute(self, context: Context) -> Mixed:
        """The forms on held-out mixtures, the best of them fitted, and its optimum."""
        from isoflop.planning.mixtures import FORMS, forecast_mixture, plan_mixture, read_mixtures, validate_mixtures

        self.check()
        runs = context.runs
        table = read_mixtures(
            runs, domains=self.domains, shares_in=self.shares, tasks=self.tasks, task_column=self.task_column
        )
        weights = None if not self.weights else _each(self.weights, table.tasks, 1.0, "--weight")
        forms = FORMS if self.form is None else (cast("Form", self.form),)
        scores = validate_mixtures(table, weights=weights, forms=forms, seed=self.seed)
        best = scores[0]
        shared = {"form": best.form, "weights": weights, "draws": self.draws, "level": context.level, "seed": self.seed}
        plan = plan_mixture(
            table,
            tokens=self.tokens,
            unique=_each(self.unique, table.domains, float("inf"), "--unique") if self.unique else None,
            epochs=self.epochs,
            caps=_each(self.caps, table.domains, 1.0, "--cap") if self.caps else None,
            within=self.within,
            **shared,  # type: ignore[arg-type]
        )
        there = forecast_mixture(table, [each.share.value for each in plan.domains], score=best, **shared)  # type: ignore[arg-type]
        asked = None
        if self.at:
            asked = forecast_mixture(table, _each(self.at, table.domains, 0.0, "--at"), score=best, **shared)  # type: ignore[arg-type]
        unlike = tuple(name for name in ("N", "D") if name in runs and runs[name].max() > _VARIES * runs[name].min())
        return Mixed(table, plan, there, scores, asked, unlike)

    def answer(self, result: Mixed, context: Context) -> Answer:
        """The shares in front, what they are worth, and how far the form may be trusted."""
        plan, best = result.plan, result.scores[0]
        ordered = [
            each for each in sorted(plan.domains, key=lambda each: -each.share.value) if each.share.value > _NONE
        ]
        some = [f"{number(each.share.value, 'share', digits=3)} {literal(each.name)}" for each in ordered[:_NAMED]]
        rest = sum(each.share.value for each in ordered[_NAMED:])
        if len(ordered) > _NAMED:
            some.append(f"{number(rest, 'share', digits=3)} of {len(ordered) - _NAMED} others")
        unit = context.runs.loss_unit if context.has_runs and not context.from_result else ""
        word = "loss" if len(result.table.tasks) == 1 else "weighted loss"
        quantities = [
            of_interval("loss", result.there.loss, unit=unit, label=word, promise="PI", note="of one run, model error "
                        "included"),
            of_interval("law_loss", result.there.if_law_holds, unit=unit, label=f"{word} if the law holds"),
            *(
                [of_interval("gain", plan.gain, unit=unit, label="gain", note="below the best mixture trained")]
                if plan.seen_allowed
                else []
            ),
            Quantity("best_seen", plan.best_seen, unit=unit, label=f"{word} of the best trained", note="by the law"),
            Quantity("error", best.error, "share", label="held-out error", note=f"of {best.form}, mean relative"),
        ]  # fmt: skip
        if plan.proportional is not None:
            quantities.append(Quantity("proportional", plan.proportional, unit=unit, label=f"{word} by pool size"))
        if result.asked is not None:
            quantities.append(
                of_interval("asked_loss", result.asked.loss, unit=unit, label=f"{word} at --at", promise="PI")
            )
        return Answer(
            question=self.name,
            title=f"mixture of {len(plan.domains)} domains from {len(result.table)} mixtures",
            headline=f"Train on {', '.join(some)}: expected {word} {{loss}}"
            + (
                ", {gain:bare} below the best mixture that was trained."
                if plan.seen_allowed
                else "; the limits allow none of the mixtures that were trained, whose best has {best_seen:bare}."
            ),
            quantities=tuple(quantities),
            tables=(_shares(result), _forms(result)),
            findings=_findings(result),
            method=f"{best.form} by least squares weighed by Student's t; {self.draws} refits with random weights",
            pictures=(_picture(result),),
            provenance={"form": best.form, "draws": self.draws, "tasks": list(result.table.tasks)},
        )


def _each(given: Mapping[str, float], names: Sequence[str], other: float, flag: str) -> list[float]:
    """A number for each name. Raises IsoflopError for a name that is not there."""
    unknown = [name for name in given if name not in names]
    if unknown:
        raise IsoflopError(f"{flag} names {shown(unknown[0])}, and there are {choices(names, bare=True)}")
    return [float(given.get(name, other)) for name in names]


def _shares(result: Mixed) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            each.name,
            of_interval("share", each.share, "share"),
            Quantity("near", None, "share", *each.near, interval="range"),
            each.epochs,
            each.measured,
            each.seen,
            each.cap,
        )
        for each in result.plan.domains
    ]
    word = "loss" if len(result.table.tasks) == 1 else "weighted loss"
    return Table(
        "domains",
        (
            Column("domain"),
            Column("share"),
            Column("near", f"loss within {result.plan.within:.2g}"),
            Column("epochs", kind="number"),
            Column("measured", "lowest measured", "share"),
            Column("largest", "largest trained", "share", detail=True),
            Column("cap", "at most", "share", detail=True),
        ),
        tuple(rows),
        title="Shares of the best mixture",
        note=f"lowest measured: the run with the lowest {word} that was measured.",
    )


def _forms(result: Mixed) -> Table:
    return Table(
        "forms",
        (Column("form"), Column("error", "held-out error", "share"), Column("rank", "rank correlation")),
        (
            *((each.form, each.error, each.rank) for each in result.scores),
            ("mean of the other mixtures", result.scores[0].naive, None),
        ),
        title="Forms on mixtures that were held out",
    )


def _findings(result: Mixed) -> tuple[Finding, ...]:
    best, table = result.scores[0], result.table
    told = []
    if result.unlike:
        told.append(
            Finding(
                "mixture-unlike-runs",
                "warning",
                f"the runs differ in {' and '.join(result.unlike)} as well as in their mixtures, which is read as an "
                "effect of the shares.",
                "Choose runs of one size and length (--where).",
            )
        )
    if best.error >= best.naive:
        told.append(
            Finding(
                "mixture-untold",
                "warning",
                f"on held-out mixtures the best form misses by {best.error:.2%}, and the mean of the others by "
                f"{best.naive:.2%}: these runs do not tell mixtures apart.",
                "Train mixtures that differ more, or more of them.",
            )
        )
    if len(table) < 2 * (len(table.domains) + 1):
        told.append(
            Finding(
                "mixture-few",
                "warning",
                f"{len(table)} mixtures stand for {len(table.domains)} domains, whose effects take "
                f"{len(table.domains) + 1} of them.",
                "Train more mixtures, or join domains.",
            )
        )
    for forecast, what in ((result.there, "the best mixture"), (result.asked, "the mixture of --at")):
        if forecast is not None and forecast.beyond:
            named = ", ".join(literal(each) for each in forecast.beyond[:4])
            told.append(
                Finding(
                    "mixture-beyond",
                    "warning",
                    f"in {what} the share of {named} lies outside those that were trained, so its loss is an "
                    "extrapolation.",
                    "Train such a mixture before relying on it, or hold the share back (--cap).",
                )
            )
    return tuple(told)


def _picture(result: Mixed) -> Picture:

    return Picture(
        "mixture",
        drawing("mixture_shares", result.plan),
        "Share of each domain in the best mixture with its interval, and its range among mixtures whose loss is within "
        f"{result.plan.within:.1%} of the least.",
    )
