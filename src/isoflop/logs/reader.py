"""What a reader is: it claims files, gathers those that belong to one log, and reads them as runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from isoflop.logs.logged import LoggedRun, Unread


@dataclass(frozen=True)
class Candidate:
    """A file that may be (part of) a log: its path and its first bytes; ``cut`` says that more follow."""

    path: Path
    head: bytes
    cut: bool = True


@dataclass(frozen=True)
class Found:
    """One log that was found: the files it is read from, all of which decide whether it changed.

    source: relative to what the user gave, with host names taken out.
    address: what the user gave where it is no path of this machine: ``wandb:entity/project``, ``s3://…``.
    """

    format: str
    source: str
    files: tuple[Path, ...] = ()
    address: str = ""


@dataclass(frozen=True)
class Options:
    """What a user may say about reading.

    pattern: of text logs: a regular expression with a group ``step`` and a named group for each metric.
    resume: a folder in which a remote reader keeps what it has fetched, so that a broken download goes on.
    """

    pattern: str | None = None
    resume: Path | None = None


@dataclass(frozen=True)
class Reader:
    """One format.

    looks_for: what it looks for, in words, for the message that nothing was found.
    claims: the key of the log to which a candidate belongs (files with one key are one log), None if it is none.
    read: the runs of a log; raises LogError (or what parsing raises: ValueError, OSError …) if there is none in it.
    covers: the name of a file whose log owns everything below the file's folder.
    addresses: how an address that it reads begins, such as ``wandb:``.
    rank: logs of a lower rank come first; of two that tell of one training, the first counts.
    """

    format: str
    looks_for: str
    claims: Callable[[Candidate], str | None]
    read: Callable[[Found, Options], Iterator[LoggedRun | Unread]]
    covers: str = ""
    addresses: tuple[str, ...] = ()
    rank: int = 0
