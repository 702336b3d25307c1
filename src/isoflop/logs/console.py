"""Lines of a console as steps and numbers, many at once.

Lines that differ in nothing but their numbers are read alike: one of them is parsed, which tells which of its numbers
is the step and which metric each other one is; the numbers of all of them are then taken together. A line whose names
hold numbers of their own is parsed by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.logs.dialects import BAR, BAR_MARK, BELOW, CANDIDATE, HEADS, MARKED, Dialect, Pair, marked, number, pairs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SLOT: Final = "\x01"
_NUMBERS: Final = r"\b(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?(?:[eE][-+]?\d+)?"  # Polars' twin of DIGITS
_TIME: Final = r"(\d{4}-\d\d-\d\d)[ T,](\d\d:\d\d:\d\d)"
_MOST_SHAPES: Final = 20_000  # of lines that are remembered
_LARGEST_STEP: Final = 2.0**62
_SMALL: Final = 1_000  # lines of a batch that Python's patterns choose sooner than Polars' do
_NUMBER: Final = re.compile(_NUMBERS)
_WRITTEN: Final = re.compile(_TIME)
_DIGITS: Final = re.compile(r"\d|nan")
_FEW: Final = 3  # lines of one shape that are quicker parsed one by one

# What a line does: nothing, a step of its own, a step of a progress bar, a dictionary, numbers of the step before.
NOTHING, MARK, BAR_STEP, DICTIONARY, CARRIED = 0, 1, 2, 3, 4


@dataclass(frozen=True)
class Line:
    """What one line says.

    step: the spans that make the step: one, or epoch, place in the epoch and length of an epoch.
    """

    kind: int
    dialect: Dialect | None = None
    step: tuple[tuple[int, int], ...] = ()
    total: tuple[int, int] | None = None
    pairs: tuple[Pair, ...] = ()
    mark: tuple[int, int] = (0, 0)


_EMPTY: Final = Line(NOTHING)


def parse(line: str) -> Line:
    """What a line says, by the first dialect that fits."""
    found = marked(line)
    if found is None:
        if line[:1] not in (" ", "\t"):
            return _EMPTY
        match = BELOW.mark.match(line)
        own = tuple(pairs(line, BELOW, match.end())) if match is not None else ()
        return Line(CARRIED, BELOW, pairs=own) if own else _EMPTY
    dialect, match = found
    groups = match.re.groupindex
    own = tuple(pairs(line, dialect, match.end())) if dialect.where != "below" else ()
    kind = {"own": MARK, "carried": CARRIED, "dictionary": DICTIONARY}[dialect.step]
    if dialect.name == BAR:
        kind = BAR_STEP
    if dialect.step == "own":
        names = ("step",) if "step" in groups else ("epoch", "within", "per")
        step = tuple(match.span(name) for name in names)
    elif dialect.step == "dictionary":
        step = tuple(pair.value for pair in own if pair.name in ("step", "global_step", "iter", "current_steps"))[:1]
    else:
        step = ()
    if kind == DICTIONARY and not step and own and (bar := BAR_MARK.search(line)) is not None:
        # the bar was left on the line; it tells the step
        return Line(DICTIONARY, dialect, (bar.span("step"),), bar.span("total"), own, match.span())
    own = tuple(pair for pair in own if pair.value not in step)
    total = match.span("total") if "total" in groups and match["total"] else None
    return Line(kind, dialect, step, total, own, match.span())


@dataclass
class Lines:
    """What a batch of lines says, a place a line that says something, in their order.

    kind, step, total: (lines,); step and total are NaN where the line has none. below: whether lines below belong to
    it; hanging: whether it is such a line. at: its place among all lines. metrics: name →
    (place of each line that has it, its values). wall: seconds since 1970, NaN where unknown.
    """

    kind: Ints
    step: Floats
    total: Floats
    below: NDArray[np.bool_]
    hanging: NDArray[np.bool_]
    at: Ints
    wall: Floats
    dialects: list[Dialect] = field(default_factory=list)
    metrics: dict[str, tuple[Ints, Floats]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Shape:
    """How lines of one shape are read: which of their numbers is which; None as plan: each is parsed by itself."""

    line: Line
    step: tuple[int, ...] = ()
    total: int | None = None
    slots: tuple[tuple[str, int, float], ...] = ()
    fixed: tuple[tuple[str, float], ...] = ()
    apart: bool = False


class Console:
    """Reads batches of lines, remembering the shapes that it has met."""

    def __init__(self) -> None:
        self._shapes: dict[str, _Shape] = {}
        self._hanging = False  # whether a line was met that others hang below

    def read(self, lines: Sequence[str]) -> Lines:
        """What the lines say."""
        # a program's own text is full of lines that look as if they hung below a step
        self._hanging = self._hanging or any(head in line for line in lines for head in HEADS)
        told = CANDIDATE if self._hanging else MARKED
        if len(lines) <= _SMALL:
            speaks = re.compile(told).search
            places = [place for place, line in enumerate(lines) if speaks(line) and _DIGITS.search(line)]
            at = np.array(places, dtype=np.int64)
            series = pl.Series("line", [lines[place] for place in at.tolist()], dtype=pl.String)
        else:
            series = pl.Series("line", lines, dtype=pl.String)
            chosen = series.str.contains(told) & series.str.contains(r"\d|nan")
            at = np.flatnonzero(chosen.to_numpy())
            series = series.filter(chosen)
        count = len(series)
        out = Lines(
            np.zeros(count, np.int64), np.full(count, np.nan), np.full(count, np.nan), np.zeros(count, bool),
            np.zeros(count, bool), at, np.full(count, np.nan),
        )  # fmt: skip
        if not count:
            return out
        numbers = series.str.extract_all(_NUMBERS)
        lengths = numbers.list.len().to_numpy().astype(np.int64)
        flat = numbers.explode().drop_nulls().str.replace_all(",", "", literal=True)
        values = flat.cast(pl.Float64, strict=False).to_numpy()
        begins = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        shapes = pl.DataFrame({"shape": series.str.replace_all(_NUMBERS, _SLOT)}).with_row_index("at")
        groups = shapes.group_by("shape", maintain_order=True).agg("at")
        pieces: dict[str, list[tuple[Ints, Floats]]] = {}
        for text, rows in zip(groups["shape"], groups["at"], strict=True):
            places = rows.to_numpy().astype(np.int64)
            shape = self._shape(text, series[int(places[0])])
            if shape.line.kind == NOTHING and not shape.apart:
                continue
            if shape.apart or len(places) < _FEW:
                for place in places.tolist():
                    self._one(out, place, series[place], pieces)
            else:
                self._many(out, places, shape, begins, values, pieces)
        out.metrics = {name: _in_order(own) for name, own in pieces.items()}
        _set_wall(out, series)
        return out

    def _shape(self, text: str, line: str) -> _Shape:
        shape = self._shapes.get(text)
        if shape is None:
            if len(self._shapes) >= _MOST_SHAPES:
                self._shapes.clear()
            shape = self._shapes[text] = _shape_of(text, line)
        return shape

    def _one(self, out: Lines, place: int, line: str, pieces: dict[str, list[tuple[Ints, Floats]]]) -> None:
        """A line by itself."""
        parsed = parse(line)
        if parsed.kind == NOTHING or parsed.dialect is None:
            return
        self._note(out, parsed)
        out.kind[place] = parsed.kind
        out.below[place] = parsed.dialect.where == "below"
        out.hanging[place] = parsed.dialect is BELOW
        if parsed.step:
            out.step[place] = _step([number(line[a:b]) for a, b in parsed.step], parsed.dialect)
        if parsed.total is not None:
            out.total[place] = number(line[slice(*parsed.total)])
        own = np.array([place])
        for pair in parsed.pairs:
            value = number(line[slice(*pair.value)]) * pair.scale
            pieces.setdefault(pair.name, []).append((own, np.array([value])))

    def _many(
        self, out: Lines, places: Ints, shape: _Shape, begins: Ints, values: Floats,
        pieces: dict[str, list[tuple[Ints, Floats]]],
    ) -> None:  # fmt: skip
        """Lines of one shape."""
        parsed = shape.line
        assert parsed.dialect is not None  # a line that says something has a dialect
        self._note(out, parsed)
        first = begins[places]
        out.kind[places] = parsed.kind
        out.below[places] = parsed.dialect.where == "below"
        out.hanging[places] = parsed.dialect is BELOW
        if shape.step:
            out.step[places] = _step([values[first + slot] for slot in shape.step], parsed.dialect)
        if shape.total is not None:
            out.total[places] = values[first + shape.total]
        for name, slot, scale in shape.slots:
            own = values[first + slot]
            pieces.setdefault(name, []).append((places, own if scale == 1 else own * scale))
        for name, value in shape.fixed:
            pieces.setdefault(name, []).append((places, np.full(len(places), value)))

    @staticmethod
    def _note(out: Lines, parsed: Line) -> None:
        if parsed.dialect is not None and parsed.dialect not in out.dialects:
            out.dialects.append(parsed.dialect)


def _shape_of(text: str, line: str) -> _Shape:
    """The shape of a line: its text with every number taken out, and where in it the step and the metrics stand."""
    parsed = parse(line)
    if parsed.kind == NOTHING:
        # numbers may have kept it from being read: a step of 30 digits, say
        return _Shape(parsed)
    spans = _spans(text, line)
    if spans is None:
        return _Shape(parsed, apart=True)
    slot_of = {span: at for at, span in enumerate(spans)}
    used: set[int] = set()
    own: list[tuple[str, int, float]] = []
    fixed: list[tuple[str, float]] = []
    for pair in parsed.pairs:
        begin, end = pair.value
        sign = 1.0
        if line[begin] in "+-":
            sign, begin = (-1.0 if line[begin] == "-" else 1.0), begin + 1
        slot = slot_of.get((begin, end))
        if slot is not None:
            own.append((pair.name, slot, sign * pair.scale))
            used.add(slot)
        elif not any(character.isdigit() for character in line[begin:end]):
            fixed.append((pair.name, number(line[slice(*pair.value)])))
        else:
            return _Shape(parsed, apart=True)
    counts = [slot_of.get(span) for span in (*parsed.step, *([parsed.total] if parsed.total is not None else []))]
    if any(slot is None for slot in counts):
        return _Shape(parsed, apart=True)
    slots = [slot for slot in counts if slot is not None]
    keys = [pair.key for pair in parsed.pairs]
    inside = [at for at, (a, b) in enumerate(spans) if any(k[0] < b and a < k[1] for k in keys)]
    if inside:
        return _Shape(parsed, apart=True)
    step, total = slots[: len(parsed.step)], slots[len(parsed.step) :]
    return _Shape(parsed, tuple(step), total[0] if total else None, tuple(own), tuple(fixed))


def _spans(text: str, line: str) -> list[tuple[int, int]] | None:
    """Where the numbers stand in a line, from the pieces of text between them; None where they cannot be told."""
    spans: list[tuple[int, int]] = []
    pieces = text.split(_SLOT)
    numbers = _NUMBER.findall(line)
    if len(numbers) != len(pieces) - 1:
        return None
    at = 0
    for piece, taken in zip(pieces, [*numbers, ""], strict=True):
        at += len(piece)
        if taken:
            spans.append((at, at + len(taken)))
            at += len(taken)
    return spans if at == len(line) else None


def _step(parts: Sequence[float] | Sequence[Floats], dialect: Dialect) -> float | Floats:
    """The step of its parts: one number, or epoch, place in the epoch and length of an epoch."""
    if len(parts) == 1:
        return parts[0]
    epoch, within, per = parts
    return (epoch - dialect.first) * per + within


def _in_order(pieces: list[tuple[Ints, Floats]]) -> tuple[Ints, Floats]:
    """The values of a metric in the order of their lines."""
    if len(pieces) == 1:
        return pieces[0]
    places = np.concatenate([own for own, _ in pieces])
    order = np.argsort(places, kind="stable")
    return places[order], np.concatenate([values for _, values in pieces])[order]


def _set_wall(out: Lines, series: pl.Series) -> None:
    """The times at which lines were written, of those that begin with one."""
    marks = np.flatnonzero(out.kind == MARK)
    if not len(marks) or _WRITTEN.search(series[int(marks[0])][:200]) is None:
        return
    heads = series.gather(marks).str.slice(0, 200)
    told = heads.str.extract(_TIME, 1) + "T" + heads.str.extract(_TIME, 2)
    times = told.str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False)
    seconds = times.dt.epoch("s").cast(pl.Float64).fill_null(np.nan).to_numpy()
    out.wall[marks] = seconds
