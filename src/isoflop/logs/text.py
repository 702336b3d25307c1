"""Console logs: those of known trainers, and any other by the user's pattern."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import polars as pl

from isoflop.findings import Finding
from isoflop.logs.console import DICTIONARY, MARK, Console, parse
from isoflop.logs.console_runs import ConsoleRun, Runs
from isoflop.logs.curves import Curves
from isoflop.logs.dialects import number, speaks
from isoflop.logs.hashed_file import Batches, Digest, Lines, cut_short
from isoflop.logs.logged import STEP, LogError, LoggedRun
from isoflop.logs.reader import Candidate, Found, Options, Reader
from isoflop.logs.run_builder import logged_run

_ENDINGS: Final = frozenset({".log", ".txt", ".out", ".err", ".stdout", ".stderr", ".output", ""})
_LONGEST: Final = 4_096  # bytes of a line that are looked at
_SEARCHED: Final = 8 * 2**20  # bytes in which a first step is looked for
_BATCH: Final = 10_000  # lines that are matched together
_COLORS: Final = re.compile(r"\x1b\[[0-?]{0,16}[ -/]{0,4}[@-~]")
_OWN_OUTPUT: Final = re.compile(r"run-\w+\.wandb")


def by_ending(candidate: Candidate) -> str | None:
    """Claims every text file with an ending of logs, or of jobs (``train.o4711``)."""
    path = candidate.path
    ending = path.suffix.lower() if path.suffix.lower() != ".gz" else path.with_suffix("").suffix.lower()
    told = ending in _ENDINGS or re.fullmatch(r"\.[oe]?\d+", ending) is not None
    return str(path) if told and b"\0" not in candidate.head[:4096] else None


def _claims(candidate: Candidate) -> str | None:
    path = candidate.path
    if by_ending(candidate) is None or _is_wandbs_own(candidate):
        return None
    seen = 0
    for line in _COLORS.sub("", candidate.head.decode("utf-8", errors="replace")).replace("\r", "\n").split("\n"):
        if _tells(line[:_LONGEST]):
            return str(path)
    if not candidate.cut:
        return None
    with Digest().file(path) as file:
        for batch in Batches(file, longest=_LONGEST):
            for line in batch:
                if _tells(_plain(line)):
                    return str(path)
            seen += sum(map(len, batch))
            if seen > _SEARCHED:
                break
        file.left = 0
    return None


def _is_wandbs_own(candidate: Candidate) -> bool:
    """Whether W&B caught this output of a run whose own log lies beside it, which tells more."""
    folder = candidate.path.parent
    return (
        candidate.path.name == "output.log"
        and folder.name == "files"
        and any(_OWN_OUTPUT.fullmatch(path.name) for path in folder.parent.glob("*.wandb"))
    )


def _tells(line: str) -> bool:
    """Whether a line tells a step and a number, or opens lines that do."""
    if not speaks(line):
        return False
    said = parse(line)
    if said.kind == MARK and said.dialect is not None:
        return bool(said.pairs) or said.dialect.where == "below"
    return said.kind == DICTIONARY and bool(said.pairs)


def _plain(line: str) -> str:
    return _COLORS.sub("", line) if "\x1b" in line else line


def _read(found: Found, options: Options) -> Iterator[LoggedRun]:
    digest = Digest()
    with digest.file(found.files[0]) as file:
        if options.pattern is None:
            lines: Lines = Batches(file, longest=_LONGEST)
            runs = _of_console(Batches.__iter__(lines))  # type: ignore[arg-type]
        else:
            lines = Lines(file, longest=_LONGEST)
            curves = Curves()
            _by_pattern(curves, (_plain(line).rstrip("\r") for line in lines), options.pattern)
            runs = [ConsoleRun(curves)]
    runs = [run for run in runs if len(run.curves)]
    if not runs:
        missing = "no line of it fits the pattern" if options.pattern else "no line of it tells a step and a number"
        raise LogError(f"{found.source} is no log of a trainer that is known: {missing}; give one with --pattern")
    cut = [cut_short(found.source, lines.cut_short)] if lines.cut_short else []
    name = found.source.removesuffix(".gz").rsplit(".", 1)[0]
    if len(runs) == 1:
        yield _made(found, name, runs[0], digest.hexdigest(), cut)
        return
    note = Finding(
        "several-runs",
        "note",
        f"{found.source} holds {len(runs)} runs one after the other; each is a run of its own.",
        "Nothing to do.",
    )
    for position, run in enumerate(runs, 1):
        history, made = run.curves.table()
        own = Digest().update(f"{name} {position}".encode(errors="replace"))
        for series in history:
            own.update(series.name.encode(errors="replace")).update(series.fill_null(0).to_numpy().tobytes())
        findings = [*cut, *made, *([note] if position == 1 else [])]
        yield _made(found, f"{name} {position}", run, own.hexdigest(), findings, history)


def _made(
    found: Found, name: str, run: ConsoleRun, digest: str, findings: list[Finding], history: pl.DataFrame | None = None
) -> LoggedRun:
    return logged_run(
        name=name,
        format=found.format,
        source=found.source,
        curves=run.curves if history is None else history,
        digest=digest,
        status=run.status(),
        config=run.settings,
        results=run.results,
        findings=[*findings, *run.findings(found.source)],
    )


def _of_console(batches: Iterator[list[str]]) -> list[ConsoleRun]:
    console, runs = Console(), Runs()
    for batch in batches:
        lines = batch
        if any("\x1b" in line for line in batch):
            lines = [_plain(line) for line in batch]
        runs.take(lines, console.read(lines))
    return runs.ended()


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
    "console logs of Megatron-LM, GPT-NeoX, nanoGPT, nanochat, LitGPT, OLMo, torchtitan, Composer, fairseq, llm.c, the "
    "Hugging Face Trainer and others (.log, .txt, .out; any other by --pattern)",
    claims=_claims,
    read=_read,
    rank=2,
)
