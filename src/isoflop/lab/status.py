"""A cell's own word on how it is: one small JSON file, rewritten while it runs, final when it has ended.

The sweep believes this file before it believes an executor, since a queue can lose a job without saying so.
"""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from isoflop.documents import DocumentError, parse_json, read_bounded
from isoflop.files import NoSpaceError, write_whole
from isoflop.schema import Choice, Number, Record, SchemaError, Text, Whole

State = Literal["waiting", "running", "done", "diverged", "failed"]
STATES: tuple[str, ...] = get_args(State)
FINAL = frozenset({"done", "diverged", "failed"})
FILE = "status.json"
_ROOM = 1024  # the file is padded to this size, so that its last word fits even on a full disk
_MOST = 65_536
_SECONDS = Number(low=0.0, high=1e12)
_STATUS = Record(
    {
        "state": Choice(*STATES),
        "step": Whole(),
        "steps": Whole(),
        "started": _SECONDS,
        "beat": _SECONDS,
        "says": Text(),
        "host": Text(),
        "pid": Whole(),
    }
)


@dataclass(frozen=True)
class Status:
    """state; step of steps; ``beat``: seconds since 1970 at the last sign of life; ``says``: why it ended."""

    state: State
    step: int = 0
    steps: int = 0
    started: float = 0.0
    beat: float = 0.0
    says: str = ""
    host: str = ""
    pid: int = 0

    @property
    def final(self) -> bool:
        """Whether the cell has ended."""
        return self.state in FINAL


def write_status(folder: Path, status: Status) -> None:
    """Write the status with the present moment, host and process.

    On a full disk the old file is overwritten in place: it needs no new block, and a failure is then still told.
    """
    now = replace(status, beat=time.time(), host=socket.gethostname(), pid=os.getpid(), says=status.says[:600])
    data = json.dumps(asdict(now)).encode().ljust(_ROOM) + b"\n"
    try:
        write_whole(folder / FILE, data)
    except NoSpaceError:
        if (folder / FILE).exists():
            with (folder / FILE).open("r+b") as file:
                file.write(data)


def read_status(folder: Path) -> Status:
    """The cell's status; ``waiting`` where the file is absent or torn."""
    try:
        return Status(**_STATUS.read(parse_json(read_bounded(folder / FILE, most=_MOST)), ""))
    except (DocumentError, SchemaError):
        return Status("waiting")
