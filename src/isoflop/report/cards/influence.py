"""The runs that carry an answer, as a card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from isoflop.answers import Picture
from isoflop.plots import removal_paths
from isoflop.report.card import Card
from isoflop.report.cards.rows import count_of_runs
from isoflop.report.pictures import left_out_picture
from isoflop.units import format_by_interval, format_quantity

if TYPE_CHECKING:
    from isoflop.validation.influence import Influence
    from isoflop.validation.removal import Effect, Removal

_COLUMNS = ("N*", "exponent a", "forecast")
_HOW = {
    "down": "lowering it most:",
    "up": "raising it most:",
    "outliers": "off the surface:",
}


def influence_card(found: Influence, *, count: int = 10) -> Card:
    """Each answer, the runs that move one of them most when left out, and removals one after another.

    count: runs to list.
    """
    effect = found.effect(found.decided)
    names = [each.answer.name for each in found.effects if each.answer.name in _COLUMNS]
    if found.decided not in names:
        names.insert(0, found.decided)
    effects = [found.effect(name) for name in names]
    rows = [
        ("all runs", *(_shown(each, each.value.value) for each in effects), ""),
        (f"{100 * effect.value.level:.6g}% interval", *(_interval(each) for each in effects), ""),
    ]
    for run in found.strongest(found.decided, count=count):
        near = "" if effect.curvature is None else _shown(effect, float(effect.curvature[run]))
        rows.append(
            (f"without {found.labels[run]}", *(_shown(each, float(each.without[run])) for each in effects), near)
        )
    for path in found.removals:
        rows += _path_rows(found, path, names, count)
    strongest = found.strongest(found.decided, count=1)
    most = f"{found.labels[strongest[0]]} moves it most, to {_shown(effect, float(effect.without[strongest[0]]))}"
    agreement = "" if math.isnan(effect.agreement) else f"; curvature and refits correlate by {effect.agreement:.3f}"
    return Card(
        title=f"what runs do to {effect.answer.name}, {effect.answer.meaning}: {found.fit.law.name} on "
        f"{found.fit.data.source}",
        answer=f"{effect.answer.name} is {_shown(effect, effect.value.value)} with all "
        f"{count_of_runs(len(found.labels))}; left out alone, {most}.",
        header=("", *names, "by curvature" if effect.curvature is not None else ""),
        rows=tuple(rows),
        findings=found.findings,
        how=(
            f"objective {found.fit.objective.name}; every run left out and refitted{agreement}; then runs left out one "
            f"after another; intervals over bootstrap draws; jack-knife standard error {_error(effect)}; chance takes "
            f"about {found.usual} runs to leave the interval, to first order"
        ),
        picture=Picture(
            "removals",
            partial(removal_paths, found),
            f"{effect.answer.name} against the number of runs left out, from {_shown(effect, effect.value.value)} with "
            f"all: {'; '.join(_path_words(found, effect))}.",
        ),
    )


def left_out_card(found: Influence, *, count: int = 12) -> Card:
    """Each of the strongest runs left out alone, as a picture; the numbers are in :func:`influence_card`."""
    effect = found.effect(found.decided)
    chosen = found.strongest(found.decided, count=count)
    out = int(((effect.without[chosen] < effect.value.low) | (effect.without[chosen] > effect.value.high)).sum())
    takes = "takes" if out == 1 else "take"
    return Card(
        title=f"{effect.answer.name} with runs left out",
        answer=(
            f"No single run takes {effect.answer.name} out of its interval."
            if not out
            else f"{count_of_runs(out)} alone {takes} {effect.answer.name} out of its interval."
        ),
        header=(),
        rows=(),
        findings=(),
        how=f"the {len(chosen)} runs that move it most, each left out and the law refitted",
        picture=left_out_picture(found, count=count),
    )


def _path_rows(found: Influence, path: Removal, names: Sequence[str], count: int) -> list[tuple[str, ...]]:
    """Runs left out one after another: the first ``count`` and the last."""
    if not path.runs:
        return []
    effect = found.effect(found.decided)
    rows = [(_HOW[path.how], *("" for _ in names), "")]
    steps = list(enumerate(zip(path.runs, path.values, strict=True), start=1))
    for step, (run, value) in steps if len(steps) <= count + 1 else [*steps[:count], steps[-1]]:
        cells = [_shown(effect, value) if name == found.decided else "" for name in names]
        rows.append((f"{step} − {found.labels[run]}", *cells, "outside" if step == path.left_interval else ""))
    return rows


def _path_words(found: Influence, effect: Effect) -> list[str]:
    return [
        f"{_shown(effect, path.values[-1])} after {len(path.runs)} {_HOW[path.how].rstrip(':')}"
        for path in found.removals
        if path.runs
    ]


def _shown(effect: Effect, value: float) -> str:
    """The number as its interval supports it, one digit finer, since refits are compared with each other."""
    if not math.isfinite(value):
        return ""
    if effect.answer.scale == "log":
        return format_quantity(value)
    half = (effect.value.high - effect.value.low) / 20
    return format_by_interval(value, value - half, value + half)


def _interval(effect: Effect) -> str:
    low, high = effect.value.low, effect.value.high
    if effect.answer.scale == "log":
        return f"[{format_quantity(low)}, {format_quantity(high)}]"
    return f"[{format_by_interval(low, low, high)}, {format_by_interval(high, low, high)}]"


def _error(effect: Effect) -> str:
    return (
        f"a factor {math.exp(effect.standard_error):.3g}"
        if effect.answer.scale == "log"
        else (f"{effect.standard_error:.2g}")
    )
