"""Files that are whole or absent: written beside, flushed, and moved into place in one step; places for them."""

from __future__ import annotations

import errno
import math
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

from isoflop.errors import IsoflopError, shown

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class NoSpaceError(IsoflopError):
    """The disk, the quota or the size limit of files is exhausted."""


def check_place(path: str, option: str) -> None:
    """Refuse a place that cannot hold a file: no folder, no permission, something that is not a plain file.

    A link or a device is refused too, since the file that is written whole would take its place.
    """
    place = Path(path)
    if not path.strip() or not place.name:
        raise IsoflopError(f"{option} needs the name of a file, not {shown(path)}")
    if len(os.fsencode(place.name)) > 245:
        raise IsoflopError(f"{option}: the file's name has {len(os.fsencode(place.name))} bytes; use fewer than 245")
    if not place.parent.is_dir():
        raise IsoflopError(
            f"{option} {shown(path)}: there is no folder {str(place.parent)!r}; make it, or write elsewhere"
        )
    if not os.access(place.parent, os.W_OK):
        raise IsoflopError(
            f"{option} {shown(path)}: the folder {str(place.parent)!r} may not be written to; write elsewhere"
        )
    if place.is_symlink() or (place.exists() and not place.is_file()):
        raise IsoflopError(f"{option} {shown(path)}: something is there that is not a plain file; write elsewhere")


def write_whole(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` so that a kill at any moment leaves the old file or the new one.

    Raises NoSpaceError when the disk is full, the old file then stays, and IsoflopError where a link, a device or a
    folder is in the place of the file, which would be replaced.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise IsoflopError(f"{str(path)!r} is there and is no plain file; write elsewhere, or take it away first")
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
