"""Repeated tokens as a card: the laws side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from isoflop.findings import Finding
from isoflop.report.card import Card
from isoflop.report.cards.rows import sureness
from isoflop.report.pictures import repeats_picture
from isoflop.units import format_by_interval, format_quantity

if TYPE_CHECKING:
    from isoflop.planning.repeat import Repeat
    from isoflop.runs import Runs
    from isoflop.uncertainty import Interval


_WORTHS = ("r_D", "r_N", "P", "delta", "kappa")  # the constants that say what repeats are worth


def repeat_card(answers: Sequence[Repeat], runs: Runs | None) -> Card:
    """A column for each law: worth of epochs, where to stop, and the best use of a budget."""
    from isoflop.planning.repeat import explained, published_explains

    first = answers[0]
    rows = [_row("model", answers, lambda each: f"N = {format_quantity(each.params)}")]
    if runs is not None:
        told = (f"{explained(each.ensemble.fit.law, each.ensemble.fit.params, runs):.3f}" for each in answers)
        known = (f"{published_explains(each.ensemble.fit.law, runs):.3f}" for each in answers)
        rows += [("R² on the runs", *told), ("R², published", *known)]
    for at, one in enumerate(first.passes):
        rows += _pass_rows(answers, at, _epochs(one.epochs))
    held = {label for each in answers for label in each.ensemble.fit.law.param_names}
    rows += [(name, *(_constant(each, name) for each in answers)) for name in _WORTHS if name in held]
    rows.append(_row("stop after", answers, lambda each: _count(each.stop)))
    rows.append(_row("loss rises after", answers, lambda each: _count(each.lowest)))
    if first.best is not None:
        rows += _best_rows(answers)
    return Card(
        title=f"{format_quantity(first.unique)} unique tokens, seen again",
        answer=_answer(answers),
        header=("", *(each.ensemble.fit.law.name for each in answers)),
        rows=tuple(rows),
        findings=(*(runs.findings if runs is not None else ()), *_findings(answers)),
        how=(
            "fresh: unique tokens that would give the same loss, in multiples of those there are; the next: what one "
            f"more epoch adds to it; stop: where that falls below {first.least:g}; "
            + "; ".join(sureness(each.ensemble, each.stop.level) for each in answers[:1])
        ),
        picture=repeats_picture(answers),
    )


def _pass_rows(answers: Sequence[Repeat], at: int, label: str) -> list[tuple[str, ...]]:
    passes = [each.passes[at] for each in answers]
    return [
        (label, *(f"loss {_plain(one.loss)}" for one in passes)),
        ("", *(f"worth {_plain(one.fresh)} fresh" for one in passes)),
        ("", *(f"the next {_plain(one.worth)}" for one in passes)),
    ]


def _constant(each: Repeat, name: str) -> str:
    """A constant of the law, empty where it has no such."""
    if name not in each.ensemble.fit.law.param_names:
        return ""
    return _plain(each.ensemble.interval(name, level=each.stop.level))


def _findings(answers: Sequence[Repeat]) -> tuple[Finding, ...]:
    """The doubts of each law with its name, where there is more than one."""
    found = []
    for each in answers:
        for finding in (*each.ensemble.fit.findings, *each.findings):
            name = each.ensemble.fit.law.name
            says = (
                finding.message
                if len(answers) == 1 or finding.message.startswith(name)
                else f"{name}: {finding.message}"
            )
            found.append(Finding(finding.code, finding.level, says, finding.remedy, finding.rows))
    return tuple(found)


def _best_rows(answers: Sequence[Repeat]) -> list[tuple[str, ...]]:
    def of(label: str, show: Callable[[Interval], str]) -> Callable[[Repeat], str]:
        return lambda each: show(getattr(each.best, label))

    budget = answers[0].best.budget if answers[0].best is not None else math.nan
    return [
        _row(f"best at {budget:.3g}", answers, lambda each: "N " + of("n", _quantity)(each)),
        _row("", answers, lambda each: of("epochs", _plain)(each) + " epochs"),
        _row("", answers, lambda each: "loss " + of("loss", _plain)(each)),
        _row("every token once", answers, lambda each: "loss " + of("once", _plain)(each)),
        _row("if tokens were plenty", answers, lambda each: "loss " + of("plenty", _plain)(each)),
    ]


def _answer(answers: Sequence[Repeat]) -> str:
    stops = [f"{_epochs(each.stop.value)} by {each.ensemble.fit.law.name}" for each in answers]
    says = f"One more epoch is worth less than {answers[0].least:.0%} of fresh tokens after {' and '.join(stops)}"
    bests = [each for each in answers if each.best is not None]
    if bests:
        told = (
            f"{format_quantity(each.best.n.value)} parameters for {_epochs(float(f'{each.best.epochs.value:.2g}'))}"
            for each in bests
            if each.best is not None
        )
        says += f"; the budget is best spent on {' or '.join(dict.fromkeys(told))}"
    return says + "."


def _row(label: str, answers: Sequence[Repeat], tell: Callable[[Repeat], str]) -> tuple[str, ...]:
    return (label, *(tell(each) for each in answers))


def _epochs(epochs: float) -> str:
    return "1 epoch" if epochs == 1 else f"{epochs:g} epochs"


def _plain(interval: Interval) -> str:
    """``2.741 [2.722, 2.747]``."""
    ends = (interval.low, interval.high)
    if not math.isfinite(interval.low):
        return f"{interval.value:.4g}"
    if interval.low == interval.high:
        return f"{interval.value:g}"
    shown = [format_by_interval(each, *ends) for each in (interval.value, *ends)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def _quantity(interval: Interval) -> str:
    if not math.isfinite(interval.low):
        return format_quantity(interval.value)
    value, low, high = (format_quantity(each) for each in (interval.value, interval.low, interval.high))
    return f"{value} [{low}, {high}]"


def _count(interval: Interval) -> str:
    """Epochs, which may be without end."""
    if math.isnan(interval.low):
        return f"{_bare(interval.value)} epochs" if math.isfinite(interval.value) else "never"
    value = f"{_bare(interval.value)} epochs" if math.isfinite(interval.value) else "never"
    return f"{value} [{_bare(interval.low)}, {_bare(interval.high)}]"


def _bare(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "never"
