"""What an import read before: files with the same bytes need not be read again, only hashed.

``read.json`` in a store's folder says which runs each file gave. It is no part of the store: without it, or with a
damaged one, everything is read again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from isoflop.files import write_whole
from isoflop.logs.hashed_file import Digest
from isoflop.logs.reader import Found

READ: Final = "read.json"
_VERSION: Final = 2  # of what readers make of a file; a change of theirs is a change of this
# Formats that read nothing but the files they found.
_FORMATS: Final = ("text", "table", "tensorboard", "wandb")


class ReadBefore:
    """Which runs came from which bytes."""

    def __init__(self, folder: Path, pattern: str | None) -> None:
        self._path, self._pattern = folder / READ, pattern or ""
        self._files: dict[str, list[str]] = {}
        self._passed: set[str] = set()  # digests of runs that were read and rightly not taken
        self._changed = False
        try:
            held = json.loads(self._path.read_bytes())
            if held["version"] == _VERSION:
                self._files = {str(key): [str(each) for each in own] for key, own in held["files"].items()}
                self._passed = {str(each) for each in held["passed"]}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self._files, self._passed = {}, set()

    def key(self, found: Found) -> str | None:
        """What stands for the bytes of a log and how they are read; None for logs that cannot be told so."""
        if found.format not in _FORMATS or not found.files:
            return None
        digest = Digest().update(f"{found.format}\0{found.source}\0{self._pattern}\0".encode(errors="replace"))
        try:
            for path in found.files:
                with digest.file(path):
                    pass
        except OSError:
            return None
        return digest.hexdigest()

    def runs(self, key: str | None, stored: Collection[str]) -> int | None:
        """How many runs of the store a log gave, where every one of them is still there; None where it must be read."""
        own = None if key is None else self._files.get(key)
        if own is None or not all(each in stored or each in self._passed for each in own):
            return None
        return sum(each in stored for each in own)

    def note(self, key: str | None, digests: Iterable[str]) -> None:
        """The runs that a log gave."""
        if key is not None:
            self._files[key] = list(digests)
            self._changed = True

    def passed(self, digest: str) -> None:
        """A run that was read and is no run of its own."""
        self._passed.add(digest)

    def save(self) -> None:
        """Keep it for the next import."""
        if self._changed:
            held = {"version": _VERSION, "files": self._files, "passed": sorted(self._passed)}
            write_whole(self._path, json.dumps(held).encode())
