"""Places to write to, refused before anything is computed."""

from __future__ import annotations

import os
from pathlib import Path

from isoflop.errors import IsoflopError


def check_place(path: str, option: str) -> None:
    """Refuse a place that cannot hold a file: no folder, no permission, something that is not a plain file.

    A link or a device is refused too, since the file that is written whole would take its place.
    """
    place = Path(path)
    if not path.strip() or not place.name:
        raise IsoflopError(f"{option} needs the name of a file, not {path[:80]!r}")
    if len(os.fsencode(place.name)) > 245:
        raise IsoflopError(f"{option}: the file's name has {len(os.fsencode(place.name))} bytes; use fewer than 245")
    if not place.parent.is_dir():
        raise IsoflopError(f"{option} {path}: there is no folder {str(place.parent)!r}; make it, or write elsewhere")
    if not os.access(place.parent, os.W_OK):
        raise IsoflopError(f"{option} {path}: the folder {str(place.parent)!r} may not be written to; write elsewhere")
    if place.is_symlink() or (place.exists() and not place.is_file()):
        raise IsoflopError(f"{option} {path}: something is there that is not a plain file; write elsewhere")
