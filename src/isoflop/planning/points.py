"""Points to ask a law about: from words such as ``params=70B`` and ``N=1B,3B``, or from a table without losses."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from pathlib import Path

from isoflop.errors import IsoflopError
from isoflop.laws import Law
from isoflop.runs import read_runs
from isoflop.runs.columns import canonical_symbol, match_headers
from isoflop.units import parse_quantity

MOST = 10_000  # points in one question

Point = dict[str, float]


def points_of(words: Iterable[str], law: Law) -> tuple[Point, ...]:
    """The points of ``NAME=VALUES`` words: every combination where a name has several values, in their order.

    Names are the law's inputs or any header that stands for one (``params``, ``Model Size (B)``); values are numbers as
    people write them, several with commas between.
    Raises IsoflopError for what is no such word, and for more points than anybody asks.
    """
    values: dict[str, list[float]] = {}
    given: dict[str, tuple[str, str]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        name, text = name.strip(), text.strip()
        if not (name and equals and text):
            raise IsoflopError(f"--at takes NAME=VALUE, not {word!r}")
        symbol, scale = _input(name, law)
        before = given.setdefault(symbol, (name, text))
        if before[0] != name:
            raise IsoflopError(f"--at {before[0]} and --at {name} are both {symbol}; give one of them")
        if before[1] != text:
            raise IsoflopError(
                f"--at {name} is given twice, {before[1]!r} and {text!r}; choose one, or ask both: {name}=1B,3B"
            )
        values[symbol] = [each * scale for each in _numbers(text, name)]
    count = 1
    for each in values.values():
        count *= len(each)
    if count > MOST:
        raise IsoflopError(f"--at makes {count:,} points, and at most {MOST:,} are answered at once; ask fewer values")
    return tuple(dict(zip(values, each, strict=True)) for each in itertools.product(*values.values()))


def points_in(path: str | Path, law: Law) -> tuple[Point, ...]:
    """A point for each row of a table that has a column for every input of the law; headers map as those of runs do.

    Raises DataError for a missing column, IsoflopError for a table that is too long.
    """
    table = read_runs(path)
    if len(table) > MOST:
        raise IsoflopError(
            f"{table.source} has {len(table):,} rows, and at most {MOST:,} are answered at once; split it"
        )
    columns = {name: table[name] for name in law.input_names}
    return tuple({name: float(values[row]) for name, values in columns.items()} for row in range(len(table)))


def _input(name: str, law: Law) -> tuple[str, float]:
    """The input that a name stands for, and what its numbers are multiplied by."""
    if name in law.input_names:
        return name, 1.0
    known = canonical_symbol(name)
    if known is not None:
        return known, 1.0
    matches = match_headers([name], is_words=lambda header: False)
    if not matches:
        return name, 1.0
    symbol, match = next(iter(matches.items()))
    return symbol, match.header.scale


def _numbers(text: str, name: str) -> list[float]:
    """One number, or several between commas; all with a suffix or all without, since 70,5B may mean 70.5B."""
    try:
        return [parse_quantity(text)]
    except ValueError as error:
        refused = IsoflopError(f"--at {name}: {error}")
    pieces = [each.strip() for each in text.split(",")]
    if len({each[-1:].isalpha() for each in pieces}) > 1:
        raise refused
    for before, after in itertools.pairwise(pieces):
        if re.fullmatch(r"\d{1,3}", before) and re.fullmatch(r"\d{3}", after):
            raise IsoflopError(
                f"--at {name}: {before},{after} in {text!r} may be one number or two; write {before}{after}, or "
                f"{before}e0,{after}e0"
            )
    try:
        return [parse_quantity(each) for each in pieces]
    except ValueError:
        raise refused from None
