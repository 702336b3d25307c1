"""A progress bar on a terminal, after a second; nothing elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

Advance = Callable[[int], None]


def bar(*, quiet: bool) -> Callable[[int, str], AbstractContextManager[Advance]]:
    """Opens a bar for a number of steps."""
    return lambda total, doing: progress(total, doing, quiet=quiet)


@contextmanager
def progress(total: int, doing: str, *, quiet: bool) -> Iterator[Advance]:
    """A function to call with the number of steps done; on a terminal a bar appears after a second."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():  # a log file would only get empty lines
        yield lambda done: None
        return
    began = time.monotonic()
    shown: list[Any] = []
    finished = 0

    def advance(done: int) -> None:
        nonlocal finished
        finished += done
        if not shown and time.monotonic() - began > 1 and finished < total:
            from rich.console import Console
            from rich.progress import Progress

            drawn = Progress(console=Console(stderr=True), transient=True)
            drawn.start()
            shown.extend((drawn, drawn.add_task(doing, total=total)))
        if shown:
            shown[0].update(shown[1], completed=finished)

    try:
        yield advance
    finally:
        if shown:
            shown[0].stop()
