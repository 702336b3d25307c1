"""``Session``: one table of runs, how it is read, which rows are used, and what was asked of them; kept on disk."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from isoflop.documents import DocumentError, parse_json, read_bounded
from isoflop.errors import IsoflopError, SavedError
from isoflop.files import write_whole
from isoflop.runs import Runs, read_runs
from isoflop.schema import FLAG, TEXT, Choice, List, Map, Number, Plain, Record, Schema, SchemaError, Text, Whole

SCHEMA = "isoflop.session/2"
REPORTS = ("fit", "plan")  # kinds of task that are reports: of a law to fit, of a fit at another budget
_NAME = re.compile(r"[^\w.() -]+")
_ID = re.compile(r"[0-9a-f]{12}")


MOST_BYTES = 50_000_000
_WORDS = Map(TEXT, most=10_000)
_READING = Record(
    {
        "columns": _WORDS, "units": _WORDS, "conventions": _WORDS, "where": TEXT,
        "derive": _WORDS, "best": TEXT, "per": TEXT, "frontier": TEXT,
    },
    may=frozenset({"derive", "best", "per", "frontier"}),
)  # fmt: skip
_ROWS = List(Whole())
_TASK_ID = Text(matching=r"r[0-9]{1,9}", belongs="a task's id, as r1")
_SETTINGS: Mapping[str, Schema] = {"reading": _READING, "dropped": _ROWS, "options": Map(Plain())}
_ASKED = Record(_SETTINGS, more=True, keep=True)
_TASK = Record(
    {
        "id": _TASK_ID,
        "kind": Text(most=100),
        # what was asked is checked by the question itself; these are what the page reads of it
        "settings": Record(_SETTINGS, may=frozenset(_SETTINGS), more=True, keep=True),
        "state": Choice("waiting", "running", "done", "failed", "stopped"),
        "share": Number(low=0.0, high=1.0),
        "doing": TEXT,
        "says": TEXT,
        "drawn": FLAG,
        "undrawn": TEXT,
    }
)
_SESSION = Record(
    {
        "schema": TEXT,
        "id": Text(most=100),
        "kind": Choice("file", "dataset"),
        "source": Text(most=1_000),
        "reading": _READING,
        "dropped": _ROWS,
        "tasks": List(_TASK, most=10_000),
        "version": Whole(),
        "name": Text(most=100),
        "kept": List(Text(most=100), most=1_000),
    },
    may=frozenset({"name", "kept"}),
)


@dataclass(frozen=True)
class Reading:
    """How the table is read: as the options of ``read_runs``."""

    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    conventions: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    derive: Mapping[str, str] = field(default_factory=dict)
    best: str = ""
    per: str = ""
    frontier: str = ""

    @property
    def options(self) -> dict[str, Any]:
        """All but ``where``, as ``read_runs`` and ``RunsSpec`` take them; in ``per`` commas part the columns."""
        return {
            "columns": self.columns,
            "units": self.units,
            "conventions": self.conventions,
            "derive": self.derive,
            "best": self.best or None,
            "per": tuple(name.strip() for name in self.per.split(",") if name.strip()),
            "frontier": self.frontier or None,
        }


@dataclass(frozen=True)
class Task:
    """Something that was asked: a fit, a ranking, a backtest, a comparison.

    state: waiting, running, done, failed or stopped. share: how much is done. says: what went wrong, or the title of
    the result. undrawn: why the pictures of a result are not drawn, where they cannot be. settings: what was asked,
    with the reading and the rows that were left out when it was.
    """

    id: str
    kind: str
    settings: Mapping[str, Any]
    state: str = "waiting"
    share: float = 0.0
    doing: str = ""
    says: str = ""
    drawn: bool = False
    undrawn: str = ""


@dataclass(frozen=True)
class Session:
    """Everything that a page shows, as plain values; the table and the results lie beside it in ``folder``.

    source: the name of the table's file in the folder, or the name of a data set. version: grows with every change.
    dropped: row numbers that are left out. name: what its user calls it. kept: codes of findings that were
    looked at and dismissed.
    """

    id: str
    folder: Path
    kind: str
    source: str
    reading: Reading = Reading()
    dropped: tuple[int, ...] = ()
    tasks: tuple[Task, ...] = ()
    version: int = 0
    name: str = ""
    kept: tuple[str, ...] = ()

    def task(self, name: str) -> Task:
        """One task by its id; raises IsoflopError where there is none."""
        for each in self.tasks:
            if each.id == name:
                return each
        raise IsoflopError(f"this session has no result {name!r}; reload the page")

    def with_task(self, task: Task) -> Session:
        """The session with a task added or replaced."""
        known = any(each.id == task.id for each in self.tasks)
        kept = tuple(task if each.id == task.id else each for each in self.tasks)
        return replace(self, tasks=kept if known else (*self.tasks, task))

    def beside(self, task: Task) -> tuple[Task, ...]:
        """The latest ranking and the latest backtest that were done on a fit's very rows, one of its own law."""
        same = ("reading", "dropped", "objective")
        found = {}
        for each in self.tasks:
            keys = {"rank": same, "backtest": (*same, "law", "fixed", "tied", "domains")}.get(each.kind)
            if keys and each.state == "done" and all(each.settings.get(k) == task.settings.get(k) for k in keys):
                found[each.kind] = each
        return tuple(found.values())

    def place(self, task: str, name: str) -> Path:
        """A file of a task."""
        return self.folder / f"{task}.{name}"


def new_session(root: Path, *, kind: str, source: str) -> Session:
    """A session with a folder of its own, not yet saved. kind: ``file`` or ``dataset``."""
    name = secrets.token_hex(6)
    folder = root / name
    folder.mkdir(parents=True)
    return Session(name, folder, kind, source)


def file_name(text: str) -> str:
    """A name for an upload that is safe in the session's folder: no path, no odd letters, the ending kept."""
    bare = _NAME.sub("_", text.replace("\\", "/").rsplit("/", 1)[-1]).strip(". ")[-100:]
    return bare if bare and bare != "session.json" else "runs.csv"


def save(session: Session) -> Session:
    """Write the session, whole, one version on."""
    saved = replace(session, version=session.version + 1)
    content = {key: value for key, value in asdict(saved).items() if key != "folder"}
    write_whole(session.folder / "session.json", json.dumps({"schema": SCHEMA, **content}).encode())
    return saved


def load(root: Path, name: str) -> Session:
    """A saved session by its id; raises SavedError where there is none or it is damaged."""
    folder = root / name
    if not _ID.fullmatch(name) or not (folder / "session.json").is_file():
        raise SavedError(f"there is no session {name[:20]!r} here; start a new one")
    try:
        content = _SESSION.read(parse_json(read_bounded(folder / "session.json", most=MOST_BYTES)), "")
    except (DocumentError, SchemaError):
        raise SavedError(f"session {name} is damaged or of another release; start a new one") from None
    if content.pop("schema") != SCHEMA or content["id"] != name:
        raise SavedError(f"session {name} is of another release; start a new one")
    if content["kind"] == "file" and file_name(content["source"]) != content["source"]:
        raise SavedError(f"session {name} is damaged: its table lies elsewhere; start a new one")
    reading = Reading(**content.pop("reading"))
    tasks = tuple(Task(**each) for each in content.pop("tasks"))
    lists: dict[str, Any] = {name: tuple(content.pop(name, ())) for name in ("dropped", "kept")}
    return Session(folder=folder, reading=reading, tasks=tasks, **content, **lists)


def settings_of(session: Session, task: Task) -> dict[str, Any]:
    """What a task was asked, whole: its reading, its rows, its options. Raises SavedError where the state lacks one."""
    try:
        asked: dict[str, Any] = _ASKED.read(task.settings, "settings")
        of = asked.get("of") or ()
        for name in [of] if isinstance(of, str) else List(_TASK_ID, most=2).read(of, "settings.of"):
            session.task(_TASK_ID.read(name, "settings.of"))
    except SchemaError as error:
        raise SavedError(f"task {task.id} of session {session.id} is damaged ({error}); ask again") from None
    return asked


def names(root: Path) -> list[str]:
    """The ids of all sessions, the latest first; of each file only the date is looked at."""
    found = []
    with contextlib.suppress(OSError), os.scandir(root) as entries:
        for entry in entries:
            if _ID.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    found.append((Path(entry.path, "session.json").stat().st_mtime, entry.name))
    return [name for _, name in sorted(found, reverse=True)]


def sessions(root: Path, *, most: int | None = None) -> list[Session]:
    """The sessions that can be read, the latest first; at most ``most`` of them."""
    found: list[Session] = []
    for name in names(root):
        if most is not None and len(found) >= most:
            break
        with contextlib.suppress(SavedError):
            found.append(load(root, name))
    return found


def changed(session: Session) -> float:
    """When the session was last written, in seconds since 1970; 0 where it never was."""
    try:
        return (session.folder / "session.json").stat().st_mtime
    except OSError:
        return 0.0


def forget(session: Session) -> None:
    """Delete a session with all its files."""
    shutil.rmtree(session.folder, ignore_errors=True)


def read(session: Session) -> Runs:
    """The session's runs as they are to be read, with every row.

    Raises DataError for a table that cannot be read so.
    """
    if session.kind == "dataset":
        from isoflop.runs.datasets import load as load_dataset

        runs = load_dataset(session.source)
        return runs.where(session.reading.where) if session.reading.where else runs
    reading = session.reading
    return read_runs(session.folder / session.source, where=reading.where or None, **reading.options)


def used(session: Session, runs: Runs) -> Runs:
    """The rows that are not left out; raises IsoflopError where none is."""
    if not session.dropped:
        return runs
    kept = ~np.isin(runs.rows, session.dropped)
    if not kept.any():
        raise IsoflopError("every row is left out; tick some in again")
    return replace(runs.take(kept), source=f"{runs.source} without {int((~kept).sum())} of its rows")
