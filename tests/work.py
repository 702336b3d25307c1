"""How much was done, in place of how long it took: a loaded machine moves a clock, and not a count."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: Processor seconds after which something that takes a moment is taken to have no end: far beyond what load can do.
NO_END = 60


@contextmanager
def little_work(calls: int = 1_000_000) -> Iterator[None]:
    """Fail where the block calls more functions, Python's or C's, than ``calls``."""
    counted = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)
    assert counted < calls, f"{counted:,} calls, where at most {calls:,} were to be made"


@contextmanager
def an_end() -> Iterator[None]:
    """Fail where the block takes processor time out of all proportion: for regular expressions, which call nothing."""
    began = time.process_time()
    yield
    assert time.process_time() - began < NO_END
