"""``Question``: what can be asked, declared once; every front end is derived from the declaration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from isoflop.answers import Answer
from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.questions.base.captions import captioned
from isoflop.questions.base.context import Context, distinct
from isoflop.questions.base.model_error import own_prior, prior_provenance, prior_words
from isoflop.questions.base.option import Option, options_of
from isoflop.questions.base.specs import FitSpec, LawSpec, LevelSpec, PriorSpec, RunsSpec

if TYPE_CHECKING:
    from isoflop.uncertainty import Ensemble
    from isoflop.uncertainty.prior import Prior

Group = Literal["Read", "Fit", "Ask", "Test", "Share"]

# What a question is asked of: a table of runs; runs with a law (or a saved fit); its own files alone; nothing.
InReport = Literal["", "always", "where cheap", "on request"]
Subject = Literal["runs", "fit", "law", "nothing"]


@dataclass(frozen=True)
class Question:
    """A question: its fields are its options (see :func:`isoflop.questions.base.option.option`).

    The first line of the docstring is its summary, the rest its help; a paragraph of lines that begin with ``isoflop``
    are its examples.

    name: the command, the table in a study, the entry of the page's menu. group, order: where a user meets it.
    examples: commands that the documentation runs in order, on the files of ``docs_build/runner.py``, and shows.
    subject: ``runs`` reads a table; ``law`` reads a table and takes a law's options, but makes fits of its own;
    ``fit`` takes a saved fit, published constants, or a table with a law; ``nothing`` takes only its own options.
    results: the results that this question words, as ``module:class``, so that a notebook shows them.
    unused: shared options that would change nothing here, which no front end offers.
    recommends: whether someone may spend a budget by the answer; such a question is refused for a fit with an
    error-level finding, unless it is forced, and its answers have an evidence block.
    writes: the file that the command writes where no other is named; none where empty.
    in_report: whether a report asks it: always, where its evidence is computed anyway, or with ``--include``.
    in_study, on_page: whether the front end offers it. has_pictures: whether its answers can have pictures.
    """

    name: ClassVar[str]
    examples: ClassVar[tuple[str, ...]] = ()
    group: ClassVar[Group]
    order: ClassVar[int] = 50
    subject: ClassVar[Subject] = "fit"
    results: ClassVar[tuple[str, ...]] = ()
    unused: ClassVar[tuple[str, ...]] = ()
    recommends: ClassVar[bool] = False
    writes: ClassVar[str] = ""
    in_report: ClassVar[InReport] = ""
    in_study: ClassVar[bool] = True
    on_page: ClassVar[bool] = True
    has_pictures: ClassVar[bool] = True

    def check(self) -> None:
        """Refuse options that contradict each other, and places that cannot be written to, before anything is done."""

    def compute(self, context: Context) -> Any:  # noqa: ANN401 - the engine's own result
        """Call an engine; no text is made here. Each question has its own."""
        raise NotImplementedError

    def answer(self, result: Any, context: Context) -> Answer:  # noqa: ANN401
        """The result as numbers, tables, headline and pictures. Each question has its own."""
        raise NotImplementedError

    def rests_on_runs(self, result: Any, context: Context) -> bool:  # noqa: ANN401
        """Whether the result was made from the context's table, whose findings and digest its answer then carries."""
        return self.subject in ("runs", "law") and context.has_runs

    def findings(self, result: Any, context: Context) -> tuple[Finding, ...]:  # noqa: ANN401
        """Those of the runs and the fit that belong under every answer of this question."""
        if self.subject == "fit":
            return context.fit_findings if context.has_fit else ()
        if not self.rests_on_runs(result, context):
            return ()
        from isoflop.runs.mapping_findings import without_loss_rivals

        return without_loss_rivals(context.run_findings, self.predicted())

    def predicted(self) -> tuple[str, ...]:
        """The columns that the question names as what is predicted or compared, in place of the loss; none by default.

        Where the loss is not among them, nobody needs to be told that it could have been another column.
        """
        return tuple(getattr(self, "responses", ()))

    def fit_of(self, result: Any, context: Context) -> Ensemble | None:  # noqa: ANN401
        """The fit on which an answer rests: the context's, where the question makes none of its own; None for none."""
        return context.ensemble

    def prior_of(self, fit: Ensemble | None, context: Context) -> Prior | None:
        """From which prior the model error of an answer is judged; None for an answer that has none."""
        if PriorSpec not in self.groups() or "prior" in self.unused:
            return None
        return context.prior if fit is None else fit.prior

    @classmethod
    def of_result(cls, result: Any) -> Question:  # noqa: ANN401
        """The question that a result answers, for wording it alone; its options at their defaults where it has none."""
        return cls()

    @classmethod
    def for_report(cls, *, budget: float | None, at: Mapping[str, float]) -> Question | None:
        """The question as a report asks it, of the report's budget; None where it has no place in this report.

        at: the inputs that the report forecasts.
        """
        own = {each.name for each in cls.options()}
        return cls(**({"budget": budget} if "budget" in own else {}))

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").strip().split("\n", 1)[0]

    @classmethod
    def details(cls) -> str:
        """The rest of the docstring, without its indentation."""
        import inspect

        return inspect.cleandoc(cls.__doc__ or "").partition("\n")[2].strip()

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """The shared options that it takes."""
        match cls.subject:
            case "runs":
                return (RunsSpec,)
            case "law":
                return (RunsSpec, LawSpec, FitSpec, LevelSpec)
            case "fit":
                return (RunsSpec, LawSpec, FitSpec, LevelSpec, PriorSpec)
        return ()

    @classmethod
    def shared_options(cls) -> tuple[tuple[type, Option], ...]:
        """The shared options with their groups, but for those that it has itself under the same name, or cannot use."""
        own = {word for each in cls.options() for word in (each.name, each.word)} | set(cls.unused)
        return tuple(
            (group, each)
            for group in cls.groups()
            for each in options_of(group)
            if each.name not in own and each.word not in own
        )

    @classmethod
    def options(cls) -> tuple[Option, ...]:
        """Its own options."""
        return options_of(cls)

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """JSON schema of what can be asked."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": cls.name,
            "description": cls.summary(),
            "type": "object",
            "properties": {
                each.name: each.schema() for each in (*cls.options(), *(one for _, one in cls.shared_options()))
            },
            "additionalProperties": False,
        }


def ask(question: Question, context: Context) -> Answer:
    """Compute and word an answer, with the findings of what it rests on and its provenance.

    Raises IsoflopError where there is no answer, and for a recommendation from a fit that should not be used.
    """
    if question.recommends and not context.force:
        refuse_errors(context.fit_findings)
    return word(question, question.compute(context), context)


def word(question: Question, result: Any, context: Context) -> Answer:  # noqa: ANN401
    """The answer of a result that is at hand."""
    answer = question.answer(result, context)
    fit = question.fit_of(result, context) if question.subject == "fit" and context.has_fit else None
    told = own_prior(question.prior_of(fit, context))
    provenance = {
        **context.provenance(runs=question.rests_on_runs(result, context), fit=fit),
        **prior_provenance(told, file=context.prior_spec.prior),
        **answer.provenance,
    }
    return replace(
        answer,
        method="; ".join(each for each in (answer.method, prior_words(told)) if each),
        findings=distinct((*answer.findings, *question.findings(result, context))),
        provenance=provenance,
        pictures=captioned(answer, provenance),
        result=result,
    )


def refuse_errors(findings: Iterable[Finding]) -> None:
    """Refuse to recommend from what has an error-level finding."""
    errors = [each for each in findings if each.level == "error"]
    if errors:
        raise IsoflopError(
            f"this fit should not be planned from: {errors[0].message} {errors[0].remedy} (--force plans all the same)"
        )


Values = Mapping[str, object]
