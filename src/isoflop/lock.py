"""One holder at a time: a lock that the system takes back when its holder ends, however it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isoflop.errors import IsoflopError

LOCK = ".lock"
_LOOK = 0.1


class HeldError(IsoflopError):
    """Another process holds the folder, or it cannot be held at all."""


class NoLockError(HeldError):
    """There are no locks on folders on this system."""


@contextmanager
def alone(folder: Path, *, patience: float = 0.0) -> Iterator[None]:
    """Hold ``folder``, waiting up to ``patience`` seconds for it. Raises HeldError when another still holds it,
    NoLockError on a system without locks.
    """
    try:
        import fcntl
    except ImportError as missing:
        raise NoLockError(
            "folders that are written to are locked with flock, which this system lacks; use Linux, macOS or WSL"
        ) from missing
    with (folder / LOCK).open("a") as file:
        until = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise HeldError(
                        f"another process is at work in {str(folder)!r}; wait for it, end it, or use another folder"
                    ) from None
                time.sleep(_LOOK)
        yield
