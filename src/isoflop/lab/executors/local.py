"""Processes on this machine, side by side, one thread each; a process is kept for the next cell, not started anew."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from isoflop.errors import SpecError
from isoflop.lab.executors.base import Executor, Job, Outcome, known_options

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # what PyTorch asks for before it promises repeatable sums on a GPU
}


def connect(*, workers: int, logs: Path, options: Mapping[str, str]) -> Executor:
    """The executor of ``--executor local``; its only option is ``save_every``, seconds between checkpoints."""
    known_options(options, ("save_every",), executor="local")
    try:
        save_every = float(options.get("save_every", 20.0))
    except ValueError:
        raise SpecError(f"save_every={options['save_every']!r} is not a number of seconds") from None
    return LocalExecutor(workers, save_every=save_every)


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    job: Job | None = None
    heard: bytes = b""


@dataclass
class LocalExecutor:
    """``workers`` processes; ``save_every``: seconds between checkpoints of a cell."""

    workers: int = 2
    save_every: float = 20.0
    _pool: list[_Worker] = field(default_factory=list)
    _queue: deque[Job] = field(default_factory=deque)

    @property
    def slots(self) -> int:
        """As many jobs as there are processes."""
        return self.workers

    def submit(self, job: Job) -> None:
        """Give the job to an idle process, starting one if need be, or keep it until one is idle."""
        self._queue.append(job)
        self._deal()

    def poll(self) -> tuple[Outcome, ...]:
        """Hear what the processes say; a process that died ends its job with how it died."""
        ended = []
        for worker in list(self._pool):
            heard, gone = _hear(worker)
            if worker.job is not None and heard is not None:
                ended.append(Outcome(worker.job.name, str(heard.get("says", ""))))
                worker.job = None
            if gone:
                worker.process.wait()
                self._pool.remove(worker)
                _close_pipes(worker)
                if worker.job is not None:
                    ended.append(Outcome(worker.job.name, _how_it_died(worker.process.returncode)))
        self._deal()
        return tuple(ended)

    def cancel(self, name: str) -> None:
        """Kill the process that performs the job, or drop the job from the queue."""
        self._queue = deque(job for job in self._queue if job.name != name)
        for worker in list(self._pool):
            if worker.job is not None and worker.job.name == name:
                self._pool.remove(worker)
                _kill(worker)
        self._deal()

    def close(self) -> None:
        """End all processes; a cell under way keeps its last checkpoint."""
        self._queue.clear()
        for worker in self._pool:
            _kill(worker)
        self._pool.clear()

    def _deal(self) -> None:
        while self._queue:
            idle = next((worker for worker in self._pool if worker.job is None), None)
            if idle is None:
                if len(self._pool) >= self.workers:
                    return
                idle = _start()
                self._pool.append(idle)
            job = self._queue.popleft()
            idle.job = job
            request = {"name": job.name, "folder": str(job.folder), "deadline": job.deadline}
            line = json.dumps({**request, "save_every": self.save_every}) + "\n"
            assert idle.process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # the process has died; poll() hears of it and ends the job
                idle.process.stdin.write(line.encode())
                idle.process.stdin.flush()


def _start() -> _Worker:
    process = subprocess.Popen(
        [sys.executable, "-m", "isoflop.lab.worker", "--serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **ONE_THREAD},
    )
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    return _Worker(process)


def _hear(worker: _Worker) -> tuple[dict[str, object] | None, bool]:
    """A whole line from the process if there is one, and whether the process is gone."""
    assert worker.process.stdout is not None
    gone = worker.process.poll() is not None  # asked first, so that its last words are still read
    try:
        while chunk := os.read(worker.process.stdout.fileno(), 65_536):
            worker.heard += chunk
    except BlockingIOError:
        pass
    line, found, rest = worker.heard.partition(b"\n")
    if not found:
        return None, gone
    worker.heard = rest
    return json.loads(line), gone


def _kill(worker: _Worker) -> None:
    worker.process.send_signal(signal.SIGKILL)
    worker.process.wait()
    _close_pipes(worker)


def _close_pipes(worker: _Worker) -> None:
    for pipe in (worker.process.stdin, worker.process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def _how_it_died(code: int) -> str:
    if code == -signal.SIGKILL:
        return "its process was killed (signal 9: by hand, or by the system for want of memory)"
    if code < 0:
        return f"its process died of signal {-code}"
    return f"its process ended with exit code {code} before the cell did"
