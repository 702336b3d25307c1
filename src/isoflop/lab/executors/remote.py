"""What executors on other machines share: a cell's status up to the start of its worker, and numbers as options.

The sweep takes ``waiting`` for a place in a queue, which may last for days, and ``running`` for a worker that has to
give signs of life. So the file must say the one from submission to the start of the worker, whatever an earlier worker
left there, and the other from its first moment.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from pathlib import Path

from isoflop.errors import SpecError
from isoflop.lab.executors.local import ONE_THREAD
from isoflop.lab.status import Status, read_status, write_status


def wait_again(folder: Path) -> None:
    """Say that the cell waits, if its last word is of a worker that is no more."""
    if read_status(folder).state == "running":
        write_status(folder, Status("waiting"))


def run_remotely(folder: Path, *, deadline: float, save_every: float) -> Status:
    """Perform the cell in this process, which some queue has started, on one thread."""
    os.environ.update(ONE_THREAD)
    if read_status(folder).state == "waiting":
        write_status(folder, Status("running", started=time.time()))
    from isoflop.lab.worker import run_cell  # after the environment is set

    return run_cell(folder, deadline=deadline, save_every=save_every)


def number(options: Mapping[str, str], key: str, default: float, *, low: float = 0.0) -> float:
    """The option as a number. Raises SpecError for text that is none, and for less than ``low``."""
    text = options.get(key)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value < math.inf:
        raise SpecError(f"--option {key}={text} must be a number, {low:g} or more")
    return value
