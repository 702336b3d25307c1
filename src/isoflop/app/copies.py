"""A task of the page as a command, as Python and as a study: what gives the same answer elsewhere."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from isoflop.app.requests import question_of
from isoflop.app.session import REPORTS, Session, Task, settings_of
from isoflop.app.work import study_of
from isoflop.questions.base.option import options_of
from isoflop.study import study_toml

if TYPE_CHECKING:
    from isoflop.questions.base.question import Question
    from isoflop.study import Study


def copies(session: Session, task: Task) -> dict[str, str]:
    """What a task asked, as texts: ``command``, ``python`` and ``study``; a comparison of two fits has a study alone.

    The table is named as it was opened, without its folder.
    """
    settings = settings_of(session, task)
    question = question_of(task.kind, settings)
    study = study_of(session, settings, question)
    said = {"study": study_toml(study)}
    if study.questions:
        said["command"] = command(study, question)
    if task.kind in REPORTS:
        said["python"] = python(study, settings, data_set=session.kind == "dataset")
    return said


def command(study: Study, question: Question) -> str:
    """``isoflop QUESTION TABLE`` with every option that is not at its default."""
    words = ["isoflop", question.name, study.runs.source or ""]
    shared = [each for each in (study.runs, study.law, study.fit, study.level) if type(each) in question.groups()]
    for group in (*shared, question):
        words += _words(group)
    return " ".join(shlex.quote(word) for word in words if word)


def _words(group: Any) -> Iterator[str]:  # noqa: ANN401 - any dataclass of options
    for each in options_of(type(group)):
        value = getattr(group, each.name)
        if value == each.default or each.command_line_only:
            continue
        plain = each.kind.plain(value)
        if isinstance(plain, bool):
            yield each.word if plain else each.off
        elif isinstance(plain, Mapping):
            for name, inside in plain.items():
                yield from (each.word, f"{name}={inside}")
        else:
            for inside in plain if isinstance(plain, list | tuple) else [plain]:
                yield from (each.word, str(inside))


def python(study: Study, settings: Mapping[str, Any], *, data_set: bool) -> str:
    """The fit and, where a budget was asked, its plan in the library's own words."""
    runs, law, fit = study.runs, study.law, study.fit
    reading = {each.name: getattr(runs, each.name) for each in options_of(type(runs))}
    given = [f"{name}={value!r}" for name, value in reading.items() if value]
    of_law = [repr(law.law), "columns=runs.headers", *([f"domains={_domains(law)!r}"] if law.domains else [])]
    formula = f"isoflop.law({', '.join(of_law)})"
    if law.tied:
        formula = f"isoflop.tie({formula}, {dict(law.tied)!r})"
    if law.fixed:
        formula = f"isoflop.fix({formula}, {dict(law.fixed)!r})"
    by = f", resample_by={fit.resample_by!r}" if fit.resample_by else ""
    lines = [
        "import isoflop",
        "from isoflop.fitting import objective",
        *(
            ["from isoflop.runs.datasets import load", f"runs = load({runs.source!r})"]
            + ([f"runs = runs.where({runs.where!r})"] if runs.where else [])
            if data_set
            else [f"runs = isoflop.read_runs({', '.join([repr(runs.source), *given])})"]
        ),
        f"fit = isoflop.fit({formula}, runs, objective=objective({fit.objective!r}), seed={fit.seed})",
        f"ensemble = isoflop.bootstrap(fit, draws={fit.draws}, seed={fit.seed}{by})",
        "print(ensemble.summary())",
    ]
    budget = (settings.get("options") or {}).get("budget")
    if budget:
        lines.insert(2, "from isoflop.planning import optimal_plan")
        lines.append(f"print(optimal_plan(ensemble, budget={_number(budget)!r}))")
    return "\n".join(lines) + "\n"


def _domains(law: Any) -> dict[str, Any]:  # noqa: ANN401 - a LawSpec
    from isoflop.laws.restrict import parse_domain

    return {name: parse_domain(text) if isinstance(text, str) else text for name, text in law.domains.items()}


def _number(text: object) -> float:
    from isoflop.units import parse_quantity

    return parse_quantity(str(text))
