"""Console logs: those of known trainers, and any other by the user's pattern."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Final

import polars as pl

from isoflop.logs.curves import Curves
from isoflop.logs.dialects import Dialect, marked, number, pairs
from isoflop.logs.hashed_file import Digest, Lines, cut_short
from isoflop.logs.logged import STEP, LogError, LoggedRun, Status
from isoflop.logs.reader import Candidate, Found, Options, Reader
from isoflop.logs.run_builder import logged_run
from isoflop.logs.settings_text import typed

_ENDINGS: Final = frozenset({".log", ".txt", ".out", ".err", ".stdout", ".stderr", ".output", ""})
_LONGEST: Final = 4_096  # bytes of a line that are looked at
_SEARCHED: Final = 8 * 2**20  # bytes in which a first step is looked for
_MOST_SETTINGS: Final = 2_000
_BATCH: Final = 10_000  # lines that are matched together
_COLOURS: Final = re.compile(r"\x1b\[[0-?]{0,16}[ -/]{0,4}[@-~]|\r")
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)")
# Megatron prints its arguments as ``  hidden_size ....... 1024``, nanochat as ``Total batch size: 524,288``.
_ARGUMENT: Final = re.compile(r"^[^\S\n]{0,8}(?:\d+: )?[^\S\n]{0,8}(?P<key>\w{1,80}) \.{3,80} (?P<value>.{1,200})$")
_COUNT: Final = r"(?P<value>[\d,]+(?:\.\d+)?[KMBT]?)"
_STATED: Final = re.compile(
    rf"^[^\S\n]{{0,8}}(?P<key>[A-Za-z][\w /-]{{1,60}}?)\s{{0,20}}[:=]\s{{0,4}}{_COUNT}\s{{0,4}}$"
)
_COUNTED: Final = re.compile(
    rf"(?P<key>number of parameters|tokens per iteration will be|Total batch size):? {_COUNT}", re.IGNORECASE
)
_CRASHED: Final = re.compile(
    r"^(?:\[rank\d+\]: ?)?Traceback \(most recent call last\)|^\S{0,60}CUDA out of memory|DUE TO TIME LIMIT"
)


def by_ending(candidate: Candidate) -> str | None:
    """Claims every text file with an ending of logs, or of jobs (``train.o4711``)."""
    path = candidate.path
    ending = path.suffix.lower() if path.suffix.lower() != ".gz" else path.with_suffix("").suffix.lower()
    told = ending in _ENDINGS or re.fullmatch(r"\.[oe]?\d+", ending) is not None
    return str(path) if told and b"\0" not in candidate.head[:4096] else None


def _claims(candidate: Candidate) -> str | None:
    path = candidate.path
    if by_ending(candidate) is None:
        return None
    with Digest().file(path) as file:
        seen = 0
        for line in Lines(file, longest=_LONGEST):
            if marked(line) is not None:
                return str(path)
            seen += len(line) + 1
            if seen > _SEARCHED:
                break
        file.left = 0
    return None


def _read(found: Found, options: Options) -> Iterator[LoggedRun]:
    console, digest = _Console(), Digest()
    with digest.file(found.files[0]) as file:
        lines = Lines(file, longest=_LONGEST)
        plain = (_COLOURS.sub("", line) for line in lines)
        if options.pattern is None:
            for line in plain:
                console.take(line)
        else:
            _by_pattern(console.curves, plain, options.pattern)
    if not len(console.curves):
        missing = "no line of it fits the pattern" if options.pattern else "no line of it tells a step and a number"
        raise LogError(f"{found.source} is no log of a trainer that is known: {missing}; give one with --pattern")
    yield logged_run(
        name=found.source.removesuffix(".gz").rsplit(".", 1)[0],
        format=found.format,
        source=found.source,
        curves=console.curves,
        digest=digest.hexdigest(),
        status=console.status(),
        config=console.settings,
        findings=[cut_short(found.source, lines.cut_short)] if lines.cut_short else [],
    )


class _Console:
    """The state of reading a console line by line."""

    def __init__(self) -> None:
        self.curves = Curves()
        self.settings: dict[str, Any] = {}
        self._step = 0
        self._total = 0
        self._below: Dialect | None = None
        self._crashed = False

    def take(self, line: str) -> None:
        """One line: a step, a metric below a step, a setting, or nothing."""
        opened = marked(line)
        if opened is not None:
            self._open(line, *opened)
        elif self._below is not None and line[:1] in (" ", "\t"):
            for name, value in pairs(line):
                self.curves.add(name, self._step, value)
        elif not len(self.curves):
            self._setting(line)
        if _CRASHED.search(line):
            self._crashed = True

    def _open(self, line: str, dialect: Dialect, match: re.Match[str]) -> None:
        step = number(match["step"])
        if step >= 2**62:
            return
        if step < self._step:
            self.curves.new_session()
        self._step = int(step)
        total = match.groupdict().get("total")
        if total:
            self._total = int(number(total)) if len(total) < 18 else 0
        self._crashed = False
        self._below = dialect if dialect.below else None
        rest = line[match.end() :]
        if not dialect.below:
            for name, value in pairs(rest, spaced=dialect.spaced):
                self.curves.add(_plain(dialect.prefix + name), self._step, value)
        stamp = _TIME.search(line[:200])
        if stamp is not None:
            try:
                when = datetime.fromisoformat(f"{stamp[1]}T{stamp[2]}+00:00")
            except ValueError:
                return
            self.curves.add_wall(self._step, when.timestamp())

    def _setting(self, line: str) -> None:
        if len(self.settings) < _MOST_SETTINGS:
            match = _ARGUMENT.match(line) or _STATED.match(line) or _COUNTED.search(line)
            if match is not None:
                self.settings[match["key"].strip()] = typed(match["value"].replace(",", ""))

    def status(self) -> Status:
        """Finished where the last step is the last that was planned (some count it from 0)."""
        if self._crashed:
            return "crashed"
        if self._total:
            self.settings.setdefault("max_steps", self._total)
        return "finished" if self._total and self._step >= self._total - 1 else "unknown"


def _plain(name: str) -> str:
    """``validation lm loss value`` as ``validation lm loss``."""
    return name.removesuffix(" value")


def _by_pattern(curves: Curves, lines: Iterable[str], pattern: str) -> None:
    """The groups of the user's pattern; a step that a line does not tell is that of the line before.

    Polars' engine matches in time linear in the line, whatever the pattern.
    """
    step: int | None = None
    source = iter(lines)
    while batch := list(islice(source, _BATCH)):
        groups = pl.Series(batch, dtype=pl.String).str.extract_groups(pattern).struct.unnest()
        for row in groups.iter_rows(named=True):
            told = _told(row.pop(STEP))
            step = int(told) if told is not None and abs(told) < 2**62 else step
            for name, text in row.items():
                value = _told(text)
                if value is not None and step is not None:
                    curves.add(name, step, value)


def _told(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return number(text.strip())
    except ValueError:
        return None


def check_pattern(pattern: str) -> str:
    """The pattern itself; raises LogError where it is none, or names no ``step`` or no metric."""
    shown = repr(pattern[:80])
    try:
        made = pl.Series([""]).str.extract_groups(pattern)
        names = [field.name for field in made.dtype.fields] if isinstance(made.dtype, pl.Struct) else []
    except pl.exceptions.PolarsError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), lines[0])
        raise LogError(f"the pattern {shown} is no regular expression that is read: {reason[:200]}; mend it") from None
    named = [name for name in names if not name.isdigit()]
    if STEP not in named or len(named) < 2:
        raise LogError(
            f"the pattern {shown} names {', '.join(named) or 'no group'}; it needs (?P<step>…) and a named group for "
            "each metric, such as (?P<loss>…)"
        )
    return pattern


READER: Final = Reader(
    "text",
    "text logs of Megatron-LM, nanoGPT, nanochat, OLMo, torchtitan (.log, .txt, .out; others by --pattern)",
    claims=_claims,
    read=_read,
)
