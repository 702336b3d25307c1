"""Trackio projects: one SQLite file a project, a row of JSON a call of ``log``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from isoflop.findings import Finding
from isoflop.logs import sqlite
from isoflop.logs.curves import Curves
from isoflop.logs.hashed_file import Digest
from isoflop.logs.json_numbers import numbers_in
from isoflop.logs.logged import LogError, LoggedRun
from isoflop.logs.reader import Candidate, Found, Options, Reader
from isoflop.logs.run_builder import logged_run

_COLUMNS: Final = ("timestamp", "run_name", "step", "metrics")


def _claims(candidate: Candidate) -> str | None:
    return str(candidate.path) if sqlite.holds(candidate.path, candidate.head, metrics=_COLUMNS) else None


def _read(found: Found, options: Options) -> Iterator[LoggedRun]:
    with sqlite.opened(found.files[0]) as connection:
        # releases before run identifiers tell runs apart by name alone
        key = "run_id" if "run_id" in sqlite.columns(connection, "metrics") else "run_name"
        configs = (
            _configs(connection.execute(f"SELECT {key}, config FROM configs"))
            if ({key, "config"} <= set(sqlite.columns(connection, "configs")))
            else {}
        )
        shared = {
            name
            for (name,) in connection.execute(
                f"SELECT run_name FROM metrics GROUP BY run_name HAVING count(DISTINCT {key}) > 1"
            )
        }
        rows = connection.execute(f"SELECT {key}, run_name, step, timestamp, metrics FROM metrics ORDER BY {key}, id")
        none = True
        for identifier, points in groupby(rows, key=lambda row: row[0]):
            none = False
            yield _run(found, str(identifier), points, configs.get(str(identifier), {}), shared)
        if none:
            raise LogError(f"{found.source} is a Trackio project without a logged step; log one first")


def _configs(rows: Iterator[tuple[Any, Any]]) -> dict[str, dict[str, Any]]:
    configs = {}
    for identifier, data in rows:
        config = _object(data)
        if config is not None:
            configs[str(identifier)] = {name: value for name, value in config.items() if not name.startswith("_")}
    return configs


def _run(
    found: Found, identifier: str, points: Iterator[tuple[Any, ...]], config: dict[str, Any], shared: set[str]
) -> LoggedRun:
    curves, digest, broken = Curves(), Digest(), 0
    name = ""
    digest.update(repr((identifier, sorted(config.items()))).encode(errors="replace"))
    for _, called, step, timestamp, data in points:
        name = str(called)
        digest.update(f"{step}\0{data!r}\n".encode(errors="replace"))
        row = _object(data)
        if row is None or not isinstance(step, int):
            broken += 1
            continue
        for metric, value in numbers_in("", row).items():
            curves.add(metric, step, value)
        try:
            curves.add_wall(step, datetime.fromisoformat(str(timestamp)).timestamp())
        except (ValueError, OverflowError):
            continue
    findings = (
        []
        if not broken
        else [
            Finding(
                "damaged",
                "warning",
                f"{broken:,} rows of {found.source} are not JSON and were passed over.",
                "Copy the file again.",
            )
        ]
    )
    return logged_run(
        name=f"{name} {identifier[:8]}" if name in shared else name,
        format=found.format,
        source=found.source,
        curves=curves,
        digest=digest.hexdigest(),
        config=config,
        findings=findings,
    )


def _object(data: object) -> dict[str, Any] | None:
    if not isinstance(data, bytes | str):
        return None
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


READER: Final = Reader("trackio", "Trackio projects (PROJECT.db)", claims=_claims, read=_read)
