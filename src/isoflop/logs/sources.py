"""The runs of all sources of an import, without those whose bytes were read before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from isoflop.logs.logged import LogError, LoggedRun, Unread
from isoflop.logs.read_before import ReadBefore
from isoflop.logs.reader import Found, Options
from isoflop.logs.readers import find_logs, read_found
from isoflop.logs.store import existing
from isoflop.logs.text import check_pattern

_DOWNLOADS: Final = "downloads"  # folder of a store: pages of histories that came over the network


@dataclass(frozen=True)
class Unchanged:
    """A log that was read before: how many runs of the store it gave."""

    runs: int


def runs_of_sources(
    sources: Sequence[str | Path],
    *,
    format: str | None,
    pattern: str | None,
    folder: Path,
    unclaimed: Callable[[str], None],
    before: ReadBefore,
) -> Iterator[LoggedRun | Unread | Unchanged]:
    """The runs of all sources; a source in which nothing is found counts as unread while others have something."""
    if not sources:
        raise LogError("no log was named; give the folder of a run, or its log")
    store = existing(folder)
    stored = set() if store is None else set(store.runs["digest"].drop_nulls().to_list())
    for source in sources:
        try:
            options = Options(pattern=check_pattern(pattern) if pattern else None, resume=folder / _DOWNLOADS)
            for found in find_logs(source, format=format, pattern=pattern, unclaimed=unclaimed):
                if isinstance(found, Unread):
                    yield found
                else:
                    yield from _new(found, options, before, stored)
        except LogError as error:
            if len(sources) == 1:
                raise
            yield Unread(Path(str(source)).name, str(error))


def _new(
    found: Found, options: Options, before: ReadBefore, stored: set[str]
) -> Iterator[LoggedRun | Unread | Unchanged]:
    """The runs of one log, unless the same bytes gave runs that are all there still."""
    key = before.key(found)
    known = before.runs(key, stored)
    if known is not None:
        yield Unchanged(known)
        return
    digests, whole = [], True
    for each in read_found(found, options):
        if isinstance(each, Unread):
            whole = False
        else:
            digests.append(each.digest)
        yield each
    if whole:
        before.note(key, digests)
