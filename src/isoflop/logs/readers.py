"""The formats that are read, how a path is searched for them, and reading what was found."""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, NoReturn

import polars as pl

from isoflop.errors import IsoflopError
from isoflop.logs import (
    aim,
    lightning,
    lm_eval,
    mlflow,
    mlflow_remote,
    table,
    tensorboard,
    text,
    trackio,
    trainer,
    wandb,
    wandb_files,
    wandb_online,
)
from isoflop.logs.hashed_file import head_of
from isoflop.logs.logged import LogError, LoggedRun, Unread
from isoflop.logs.reader import Candidate, Found, Options, Reader
from isoflop.logs.scrub import hosts_in, plain_text, without_hosts
from isoflop.logs.walk import walk

READERS: Final[tuple[Reader, ...]] = (
    wandb.READER,
    wandb_files.READER,
    aim.READER,
    tensorboard.READER,
    mlflow.READER,
    trackio.READER,
    trainer.READER,
    lm_eval.READER,
    lightning.READER,
    text.READER,
    table.READER,
    wandb_online.READER,
    mlflow_remote.READER,
)

_HEAD: Final = 65_536
_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_LOGS: Final = (
    ".wandb", ".log", ".out", ".err", ".stdout", ".stderr", ".txt", ".csv", ".tsv", ".jsonl", ".ndjson", ".parquet",
    ".db", ".sqlite", ".duckdb",
)  # fmt: skip
_WORDS: Final = ("trainer_state", "result", "metric", "log", "history", "eval", "progress")
# What parsers of damaged bytes raise. A PanicException of Polars is no Exception; its name says where it comes from.
_DAMAGE: Final = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    OverflowError,
    RecursionError,
    struct.error,
    zlib.error,
    sqlite3.Error,
    pl.exceptions.PolarsError,
)


def find_logs(
    path: str | Path,
    *,
    format: str | None = None,
    pattern: str | None = None,
    unclaimed: Callable[[str], None] | None = None,
) -> list[Found | Unread]:
    """The logs at a path, after what may not be opened: trackers' own logs, then tables, then consoles, by name.

    A single file whose format is given is taken at the user's word, and so is every text file where a pattern is.

    path: a file, a folder, a glob, or an address (``wandb:entity/project``, ``mlflow:http://…``, ``s3://…``).
    format: only logs of this reader. unclaimed: is told the place of every file that looks like a log or a table and
    that no reader takes for one.
    Raises LogError: no such path, nothing readable (the message says what was looked for), no such format.
    """
    format = format or ("text" if pattern else None)
    readers = _chosen(format)
    for reader in readers:
        if str(path).startswith(reader.addresses):
            return [Found(reader.format, str(path), address=str(path))]
    root, files = _files(path)
    if format is not None and Path(path).is_file():
        return list(_claimed(root, files, (replace(readers[0], claims=lambda candidate: str(candidate.path)),)))
    if pattern is not None:
        readers = tuple(replace(reader, claims=text.by_ending) for reader in readers if reader.format == "text")
    claimed = list(_claimed(root, files, readers, unclaimed))
    if not any(isinstance(each, Found) for each in claimed):
        _nothing(str(path), readers, [each for each in claimed if isinstance(each, Unread)])
    return claimed


def read_logs(
    path: str | Path,
    *,
    format: str | None = None,
    pattern: str | None = None,
    resume: Path | None = None,
    unclaimed: Callable[[str], None] | None = None,
) -> Iterator[LoggedRun | Unread]:
    """The runs at a path, one after the other, and as Unread each log that could not be read.

    pattern: for text logs, a regular expression with a group ``step`` and a named group for each metric.
    Raises LogError as find_logs does.
    """
    options = Options(pattern=text.check_pattern(pattern) if pattern else None, resume=resume)
    for found in find_logs(path, format=format, pattern=pattern, unclaimed=unclaimed):
        if isinstance(found, Unread):
            yield found
        else:
            yield from read_found(found, options)


def read_found(found: Found, options: Options | None = None) -> Iterator[LoggedRun | Unread]:
    """The runs of one log; what cannot be read becomes an Unread, whatever its bytes."""
    reader = next(reader for reader in READERS if reader.format == found.format)
    try:
        yield from reader.read(found, options or Options())
    except IsoflopError as error:
        if found.address:  # it is all that was asked for
            raise
        yield Unread(found.source, str(error))
    except _DAMAGE as error:
        says = f"{found.source} cannot be read as {found.format} ({_reason(error, found)}); write or copy it again"
        yield Unread(found.source, says)


def _reason(error: Exception, found: Found) -> str:
    """What went wrong in one line, without the folders in which the files lie."""
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    line = (told.strip().splitlines() or [type(error).__name__])[0]
    for path in found.files:
        line = line.replace(str(path), path.name).replace(str(path.parent), "")
    return line[:200]


def _chosen(format: str | None) -> tuple[Reader, ...]:
    if format is None:
        return READERS
    chosen = tuple(reader for reader in READERS if reader.format == format)
    if not chosen:
        raise LogError(f"no reader is called {format!r}; there are {', '.join(reader.format for reader in READERS)}")
    return chosen


def _files(path: str | Path) -> tuple[Path, Iterator[Path]]:
    """The folder to which sources are relative, and the files."""
    root = Path(path).expanduser()
    shown = str(path)[:120]
    try:
        if root.exists():
            if not (root.is_dir() or root.is_file()):
                raise LogError(f"{shown!r} is neither a file nor a folder; give the folder of a run or its log")
            if root.is_file():
                head_of(root, 1)  # may it be read at all?
            return (root if root.is_dir() else root.parent), walk(root)
        if root.is_symlink():
            raise LogError(f"{shown!r} is a link that leads nowhere or in a circle; give the place that it stood for")
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a circle of links, before Python 3.13
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise LogError(f"{shown!r} cannot be opened ({reason}); check the path") from None
    if any(mark in str(path) for mark in "*?["):
        fixed = _before_marks(root)
        matches = sorted(fixed.glob(str(root.relative_to(fixed))))
        if matches:
            return fixed, (file for match in matches for file in walk(match))
        raise LogError(f"nothing matches {shown!r}; check the pattern, quoted so that the shell leaves it alone")
    raise LogError(f"there is no {shown!r}; check the path")


def _before_marks(path: Path) -> Path:
    plain = []
    for part in path.parts:
        if any(mark in part for mark in "*?["):
            break
        plain.append(part)
    return Path(*plain) if plain else Path()


def _claimed(
    root: Path, files: Iterator[Path], readers: tuple[Reader, ...], unclaimed: Callable[[str], None] | None = None
) -> Iterator[Found | Unread]:
    """What may not be opened, then files gathered into logs; each file goes to the first reader that claims it."""
    logs: dict[tuple[str, str], list[Path]] = {}
    covered: set[Path] = set()
    closed: list[tuple[Path, str]] = []
    pointers: list[Path] = []
    left: list[Path] = []
    for path in files:  # those of a folder before those below it
        if not covered.isdisjoint(path.parents):
            continue
        try:
            head = head_of(path, _HEAD)
            if head.startswith(_POINTER) and _may_be_log(path):
                pointers.append(path)
                continue
            candidate = Candidate(path, head, cut=len(head) >= _HEAD)
            claims = ((reader, reader.claims(candidate)) for reader in readers)
            reader, key = next(((reader, key) for reader, key in claims if key is not None), (None, None))
        except FileNotFoundError:  # it vanished
            continue
        except OSError as error:
            closed.append((path, error.strerror or str(error)))
            continue
        if reader is not None and key is not None:
            logs.setdefault((reader.format, key), []).append(path)
            if reader.covers == path.name:
                covered.add(path.parent)
        elif _may_be_log(path) and candidate.head.strip():
            left.append(path)
    hosts = hosts_in(path for paths in logs.values() for path in paths)
    for path, reason in closed:
        source = _source(path, root, hosts)
        yield Unread(source, f"{source} cannot be opened ({reason}); give yourself the right to read it")
    for path in pointers:
        source = _source(path, root, hosts)
        yield Unread(source, f"{source} is a Git LFS pointer, not the file itself; run git lfs pull, and import again")
    if unclaimed is not None:
        for path in left:
            unclaimed(_source(path, root, hosts))
    ranks = {reader.format: reader.rank for reader in READERS}
    for (format, key), paths in sorted(logs.items(), key=lambda item: (ranks[item[0][0]], item[0][1])):
        yield Found(format, _source(Path(key), root, hosts), tuple(paths))


def _may_be_log(path: Path) -> bool:
    """Whether a file's name is that of a log or a table of runs."""
    name = path.name.lower().removesuffix(".gz")
    return (
        name.endswith(_LOGS) or "tfevents" in name or (name.endswith(".json") and any(word in name for word in _WORDS))
    )


def _source(key: Path, root: Path, hosts: frozenset[str]) -> str:
    """The log's place relative to the root; the root's own name where they are one."""
    try:
        relative = key.relative_to(root)
    except ValueError:
        relative = Path(key.name)
    plain = str(relative) if relative.parts else _own_name(root)
    return plain_text(without_hosts(plain, hosts)) or "log"


def _own_name(folder: Path) -> str:
    """The folder's name, unless it is somebody's home and so bears their name."""
    whole = folder.resolve()
    return "log" if whole.parent in (Path("/home"), Path("/Users"), Path.home().parent) else whole.name


def _nothing(path: str, readers: tuple[Reader, ...], closed: list[Unread]) -> NoReturn:
    if closed:
        more = f" (and {len(closed) - 1} more)" if len(closed) > 1 else ""
        raise LogError(f"nothing that is read lies in {path[:120]!r}: {closed[0].says}{more}")
    raise LogError(
        f"nothing that is read lies in {path[:120]!r}; looked for {'; '.join(reader.looks_for for reader in readers)}"
    )
