"""Work side by side, in processes or threads: no more than cores or pieces of work, none that outlives its parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_LOCAL = ("LokyBackend", "MultiprocessingBackend", "ThreadingBackend")
_TASKS = 16  # for each worker elsewhere, of many items each
_LOOK = 0.5  # seconds after which a child looks whether its parent is there
_watching: list[int] = []


def side_by_side(
    work: Callable[[Item], Result], items: Sequence[Item], *, jobs: int, unlocked: bool = False
) -> Iterator[Result]:
    """``work`` of every item, in order, as they come; through joblib's backend where ``jobs`` is not 1.

    On this machine at most as many processes are started as it has cores and as there are items; on the machines of
    another backend (Dask, Ray) ``jobs`` is left as it is. A process whose parent ends, however it ends, ends too.
    unlocked: the work lets go of Python's lock, as the compiled engine does, so that threads do for processes here.
    """
    if jobs == 1 or len(items) < 2:
        yield from map(work, items)
        return
    import joblib
    from joblib.parallel import get_active_backend

    backend = get_active_backend()[0]
    if type(backend).__name__ in _LOCAL:
        cores = joblib.cpu_count()
        jobs = min(cores if jobs < 1 else jobs, cores, len(items))
        if unlocked:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(jobs) as threads:
                yield from threads.map(work, items)
            return
    # Ray's backend gives its results only all at once
    gives = "generator" if backend.supports_return_generator else "list"
    each = _Watched(work, os.getpid())
    if type(backend).__name__ in _LOCAL:
        yield from joblib.Parallel(n_jobs=jobs, return_as=gives)(joblib.delayed(each)(item) for item in items)
        return
    # elsewhere each task costs some hundredths of a second, for the work travels with every one
    size = max(1, len(items) // (_TASKS * max(1, backend.effective_n_jobs(jobs))))
    groups = [items[first : first + size] for first in range(0, len(items), size)]
    for done in joblib.Parallel(n_jobs=jobs, return_as=gives)(joblib.delayed(_every)(each, some) for some in groups):
        yield from done


def _every(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    return [work(item) for item in items]


@dataclass(frozen=True)
class _Watched(Generic[Item, Result]):
    """The work, in a process that first sees to it that it does not outlive ``parent``."""

    work: Callable[[Item], Result]
    parent: int

    def __call__(self, item: Item) -> Result:
        if os.getppid() == self.parent and os.getpid() not in _watching:  # a child of ours, not yet watched
            _watching[:] = [os.getpid()]
            threading.Thread(target=_end_with, args=(self.parent,), daemon=True).start()
        return self.work(item)


def return_freed_memory() -> None:
    """Give the system what was freed and is held between what is not; GNU's C library keeps it otherwise."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _end_with(parent: int) -> Any:  # noqa: ANN401 - never returns
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(1)
