"""MLflow runs: SQLite stores and file stores (``mlruns``).

A SQLite store writes NaN as 0.0 with ``is_nan`` set and infinity as the largest double; both are read as what they
were.
"""

from __future__ import annotations

import math
import os
import re
import sqlite3
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from isoflop.findings import Finding
from isoflop.logs import sqlite
from isoflop.logs.curves import Curves
from isoflop.logs.hashed_file import Digest
from isoflop.logs.logged import LogError, LoggedRun, Status
from isoflop.logs.reader import Candidate, Found, Options, Reader
from isoflop.logs.run_builder import logged_run
from isoflop.logs.settings_text import typed

_LARGEST: Final = 1.7976931348623157e308
STATUS: Final[dict[str, Status]] = {
    "RUNNING": "running",
    "FINISHED": "finished",
    "FAILED": "crashed",
    "KILLED": "crashed",
    # a file store writes the number of RunStatus
    "1": "running",
    "3": "finished",
    "4": "crashed",
    "5": "crashed",
}
_ENTRY: Final = re.compile(rb"^(\w+):[ \t]*(.*?)[ \t\r]*$", re.MULTILINE)
_METRICS: Final = ("key", "value", "timestamp", "run_uuid", "step", "is_nan")


def _claims(candidate: Candidate) -> str | None:
    path = candidate.path
    if path.name == "meta.yaml":
        entries = _entries(candidate.head)
        is_run = ("run_id" in entries or "run_uuid" in entries) and (path.parent / "metrics").is_dir()
        return str(path.parent) if is_run else None
    if sqlite.holds(path, candidate.head, metrics=_METRICS, runs=("run_uuid",), experiments=("name",)):
        return str(path)
    return None


def _read(found: Found, options: Options) -> Iterator[LoggedRun]:
    path = found.files[0]
    yield from _read_folder(found, path.parent) if path.name == "meta.yaml" else _read_database(found, path)


def _read_database(found: Found, path: Path) -> Iterator[LoggedRun]:
    with sqlite.opened(path) as connection:
        runs = _runs(connection)
        if not runs:
            raise LogError(f"{found.source} is an MLflow store without a run; log one first")
        rows = connection.execute(
            "SELECT run_uuid, key, value, timestamp, step, is_nan FROM metrics ORDER BY run_uuid, rowid"
        )
        for uuid, points in groupby(rows, key=lambda row: row[0]):
            run = runs.pop(uuid, None)
            if run is not None:
                yield _run(found, run, points)
        for run in runs.values():
            yield _run(found, run, iter(()))


def _run(found: Found, run: dict[str, Any], points: Iterator[tuple[Any, ...]]) -> LoggedRun:
    curves, digest = Curves(), Digest()
    digest.update(repr((run["name"], sorted(run["config"].items()))).encode(errors="replace"))
    for _, key, value, timestamp, step, is_nan in points:
        number = math.nan if is_nan else float(value)
        if abs(number) >= _LARGEST:
            number = math.copysign(math.inf, number)
        curves.add(str(key), int(step or 0), number)
        curves.add_wall(int(step or 0), float(timestamp or 0) / 1000)
        digest.update(f"{key}\0{number!r}\0{step}\n".encode(errors="replace"))
    return logged_run(
        name=run["name"],
        format=found.format,
        source=found.source,
        curves=curves,
        digest=digest.hexdigest(),
        status=STATUS.get(run["status"], "unknown"),
        config=run["config"],
    )


def _runs(connection: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """The runs that were not deleted, each with its name, status and configuration."""
    named = "name" if "name" in sqlite.columns(connection, "runs") else "NULL"
    runs: dict[str, dict[str, Any]] = {}
    stages = "lifecycle_stage" if "lifecycle_stage" in sqlite.columns(connection, "runs") else "'active'"
    experiments = dict(connection.execute("SELECT experiment_id, name FROM experiments"))
    for uuid, name, status, experiment in connection.execute(
        f"SELECT run_uuid, {named}, status, experiment_id FROM runs WHERE {stages} = 'active' ORDER BY rowid"
    ):
        title = str(experiments.get(experiment, ""))
        runs[str(uuid)] = {"name": str(name or ""), "status": str(status), "config": {"experiment": title}}
    for table, prefix in (("params", ""), ("tags", "tag.")):
        if {"run_uuid", "key", "value"} <= set(sqlite.columns(connection, table)):
            for uuid, key, value in connection.execute(f"SELECT run_uuid, key, value FROM {table} ORDER BY key"):
                if uuid in runs:
                    _put(runs[uuid], str(key), str(value), prefix)
    _tell_apart(runs)
    return runs


def _put(run: dict[str, Any], key: str, value: str, prefix: str) -> None:
    """A parameter or a tag; MLflow's own tags tell of people and machines, but for the name in older releases."""
    if prefix and key.startswith("mlflow."):
        if key == "mlflow.runName" and not run["name"]:
            run["name"] = value
        return
    run["config"][prefix + key] = typed(value)


def _tell_apart(runs: dict[str, dict[str, Any]]) -> None:
    """Names made unique: a run without one gets its identifier's start, and so do runs that share one."""
    names = [run["name"] for run in runs.values()]
    for uuid, run in runs.items():
        if not run["name"]:
            run["name"] = uuid[:8]
        elif names.count(run["name"]) > 1:
            run["name"] = f"{run['name']} {uuid[:8]}"


def _read_folder(found: Found, folder: Path) -> Iterator[LoggedRun]:
    digest, curves, findings = Digest(), Curves(), []
    entries = _entries(digest.whole(folder / "meta.yaml"))
    if entries.get("lifecycle_stage") == "deleted":
        return
    run: dict[str, Any] = {"name": entries.get("run_name", ""), "config": {}}
    above = folder.parent / "meta.yaml"
    if above.is_file():
        run["config"]["experiment"] = _entries(above.read_bytes()[:65_536]).get("name", "")
    broken = 0
    for path in _below(folder / "metrics"):
        name = path.relative_to(folder / "metrics").as_posix()
        for line in digest.whole(path).split(b"\n"):
            broken += not _point(curves, name, line)
    for kind, prefix in (("params", ""), ("tags", "tag.")):
        for path in _below(folder / kind):
            value = digest.whole(path)[:1000].decode("utf-8", errors="replace")
            _put(run, path.relative_to(folder / kind).as_posix(), value, prefix)
    if broken:
        findings.append(
            Finding(
                "damaged",
                "warning",
                f"{broken:,} lines of metrics in {found.source} are not 'time value step' and were passed over.",
                "Copy the folder again, if the run has ended.",
            )
        )
    yield logged_run(
        name=run["name"] or folder.name[:8],
        format=found.format,
        source=found.source,
        curves=curves,
        digest=digest.hexdigest(),
        status=STATUS.get(entries.get("status", ""), "unknown"),
        config=run["config"],
        findings=findings,
    )


def _point(curves: Curves, name: str, line: bytes) -> bool:
    """``timestamp value step``; false if the line is something else."""
    words = line.split()
    if not words:
        return True
    try:
        wall, value = float(words[0]) / 1000, float(words[1])
        step = int(words[2]) if len(words) > 2 else 0
    except (ValueError, IndexError):
        return False
    curves.add(name, step, value)
    curves.add_wall(step, wall)
    return True


def _below(folder: Path) -> list[Path]:
    """The files below, by name; a metric ``val/loss`` is the file ``loss`` in the folder ``val``."""
    return sorted(
        Path(place) / name for place, _, names in os.walk(folder) for name in names if (Path(place) / name).is_file()
    )


def _entries(data: bytes) -> dict[str, str]:
    """The ``key: value`` lines of a flat YAML file."""
    return {key.decode(): value.decode("utf-8", errors="replace").strip("'\"") for key, value in _ENTRY.findall(data)}


READER: Final = Reader("mlflow", "MLflow stores (mlflow.db, mlruns)", claims=_claims, read=_read, covers="meta.yaml")
