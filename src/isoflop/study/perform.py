"""Perform a study: every question to its answer, in the order of the study, from one context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from isoflop.answers import Answer
from isoflop.errors import IsoflopError
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.base.specs import FitSpec, LawSpec
from isoflop.questions.check import Check
from isoflop.questions.fit import Fit
from isoflop.runs import Runs
from isoflop.study.spec import Study
from isoflop.uncertainty import Ensemble

Progress = Callable[[str], object]


@dataclass(frozen=True)
class Performed:
    """What a study came to.

    answers: name (``check``, ``fit``, ``plan`` …) → answer, in order. ensembles: one for each law that was fitted.
    refused: question → why it has no answer on these runs; the others are answered all the same.
    """

    study: Study
    runs: Runs
    ensembles: tuple[Ensemble, ...] = field(repr=False)
    answers: dict[str, Answer] = field(repr=False)
    refused: dict[str, str]


def perform(study: Study, *, progress: Progress | None = None) -> Performed:
    """Read the runs, fit every law, and answer every question with the first.

    A study always holds a check of its runs and the fit of every law, but where all its questions bring laws of their
    own (a run under way, repeated tokens); the questions that it names come after these.
    progress: called with the name of each step before it is taken.
    Raises IsoflopError where there is nothing to answer from: runs that cannot be read, a law that cannot be fitted.
    """
    tell = progress or (lambda step: None)
    context = study_context(study)
    others = [replace(study.law, law=text) for text in study.further_laws]
    contexts = [context, *(_beside(context, law) for law in others)]
    asked = list(study.named())
    answers: dict[str, Answer] = {}
    if not any(isinstance(each, Check) for _, each in asked):
        tell("check")
        answers["check"] = ask(Check(), context)
    fitted = not _laws_of_their_own(study)
    if fitted and not any(isinstance(each, Fit) for _, each in asked):
        for number, each in enumerate(contexts, 1):
            tell(f"fit {each.law.name}")
            answers[f"fit-{number}" if others else "fit"] = ask(Fit(), each)
    refused: dict[str, str] = {}
    for name, question in asked:
        tell(name)
        try:
            answers[name] = ask(question, context)
        except IsoflopError as error:
            refused[name] = str(error)
    ensembles = tuple(each.ensemble for each in contexts) if fitted else ()
    return Performed(study, context.runs, ensembles, answers, refused)


def _laws_of_their_own(study: Study) -> bool:
    """Whether no question is answered from the study's law: each but the check fits laws of its own."""
    asked = [each.groups() for each in study.questions if not isinstance(each, Check)]
    return bool(asked) and not study.further_laws and all(FitSpec in each and LawSpec not in each for each in asked)


def study_context(study: Study) -> Context:
    """The context in which a study's questions are asked."""
    return Context(
        runs_spec=study.runs,
        law_spec=study.law,
        fit_spec=study.fit,
        level_spec=study.level,
        prior_spec=study.prior,
    )


def _beside(context: Context, law: object) -> Context:
    """The same runs under another law."""
    return replace(context, law_spec=law, given_runs=context.runs)  # type: ignore[arg-type]
