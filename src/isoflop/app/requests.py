"""What the page asks for, checked before it is done: a law as it is typed, a task before it waits in the queue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from isoflop.app.session import REPORTS, Session, used
from isoflop.errors import DataError, IsoflopError, shown
from isoflop.fitting import objective
from isoflop.questions import questions
from isoflop.questions.base.option import build
from isoflop.questions.base.question import Question
from isoflop.questions.base.specs import FitSpec, LawSpec, LevelSpec, PriorSpec
from isoflop.questions.fit import Fit
from isoflop.questions.plan import Plan
from isoflop.questions.report import Report

if TYPE_CHECKING:
    from pathlib import Path

    from isoflop.laws import Law
    from isoflop.runs import Runs

Spec = TypeVar("Spec", LawSpec, FitSpec, LevelSpec)

MOST_DRAWS = 20_000
GROUPS = "groups"  # the question ``fit`` with a column of groups; the page's own fit is a report
_GROUPS_OPTIONS = ("by", "only", "named", "share", "pool")
_GROUPS_SUMMARY = "One law fitted to groups of runs at once, parameters shared, own or pooled."
PLANNER = "planner"  # the question ``plan`` of the session's own table; the page's own plan is a report of a fit
_OPTION = re.compile(r"--([a-z][a-z-]*)")  # as helps name each other; a form has no dashes
_LONGEST = 4_000  # letters of a list of restrictions


def formula(asked: Mapping[str, Any], runs: Runs | None) -> dict[str, Any]:
    """A law as it is typed: set as mathematics, its inputs and parameters, and which columns are missing.

    Raises FormulaError with its place in the text; what is wrong with a restriction is told as ``restricted`` instead,
    since the formula itself is understood.
    """
    from isoflop.laws.mathml import mathml
    from isoflop.laws.unicode import symbol

    columns = () if runs is None else runs.headers
    chosen = law_of({"law": str(asked.get("text", ""))}, columns)
    restricted = ""
    try:
        chosen = law_of({"law": str(asked.get("text", "")), **restrictions(asked)}, columns)
    except IsoflopError as error:
        restricted = str(error).split("\n", 1)[0]
    return {
        "mathml": mathml(chosen),
        "restricted": restricted,
        "inputs": [
            {
                "name": each.name,
                "meaning": each.meaning,
                "here": runs is None or each.name in runs or each.name in chosen.prepared,
            }
            for each in chosen.inputs
        ],
        "params": [
            {"name": symbol(each.name), "meaning": each.meaning, "domain": _domain_text(each.domain)}
            for each in chosen.params
        ],
        "response": chosen.response,
        "measured": runs is None or chosen.response in runs,
        "plans": set(chosen.input_names) == {"N", "D"},
    }


def law_of(settings: Mapping[str, Any], columns: tuple[str, ...]) -> Law:
    """The law of a task with its domains, its tied and its fixed parameters."""
    from isoflop.laws import fix, law, tie
    from isoflop.laws.restrict import parse_domain

    domains = {name: parse_domain(text) for name, text in (settings.get("domains") or {}).items()}
    chosen = law(settings["law"], columns=columns, domains=domains)
    if settings.get("tied"):
        chosen = tie(chosen, settings["tied"])
    return fix(chosen, settings["fixed"]) if settings.get("fixed") else chosen


def restrictions(asked: Mapping[str, Any]) -> dict[str, Any]:
    """``E = 1.69, alpha = 0.34`` and its like as dictionaries: fixed to numbers, tied to formulas, held in domains."""
    from isoflop.units import parse_quantity

    fixed = {}
    for name, text in _pairs(asked, "fixed", "E = 1.69").items():
        try:
            fixed[name] = parse_quantity(text)
        except ValueError as error:
            raise DataError(f"{name} = {text[:40]}: {error}") from None
    return {
        "fixed": fixed,
        "tied": _pairs(asked, "tied", "beta = alpha"),
        "domains": _pairs(asked, "domains", "E = real"),
    }


def _pairs(asked: Mapping[str, Any], key: str, example: str) -> dict[str, str]:
    text = str(asked.get(key) or "")
    if len(text) > _LONGEST:
        raise DataError(f"a list of parameters may have {_LONGEST:,} letters, and this one has {len(text):,}")
    found: dict[str, str] = {}
    for part in filter(str.strip, text.replace(";", ",").split(",")):
        name, equals, value = (each.strip() for each in part.partition("="))
        if not (name and equals and value):
            raise DataError(f"{part.strip()[:40]!r} is no parameter with its value; write for example {example}")
        if found.setdefault(name, value) != value:
            raise DataError(f"{name[:40]} is given twice, {found[name][:40]} and {value[:40]}; choose one")
    return found


def _domain_text(held: str | tuple[float, float]) -> str:
    return held if isinstance(held, str) else f"{held[0]:g}:{held[1]:g}"


def checked(
    session: Session, asked: Mapping[str, Any], runs: Runs, prior: Path | None = None
) -> tuple[str, dict[str, Any]]:
    """The kind of a task and its settings; raises IsoflopError for what cannot be asked.

    asked: ``kind`` (``fit``, ``plan`` or a question of the registry), the law with its restrictions, ``objective``,
    ``draws``, ``resample_by``, ``seed``, ``level``, and ``options`` of the question. A plan names the fit that it is
    ``of``, a comparison two. prior: the file of the server's prior, if it has one; a plan keeps that of its fit.
    """
    kind = str(asked.get("kind"))
    if kind not in (*REPORTS, *on_page()):
        raise DataError(f"the page asks for {', '.join((*REPORTS, *on_page()))}, not {kind[:20]!r}")
    options = asked.get("options") or {}
    if not isinstance(options, Mapping):
        raise DataError("the options of a question must be names with values")
    of = _fits(session, kind, asked)
    if of:
        settings = {**session.task(of[0]).settings, "of": of if kind == "compare" else of[0], "options": dict(options)}
    else:
        settings = {
            "law": str(asked.get("law") or "") or None,
            **restrictions(asked),
            "objective": asked.get("objective") or FitSpec().objective,
            "draws": asked.get("draws", FitSpec().draws),
            "resample_by": str(asked.get("resample_by") or "") or None,
            "seed": asked.get("seed", 0),
            "level": asked.get("level", LevelSpec().level),
            # the protocol has no intervals with model error, and nobody at the page could leave the prior out
            "prior": None if prior is None or options.get("protocol") else str(prior),
            "options": dict(options),
            "reading": asdict(session.reading),
            "dropped": list(session.dropped),
        }
    question = question_of(kind, settings)
    question.check()
    _, fit, _ = specs_of(settings)
    if fit.draws > MOST_DRAWS:
        raise DataError(f"draws is a whole number up to {MOST_DRAWS:,} here, not {fit.draws:,}")
    objective(fit.objective)
    if LawSpec in question.groups() and settings["law"]:
        law_of(settings, runs.headers)
    used(session, runs)
    return kind, settings


def on_page() -> dict[str, type[Question]]:
    """The questions that the page offers, besides its fits; the fit of groups and the planner are among them."""
    offered = {name: each for name, each in questions().items() if each.on_page and name not in REPORTS}
    return {**offered, GROUPS: Fit, PLANNER: Plan}


def menu() -> list[dict[str, Any]]:
    """The questions as the page's menu shows them: name, group, summary, and a form for the options."""
    return [
        {
            "name": name,
            "group": each.group,
            "summary": _GROUPS_SUMMARY if name == GROUPS else each.summary(),
            "takes_law": LawSpec in each.groups(),
            "options": [
                {
                    "name": option.name,
                    "help": _OPTION.sub(lambda found: found[1].replace("-", " "), option.help),
                    "form": option.kind.form,
                    "values": list(getattr(option.kind, "values", ())),
                    "placeholder": option.kind.metavar,
                    "default": None if option.default is None else option.kind.plain(option.default),
                }
                for option in each.options()
                if not option.command_line_only and (name != GROUPS or option.name in _GROUPS_OPTIONS)
            ],
        }
        for name, each in on_page().items()
    ]


def question_of(kind: str, settings: Mapping[str, Any]) -> Question:
    """The question of a task; raises IsoflopError for options that it does not take."""
    if kind not in REPORTS and kind not in on_page():
        raise DataError(f"the page has no question {shown(kind)}; it has {', '.join((*REPORTS, *on_page()))}")
    cls: type[Question] = Report if kind in REPORTS else on_page()[kind]
    given = {name: value for name, value in settings["options"].items() if value not in (None, "", [], {})}
    if kind == GROUPS and not given.keys() & {"by", "named"}:
        raise DataError("groups need the column whose values name them; give it as by")
    return build(cls, given, where=lambda option: option.name.replace("_", " "))


def specs_of(settings: Mapping[str, Any]) -> tuple[LawSpec, FitSpec, LevelSpec]:
    """Law, fit and level of a task."""

    def made(cls: type[Spec], *names: str) -> Spec:
        given = {name: settings[name] for name in names if settings.get(name) not in (None, {}, "")}
        return build(cls, given, where=lambda option: option.name)

    return (
        made(LawSpec, "law", "fixed", "tied", "domains"),
        made(FitSpec, "objective", "draws", "resample_by", "seed"),
        made(LevelSpec, "level"),
    )


def prior_of(settings: Mapping[str, Any]) -> PriorSpec:
    """From which prior the model error of a task is judged."""
    return build(PriorSpec, {"prior": settings["prior"]} if settings.get("prior") else {}, where=lambda each: each.name)


def _fits(session: Session, kind: str, asked: Mapping[str, Any]) -> list[str]:
    """The fits that a plan or a comparison is of."""
    names = asked.get("of")
    if kind != "plan" and (kind != "compare" or names is None):  # groups of the session's own table
        return []
    of = [session.task(str(name)) for name in (names if isinstance(names, list) else [names])]
    if len(of) != (2 if kind == "compare" else 1) or any(each.kind not in REPORTS for each in of):
        raise DataError("a comparison takes two fits" if kind == "compare" else "a plan takes one fit")
    return [each.id for each in of]
