"""What the page asks for that takes time: done in a process of its own, results written into the session's folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from isoflop.answers import Picture
from isoflop.app.asked import law_of
from isoflop.app.session import Reading, Session, Task, read, used
from isoflop.files import write_whole
from isoflop.findings import Finding
from isoflop.fitting import fit, objective
from isoflop.report.card import Card
from isoflop.report.html import Draw, answer_html, card_html, draw_pictures, html, image
from isoflop.report.html_data import law_javascript, page_data
from isoflop.report.report import Report, make_report, with_further
from isoflop.runs import Runs
from isoflop.study.spec import BudgetQuestion, PlanQuestion, RunsSpec, Study, study_toml
from isoflop.uncertainty import Ensemble, bootstrap
from isoflop.uncertainty.saved import load_fit, save_fit
from isoflop.units import parse_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Told = Callable[[float, str], None]

_held: dict[tuple[str, str], Report] = {}  # answers whose pictures are being drawn
_MOST_HELD = 3

BACKTEST_DRAWS, RANK_DRAWS = 500, 300


def perform(session: Session, task: Task, told: Told) -> str:
    """Do a task and return the sentence that sums it up; ``told(share, doing)`` is called as it goes on.

    Raises IsoflopError where there is no answer.
    """
    return _KINDS[task.kind](session, task, told)


def runs_of(session: Session, settings: Mapping[str, Any]) -> Runs:
    """The runs of a task as they stood when it was asked."""
    then = replace(session, reading=Reading(**settings["reading"]), dropped=tuple(settings["dropped"]))
    return used(then, read(then))


def study_of(session: Session, settings: Mapping[str, Any]) -> Study:
    """The study that asks the same of the same rows: for ``isoflop study`` beside the table."""
    reading = settings["reading"]
    kept = [f"({reading['where']})"] if reading["where"] else []
    if settings["dropped"]:
        kept.append(f"row not in {list(settings['dropped'])}")
    budget, served = _quantity(settings.get("budget")), _quantity(settings.get("served"))
    return Study(
        laws=(settings["law"],),
        runs=RunsSpec(
            file=session.source if session.kind == "file" else None,
            data=session.source if session.kind == "dataset" else None,
            where=" and ".join(kept) or None,
            columns=reading["columns"],
            units=reading["units"],
            conventions=reading["conventions"],
        ),
        objective=settings["objective"],
        draws=settings["draws"],
        seed=settings["seed"],
        level=settings["level"],
        fix=settings.get("fixed") or {},
        tie=settings.get("tied") or {},
        domain=settings.get("domains") or {},
        plan=PlanQuestion(budgets=(budget,), served=served) if budget else None,
        report=BudgetQuestion(budget=budget),
    )


def _fit(session: Session, task: Task, told: Told) -> str:
    asked = task.settings
    told(0.0, "reading")
    runs = runs_of(session, asked)
    told(0.05, "searching")
    fitted = fit(law_of(asked, runs.headers), runs, objective=objective(asked["objective"]), seed=asked["seed"])
    told(0.3, "bootstrap")
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        told(0.3 + 0.5 * done / asked["draws"], "bootstrap")

    ensemble = bootstrap(fitted, draws=asked["draws"], seed=asked["seed"], progress=advance)
    save_fit(ensemble, session.place(task.id, "fit.json"))
    return _answer(session, task, ensemble, told)


def _plan(session: Session, task: Task, told: Told) -> str:
    """The same fit at another budget: a result of its own."""
    told(0.2, "planning")
    runs = runs_of(session, task.settings)
    ensemble = load_fit(session.place(task.settings["of"], "fit.json"), runs=runs)
    save_fit(ensemble, session.place(task.id, "fit.json"))
    return _answer(session, task, ensemble, told)


def _answer(session: Session, task: Task, ensemble: Ensemble, told: Told) -> str:
    told(0.85, "planning")
    report = _report(task, ensemble)
    _write(session, task, "law.js", f"export const law = {law_javascript(ensemble.fit.law)};\n")
    _write(session, task, "data.json", json.dumps(page_data(report), allow_nan=False))
    _write(session, task, "answer.html", answer_html(report, draw=_addresses(session, task)))
    _write(session, task, "study.toml", study_toml(study_of(session, task.settings)))
    _held[session.id, task.id] = report
    return report.answer


def draw_next(session: Session, task: Task) -> int:
    """Draw the next picture of an answer, or write its report once all are drawn; returns how many steps are left."""
    while len(_held) > _MOST_HELD:
        _held.pop(next(iter(_held)))
    report = _held.get((session.id, task.id))
    if report is None:  # another process made the answer
        ensemble = load_fit(session.place(task.id, "fit.json"), runs=runs_of(session, task.settings))
        report = _held[session.id, task.id] = _report(task, ensemble)
    places = [place for place, card in enumerate(report.cards) if card.picture is not None]
    missing = [place for place in places if not session.place(task.id, f"{place}-dark.png").is_file()]
    if missing:
        for place, (light, dark) in draw_pictures(report.cards, only=missing[0]).items():
            write_whole(session.place(task.id, f"{place}-light.png"), light)
            write_whole(session.place(task.id, f"{place}-dark.png"), dark)
        return len(missing)
    beside = [each for each in session.beside(task) if session.place(each.id, "card.json").is_file()]
    whole = with_further(report, [_kept_card(session, each) for each in beside])
    last = len(report.cards) - 1
    drawn = {place + (len(beside) if place == last else 0): (task, place) for place in places}
    drawn |= {last + number: (each, 0) for number, each in enumerate(beside)}
    pictures = {
        place: (
            session.place(each.id, f"{own}-light.png").read_bytes(),
            session.place(each.id, f"{own}-dark.png").read_bytes(),
        )
        for place, (each, own) in drawn.items()
        if whole.cards[place].picture is not None
    }
    _write(session, task, "report.html", html(whole, pictures=pictures))
    del _held[session.id, task.id]
    return 0


def _report(task: Task, ensemble: Ensemble) -> Report:
    asked = task.settings
    return make_report(
        ensemble, budget=_quantity(asked.get("budget")), served=_quantity(asked.get("served")), level=asked["level"]
    )


def _rank(session: Session, task: Task, told: Told) -> str:
    from isoflop.report.cards.rank import rank_card
    from isoflop.validation.rank import applicable, rank

    runs = runs_of(session, task.settings)
    laws = applicable(runs)
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        told(min(0.95, done / len(laws)), f"{len(laws)} laws")

    told(0.0, f"{len(laws)} laws")
    settings = task.settings
    ranking = rank(
        runs, laws=laws, objective=objective(settings["objective"]), draws=RANK_DRAWS, seed=settings["seed"],
        level=settings["level"], progress=advance,
    )  # fmt: skip
    return _card(session, task, rank_card(ranking, findings=(*runs.findings, *ranking.findings)))


def _backtest(session: Session, task: Task, told: Told) -> str:
    from isoflop.report.cards.backtest import backtest_card
    from isoflop.validation.backtest import backtest, backtest_findings

    told(0.05, "holding out the largest runs")
    settings = task.settings
    runs = runs_of(session, settings)
    result = backtest(
        [law_of(settings, runs.headers)], runs, objective=objective(settings["objective"]), draws=BACKTEST_DRAWS,
        seed=settings["seed"], level=settings["level"],
    )  # fmt: skip
    return _card(session, task, backtest_card(result, findings=(*runs.findings, *backtest_findings(result))))


def _compare(session: Session, task: Task, told: Told) -> str:
    from isoflop.report.cards.pair import pair_card

    told(0.1, "comparing")
    first, second = (load_fit(session.place(name, "fit.json")) for name in task.settings["of"])
    budget = _quantity(task.settings.get("budget"))
    return _card(session, task, pair_card(first, second, budget=budget, level=task.settings["level"]))


def _card(session: Session, task: Task, card: Card) -> str:
    for place, (light, dark) in draw_pictures([card]).items():
        write_whole(session.place(task.id, f"{place}-light.png"), light)
        write_whole(session.place(task.id, f"{place}-dark.png"), dark)
    _write(session, task, "answer.html", card_html(card, draw=_addresses(session, task), level=2))
    _write(session, task, "card.json", json.dumps(card.as_dict()))
    return card.answer


def _kept_card(session: Session, task: Task) -> Card:
    """The card that a task left; its picture lies beside it, drawn."""
    kept = json.loads(session.place(task.id, "card.json").read_bytes())
    shown = kept["picture"]
    return Card(
        title=kept["title"],
        answer=kept["answer"],
        header=tuple(kept["header"]),
        rows=tuple(map(tuple, kept["rows"])),
        findings=tuple(Finding(**{**each, "rows": tuple(each["rows"])}) for each in kept["findings"]),
        how=kept["how"],
        picture=shown and Picture(shown["name"], _is_drawn, shown["alt"], tuple(shown["size"])),
    )


def _is_drawn(axes: Axes) -> None:
    raise AssertionError("a kept card's picture is drawn already")


def _addresses(session: Session, task: Task) -> Draw:
    """Pictures by the addresses under which the page finds them once they are drawn."""

    def draw(card: Card, place: int) -> str:
        light, dark = (f"/s/{session.id}/{task.id}/{place}-{shade}.png" for shade in ("light", "dark"))
        return image(card.picture, light, dark)

    return draw


def _write(session: Session, task: Task, name: str, text: str) -> None:
    write_whole(session.place(task.id, name), text.encode())


def _quantity(text: str | None) -> float | None:
    return parse_quantity(text) if text else None


_KINDS: Mapping[str, Callable[[Session, Task, Told], str]] = {
    "fit": _fit,
    "plan": _plan,
    "rank": _rank,
    "backtest": _backtest,
    "compare": _compare,
}
