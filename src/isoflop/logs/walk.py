"""The files below a path, each once: not what a link leads to in a circle, version control, environments, copies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PASSED: Final = frozenset(
    {".git", ".hg", ".svn", "__pycache__", "node_modules", ".venv", "venv", "site-packages", ".ipynb_checkpoints"}
)
_DEEPEST: Final = 40


def walk(root: Path) -> Iterator[Path]:
    """Files below ``root``, those of a folder before those below it, each in the order of their names.

    A link to a place below the root is passed by, since that is reached without it; others are followed once. A folder
    that may not be listed comes as itself.
    """
    if not root.is_dir():
        yield root
        return
    real = root.resolve()
    seen: set[tuple[int, int]] = set()
    stack = [(root, 0)]
    while stack:
        folder, depth = stack.pop()
        try:
            state = folder.stat()
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except PermissionError:
            yield folder
            continue
        except OSError:
            continue
        if (state.st_dev, state.st_ino) in seen:
            continue
        seen.add((state.st_dev, state.st_ino))
        below = []
        for entry in entries:
            path = folder / entry.name
            try:
                if entry.is_symlink() and path.resolve().is_relative_to(real):
                    continue
                if entry.is_dir():
                    if entry.name not in _PASSED and depth < _DEEPEST:
                        below.append((path, depth + 1))
                elif entry.is_file():
                    yield path
            except (OSError, RuntimeError):  # a link to itself
                continue
        stack.extend(reversed(below))
