"""``Imported``: what an import of run logs did to a store."""

from __future__ import annotations

from dataclasses import dataclass

from isoflop.findings import Finding
from isoflop.logs.logged import Unread
from isoflop.runs.store import Store


@dataclass(frozen=True)
class Imported:
    """What an import did.

    added, grown: names of runs that are new, and of those whose log went on since it was read last.
    scored: names of runs that took scores of an evaluation, in their row or their curve.
    unchanged: how many runs were in the store as they are. left_out: unfinished runs that the rules drop.
    unread: logs that were found and could not be read, with the reason. unclaimed: files with the name of a log or a
    table in which no reader found one.
    """

    store: Store
    added: tuple[str, ...] = ()
    grown: tuple[str, ...] = ()
    scored: tuple[str, ...] = ()
    unchanged: int = 0
    left_out: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()
    unclaimed: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
