"""What the page asks for that takes time: done in a process of its own, results written into the session's folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from isoflop.answers import Answer, Picture
from isoflop.answers.restore import answer_from_dict
from isoflop.answers.wording import told as worded
from isoflop.app.requests import prior_of, question_of, specs_of
from isoflop.app.session import Reading, Session, Task, read, settings_of, used
from isoflop.documents import DocumentError, parse_json, read_bounded
from isoflop.errors import SavedError
from isoflop.files import plain_json, write_whole
from isoflop.questions.base.context import Context, distinct
from isoflop.questions.base.question import Question, ask
from isoflop.questions.base.specs import RunsSpec
from isoflop.questions.compare import Compare
from isoflop.questions.report import Report
from isoflop.render.explore_data import law_javascript, page_data
from isoflop.render.html import Draw, body_html, draw_pictures, html, image
from isoflop.render.text import keyed_pictures
from isoflop.runs import Runs
from isoflop.study import Study, study_toml
from isoflop.uncertainty.saved import load_fit, save_fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Tell = Callable[[float, str], None]

_kept: dict[tuple[str, str], Answer] = {}  # reports whose pictures are being drawn
_MOST_KEPT = 3
_MOST_ANSWER = 100_000_000  # bytes


def perform(session: Session, task: Task, tell: Tell) -> str:
    """Do a task and return the sentence that sums it up; ``tell(share, doing)`` is called as it goes on.

    Raises IsoflopError where there is no answer.
    """
    tell(0.0, "reading")
    task = replace(task, settings=settings_of(session, task))
    question = question_of(task.kind, task.settings)
    if isinstance(question, Report):
        return _report(session, task, question, tell)
    if isinstance(question, Compare) and task.settings.get("of"):
        first, second = (str(session.place(name, "fit.json")) for name in task.settings["of"])
        _, fit, level = specs_of(task.settings)
        fits = Context(runs_spec=RunsSpec(source=first), fit_spec=fit, level_spec=level)
        answer = ask(replace(question, others=(second,)), fits)
    else:
        answer = ask(question, context_of(session, task.settings, tell))
    for key, drawn in draw_pictures(answer).items():
        write_whole(session.place(task.id, f"{key}.svg"), drawn)
    _write(session, task, "answer.html", body_html(answer, draw=_addresses(session, task)))
    _write(session, task, "answer.json", json.dumps(plain_json(answer.to_dict()), allow_nan=False))
    _write(session, task, "study.toml", study_toml(study_of(session, task.settings, question)))
    return answer.sentence(worded)


def runs_of(session: Session, settings: Mapping[str, Any]) -> Runs:
    """The runs of a task as they stood when it was asked."""
    then = replace(session, reading=Reading(**settings["reading"]), dropped=tuple(settings["dropped"]))
    return used(then, read(then))


def context_of(session: Session, settings: Mapping[str, Any], tell: Tell) -> Context:
    """The context of a task: its runs as they stood, its law, and how it is fitted."""
    law, fit, level = specs_of(settings)
    runs = runs_of(session, settings)
    given = load_fit(session.place(settings["of"], "fit.json"), runs=runs) if settings.get("of") else None
    return Context(
        given_runs=runs,
        given=given,
        law_spec=law,
        fit_spec=fit,
        level_spec=level,
        prior_spec=prior_of(settings),
        progress=_progress(tell),
    )


def study_of(session: Session, settings: Mapping[str, Any], question: Question) -> Study:
    """The study that asks the same of the same rows: for ``isoflop study`` beside the table."""
    reading = Reading(**settings["reading"])
    kept = [f"({reading.where})"] if reading.where else []
    if settings["dropped"]:
        kept.append(f"row not in {list(settings['dropped'])}")
    law, fit, level = specs_of(settings)
    asked = () if isinstance(question, Compare) and settings.get("of") else (question,)
    return Study(
        runs=RunsSpec(source=session.source, where=" and ".join(kept) or None, **reading.options),
        law=law,
        fit=fit,
        level=level,
        prior=prior_of(settings),
        questions=asked,
    )


def _report(session: Session, task: Task, question: Report, tell: Tell) -> str:
    """A fit with all that is asked of it at one budget; its pictures are drawn afterwards, one by one."""
    context = context_of(session, task.settings, tell)
    save_fit(context.ensemble, session.place(task.id, "fit.json"))
    answer = ask(question, context)
    _write(session, task, "law.js", f"export const law = {law_javascript(context.law)};\n")
    _write(session, task, "data.json", json.dumps(page_data(answer.result), allow_nan=False))
    _write(session, task, "answer.html", body_html(answer, draw=_addresses(session, task)))
    _write(session, task, "answer.json", json.dumps(plain_json(answer.to_dict()), allow_nan=False))
    _write(session, task, "study.toml", study_toml(study_of(session, task.settings, question)))
    _kept[session.id, task.id] = answer
    return answer.sentence(worded)


def draw_next(session: Session, task: Task) -> int:
    """Draw the next picture of a report, or write its file once all are drawn; returns how many steps are left."""
    while len(_kept) > _MOST_KEPT:
        _kept.pop(next(iter(_kept)))
    answer = _kept.get((session.id, task.id))
    if answer is None:  # another process made the answer
        context = replace(
            context_of(session, task.settings, lambda share, doing: None),
            given=load_fit(session.place(task.id, "fit.json"), runs=runs_of(session, task.settings)),
        )
        answer = _kept[session.id, task.id] = ask(question_of(task.kind, task.settings), context)
    keys = list(keyed_pictures(answer))
    missing = [key for key in keys if not session.place(task.id, f"{key}.svg").is_file()]
    if missing:
        for key, picture in draw_pictures(answer, only=missing[0]).items():
            write_whole(session.place(task.id, f"{key}.svg"), picture)
        return len(missing)
    drawn = {key: _drawn(session, task, key) for key in keys}
    beside = [(each, _restored(session, each)) for each in session.beside(task)]
    parts = [*answer.parts]
    for each, restored in beside:
        if restored is not None:
            # what was asked by itself stands in for what the report asked of the same
            same = (
                own
                for own, part in enumerate(parts)
                if (part.question, part.title) == (restored.question, restored.title)
            )
            at = next(same, len(parts))
            parts[at : at + 1] = [restored]
            place = at + 1
            drawn |= {
                f"{place}-{picture.name}": _drawn(session, each, f"0-{picture.name}") for picture in restored.pictures
            }
    found = distinct((*answer.findings, *(finding for part in parts for finding in part.findings)))
    _write(session, task, "report.html", html(replace(answer, parts=tuple(parts), findings=found), pictures=drawn))
    del _kept[session.id, task.id]
    return 0


def _drawn(session: Session, task: Task, key: str) -> bytes:
    return session.place(task.id, f"{key}.svg").read_bytes()


def _restored(session: Session, task: Task) -> Answer | None:
    """The answer that another task left; its pictures lie beside it, drawn. None where the file is gone or damaged."""
    try:
        content = parse_json(read_bounded(session.place(task.id, "answer.json"), most=_MOST_ANSWER))
        return answer_from_dict(content, draw=_is_drawn)
    except (DocumentError, SavedError):
        return None


def _is_drawn(axes: Axes) -> None:
    raise AssertionError("the picture of a kept answer is drawn already")


def _addresses(session: Session, task: Task) -> Draw:
    """Pictures by the addresses under which the page finds them once they are drawn."""

    def draw(key: str, picture: Picture) -> str:
        return image(picture, f"/s/{session.id}/{task.id}/{key}.svg")

    return draw


def _write(session: Session, task: Task, name: str, text: str) -> None:
    write_whole(session.place(task.id, name), text.encode())


def _progress(tell: Tell) -> Callable[[int, str], AbstractContextManager[Callable[[int], None]]]:
    """Progress of one engine after another as shares of a task; each takes half of what is left, up to .8."""
    reached = 0.1

    @contextmanager
    def opened(total: int, doing: str) -> Iterator[Callable[[int], None]]:
        nonlocal reached
        start, end = reached, (reached + 0.8) / 2
        done = 0

        def advance(more: int) -> None:
            nonlocal done, reached
            done += more
            reached = start + (end - start) * min(1.0, done / max(total, 1))
            tell(reached, doing)

        tell(start, doing)
        yield advance

    return opened
