"""Ray: one task of one CPU a cell, on the cluster at an address or on one that is started here for the sweep.

A task calls the worker's function in one of Ray's processes, which keeps PyTorch loaded for its next cell. A process
that dies ends its task with what Ray knows of the death; Ray's own retries are off, since the sweep decides what is
tried again. When the head of a cluster dies, Ray ends the sweep's process after a minute; run the sweep again then.
The sweep's folder must be on a file system that all nodes see, and isoflop installed on each.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isoflop.errors import MissingExtraError, SpecError
from isoflop.lab.executors.base import Executor, Job, Outcome, known_options
from isoflop.lab.executors.remote import number, run_remotely, wait_again
from isoflop.lab.status import Status

OPTIONS = ("address", "gpus", "save_every")
REACH = 10.0  # seconds for the cluster's port to take a connection
STORE = 100 * 2**20  # bytes of Ray's shared memory: cells pass none
CLIENT = "ray://"


def connect(*, workers: int, logs: Path, options: Mapping[str, str]) -> Executor:
    """The executor of ``--executor ray``, with ``workers`` cells at a time.

    options: address, of a running cluster (host:port, ray://host:port or auto; by default the environment's
    RAY_ADDRESS, else a cluster is started on this machine and ended with the sweep); gpus (0) a cell; save_every:
    seconds between checkpoints. A process that is connected to Ray already keeps its connection. ``logs`` is not used:
    Ray writes its own.

    Raises MissingExtraError without Ray, and SpecError for an impossible option or where no cluster answers.
    """
    known_options(options, OPTIONS, executor="ray")
    gpus = number(options, "gpus", 0.0)
    save_every = number(options, "save_every", 20.0)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a sweep tells nobody that it runs
    address = options.get("address") or os.environ.get("RAY_ADDRESS") or "local"
    if address != "local":
        _show_token()
    try:
        import ray
    except ImportError as missing:
        raise MissingExtraError(
            '--executor ray needs Ray, which is not installed: pip install "isoflop[ray]"'
        ) from missing
    mine = not ray.is_initialized()
    if mine:
        _join(ray, address, workers)
        if address == "local" and gpus > ray.cluster_resources().get("GPU", 0):
            ray.shutdown()
            raise SpecError(f"--option gpus={gpus:g}: Ray finds no such GPU on this machine; leave the option out")
    task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(_work)
    return RayExecutor(task, workers=workers, save_every=save_every, owner=mine)


def _join(ray: Any, address: str, workers: int) -> None:  # noqa: ANN401 - a module
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address == "local":
            ray.init(address=address, num_cpus=workers, object_store_memory=STORE, include_dashboard=False, **quiet)
            return
        if address != "auto":
            _reach(address)
        ray.init(address=address, **quiet)
    except Exception as error:
        known = isinstance(error, ConnectionError | RuntimeError | TimeoutError | ValueError)
        if not known and type(error) is not Exception:  # Ray raises a plain one when its start takes over 30 s
            raise
        first = next(iter(str(error).strip().splitlines()), "no reason given")
        why = f"{first} (if it asks for a token: ~/.ray/auth_token)" if address != "local" else first
        raise SpecError(f"no Ray cluster to be had at {address!r}: {why}") from error


def _show_token() -> None:
    """Let Ray use the token that it keeps, before it is imported.

    A cluster that was started where a token lies asks for it (seen with Ray 2.60), but ``ray.init`` with host:port
    shows it only in this mode; a cluster that asks for none does not mind.
    """
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    if os.environ.get("RAY_AUTH_TOKEN") or path.exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _reach(address: str) -> None:
    """Raise SpecError unless something listens at the address: Ray itself would try for many minutes."""
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    if not host or not port.isdecimal():
        raise SpecError(f"the Ray address {address!r} is not host:port, ray://host:port, auto or local")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH).close()
    except (OSError, OverflowError) as error:
        raise SpecError(
            f"nothing answers at the Ray address {address!r} ({error}); start the cluster with `ray start --head` or "
            "correct --option address"
        ) from error


def _work(folder: str, deadline: float, save_every: float) -> Status:
    """What a task performs, in a process of Ray's."""
    return run_remotely(Path(folder), deadline=deadline, save_every=save_every)


@dataclass
class RayExecutor:
    """``workers`` cells at a time as calls of ``task``; ``owner``: whether closing also ends the connection."""

    task: Any  # a ray.remote_function.RemoteFunction
    workers: int = 2
    save_every: float = 20.0
    owner: bool = True
    _flying: dict[Any, str] = field(default_factory=dict)  # Ray's reference → the name of the job

    @property
    def slots(self) -> int:
        """How many cells are handed to Ray at a time."""
        return self.workers

    def submit(self, job: Job) -> None:
        """Hand the cell to Ray, which runs it when a CPU is free."""
        folder = job.folder.resolve()
        wait_again(folder)
        self._flying[self.task.remote(str(folder), job.deadline, self.save_every)] = job.name

    def poll(self) -> tuple[Outcome, ...]:
        """The tasks that have returned, raised or died."""
        import ray

        if not self._flying:
            return ()
        ready, _ = ray.wait(list(self._flying), num_returns=len(self._flying), timeout=0)
        ended = []
        for reference in ready:
            name = self._flying.pop(reference)
            try:
                says = ray.get(reference).says
            except ray.exceptions.RayError as error:
                says = _how_it_died(error)
            ended.append(Outcome(name, says))
        return tuple(ended)

    def cancel(self, name: str) -> None:
        """Kill the process that performs the cell, or take the cell out of Ray's queue."""
        for reference in [reference for reference, flying in self._flying.items() if flying == name]:
            self._cancel(reference)
            del self._flying[reference]

    def close(self) -> None:
        """Stop what runs, and the cluster if it was started for the sweep; cells keep their last checkpoint."""
        import ray

        for reference in self._flying:
            self._cancel(reference)
        self._flying.clear()
        if self.owner:
            ray.shutdown()

    def _cancel(self, reference: object) -> None:
        import ray

        with contextlib.suppress(ray.exceptions.RayError):  # it has ended by itself
            ray.cancel(reference, force=True)


def _how_it_died(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    name = type(error).__name__
    if not lines:
        return f"Ray: {name}"
    # A task's own exception ends with its message; Ray's texts on dead processes begin with theirs.
    said = lines[-1] if name.startswith("RayTaskError") else lines[0]
    return f"Ray: {name}: {said[:300]}"
