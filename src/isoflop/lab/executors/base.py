"""Where cells run: the one interface between a sweep and the machines.

A cell lives in a folder that sweep and worker both see. The sweep puts ``cell.json`` there and submits a Job; whoever
runs it performs ``job.argv`` (``python -m isoflop.lab.worker FOLDER``), or calls
:func:`isoflop.lab.worker.run_cell` with the folder, on one thread. The worker writes

    status.json     waiting | running | done | diverged | failed, step, last sign of life (each second)
    checkpoint.pt   about every 20 seconds; a new worker goes on from it
    result.json     the row of the runs table and the rows of the curves, once, when the cell has ended

To add an executor, write one class with ``slots``, ``submit``, ``poll``, ``cancel`` and ``close``:

* ``submit(job)`` returns at once. At most ``slots`` jobs are in flight at a time; the sweep sees to that.
* ``poll()`` returns an Outcome for each job that has *left the machine* since the last call, for whatever reason, and
  never blocks. It need not know whether the cell succeeded: the sweep reads ``status.json`` for that, and uses
  ``Outcome.says`` only where that file has no last word (a node that died, a queue that killed the job).
* ``cancel(name)`` stops the job; called by the sweep when the cell is beyond its deadline or gave no sign of life for
  its patience, so an executor that can hang (a queue without accounting) costs one cell, not the sweep. The name may
  already have ended. After it, ``poll`` need not mention the job again.
* ``close()`` stops what still runs; called once, also after an exception.

Its module has one function for the command line, ``connect(*, workers, logs, options) -> Executor``, and is listed in
``isoflop.lab.executors.EXECUTORS``: ``workers`` is ``--workers``, ``logs`` a folder for whatever the place itself
writes, ``options`` the texts of ``--option key=value`` (the SLURM partition, the address of a Ray cluster); an unknown
key is for :func:`known_options` to refuse. Packages of an extra are imported inside ``connect``.

Job and Outcome are frozen and picklable. A worker takes an exclusive lock on its folder, so that a cell which an
executor runs twice by mistake is trained by one worker at a time.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from isoflop.errors import SpecError


@dataclass(frozen=True)
class Job:
    """One cell to run: its ``name`` (unique in the sweep), its ``folder``, and the ``deadline`` in seconds of running.

    The worker keeps the deadline itself; queues take it as the time limit of the job, with some minutes to spare.
    """

    name: str
    folder: Path
    deadline: float

    @property
    def argv(self) -> tuple[str, ...]:
        """The command that performs the job in a process of its own."""
        return (sys.executable, "-m", "isoflop.lab.worker", str(self.folder), "--deadline", str(self.deadline))


@dataclass(frozen=True)
class Outcome:
    """A job that has left the machine; ``says`` is what the executor knows of the end, empty for an ordinary one."""

    name: str
    says: str = ""


class Executor(Protocol):
    """A place where jobs run; see the module's text for what each method promises."""

    @property
    def slots(self) -> int:
        """How many jobs may be in flight at a time."""
        ...

    def submit(self, job: Job) -> None:
        """Start the job, or put it into a queue."""
        ...

    def poll(self) -> tuple[Outcome, ...]:
        """The jobs that have ended since the last call."""
        ...

    def cancel(self, name: str) -> None:
        """Stop the job of that name."""
        ...

    def close(self) -> None:
        """Stop everything and release what is held."""
        ...


def known_options(options: Mapping[str, str], known: Sequence[str], *, executor: str) -> None:
    """Refuse an option that the executor does not have. Raises SpecError naming the nearest it has."""
    for key in options:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known) or 'none'}"
            raise SpecError(f"--executor {executor} has no option {key!r}; {hint}")
