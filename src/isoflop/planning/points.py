"""Points to ask a law about: from words such as ``params=70B`` and ``N=1B,3B``, or from a table without losses."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from isoflop.errors import IsoflopError
from isoflop.fitting.table import prepared_runs
from isoflop.laws import Law
from isoflop.laws.expression import runs_over_k
from isoflop.runs import Runs, read_runs
from isoflop.runs.columns import canonical_symbol, match_headers
from isoflop.runs.schedule_shape import scheduled, shape
from isoflop.units import parse_quantity

MOST = 10_000  # points in one question

Point = dict[str, float]


def points_of(words: Iterable[str], law: Law) -> tuple[Point, ...]:
    """The points of ``NAME=VALUES`` words: every combination where a name has several values, in their order.

    Names are the law's inputs or any header that stands for one (``params``, ``Model Size (B)``); values are numbers as
    people write them, several with commas between.
    Raises IsoflopError for what is no such word, and for more points than anybody asks.
    """
    values = values_of(words, law.input_names)
    count = 1
    for each in values.values():
        count *= len(each)
    if count > MOST:
        raise IsoflopError(f"--at makes {count:,} points, and at most {MOST:,} are answered at once; ask fewer values")
    return tuple(dict(zip(values, each, strict=True)) for each in itertools.product(*values.values()))


def values_of(words: Iterable[str], names: Collection[str], *, option: str = "--at") -> dict[str, list[float]]:
    """The values of each input in ``NAME=VALUES`` words.

    names: the inputs that may be named by themselves. option: where the words were given, for messages.
    """
    values: dict[str, list[float]] = {}
    given: dict[str, tuple[str, str]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        name, text = name.strip(), text.strip()
        if not (name and equals and text):
            raise IsoflopError(f"{option} takes NAME=VALUE, not {word!r}")
        symbol, scale = _input(name, names)
        before = given.setdefault(symbol, (name, text))
        if before[0] != name:
            raise IsoflopError(f"{option} {before[0]} and {option} {name} are both {symbol}; give one of them")
        if before[1] != text:
            both = f", or ask both: {name}=1B,3B" if option == "--at" else ""
            raise IsoflopError(f"{option} {name} is given twice, {before[1]!r} and {text!r}; choose one{both}")
        values[symbol] = [each * scale for each in _numbers(text, name, option)]
    return values


def points_in(path: str | Path, law: Law) -> tuple[Point, ...]:
    """A point for each row of a table that has a column for every input of the law; headers map as those of runs do.

    Of a table of schedules (columns step and lr) the inputs are computed as they were for the fit, and the last row of
    each run is a point.
    Raises DataError for a missing column, IsoflopError for a table that is too long.
    """
    table = read_runs(path)
    computed = any(name in law.prepared and name not in table for name in law.input_names)
    if computed and "step" in table and "lr" in table:
        table = _ends(law, table)
    if len(table) > MOST:
        raise IsoflopError(
            f"{table.source} has {len(table):,} rows, and at most {MOST:,} are answered at once; split it"
        )
    columns = {name: table[name] for name in law.input_names}
    return tuple({name: float(values[row]) for name, values in columns.items()} for row in range(len(table)))


def points_on(schedule: str, points: Iterable[Point], law: Law) -> tuple[Point, ...]:
    """The points at the end of a schedule: each has ``step`` (the last) and ``lr`` (the peak), and may have ``warmup``.

    schedule: ``cosine:0.1``, ``linear``, ``wsd:0.2`` or ``constant``; see :mod:`isoflop.runs.schedule_shape`.
    Raises IsoflopError for a law whose inputs are not computed from a schedule, and for points without step or lr.
    """
    if not any(name in law.prepared for name in law.input_names):
        raise IsoflopError(f"{law.name} has no input that follows from a schedule; leave --schedule out")
    wanted = shape(schedule)
    found = []
    for point in points:
        missing = [name for name in ("step", "lr") if name not in point]
        if missing:
            raise IsoflopError(f"--schedule needs the last step and the peak rate: --at {missing[0]}=…")
        rates = scheduled(wanted, steps=point["step"], peak=point["lr"], warmup=point.get("warmup", 0.0))
        others = {name: value for name, value in point.items() if name not in ("step", "lr", "warmup")}
        for name, value in others.items():
            rates = rates.with_column(name, np.full(len(rates), value))
        ends = _ends(law, rates)
        found.append({name: float(ends[name][0]) for name in law.input_names})
    return tuple(found)


def _ends(law: Law, table: Runs) -> Runs:
    """The last row of each schedule, with what the law computes from the rates up to it."""
    lists = [name for name in law.input_names if runs_over_k(name)]
    if lists:
        raise IsoflopError(
            f"{law.name} takes lists ({', '.join(lists)}), which no point can hold; use a law of areas (annealing)"
        )
    made = prepared_runs(law, table)
    codes, steps = made.run_codes(), made["step"]
    if "run" not in made and len(made) > 1:
        codes = np.zeros(len(made), dtype=np.int64)
        made = prepared_runs(law, table.with_column("run", codes))
    order = np.lexsort((steps, codes))
    last = np.zeros(len(made), dtype=bool)
    last[order[np.append(np.flatnonzero(np.diff(codes[order])), len(order) - 1)]] = True
    return made.take(last)


def _input(name: str, names: Collection[str]) -> tuple[str, float]:
    """The input that a name stands for, and what its numbers are multiplied by."""
    if name in names:
        return name, 1.0
    known = canonical_symbol(name)
    if known is not None:
        return known, 1.0
    matches = match_headers([name])
    if not matches:
        return name, 1.0
    symbol, match = next(iter(matches.items()))
    return symbol, match.header.scale


def _numbers(text: str, name: str, option: str) -> list[float]:
    """One number, or several between commas; all with a suffix or all without, since 70,5B may mean 70.5B."""
    try:
        return [parse_quantity(text)]
    except ValueError as error:
        refused = IsoflopError(f"{option} {name}: {error}")
    pieces = [each.strip() for each in text.split(",")]
    if len({each[-1:].isalpha() for each in pieces}) > 1:
        raise refused
    for before, after in itertools.pairwise(pieces):
        if re.fullmatch(r"\d{1,3}", before) and re.fullmatch(r"\d{3}", after):
            raise IsoflopError(
                f"{option} {name}: {before},{after} in {text!r} may be one number or two; write {before}{after}, or "
                f"{before}e0,{after}e0"
            )
    try:
        return [parse_quantity(each) for each in pieces]
    except ValueError:
        raise refused from None
