"""Files that are whole or absent: written beside, flushed, and moved into place in one step."""

from __future__ import annotations

import errno
import math
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

from isoflop.errors import IsoflopError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class NoSpaceError(IsoflopError):
    """The disk, the quota or the size limit of files is exhausted."""


def write_whole(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` so that a kill at any moment leaves the old file or the new one.

    Raises NoSpaceError when the disk is full; the old file then stays.
    """
    # a name of its own length, since a file system that takes the path need not take one that is longer
    beside = path.with_name(f".{zlib.crc32(os.fsencode(path.name)):08x}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        if error.errno in FULL:
            raise NoSpaceError(
                f"no space to write {path.name} ({len(data):,} bytes) in {path.parent}: free some and run again"
            ) from error
        # the place that was asked for, not that of the file written beside it
        raise OSError(error.errno, error.strerror, str(path)) from error


def plain_json(content: object) -> object:
    """What JSON can hold: numbers that are not finite become null."""
    match content:
        case Mapping():
            return {key: plain_json(value) for key, value in content.items()}
        case list() | tuple():
            return [plain_json(value) for value in content]
        case float() if not math.isfinite(content):
            return None
    return content
