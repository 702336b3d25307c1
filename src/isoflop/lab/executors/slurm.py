"""SLURM: one job a cell, submitted by submitit; its end is read from its files and ``squeue``, never waited for.

Submitit's ``result()`` asks ``sacct``, and on a cluster that keeps no accounts it does not return when a job dies hard
(``os._exit``, ``scancel``, a killed step). So a job has ended when its result file is there, or when two answers of
``squeue`` in a row call it ended or do not name it; between these and the worker's own status file nothing can hang.

A job is named after its cell's folder. A sweep that was killed leaves its jobs in the queue, and the next start takes
them up instead of submitting their cells again. A job that SLURM preempts, or that reaches its time limit, returns to
the queue and goes on from its cell's checkpoint. The sweep's folder must be on a file system that all nodes see.
"""

from __future__ import annotations

import hashlib
import math
import pickle
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Protocol

from isoflop.errors import MissingExtraError, SpecError
from isoflop.lab.executors.base import Executor, Job, Outcome, known_options
from isoflop.lab.executors.local import ONE_THREAD
from isoflop.lab.executors.remote import number, run_remotely, wait_again
from isoflop.lab.status import Status

OPTIONS = ("partition", "account", "qos", "constraint", "time", "cpus", "mem", "gpus", "save_every")
SPARE = 5  # minutes of a job beyond its cell's deadline: Python's start, and the worker's own end at the deadline
ANSWER = 30.0  # seconds that squeue and scancel may take
# The states of squeue in which a job is no more, and the reasons for which one that waits would wait for ever.
ENDED = frozenset(
    (
        *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "LAUNCH_FAILED", "NODE_FAIL", "OUT_OF_MEMORY"),
        *("PREEMPTED", "RECONFIG_FAIL", "REVOKED", "TIMEOUT"),
    )
)
NEVER = frozenset(
    (
        *("AccountNotAllowed", "AssocMaxWallDurationPerJobLimit", "BadConstraints", "InvalidAccount", "InvalidQOS"),
        *("PartitionNodeLimit", "PartitionTimeLimit", "QOSMaxWallDurationPerJobLimit"),
    )
)


def connect(*, workers: int, logs: Path, options: Mapping[str, str]) -> Executor:
    """The executor of ``--executor slurm``, with ``workers`` jobs in the queue at a time.

    options: partition, account, qos, constraint and mem as ``sbatch`` takes them; time: minutes a job may take (by
    default the cell's deadline and 5 minutes); cpus (1) and gpus (0) a cell; save_every: seconds between checkpoints.

    Raises MissingExtraError without submitit, and SpecError for an impossible option or where no SLURM answers.
    """
    known_options(options, OPTIONS, executor="slurm")
    minutes = number(options, "time", math.nan, low=1)
    save_every = number(options, "save_every", 20.0)
    cpus, gpus = int(number(options, "cpus", 1, low=1)), int(number(options, "gpus", 0))
    try:
        import submitit
    except ImportError as missing:
        raise MissingExtraError(
            '--executor slurm needs submitit, which is not installed: pip install "isoflop[slurm]"'
        ) from missing
    absent = [command for command in ("sbatch", "srun", "squeue", "scancel") if shutil.which(command) is None]
    if absent:
        raise SpecError(f"there is no SLURM here ({absent[0]} is not installed); run the sweep on a login node")
    left = _jobs_left()
    queue = submitit.SlurmExecutor(folder=logs.resolve())
    queue.update_parameters(
        cpus_per_task=cpus,
        srun_args=[f"--cpus-per-task={cpus}"],  # since 22.05 srun does not take it over from sbatch
        setup=[f"export {name}={value}" for name, value in ONE_THREAD.items()],
        **({"gpus_per_node": gpus} if gpus else {}),
        **{name: options[name] for name in ("partition", "account", "qos", "constraint") if name in options},
        **({"additional_parameters": {"mem": options["mem"]}} if "mem" in options else {}),
    )
    limit = None if math.isnan(minutes) else math.ceil(minutes)
    return SlurmExecutor(queue, workers=workers, minutes=limit, save_every=save_every, _left=left)


class _Paths(Protocol):
    @property
    def result_pickle(self) -> Path: ...
    @property
    def stderr(self) -> Path: ...


class _Handle(Protocol):
    """What is used of submitit's job."""

    @property
    def job_id(self) -> str: ...
    @property
    def paths(self) -> _Paths: ...


@dataclass(frozen=True)
class _Work:
    """What a job performs; submitit calls ``checkpoint`` when SLURM preempts it or its time runs out."""

    folder: Path
    deadline: float
    save_every: float

    def __call__(self) -> Status:
        return run_remotely(self.folder, deadline=self.deadline, save_every=self.save_every)

    def checkpoint(self) -> object:
        """The same again: the worker goes on from the cell's checkpoint."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


@dataclass(frozen=True)
class _Flight:
    """A job in the queue; ``missing``: how many answers of squeue in a row called it ended or did not name it."""

    job: Job
    handle: _Handle
    label: str
    missing: int = 0


@dataclass(frozen=True)
class _Question:
    """A squeue that runs, where it writes, and the jobs that it is about."""

    process: subprocess.Popen[bytes]
    answer: IO[bytes]
    about: frozenset[str]
    asked: float


@dataclass
class SlurmExecutor:
    """``workers`` jobs at a time through submitit's ``queue``; ``pause``: seconds between questions to squeue."""

    queue: Any  # submitit.SlurmExecutor
    workers: int = 2
    minutes: int | None = None
    save_every: float = 20.0
    pause: float = 5.0
    _left: dict[str, str] = field(default_factory=dict)  # label → id of jobs that an earlier sweep left in the queue
    _flying: dict[str, _Flight] = field(default_factory=dict)
    _refused: list[Outcome] = field(default_factory=list)
    _accepted: bool = False
    _question: _Question | None = None
    _asked: float = -math.inf

    @property
    def slots(self) -> int:
        """How many jobs are in the queue at a time."""
        return self.workers

    def submit(self, job: Job) -> None:
        """Queue the job, or take up the one that an earlier sweep left for the same cell.

        Raises SpecError when SLURM refuses the sweep's first job (a wrong partition is wrong for all of them), and for
        a cell without an end; a later refusal ends that job alone.
        """
        folder = job.folder.resolve()
        label = _label(folder)
        if label in self._left:
            import submitit

            handle = submitit.SlurmJob(folder=self.queue.folder, job_id=self._left.pop(label))
        else:
            wait_again(folder)
            try:
                handle = self._queued(job, folder, label)
            except (RuntimeError, OSError) as refused:  # submitit's errors are RuntimeErrors
                said = _refusal(str(refused))
                if not self._accepted:
                    raise SpecError(f"SLURM does not take the job: {said}; check --option") from refused
                self._refused.append(Outcome(job.name, f"SLURM does not take the job: {said}"))
                return
        self._accepted = True
        self._flying[job.name] = _Flight(job, handle, label)

    def _queued(self, job: Job, folder: Path, label: str) -> _Handle:
        if self.minutes is None and math.isinf(job.deadline):
            raise SpecError(
                "SLURM has to know how long a cell may take: set seconds in [limits] of the sweep, or --option "
                "time=MINUTES"
            )
        minutes = self.minutes or math.ceil(job.deadline / 60) + SPARE
        self.queue.update_parameters(time=minutes, job_name=label)
        handle: _Handle = self.queue.submit(_Work(folder, job.deadline, self.save_every))
        return handle

    def poll(self) -> tuple[Outcome, ...]:
        """The jobs that left their result, that squeue gives up, or that SLURM would never start."""
        ended, self._refused = self._refused, []
        for flight in list(self._flying.values()):
            if flight.handle.paths.result_pickle.exists():
                ended.append(Outcome(flight.job.name, _result_says(flight.handle)))
                del self._flying[flight.job.name]
        heard = self._hear()
        if heard is None:
            return tuple(ended)
        about, states = heard
        for flight in [flight for flight in self._flying.values() if flight.handle.job_id in about]:
            state, reason = states.get(flight.handle.job_id, ("", ""))
            if state == "PENDING":
                if reason in NEVER:
                    shorter = (
                        "give a shorter --option time" if "Time" in reason or "Wall" in reason else "check --option"
                    )
                    ended.append(Outcome(flight.job.name, f"SLURM would never start it ({reason}); {shorter}"))
                    self.cancel(flight.job.name)
                    continue
                wait_again(flight.job.folder)  # it may have run and been preempted
            gone = not state or state in ENDED
            flight = replace(flight, missing=flight.missing + 1 if gone else 0)
            self._flying[flight.job.name] = flight
            if flight.missing >= 2:  # at the first, its files may not have reached this machine yet
                ended.append(Outcome(flight.job.name, _end_says(flight.handle, state, reason)))
                del self._flying[flight.job.name]
        return tuple(ended)

    def cancel(self, name: str) -> None:
        """Take the job out of the queue and kill it."""
        flight = self._flying.pop(name, None)
        if flight is not None:
            _scancel([flight.handle.job_id])

    def close(self) -> None:
        """Cancel all jobs; a cell under way keeps its last checkpoint."""
        _scancel([flight.handle.job_id for flight in self._flying.values()])
        self._flying.clear()
        if self._question is not None:
            _drop(self._question)
            self._question = None

    def _hear(self) -> tuple[frozenset[str], Mapping[str, tuple[str, str]]] | None:
        """The jobs asked about, and (state, reason) of those squeue knows; None while there is no answer.

        Squeue runs beside the sweep, since a busy controller can let it wait; a failed answer is no answer.
        """
        now = time.monotonic()
        question = self._question
        if question is None:
            if self._flying and now - self._asked >= self.pause:
                self._question = _ask(list(self._flying.values()))
                self._asked = now
            return None
        code = question.process.poll()
        if code is None and now - question.asked < ANSWER:
            return None
        question.answer.seek(0)
        text = question.answer.read().decode(errors="replace") if code == 0 else None
        _drop(question)
        self._question = None
        return None if text is None else (question.about, {key: value for key, value, _ in _jobs(text)})


def _label(folder: Path) -> str:
    return f"isoflop-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"


_SQUEUE = ("squeue", "--me", "--noheader", "--states=all", "--format=%A|%j|%T|%r")


def _ask(flights: Sequence[_Flight]) -> _Question:
    answer = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the question
    process = subprocess.Popen(
        [*_SQUEUE, f"--name={','.join(flight.label for flight in flights)}"],
        stdin=subprocess.DEVNULL,
        stdout=answer,
        stderr=subprocess.DEVNULL,
    )
    return _Question(process, answer, frozenset(flight.handle.job_id for flight in flights), time.monotonic())


def _drop(question: _Question) -> None:
    if question.process.poll() is None:
        question.process.kill()
        question.process.wait()
    question.answer.close()


def _jobs(text: str) -> list[tuple[str, tuple[str, str], str]]:
    """(id, (state, reason), label) of each line of squeue."""
    fields = [line.split("|", 3) for line in text.splitlines() if line.count("|") >= 3]
    return [(job_id, (state, reason), label) for job_id, label, state, reason in fields]


def _jobs_left() -> dict[str, str]:
    """The label and id of the jobs of cells that are in the queue. Raises SpecError where SLURM does not answer."""
    try:
        found = subprocess.run(_SQUEUE, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ANSWER)
    except subprocess.TimeoutExpired:
        raise SpecError(f"squeue gave no answer within {ANSWER:.0f} s; try again when SLURM is up") from None
    if found.returncode:
        raise SpecError(f"SLURM does not answer: {_last_line(found.stderr) or 'squeue failed without a word'}")
    jobs = _jobs(found.stdout)
    return {label: key for key, (state, _), label in jobs if label.startswith("isoflop-") and state not in ENDED}


def _scancel(ids: Sequence[str]) -> None:
    """Kill at once, then cancel: a plain cancel leaves a job that ignores SIGTERM its time to go on writing."""
    if not ids:
        return
    for how in (["--signal=KILL", "--full"], []):
        try:
            subprocess.run(
                ["scancel", *how, *ids],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=ANSWER,
                check=False,
            )
        except subprocess.TimeoutExpired:
            continue  # SLURM is not up; its own time limit ends the job


def _refusal(text: str) -> str:
    """What sbatch said, in one line."""
    lines = [line.strip().removeprefix("sbatch: ").removeprefix("error: ") for line in text.splitlines()]
    return "; ".join(line for line in lines if line) or "sbatch failed without a word"


def _result_says(handle: _Handle) -> str:
    """What the job's result file tells, if it is more than that the worker ended."""
    outcome, content = pickle.loads(handle.paths.result_pickle.read_bytes())
    if outcome == "error":
        return f"SLURM job {handle.job_id} failed: {_last_line(content)}"
    return content.says if isinstance(content, Status) else ""


def _end_says(handle: _Handle, state: str, reason: str) -> str:
    how = f"ended as {state}" if state else "is gone from the queue"
    why = f" ({reason})" if reason and reason != "None" else ""
    try:
        lines = handle.paths.stderr.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    errors = [line for line in lines if "error:" in line]  # what srun says after them is always the same
    last = _last_line("\n".join(errors or lines))
    return f"SLURM job {handle.job_id} {how}{why}" + (f"; its log: {last[:200]}" if last else "")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
