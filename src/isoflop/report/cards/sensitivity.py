"""What small choices do, as a card; and the toy surface that shows it on a known truth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from isoflop.answers import Picture
from isoflop.plots import choices_made
from isoflop.report.card import Card
from isoflop.units import format_by_interval, format_quantity
from isoflop.validation.toy import FARTHEST, TRUTH

if TYPE_CHECKING:
    from isoflop.uncertainty import Interval
    from isoflop.validation.answers import Answer
    from isoflop.validation.sensitivity import Sensitivity
    from isoflop.validation.toy import ToyRow

_COLUMNS = ("N*", "exponent a", "forecast")


def sensitivity_card(found: Sensitivity) -> Card:
    """The base, then each choice: N*, its exponent and the forecast, with the interval of the main answer."""
    main = found.asked.main
    shown = [each for each in found.asked.answers if each.name in _COLUMNS]
    rows = [("as it is", *_cells(found, found.base, shown), "")]
    for choice in found.choices:
        mark = "out of the interval" if found.outside(choice, main.name) else ""
        words = "; ".join(word for word in (mark, choice.note, choice.why_not) if word)
        cells = _cells(found, choice.answers, shown) if choice.answers else ("",) * (len(shown) + 1)
        rows.append((f"{choice.group}: {choice.setting}", *cells, words))
    fitted = [choice.answers[main.name].value for choice in found.choices if main.name in choice.answers]
    ends = [value for value in fitted if math.isfinite(value)]
    spread = f"{_one(found, main, min(ends))} to {_one(found, main, max(ends))}" if ends else "no value"
    held = found.base[main.name]
    size = (7.2, 1.2 + 0.24 * len(found.choices))
    return Card(
        title=f"what choices do to {main.name}, {main.meaning}: {found.fit.law.name} on {found.fit.data.source}",
        answer=f"{main.name} is {_one(found, main, held.value)} [{_end(main, held, held.low)}, "
        f"{_end(main, held, held.high)}]; over {len(fitted)} choices it goes from {spread}.",
        header=("", *_header(shown, main), ""),
        rows=tuple(rows),
        findings=found.findings,
        how=f"base: {found.fit.objective.name}, all {found.fit.data.n_runs} runs; "
        f"{100 * held.level:.6g}% intervals over bootstrap draws of each fit",
        picture=Picture(
            "choices",
            partial(choices_made, found),
            f"{main.name} under {len(fitted)} choices, from {spread}, over its interval as it is.",
            size,
        ),
    )


def toy_card(rows: Sequence[ToyRow]) -> Card:
    """The toy surface: each setting by the post's search over a grid, and at the optimum of the same objective."""
    table = []
    for row in rows:
        noise = f", {row.milli_loss:+g}" if row.milli_loss else ""
        for fitted, how in ((row.by_grid, "grid"), (row.optimum, "optimum")):
            setting = f"{row.region}, {row.decimals}{noise}" if how == "grid" else ""
            values = (*(fitted.params[name] for name in ("alpha", "beta", "E")), fitted.exponent_a)
            table.append(
                (setting, how, *(f"{value:.4f}" for value in values), f"{fitted.error:+.4f}", f"{fitted.squares:.3e}")
            )
    errors = [row.optimum.error for row in rows]
    truth = ", ".join(f"{name} {value:g}" for name, value in TRUTH.items())
    return Card(
        title="a toy surface: one truth, small choices",
        answer=f"The forecast at {FARTHEST:.0e} parameters is off by {min(errors):+.3f} to {max(errors):+.3f} nats, "
        "from choices of region, rounding and an error of 0.1 to 0.2 nats that follows the design.",
        header=("runs, decimals", "by", "alpha", "beta", "E", "exponent a", "error", "squares"),
        rows=tuple(table),
        findings=(),
        how=f"truth: {truth}; raw loss, least squares; a fixed ripple of about 0.01 nats is in every row; +100 is an "
        "error of 100 milli-loss that follows the design. grid: the post's search, which stops near the optimum and "
        "not at it (compare the squares)",
    )


def _header(shown: Sequence[Answer], main: Answer) -> list[str]:
    names = []
    for each in shown:
        names.append(each.name)
        if each is main:
            names.append("interval")
    return names


def _cells(found: Sensitivity, answers: Mapping[str, Interval], shown: Sequence[Answer]) -> tuple[str, ...]:
    cells = []
    for each in shown:
        own = answers[each.name]
        cells.append(_one(found, each, own.value))
        if each is found.asked.main:
            known = math.isfinite(own.low) and own.high > own.low
            cells.append(f"[{_end(each, own, own.low)}, {_end(each, own, own.high)}]" if known else "")
    return tuple(cells)


def _end(answer: Answer, held: Interval, value: float) -> str:
    """An end of an interval, in the digits that it supports."""
    return format_quantity(value) if answer.scale == "log" else format_by_interval(value, held.low, held.high)


def _one(found: Sensitivity, answer: Answer, value: float) -> str:
    """A number, one digit finer than the base's interval supports, since choices are compared with each other."""
    if not math.isfinite(value):
        return "none"
    if answer.scale == "log":
        return format_quantity(value)
    held = found.base[answer.name]
    half = (held.high - held.low) / 20
    return format_by_interval(value, value - half, value + half)
